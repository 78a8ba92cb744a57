/* The words of a key made a field. */
#include "base/own.h"
#include "policy/findings.h"
#include "policy/glob.h"
#include "policy/heap.h"
#include "policy/parse.h"
#include "policy/suggest.h"
#include "policy/values.h"

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

void take_choice(struct parse *x, const struct key *key, void *field, const struct entry *e, const struct words *words)
{
    const struct choice *c = choose(x, key, e, words->v[0]);
    if (c)
        memcpy(field, &c->value, sizeof c->value); /* all our enums are as large as an int */
}

void take_bool(struct parse *x, const struct key *key, void *field, const struct entry *e, const struct words *words)
{
    const struct choice *c = choose(x, key, e, words->v[0]);
    if (c)
        *(bool *)field = c->value != 0;
}

void take_ops(struct parse *x, const struct key *key, void *field, const struct entry *e, const struct words *words)
{
    for (size_t i = 0; i < words->n; i++) {
        const struct choice *c = choose(x, key, e, words->v[i]);
        if (c)
            *(unsigned *)field |= (unsigned)c->value;
    }
}

/* A key of one value: that the condition is there says all. */
void take_only(struct parse *x, const struct key *key, void *field, const struct entry *e, const struct words *words)
{
    (void)field;
    choose(x, key, e, words->v[0]);
}

void take_duration(struct parse *x, const struct key *key, void *field, const struct entry *e,
                   const struct words *words)
{
    (void)key;
    const char *fault = value_duration(words->v[0], field);
    if (fault)
        bad_value(x, e, words->v[0], fault);
}

void take_time(struct parse *x, const struct key *key, void *field, const struct entry *e, const struct words *words)
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

void take_string(struct parse *x, const struct key *key, void *field, const struct entry *e, const struct words *words)
{
    (void)x, (void)key, (void)e;
    replace_string(field, words->v[0]);
}

void take_file(struct parse *x, const struct key *key, void *field, const struct entry *e, const struct words *words)
{
    (void)key;
    const char *fault = value_plain_path(words->v[0]);
    if (fault)
        bad_value(x, e, words->v[0], fault);
    else
        replace_string(field, words->v[0]);
}

void take_listen(struct parse *x, const struct key *key, void *field, const struct entry *e, const struct words *words)
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
void take_user(struct parse *x, const struct key *key, void *field, const struct entry *e, const struct words *words)
{
    (void)key;
    struct settings *s = &x->policy->settings;
    struct id_range id;
    const char *fault = value_ids(words->v[0], &x->users, &id);
    if (!fault && id.low != id.high)
        fault = "must be one user";
    if (!fault && id.low == 0)
        fault = "must not be root: the roles would keep root's files";
    if (fault) {
        bad_value(x, e, words->v[0], fault);
        return;
    }
    const struct account *a = accounts_by_id(&x->users, id.low);
    s->uid = id.low;
    s->gid = a ? a->gid : id.low;
    replace_string(field, words->v[0]);
}

void take_ids(struct parse *x, const struct key *key, void *field, const struct entry *e, const struct words *words)
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

void take_units(struct parse *x, const struct key *key, void *field, const struct entry *e, const struct words *words)
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

void take_sha256(struct parse *x, const struct key *key, void *field, const struct entry *e, const struct words *words)
{
    (void)key;
    struct sha256_list *digests = field;
    for (size_t i = 0; i < words->n; i++) {
        struct sha256 d;
        const char *fault = value_sha256(words->v[i], &d);
        if (fault)
            bad_value(x, e, words->v[i], fault);
        else
            *HEAP_APPEND(digests) = d;
    }
}

void take_patterns(struct parse *x, const struct key *key, void *field, const struct entry *e,
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
void take_watch_paths(struct parse *x, const struct key *key, void *field, const struct entry *e,
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
        if (!x->too_many_programs)
            findings_error(x->findings, e->at, "%s: too many programs; a policy has at most %d different ones", e->key,
                           PROGRAMS_MAX);
        x->too_many_programs = true; /* said once */
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

void take_set_programs(struct parse *x, const struct key *key, void *field, const struct entry *e,
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

void take_programs(struct parse *x, const struct key *key, void *field, const struct entry *e,
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
