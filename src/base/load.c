#include "base/load.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <string.h>

#include "base/mounts.h"
#include "base/own.h"
#include "base/text.h"
#include "policy/findings.h"
#include "policy/glob.h"
#include "policy/heap.h"
#include "policy/trail.h"
#include "policy/users.h"

/* `path` as the kernel would name it, as far as root alone decides where it leads. Caller frees. */
static char *real_path(const char *path)
{
    struct trail trail;
    trail_follow(path, false, &trail);
    if (trail.fd >= 0)
        close(trail.fd);
    return heap_string(trail.end == TRAIL_END_FAILED ? path : trail.real);
}

/* Replaces the literal beginning of a pattern by its real path. Below `~` that is the homes' work. */
static void canonicalise(struct pattern *p, struct findings *f)
{
    if (p->home)
        return;
    size_t prefix = glob_literal_prefix(p->text);
    CLEAN_FREE char *plain = heap_copy(p->text, prefix);
    CLEAN_FREE char *real = real_path(prefix ? plain : "/");
    CLEAN_FREE char *escaped = heap_check(glob_escape(real, strcmp(real, "/") == 0 ? 0 : strlen(real)));
    char *text = NULL;
    if (asprintf(&text, "%s%s", escaped, p->text + prefix) < 0)
        text = heap_check(NULL);
    if (glob_literal_prefix(text) == 0 && prefix > 0)
        findings_error(f, p->at, "`%s` leads to `/`, which is everything", p->text);
    free(p->text);
    p->text = text;
}

static void canonicalise_list(struct patterns *list, struct findings *f)
{
    for (size_t i = 0; i < list->n; i++)
        canonicalise(&list->v[i], f);
}

/* Refuses watched paths that lie where nothing can be guarded. */
static void check_places(const struct patterns *list, const struct mounts *mounts, struct findings *f)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct pattern *p = &list->v[i];
        size_t len = glob_literal_prefix(p->text);
        const char *type = p->home ? NULL : mounts_type_at(mounts, p->text, len);
        const char *refusal = type ? mounts_refusal(type) : NULL;
        if (refusal)
            findings_error(f, p->at, "path: `%s` is on %s, which cannot be guarded: %s", p->text, type, refusal);
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

/* Why a home cannot be guarded, or NULL; makes its path real on the way. */
static const char *settle_home(struct home *home, const struct mounts *mounts)
{
    const char *type = mounts_type_at(mounts, home->path, strlen(home->path));
    const char *refusal = type ? mounts_refusal(type) : NULL;
    if (refusal) /* do not touch it */
        return refusal;
    char *real = real_path(home->path);
    free(home->path);
    home->path = real;
    if (strcmp(real, "/") == 0)
        return "it leads to `/`";
    type = mounts_type_at(mounts, real, strlen(real));
    return type ? mounts_refusal(type) : NULL;
}

/* Real paths for homes; those that cannot be guarded are dropped, and if any watch is on `~` that is told. */
static void settle_homes(struct policy *p, const struct mounts *mounts, struct findings *f)
{
    struct origin at;
    bool watched = watches_homes(p, &at);
    size_t kept = 0;
    for (size_t i = 0; i < p->n_homes; i++) {
        struct home home = p->homes[i];
        const char *refusal = settle_home(&home, mounts);
        if (refusal && watched)
            findings_note(f, at, "the home %s of uid %u is not guarded: %s", home.path, home.uid, refusal);
        if (refusal)
            free(home.path);
        else
            p->homes[kept++] = home;
    }
    p->n_homes = kept;
    homes_sort(p->homes, &p->n_homes);
}

static void settle(struct policy *p, struct findings *f)
{
    struct mounts mounts;
    if (!mounts_read(&mounts))
        findings_error(f, (struct origin){p->files[0], 0}, "the mount table cannot be read: %s", strerror(errno));
    for (int w = 0; w < p->n_watches; w++) {
        struct patterns *path = &p->watches[w].path;
        size_t before = f->errors;
        check_places(path, &mounts, f); /* before any path is touched */
        if (f->errors > before)
            continue;
        canonicalise_list(path, f);
        canonicalise_list(&p->watches[w].exclude, f);
        check_places(path, &mounts, f);
    }
    for (int r = 0; r < p->n_rules; r++)
        canonicalise_list(&p->rules[r].path, f);
    settle_homes(p, &mounts, f);
    mounts_free(&mounts);
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
