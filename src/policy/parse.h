/* A policy while it is made of sections: shared by parser.c (sections), keys.c (their keys) and take.c (their values). */
#ifndef FILEWARD_POLICY_PARSE_H
#define FILEWARD_POLICY_PARSE_H

#include "policy/sections.h"
#include "policy/users.h"
#include "policy/words.h"

enum { KEYS_MAX = 24 /* of one kind of section */ };

struct set {
    const struct section *section;
    struct program_list programs;
};

struct parse {
    struct policy *policy;
    struct findings *findings;
    struct sections sections;
    struct accounts users, groups;
    struct set *sets; /* one for each of policy->sets */
    bool too_many_programs;
    bool read;    /* at least one file could be */
    char **bytes; /* all contents in a row, for the caller; may be NULL */
    size_t *size;
};

/* What may stand for a value of a few. */
struct choice {
    const char *name;
    int value;
    bool absent; /* known to the language, not to this version */
};

enum key_kind { KEY_ONE, KEY_LIST };

struct key;
typedef void take_function(struct parse *x, const struct key *key, void *field, const struct entry *e,
                           const struct words *words);

struct key {
    const char *name;
    enum key_kind kind;
    /* Adds or sets `words` to the field. Called with at least one word, with exactly one for KEY_ONE. */
    take_function *take;
    size_t offset;                /* of the field */
    const struct choice *choices; /* ends with a NULL name */
    const char *required;         /* what to say when it is missing; NULL: it may be */
    unsigned condition;           /* the bit of the condition that it makes of a rule, or 0 */
};

/* Taking values (take.c). Each reports every word that is wrong, and takes the others. */
take_function take_choice, take_bool, take_ops, take_only, take_duration, take_time, take_string, take_file,
    take_listen, take_user, take_ids, take_units, take_sha256, take_patterns, take_watch_paths, take_set_programs,
    take_programs;

/* The keys of one kind of section, and what is being made of it. */
struct target {
    const struct key *keys;
    size_t n;
    void *into;
    unsigned given; /* keys that stood there, misspelt ones included */
    unsigned conditions;
};

/* The keys of this kind of section (keys.c), to be put into `into`. */
struct target target_of(enum section_kind kind, void *into);

/* Was `key`, which must exist, given? */
bool target_given(const struct target *t, const char *key);

/* Makes `into` of a section; reports what is wrong and what is missing. */
void interpret(struct parse *x, const struct section *s, struct target *t);

#endif
