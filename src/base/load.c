#include "base/load.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <string.h>

#include "base/lookup.h"
#include "base/mounts.h"
#include "base/own.h"
#include "base/text.h"
#include "policy/findings.h"
#include "policy/glob.h"
#include "policy/heap.h"
#include "policy/trail.h"
#include "policy/users.h"

/* `path` as the kernel would name it, as far as root alone decides where it leads and nobody must be asked. Caller
 * frees. */
static char *real_path(const char *path, struct lookup *names)
{
    struct trail trail;
    trail_follow(path, false, lookup_guard(names), &trail);
    if (trail.fd >= 0)
        close(trail.fd);
    return heap_string(trail.end == TRAIL_END_FAILED && errno != EREMOTE ? path : trail.real);
}

/* Replaces the literal beginning of a pattern by its real path. Below `~` that is the homes' work. */
static void canonicalise(struct pattern *p, struct lookup *names, struct findings *f)
{
    if (p->home)
        return;
    size_t prefix = glob_literal_prefix(p->text);
    CLEAN_FREE char *plain = heap_copy(p->text, prefix);
    CLEAN_FREE char *real = real_path(prefix ? plain : "/", names);
    CLEAN_FREE char *escaped = heap_check(glob_escape(real, strcmp(real, "/") == 0 ? 0 : strlen(real)));
    char *text = NULL;
    if (asprintf(&text, "%s%s", escaped, p->text + prefix) < 0)
        text = heap_check(NULL);
    if (glob_literal_prefix(text) == 0 && prefix > 0)
        findings_error(f, p->at, "`%s` leads to `/`, which is everything", p->text);
    free(p->text);
    p->text = text;
}

static void canonicalise_list(struct patterns *list, struct lookup *names, struct findings *f)
{
    for (size_t i = 0; i < list->n; i++)
        canonicalise(&list->v[i], names, f);
}

static const char *refusal(const char *type)
{
    const char *why = type ? mounts_refusal(type) : NULL;
    return why ? why : "it cannot be told what is mounted there";
}

/* Refuses watched paths that lie where nothing can be guarded. */
static void check_places(const struct patterns *list, struct lookup *names, struct findings *f)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct pattern *p = &list->v[i];
        const char *type = p->home ? NULL : lookup_refused(names, p->text, glob_literal_prefix(p->text));
        if (type)
            findings_error(f, p->at, "path: `%s` is on %s, which cannot be guarded: %s", p->text, type, refusal(type));
    }
}

/* A program that nobody will look up never is what a rule names. */
static void check_programs(const struct policy *p, struct lookup *names, struct findings *f)
{
    for (size_t i = 0; i < p->n_programs; i++) {
        const struct pattern *program = &p->programs[i];
        const char *type = lookup_refused(names, program->text, glob_literal_prefix(program->text));
        if (type)
            findings_note(f, program->at, "program `%s` is on %s, where no program is known: it matches nothing",
                          program->text, type);
    }
}

static bool watches_homes(const struct policy *p, struct origin *at)
{
    for (int w = 0; w < p->n_watches; w++) {
        for (size_t i = 0; i < p->watches[w].path.n; i++) {
            *at = p->watches[w].path.v[i].at;
            if (p->watches[w].path.v[i].home)
                return true;
        }
    }
    return false;
}

/* Whether this is a directory of the user's, or may become one, since nothing is there yet. Makes its path real on the
 * way. What cannot be reached without asking somebody counts: `why` then says so. */
static bool settle_home(struct home *home, struct lookup *names, const char **why)
{
    struct trail trail;
    *why = NULL;
    trail_follow(home->path, true, lookup_guard(names), &trail);
    if (trail.fd >= 0)
        close(trail.fd);
    else if (trail.end == TRAIL_END_FAILED && errno == EREMOTE)
        *why = refusal(lookup_refused(names, trail.real, strlen(trail.real)));
    if (*why)
        return true;
    if (trail.end != TRAIL_END_MISSING &&
        (trail.end != TRAIL_END_FOUND || !S_ISDIR(trail.st.stx_mode) || trail.st.stx_uid != home->uid))
        return false;
    char *real = real_path(home->path, names);
    free(home->path);
    home->path = real;
    if (strcmp(real, "/") == 0)
        *why = "it leads to `/`";
    return true;
}

/* Real paths for homes; those that cannot be guarded are dropped, and if any watch is on `~` that is told. */
static void settle_homes(struct policy *p, struct lookup *names, struct findings *f)
{
    struct origin at;
    bool watched = watches_homes(p, &at);
    size_t kept = 0;
    for (size_t i = 0; i < p->n_homes; i++) {
        struct home home = p->homes[i];
        const char *why;
        bool theirs = settle_home(&home, names, &why);
        if (theirs && why && watched)
            findings_note(f, at, "the home %s of uid %u is not guarded: %s", home.path, home.uid, why);
        if (theirs && !why)
            p->homes[kept++] = home;
        else
            free(home.path);
    }
    p->n_homes = kept;
    homes_sort(p->homes, &p->n_homes);
}

static void free_lookup(struct lookup **l)
{
    lookup_free(*l);
}

static void settle(struct policy *p, struct findings *f)
{
    __attribute__((cleanup(free_lookup))) struct lookup *names = lookup_create();
    if (!names) {
        findings_error(f, (struct origin){p->files[0], 0}, "the mount table cannot be read: %s", strerror(errno));
        return;
    }
    for (int w = 0; w < p->n_watches; w++) {
        struct patterns *path = &p->watches[w].path;
        canonicalise_list(path, names, f);
        canonicalise_list(&p->watches[w].exclude, names, f);
        check_places(path, names, f);
    }
    for (int r = 0; r < p->n_rules; r++)
        canonicalise_list(&p->rules[r].path, names, f);
    check_programs(p, names, f);
    settle_homes(p, names, f);
}

static void hash(struct policy *p, const char *bytes, size_t size)
{
    struct sha256_ctx ctx;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&ctx);
    sha256_update(&ctx, size, (const uint8_t *)bytes);
    sha256_digest(&ctx, sizeof digest, digest);
    text_hex(p->sha256, sizeof p->sha256, (const char *)digest, sizeof digest);
}

struct policy *policy_load_contents(const struct policy_sources *sources, struct findings *findings, char **contents)
{
    size_t size;
    struct policy *p = policy_read(sources, findings, contents, &size);
    hash(p, *contents, size);
    settle(p, findings);
    findings_sort(findings, p->files, p->n_files);
    return p;
}

struct policy *policy_load_from(const struct policy_sources *sources, struct findings *findings)
{
    CLEAN_FREE char *contents = NULL;
    return policy_load_contents(sources, findings, &contents);
}

struct policy *policy_load(const char *main_file, struct findings *findings)
{
    struct policy_sources sources = {.main_file = main_file};
    return policy_load_from(&sources, findings);
}

bool policy_permitted(const char *main_file)
{
    const char *file = main_file ? main_file : "/etc/fileward/fileward.ini";
    if (access(file, R_OK) == 0 || errno != EACCES)
        return true;
    fputs("fileward: not permitted to read ", stderr);
    text_print(stderr, file);
    fputs("; run as root\n", stderr);
    return false;
}

void findings_print(const struct findings *findings, FILE *out)
{
    for (size_t i = 0; i < findings->n; i++)
        fprintf(out, "%s\n", findings->v[i].text);
}
