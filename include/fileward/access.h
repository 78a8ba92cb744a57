/* One question: a subject, an object, and what is known of both. Plain data; gathered by the judge (or by `explain`),
 * judged by decide(). An attribute is gathered only when a rule asks for it: `known` says what was tried, `failed`
 * which of that could not be determined. */
#ifndef FILEWARD_ACCESS_H
#define FILEWARD_ACCESS_H

#include "fileward/policy.h"

enum {
    GROUPS_MAX = 256, /* supplementary groups looked at; more make ATTR_GROUPS fail when none of these matches */
    UNIT_MAX = 128,
    PROGRAM_WORDS = PROGRAMS_MAX / 64,
};

enum attribute {
    ATTR_CREDS = 1u << 0, /* all ids but loginuid and groups */
    ATTR_EXE = 1u << 1,
    ATTR_GROUPS = 1u << 2,
    ATTR_LOGINUID = 1u << 3,
    ATTR_UNIT = 1u << 4,
    ATTR_LINEAGE = 1u << 5, /* all its ancestors */
    ATTR_OWNER = 1u << 6,   /* the object's uid, gid, mode */
    ATTR_PLACE = 1u << 7,
    ATTR_PARENT = 1u << 8,
    /* What the clerk looks up. */
    ATTR_SHA256 = 1u << 9, /* of the program's content */
    ATTR_TRUST = 1u << 10,
    ATTR_CODE = 1u << 11,
    ATTRS_OF_CLERK = ATTR_SHA256 | ATTR_TRUST | ATTR_CODE,
};

/* A set of policy.programs. */
struct program_set {
    uint64_t bits[PROGRAM_WORDS];
};
static inline bool program_set_has(const struct program_set *s, size_t i)
{
    return s->bits[i / 64] >> (i % 64) & 1;
}
static inline void program_set_add(struct program_set *s, size_t i)
{
    s->bits[i / 64] |= (uint64_t)1 << (i % 64);
}

/* Who asks. Pointers are borrowed: they live as long as the question. */
struct subject {
    unsigned known, failed; /* ATTR_ bits */
    uint32_t fsuid, ruid;
    uint32_t gid, rgid, egid, sgid; /* gid: the file-system gid */
    uint32_t loginuid;              /* UINT32_MAX: unset */
    const uint32_t *groups;         /* supplementary */
    size_t n_groups;
    const char *unit;                    /* "" if the control group has no unit */
    const struct program_set *exe;       /* which of the policy's programs this process runs */
    const struct program_set *parent;    /* ... its parent; NULL where there is none, or it was not seen */
    const struct program_set *ancestors; /* ... anyone strictly above */
    struct sha256 sha256;                /* of its program */
    bool packaged;                       /* its program is as an installed package brought it */
    bool intact;                         /* it runs no code but that of its program and of packages */
};

/* What is asked about. */
struct object {
    unsigned known, failed; /* ATTR_ bits */
    uint32_t uid, gid, mode;
    const char *place; /* absolute path under which it is guarded */
};

/* What the policy says of one operation. */
struct decision {
    enum action action;
    int rule; /* index into policy.rules, or RULE_DEFAULT */
};

#endif
