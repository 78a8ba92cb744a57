/* Every key has a row in a table: its name, how its words are taken, and into which field. */
#include <stdio.h>
#include <string.h>

#include "policy/findings.h"
#include "policy/parse.h"
#include "policy/suggest.h"

static const struct choice modes[] = {{"audit", MODE_AUDIT, false}, {"enforce", MODE_ENFORCE, false}, {0}};
static const struct choice actions[] = {{"allow", ACTION_ALLOW, false}, {"deny", ACTION_DENY, false}, {0}};
static const struct choice booleans[] = {{"yes", 1, false}, {"no", 0, false}, {0}};
static const struct choice coverages[] = {
    {"inode", COVERAGE_INODE, false}, {"filesystem", COVERAGE_FILESYSTEM, false}, {0}};
static const struct choice guards[] = {
    {"open", GUARD_OPEN, false}, {"open+read", GUARD_OPEN_READ, false}, {"open+write", GUARD_OPEN_WRITE, false}, {0}};
static const struct choice changes[] = {
    {"ignore", CHANGES_IGNORE, false}, {"record", CHANGES_RECORD, true}, {"hash", CHANGES_HASH, true}, {0}};
static const struct choice log_levels[] = {
    {"none", LOG_NONE_OF_IT, false}, {"deny", LOG_DENY, false}, {"all", LOG_EVERYTHING, false}, {0}};
static const struct choice ops[] = {{"read", OP_BIT(OP_READ), false}, {"write", OP_BIT(OP_WRITE), false},
                                    {"exec", OP_BIT(OP_EXEC), false}, {"list", OP_BIT(OP_LIST), false},
                                    {"any", (int)OPS_ALL, false},     {0}};
static const struct choice objects[] = {{"public", 0, false}, {0}};
static const struct choice trusts[] = {{"packaged", 0, false}, {0}};
static const struct choice codes[] = {{"intact", 0, false}, {0}};

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
    {"object", KEY_ONE, take_only, 0, objects, NULL, 1u << COND_OBJECT},
    {CONDITION(exe_sha256, take_sha256, COND_EXE_SHA256)},
    {"trust", KEY_ONE, take_only, 0, trusts, NULL, 1u << COND_TRUST},
    {"code", KEY_ONE, take_only, 0, codes, NULL, 1u << COND_CODE},
    {"expires", KEY_ONE, take_time, offsetof(struct rule, expires), NULL, NULL, 1u << COND_EXPIRES},
    {ONE(rule, reason, take_string, NULL)},
};

struct target target_of(enum section_kind kind, void *into)
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

bool target_given(const struct target *t, const char *key)
{
    return t->given >> (find_key(t, key) - t->keys) & 1;
}

static void report_unknown_key(struct parse *x, struct target *t, const struct section *s, const struct entry *e)
{
    const char *names[KEYS_MAX];
    char list[256] = "";
    size_t len = 0;
    for (size_t i = 0; i < t->n; i++) {
        names[i] = t->keys[i].name;
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
    else if (e->at.file != first->at.file && strcmp(e->value, first->value) != 0)
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

void interpret(struct parse *x, const struct section *s, struct target *t)
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
