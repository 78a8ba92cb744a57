/* From sections to a policy: every key has a row in a table, and one function that turns its words into a field. */
#include <dirent.h>
#include <errno.h>

#include "base/own.h"
#include "policy/findings.h"
#include "policy/glob.h"
#include "policy/heap.h"
#include "policy/policy.h"
#include "policy/reader.h"
#include "policy/sections.h"
#include "policy/suggest.h"
#include "policy/users.h"
#include "policy/values.h"
#include "policy/words.h"

enum { KEYS_MAX = 24 };

struct set {
    const struct section *section;
    struct program_list programs;
};

/* A policy being made. */
struct parse {
    struct policy *policy;
    struct findings *findings;
    struct sections sections;
    struct accounts users, groups;
    struct set *sets; /* one for each of policy->sets */
    char **bytes;     /* all contents in a row, for the caller; may be NULL */
    size_t *size;
};

/* What may stand for a value of a few. */
struct choice {
    const char *name;
    int value;
    bool absent; /* known to the language, not to this version */
};

enum key_kind { KEY_ONE, KEY_LIST, KEY_ABSENT };

struct key {
    const char *name;
    enum key_kind kind;
    /* Adds or sets `words` to the field. Called with at least one word, with exactly one for KEY_ONE. */
    void (*take)(struct parse *x, const struct key *key, void *field, const struct entry *e, const struct words *words);
    size_t offset;                /* of the field */
    const struct choice *choices; /* ends with a NULL name */
    const char *required;         /* what to say when it is missing; NULL: it may be */
    unsigned condition;           /* the bit of the condition that it makes of a rule, or 0 */
};

/* --- taking values --- */

static void bad_value(struct parse *x, const struct entry *e, const char *word, const char *fault)
{
    findings_error(x->findings, e->at, "%s: `%s`: %s", e->key, word, fault);
}

static const struct choice *choose(struct parse *x, const struct key *key, const struct entry *e, const char *word)
{
    const char *names[KEYS_MAX];
    char list[256] = "";
    size_t n = 0, len = 0;
    const struct choice *found = NULL;
    for (const struct choice *c = key->choices; c->name; c++) {
        if (strcmp(c->name, word) == 0)
            found = c;
        if (c->absent)
            continue;
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", n ? ", " : "", c->name);
        names[n++] = c->name;
    }
    if (found && !found->absent)
        return found;
    const char *near = suggest(word, names, n);
    if (found)
        findings_error(x->findings, e->at, "%s = %s is not available in this version; it has: %s", e->key, word, list);
    else if (near)
        findings_error(x->findings, e->at, "%s: unknown value `%s`: did you mean `%s`?", e->key, word, near);
    else
        findings_error(x->findings, e->at, "%s: unknown value `%s`; it is one of: %s", e->key, word, list);
    return NULL;
}

static void take_choice(struct parse *x, const struct key *key, void *field, const struct entry *e,
                        const struct words *words)
{
    const struct choice *c = choose(x, key, e, words->v[0]);
    if (c)
        memcpy(field, &c->value, sizeof c->value); /* all our enums are as large as an int */
}

static void take_bool(struct parse *x, const struct key *key, void *field, const struct entry *e,
                      const struct words *words)
{
    const struct choice *c = choose(x, key, e, words->v[0]);
    if (c)
        *(bool *)field = c->value != 0;
}

static void take_ops(struct parse *x, const struct key *key, void *field, const struct entry *e,
                     const struct words *words)
{
    for (size_t i = 0; i < words->n; i++) {
        const struct choice *c = choose(x, key, e, words->v[i]);
        if (c)
            *(unsigned *)field |= (unsigned)c->value;
    }
}

static void take_public(struct parse *x, const struct key *key, void *field, const struct entry *e,
                        const struct words *words)
{
    (void)field;
    choose(x, key, e, words->v[0]);
}

static void take_duration(struct parse *x, const struct key *key, void *field, const struct entry *e,
                          const struct words *words)
{
    (void)key;
    const char *fault = value_duration(words->v[0], field);
    if (fault)
        bad_value(x, e, words->v[0], fault);
}

static void take_time(struct parse *x, const struct key *key, void *field, const struct entry *e,
                      const struct words *words)
{
    (void)key;
    const char *fault = value_time(words->v[0], field);
    if (fault)
        bad_value(x, e, words->v[0], fault);
}

static void replace_string(char **field, const char *value)
{
    free(*field);
    *field = value ? heap_string(value) : NULL;
}

static void take_string(struct parse *x, const struct key *key, void *field, const struct entry *e,
                        const struct words *words)
{
    (void)x, (void)key, (void)e;
    replace_string(field, words->v[0]);
}

static void take_file(struct parse *x, const struct key *key, void *field, const struct entry *e,
                      const struct words *words)
{
    (void)key;
    const char *fault = value_plain_path(words->v[0]);
    if (fault)
        bad_value(x, e, words->v[0], fault);
    else
        replace_string(field, words->v[0]);
}

static void take_listen(struct parse *x, const struct key *key, void *field, const struct entry *e,
                        const struct words *words)
{
    (void)key;
    bool off = strcmp(words->v[0], "off") == 0;
    const char *fault = off ? NULL : value_listen(words->v[0]);
    if (fault)
        bad_value(x, e, words->v[0], fault);
    else
        replace_string(field, off ? NULL : words->v[0]);
}

/* Whom the roles run as: gives settings.uid and .gid too. */
static void take_user(struct parse *x, const struct key *key, void *field, const struct entry *e,
                      const struct words *words)
{
    (void)key;
    struct settings *s = &x->policy->settings;
    struct id_range id;
    const char *fault = value_ids(words->v[0], &x->users, &id);
    if (!fault && id.low != id.high)
        fault = "must be one user";
    if (fault) {
        bad_value(x, e, words->v[0], fault);
        return;
    }
    const struct account *a = accounts_by_id(&x->users, id.low);
    s->uid = id.low;
    s->gid = a ? a->gid : id.low;
    replace_string(field, words->v[0]);
}

static void take_ids(struct parse *x, const struct key *key, void *field, const struct entry *e,
                     const struct words *words)
{
    struct ids *ids = field;
    bool users = key->condition & (1u << COND_UID | 1u << COND_LOGINUID);
    for (size_t i = 0; i < words->n; i++) {
        struct id_range range;
        if (key->condition == 1u << COND_UID && strcmp(words->v[i], "owner") == 0) {
            ids->owner = true;
            continue;
        }
        const char *fault = value_ids(words->v[i], users ? &x->users : &x->groups, &range);
        if (fault)
            bad_value(x, e, words->v[i], fault);
        else
            *HEAP_APPEND(ids) = range;
    }
}

static void take_units(struct parse *x, const struct key *key, void *field, const struct entry *e,
                       const struct words *words)
{
    (void)key;
    struct names *names = field;
    for (size_t i = 0; i < words->n; i++) {
        const char *fault = value_unit(words->v[i]);
        if (fault)
            bad_value(x, e, words->v[i], fault);
        else
            *HEAP_APPEND(names) = heap_string(words->v[i]);
    }
}

static void take_patterns(struct parse *x, const struct key *key, void *field, const struct entry *e,
                          const struct words *words)
{
    (void)key;
    struct patterns *list = field;
    for (size_t i = 0; i < words->n; i++) {
        struct pattern p = {.at = e->at};
        const char *fault = value_pattern(words->v[i], &p.text, &p.home);
        if (fault)
            bad_value(x, e, words->v[i], fault);
        else
            *HEAP_APPEND(list) = p;
    }
}

/* As patterns, but each must say where to begin: what it names is searched for and marked. */
static void take_watch_paths(struct parse *x, const struct key *key, void *field, const struct entry *e,
                             const struct words *words)
{
    struct patterns *list = field;
    size_t before = list->n;
    take_patterns(x, key, field, e, words);
    for (size_t i = before; i < list->n; i++) {
        const char *text = list->v[i].text;
        if (!list->v[i].home && glob_literal_prefix(text) == 0)
            bad_value(x, e, text,
                      "the first directory of a watched path must be plain, or all of the machine is searched");
    }
}

/* --- programs and sets --- */

static void add_program(struct parse *x, struct program_list *list, const struct entry *e, const char *word)
{
    struct policy *p = x->policy;
    CLEAN_FREE char *text = NULL;
    bool home;
    size_t len = strlen(word);
    const char *fault = value_pattern(word, &text, &home);
    if (!fault && home)
        fault = "a program must be an absolute path: who owns a home could put any program there";
    else if (!fault && word[len - 1] == '/')
        fault = "a directory is no program; DIRECTORY/* means those in it";
    if (fault) {
        bad_value(x, e, word, fault);
        return;
    }
    size_t i = 0;
    while (i < p->n_programs && strcmp(p->programs[i].text, text) != 0)
        i++;
    if (i == PROGRAMS_MAX) {
        findings_error(x->findings, e->at, "%s: too many programs; a policy has at most %d different ones", e->key,
                       PROGRAMS_MAX);
        return;
    }
    if (i == p->n_programs) {
        p->programs = heap_grow(p->programs, p->n_programs, sizeof *p->programs);
        p->programs[p->n_programs++] = (struct pattern){.text = STEAL_PTR(text), .at = e->at};
    }
    *HEAP_APPEND(list) = (uint16_t)i;
}

static void add_set(struct parse *x, struct program_list *list, const struct entry *e, const char *name)
{
    struct policy *p = x->policy;
    CLEAN_FREE const char **names = heap_check(calloc(p->n_sets + 1, sizeof *names));
    for (size_t i = 0; i < p->n_sets; i++) {
        names[i] = p->sets[i].name;
        if (strcmp(names[i], name) != 0)
            continue;
        p->sets[i].used = true;
        for (size_t j = 0; j < x->sets[i].programs.n; j++)
            *HEAP_APPEND(list) = x->sets[i].programs.v[j];
        return;
    }
    const char *near = suggest(name, names, p->n_sets);
    if (near)
        findings_error(x->findings, e->at, "%s: there is no [set %s]: did you mean `@%s`?", e->key, name, near);
    else
        findings_error(x->findings, e->at, "%s: there is no [set %s]", e->key, name);
}

static void take_set_programs(struct parse *x, const struct key *key, void *field, const struct entry *e,
                              const struct words *words)
{
    (void)key;
    for (size_t i = 0; i < words->n; i++) {
        if (words->v[i][0] == '@')
            bad_value(x, e, words->v[i], "a set cannot hold a set");
        else
            add_program(x, field, e, words->v[i]);
    }
}

static void take_programs(struct parse *x, const struct key *key, void *field, const struct entry *e,
                          const struct words *words)
{
    (void)key;
    for (size_t i = 0; i < words->n; i++) {
        if (words->v[i][0] == '@')
            add_set(x, field, e, words->v[i] + 1);
        else
            add_program(x, field, e, words->v[i]);
    }
}

/* --- the keys --- */

static const struct choice modes[] = {{"audit", MODE_AUDIT, false}, {"enforce", MODE_ENFORCE, false}, {0}};
static const struct choice actions[] = {{"allow", ACTION_ALLOW, false}, {"deny", ACTION_DENY, false}, {0}};
static const struct choice booleans[] = {{"yes", 1, false}, {"no", 0, false}, {0}};
static const struct choice coverages[] = {
    {"inode", COVERAGE_INODE, false}, {"filesystem", COVERAGE_FILESYSTEM, true}, {0}};
static const struct choice guards[] = {
    {"open", GUARD_OPEN, false}, {"open+read", GUARD_OPEN_READ, false}, {"open+write", GUARD_OPEN_WRITE, true}, {0}};
static const struct choice changes[] = {
    {"ignore", CHANGES_IGNORE, false}, {"record", CHANGES_RECORD, true}, {"hash", CHANGES_HASH, true}, {0}};
static const struct choice log_levels[] = {
    {"none", LOG_NONE_OF_IT, false}, {"deny", LOG_DENY, false}, {"all", LOG_EVERYTHING, false}, {0}};
static const struct choice ops[] = {{"read", OP_BIT(OP_READ), false}, {"write", OP_BIT(OP_WRITE), false},
                                    {"exec", OP_BIT(OP_EXEC), false}, {"list", OP_BIT(OP_LIST), false},
                                    {"any", (int)OPS_ALL, false},     {0}};
static const struct choice objects[] = {{"public", 0, false}, {0}};

#define ONE(type, field, take, choices) #field, KEY_ONE, take, offsetof(struct type, field), choices, NULL, 0
#define LIST(type, field, take)         #field, KEY_LIST, take, offsetof(struct type, field), NULL, NULL, 0

static const struct key setting_keys[] = {
    {ONE(settings, mode, take_choice, modes)},
    {"timeout", KEY_ONE, take_duration, offsetof(struct settings, timeout_ms), NULL, NULL, 0},
    {ONE(settings, on_timeout, take_choice, actions)},
    {ONE(settings, listen, take_listen, NULL)},
    {ONE(settings, socket, take_file, NULL)},
    {ONE(settings, log_file, take_file, NULL)},
    {ONE(settings, journal, take_bool, booleans)},
    {ONE(settings, user, take_user, NULL)},
};

static const struct key set_keys[] = {
    {"exe", KEY_LIST, take_set_programs, offsetof(struct set, programs), NULL, "`exe = PROGRAM...`", 0},
};

static const struct key watch_keys[] = {
    {"path", KEY_LIST, take_watch_paths, offsetof(struct watch, path), NULL, "`path = PATH...`", 0},
    {LIST(watch, exclude, take_patterns)},
    {"default", KEY_ONE, take_choice, offsetof(struct watch, default_action), actions,
     "`default = deny` or `default = allow`, for whoever no rule names", 0},
    {ONE(watch, mode, take_choice, modes)},
    {ONE(watch, coverage, take_choice, coverages)},
    {ONE(watch, guard, take_choice, guards)},
    {ONE(watch, changes, take_choice, changes)},
    {ONE(watch, log, take_choice, log_levels)},
    {ONE(watch, on_timeout, take_choice, actions)},
};

#define CONDITION(field, take, bit) #field, KEY_LIST, take, offsetof(struct rule, field), NULL, NULL, 1u << (bit)
#define ABSENT(name)                name, KEY_ABSENT, NULL, 0, NULL, NULL, 0

static const struct key rule_keys[] = {
    {"action", KEY_ONE, take_choice, offsetof(struct rule, action), actions, "`action = allow` or `action = deny`", 0},
    {"op", KEY_LIST, take_ops, offsetof(struct rule, ops), ops, NULL, 0},
    {CONDITION(exe, take_programs, COND_EXE)},
    {CONDITION(parent, take_programs, COND_PARENT)},
    {CONDITION(ancestor, take_programs, COND_ANCESTOR)},
    {CONDITION(uid, take_ids, COND_UID)},
    {CONDITION(gid, take_ids, COND_GID)},
    {CONDITION(egid, take_ids, COND_EGID)},
    {CONDITION(loginuid, take_ids, COND_LOGINUID)},
    {CONDITION(unit, take_units, COND_UNIT)},
    {CONDITION(path, take_patterns, COND_PATH)},
    {"object", KEY_ONE, take_public, 0, objects, NULL, 1u << COND_OBJECT},
    {"expires", KEY_ONE, take_time, offsetof(struct rule, expires), NULL, NULL, 1u << COND_EXPIRES},
    {ONE(rule, reason, take_string, NULL)},
    {ABSENT("trust")},
    {ABSENT("code")},
    {ABSENT("exe_sha256")},
};

/* The keys of one kind of section, and what is being made of it. */
struct target {
    const struct key *keys;
    size_t n;
    void *into;
    unsigned given; /* keys that stood there, misspelt ones included */
    unsigned conditions;
};

static struct target target_of(enum section_kind kind, void *into)
{
    static const struct {
        const struct key *keys;
        size_t n;
    } tables[SECTION_KINDS] = {
        [SECTION_FILEWARD] = {setting_keys, sizeof setting_keys / sizeof setting_keys[0]},
        [SECTION_SET] = {set_keys, sizeof set_keys / sizeof set_keys[0]},
        [SECTION_WATCH] = {watch_keys, sizeof watch_keys / sizeof watch_keys[0]},
        [SECTION_RULE] = {rule_keys, sizeof rule_keys / sizeof rule_keys[0]},
    };
    return (struct target){.keys = tables[kind].keys, .n = tables[kind].n, .into = into};
}

static const struct key *find_key(const struct target *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->keys[i].name, name) == 0)
            return &t->keys[i];
    }
    return NULL;
}

static void report_unknown_key(struct parse *x, struct target *t, const struct section *s, const struct entry *e)
{
    const char *names[KEYS_MAX];
    char list[256] = "";
    size_t len = 0;
    for (size_t i = 0; i < t->n; i++) {
        names[i] = t->keys[i].name;
        if (t->keys[i].kind != KEY_ABSENT)
            len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", names[i]);
    }
    const char *near = suggest(e->key, names, t->n);
    if (near) {
        t->given |= 1u << (find_key(t, near) - t->keys); /* so that it is not reported as missing as well */
        findings_error(x->findings, e->at, "unknown key `%s`: did you mean `%s`?", e->key, near);
    } else {
        findings_error(x->findings, e->at, "unknown key `%s`; a [%s] section has: %s", e->key,
                       section_kind_name(s->kind), list);
    }
}

/* A key that has one value came before, as `first`: an error under the same header, else the later file wins. */
static void report_again(struct parse *x, const struct entry *e, const struct entry *first)
{
    if (e->header == first->header)
        findings_error(x->findings, e->at, "`%s` stands twice in this section, first on line %d", e->key,
                       first->at.line);
    else if (e->at.file != first->at.file)
        findings_note(x->findings, e->at, "`%s = %s` replaces `%s` of %s:%d", e->key, e->value, first->value,
                      first->at.file, first->at.line);
}

static void interpret_entry(struct parse *x, struct target *t, const struct section *s, const struct entry *e,
                            const struct entry *seen[KEYS_MAX])
{
    const struct key *key = find_key(t, e->key);
    if (!key) {
        report_unknown_key(x, t, s, e);
        return;
    }
    size_t index = (size_t)(key - t->keys);
    t->given |= 1u << index;
    if (key->kind == KEY_ABSENT) {
        findings_error(x->findings, e->at, "`%s` is not available in this version of fileward", e->key);
        return;
    }
    t->conditions |= key->condition;
    if (key->kind == KEY_ONE && seen[index])
        report_again(x, e, seen[index]);
    seen[index] = e;

    struct words words;
    const char *fault = words_split(e->value, &words);
    if (!fault && words.n == 0)
        fault = "a value is missing after the =";
    if (!fault && key->kind == KEY_ONE && words.n > 1)
        fault = "has one value; put a value that holds blanks in quotes";
    if (fault)
        findings_error(x->findings, e->at, "%s: %s", e->key, fault);
    else
        key->take(x, key, (char *)t->into + key->offset, e, &words);
    words_free(&words);
}

/* Makes `into` of a section; tells what is missing. */
static void interpret(struct parse *x, const struct section *s, struct target *t)
{
    const struct entry *seen[KEYS_MAX] = {NULL};
    for (size_t i = 0; i < s->n; i++)
        interpret_entry(x, t, s, &s->v[i], seen);
    for (size_t i = 0; i < t->n; i++) {
        if (t->keys[i].required && !(t->given >> i & 1))
            findings_error(x->findings, s->at, "[%s %s] needs %s", section_kind_name(s->kind), s->name,
                           t->keys[i].required);
    }
}

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
    bool user_given = t.given >> (find_key(&t, "user") - t.keys) & 1;
    if (x->policy->settings.uid == UINT32_MAX && !user_given)
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
        findings_error(x->findings, (struct origin){add_file(x->policy, heap_string(path)), 0}, "cannot be listed: %s",
                       strerror(why));
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
    find_homes(&x, src);
    findings_sort(findings, x.policy->files, x.policy->n_files);
    parse_free(&x);
    return x.policy;
}
