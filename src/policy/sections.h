/* The sections of all files, gathered by name before anything is made of them: a section may go on in a later file,
 * and a rule may stand before its watch. */
#ifndef FILEWARD_POLICY_SECTIONS_H
#define FILEWARD_POLICY_SECTIONS_H

#include "fileward/policy.h"
#include "policy/policy.h"
#include "policy/reader.h"

enum { SECTIONS_MAX = 5000 };

enum section_kind { SECTION_FILEWARD, SECTION_SET, SECTION_WATCH, SECTION_RULE, SECTION_KINDS };

struct entry {
    char *key, *value;
    struct origin at;
    int header; /* which header it stands under, counted through all files */
};

struct section {
    enum section_kind kind;
    char *name;             /* "" for [fileward], "WATCH/NAME" for a rule */
    struct origin at, last; /* its first and its latest header */
    bool temporary;
    struct entry *v;
    size_t n;
};

struct sections {
    struct section *v;
    size_t n;
    int headers;
};

const char *section_kind_name(enum section_kind k);

/* Adds what `content`, read from `file`, holds. In a `temporary` file only new rules may stand. */
void sections_add(struct sections *s, const struct content *content, const char *file, bool temporary,
                  struct findings *f);

/* NULL if there is none. */
const struct section *sections_find(const struct sections *s, enum section_kind kind, const char *name);
void sections_free(struct sections *s);

#endif
