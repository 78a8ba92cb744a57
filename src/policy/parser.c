/* From files to sections, and from sections to a policy. */
#include <dirent.h>
#include <errno.h>

#include "base/own.h"
#include "policy/findings.h"
#include "policy/heap.h"
#include "policy/parse.h"
#include "policy/policy.h"
#include "policy/reader.h"
#include "policy/suggest.h"

/* --- the sections, kind by kind --- */

static void default_settings(struct parse *x)
{
    struct settings *s = &x->policy->settings;
    *s = (struct settings){
        .mode = MODE_AUDIT,
        .timeout_ms = 200,
        .on_timeout = ACTION_DENY,
        .listen = heap_string("127.0.0.1:9842"),
        .socket = heap_string("/run/fileward/fileward.sock"),
        .log_file = heap_string("/var/log/fileward/events.jsonl"),
        .user = heap_string("fileward"),
        .uid = UINT32_MAX,
        .gid = UINT32_MAX,
    };
    const struct account *a = accounts_by_name(&x->users, s->user);
    if (a) {
        s->uid = a->id;
        s->gid = a->gid;
    }
}

static void make_settings(struct parse *x)
{
    const struct section *s = sections_find(&x->sections, SECTION_FILEWARD, "");
    struct target t = target_of(SECTION_FILEWARD, &x->policy->settings);
    default_settings(x);
    if (s)
        interpret(x, s, &t);
    if (x->read && x->policy->settings.uid == UINT32_MAX && !target_given(&t, "user"))
        findings_note(x->findings, (struct origin){x->policy->files[0], 0},
                      "there is no user `fileward`, so `run` will not start: make it with "
                      "`useradd --system --no-create-home --shell /usr/sbin/nologin fileward`, or set `user`");
}

static void make_sets(struct parse *x)
{
    struct policy *p = x->policy;
    x->sets = heap_check(calloc(x->sections.n + 1, sizeof *x->sets));
    for (size_t i = 0; i < x->sections.n; i++) {
        const struct section *s = &x->sections.v[i];
        if (s->kind != SECTION_SET)
            continue;
        struct set *set = &x->sets[p->n_sets];
        set->section = s;
        p->sets = heap_grow(p->sets, p->n_sets, sizeof *p->sets);
        p->sets[p->n_sets++] = (struct named_set){heap_string(s->name), s->at, false};
        struct target t = target_of(SECTION_SET, set);
        interpret(x, s, &t);
    }
}

static void make_watches(struct parse *x)
{
    struct policy *p = x->policy;
    for (size_t i = 0; i < x->sections.n; i++) {
        const struct section *s = &x->sections.v[i];
        if (s->kind != SECTION_WATCH)
            continue;
        if (p->n_watches == WATCHES_MAX)
            findings_error(x->findings, s->at, "[watch %s] is one too many: a policy has at most %d watches", s->name,
                           WATCHES_MAX);
        p->watches = heap_grow(p->watches, (size_t)p->n_watches, sizeof *p->watches);
        struct watch *w = &p->watches[p->n_watches++];
        *w = (struct watch){.name = heap_string(s->name),
                            .at = s->at,
                            .default_action = ACTION_DENY,
                            .log = LOG_DENY,
                            .on_timeout = p->settings.on_timeout};
        struct target t = target_of(SECTION_WATCH, w);
        interpret(x, s, &t);
    }
}

/* Where something else is wrong, that may be why there is none. */
static void need_watch(struct parse *x)
{
    if (x->policy->n_watches == 0 && x->findings->errors == 0)
        findings_error(x->findings, (struct origin){x->policy->files[0], 0},
                       "the policy has no [watch ...]: there is nothing to guard");
}

/* The watch that a rule's section names, or -1 when there is none. */
static int watch_of(struct parse *x, const struct section *s)
{
    const struct policy *p = x->policy;
    CLEAN_FREE char *watch = heap_copy(s->name, strcspn(s->name, "/"));
    CLEAN_FREE const char **names = heap_check(calloc((size_t)p->n_watches + 1, sizeof *names));
    for (int i = 0; i < p->n_watches; i++) {
        names[i] = p->watches[i].name;
        if (strcmp(names[i], watch) == 0)
            return i;
    }
    const char *near = suggest(watch, names, (size_t)p->n_watches);
    if (near)
        findings_error(x->findings, s->at, "[rule %s]: there is no [watch %s]: did you mean `%s`?", s->name, watch,
                       near);
    else
        findings_error(x->findings, s->at, "[rule %s]: there is no [watch %s]", s->name, watch);
    return -1;
}

static void make_rule(struct parse *x, const struct section *s, int watch)
{
    struct policy *p = x->policy;
    p->rules = heap_grow(p->rules, (size_t)p->n_rules, sizeof *p->rules);
    struct rule *r = &p->rules[p->n_rules++];
    *r = (struct rule){.name = heap_string(s->name), .at = s->at, .watch = watch, .action = ACTION_DENY};
    struct target t = target_of(SECTION_RULE, r);
    interpret(x, s, &t);
    r->conditions = t.conditions;
    if (!r->ops)
        r->ops = OPS_ALL;
}

/* Rules stand together by watch, and in each watch the temporary ones come first. */
static void make_rules(struct parse *x)
{
    struct policy *p = x->policy;
    size_t n = x->sections.n;
    CLEAN_FREE int *watches = heap_check(malloc((n + 1) * sizeof *watches));
    int rules = 0;
    for (size_t i = 0; i < n; i++) {
        const struct section *s = &x->sections.v[i];
        watches[i] = s->kind == SECTION_RULE ? watch_of(x, s) : -1;
        if (s->kind == SECTION_RULE && ++rules == RULES_MAX + 1)
            findings_error(x->findings, s->at, "[rule %s] is one too many: a policy has at most %d rules", s->name,
                           RULES_MAX);
        if (s->kind == SECTION_RULE && watches[i] < 0) { /* read it for its errors only */
            make_rule(x, s, 0);
            policy_drop_last_rule(p);
        }
    }
    for (int w = 0; w < p->n_watches; w++) {
        p->watches[w].first_rule = p->n_rules;
        for (int temporary = 1; temporary >= 0; temporary--) {
            for (size_t i = 0; i < n; i++) {
                if (watches[i] == w && x->sections.v[i].temporary == (bool)temporary)
                    make_rule(x, &x->sections.v[i], w);
            }
        }
        p->watches[w].rules = p->n_rules - p->watches[w].first_rule;
    }
}

/* --- the files --- */

static void on_problem(void *user, int line, const char *message)
{
    struct parse *x = user;
    const struct policy *p = x->policy;
    findings_error(x->findings, (struct origin){p->files[p->n_files - 1], line}, "%s", message);
}

/* Names a file in the policy. Takes `path`. */
static const char *add_file(struct policy *p, char *path)
{
    p->files = heap_grow(p->files, p->n_files, sizeof *p->files);
    p->file_sizes = heap_grow(p->file_sizes, p->n_files, sizeof *p->file_sizes);
    return p->files[p->n_files++] = path;
}

static void keep_bytes(struct parse *x, const struct content *c)
{
    if (!x->bytes)
        return;
    *x->bytes = heap_check(realloc(*x->bytes, *x->size + c->size + 1));
    memcpy(*x->bytes + *x->size, c->bytes, c->size + 1);
    *x->size += c->size;
}

static void read_file(struct parse *x, char *path, bool temporary, bool any_owner)
{
    const char *file = add_file(x->policy, path);
    struct reader_handler h = {.user = x, .problem = on_problem};
    struct content content;
    if (!reader_load(file, any_owner, &h, &content))
        return;
    x->read = true;
    x->policy->file_sizes[x->policy->n_files - 1] = content.size;
    keep_bytes(x, &content);
    sections_add(&x->sections, &content, file, temporary, x->findings);
    free(content.bytes);
}

static int is_policy_name(const struct dirent *d)
{
    size_t len = strlen(d->d_name);
    return d->d_name[0] != '.' && len > 4 && strcmp(d->d_name + len - 4, ".ini") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Reads every *.ini of a directory in name order; a directory that does not exist holds none. */
static void read_directory(struct parse *x, const char *path, bool temporary, bool any_owner)
{
    struct dirent **found = NULL;
    int n = scandir(path, &found, is_policy_name, by_bytes);
    if (n < 0 && errno != ENOENT) {
        int why = errno;
        struct origin at = {add_file(x->policy, heap_string(path)), 0};
        if (temporary && why == EACCES) /* someone else than root checks a policy */
            findings_note(x->findings, at, "temporary rules were left out: %s", strerror(why));
        else
            findings_error(x->findings, at, "cannot be listed: %s", strerror(why));
    }
    for (int i = 0; i < n; i++) {
        char *file = NULL;
        if (asprintf(&file, "%s/%s", path, found[i]->d_name) < 0)
            file = heap_check(NULL);
        read_file(x, file, temporary, any_owner);
        free(found[i]);
    }
    free(found);
}

static char *absolute(const char *path)
{
    CLEAN_FREE char *here = path[0] == '/' ? heap_string("") : getcwd(NULL, 0);
    char *out = NULL;
    if (!here || asprintf(&out, "%s%s%s", here, here[0] ? "/" : "", path) < 0)
        return heap_string(path);
    return out;
}

static void read_files(struct parse *x, const struct policy_sources *src)
{
    const char *runtime = src->runtime_dir ? src->runtime_dir : "/run/fileward/policy.d";
    char *main_file = absolute(src->main_file ? src->main_file : "/etc/fileward/fileward.ini");
    CLEAN_FREE char *neighbour = NULL;
    const char *slash = strrchr(main_file, '/');
    if (asprintf(&neighbour, "%.*s/policy.d", slash ? (int)(slash - main_file) : 0, main_file) < 0)
        neighbour = heap_check(NULL);
    read_file(x, main_file, false, src->skip_ownership);
    read_directory(x, neighbour, false, src->skip_ownership);
    read_directory(x, runtime, true, src->skip_ownership);
}

static void read_accounts(struct parse *x, const struct policy_sources *src)
{
    const char *passwd = src->passwd ? src->passwd : "/etc/passwd", *group = src->group ? src->group : "/etc/group";
    struct origin at = {x->policy->files[0], 0};
    if (!accounts_read_users(passwd, &x->users))
        findings_error(x->findings, at, "users cannot be looked up: %s: %s", passwd, strerror(errno));
    if (!accounts_read_groups(group, &x->groups))
        findings_error(x->findings, at, "groups cannot be looked up: %s: %s", group, strerror(errno));
}

static void find_homes(struct parse *x, const struct policy_sources *src)
{
    uint32_t low, high;
    users_range(src->login_defs ? src->login_defs : "/etc/login.defs", &low, &high);
    homes_find(&x->users, low, high, &x->policy->homes, &x->policy->n_homes);
}

static void parse_free(struct parse *x)
{
    for (size_t i = 0; x->sets && i < x->policy->n_sets; i++)
        free(x->sets[i].programs.v);
    free(x->sets);
    sections_free(&x->sections);
    accounts_free(&x->users);
    accounts_free(&x->groups);
}

struct policy *policy_read(const struct policy_sources *src, struct findings *findings, char **contents, size_t *size)
{
    struct parse x = {.policy = heap_check(calloc(1, sizeof *x.policy)), .findings = findings};
    *findings = (struct findings){0};
    if (contents) {
        *contents = heap_string("");
        *size = 0;
        x.bytes = contents;
        x.size = size;
    }
    read_files(&x, src);
    read_accounts(&x, src);
    make_settings(&x);
    make_sets(&x);
    make_watches(&x);
    make_rules(&x);
    need_watch(&x);
    find_homes(&x, src);
    findings_sort(findings, x.policy->files, x.policy->n_files);
    parse_free(&x);
    return x.policy;
}
