/* The policy: what its files say (README.md, "A policy"), checked and compiled. Plain data, no kernel.
 * Built by policy_read(), freed by policy_free(); handed to other processes by policy_pack(). Every pointer below belongs
 * to the policy. Read-only after loading, with one exception: base/load.c replaces the texts of path patterns by their
 * canonical form. */
#ifndef FILEWARD_POLICY_H
#define FILEWARD_POLICY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WATCHES_MAX = 50,            /* a group each: a user may have 128, a reload takes twice as many, the scout 16 */
    GATES_MAX = 2 * WATCHES_MAX, /* groups: of the watches, and of those that a reload has just dropped */
    RULES_MAX = 4096,            /* in the whole policy */
    PROGRAMS_MAX = 4096,         /* distinct program patterns in the whole policy */
    NAME_MAX_LEN = 64,           /* of a watch, a rule or a set */
    RULE_DEFAULT = -1,           /* "rule" index of a watch's default */
};

/* What a process does to a file. OP_ANY is "read or write, and no rule needed to know which". */
enum op { OP_READ, OP_WRITE, OP_EXEC, OP_LIST, OP_COUNT, OP_ANY = OP_COUNT };
#define OP_BIT(op) (1u << (op))
#define OPS_ALL    (OP_BIT(OP_COUNT) - 1)

enum action { ACTION_ALLOW, ACTION_DENY };
enum mode { MODE_UNSET, MODE_AUDIT, MODE_ENFORCE };
enum guard { GUARD_OPEN, GUARD_OPEN_READ, GUARD_OPEN_WRITE };
enum coverage { COVERAGE_INODE, COVERAGE_FILESYSTEM };
enum changes { CHANGES_IGNORE, CHANGES_RECORD, CHANGES_HASH };
enum log_level { LOG_NONE_OF_IT, LOG_DENY, LOG_EVERYTHING };

/* Where something stands, for messages. */
struct origin {
    const char *file;
    int line;
};

/* A path or glob. `text` is absolute; with `home` set it is what follows "~" and is taken below each home. */
struct pattern {
    char *text;
    bool home;
    struct origin at;
};
struct patterns {
    struct pattern *v;
    size_t n;
};

struct id_range {
    uint32_t low, high;
};
struct ids {
    struct id_range *v;
    size_t n;
    bool owner; /* uid = owner: whoever owns the object */
};
struct names {
    char **v;
    size_t n;
};
enum { SHA256_BYTES = 32 };
struct sha256 {
    uint8_t bytes[SHA256_BYTES];
};
struct sha256_list {
    struct sha256 *v;
    size_t n;
};
/* Indices into policy.programs. */
struct program_list {
    uint16_t *v;
    size_t n;
};

/* One bit for each condition that a rule can have. The order is the order of trying: cheapest first. */
enum condition {
    COND_EXPIRES,
    COND_OBJECT,
    COND_UID,
    COND_EGID,
    COND_EXE,
    COND_GID,
    COND_PATH,
    COND_LOGINUID,
    COND_UNIT,
    COND_PARENT,
    COND_ANCESTOR,
    COND_EXE_SHA256, /* from here on the clerk is asked */
    COND_TRUST,
    COND_CODE,
    COND_COUNT
};

struct rule {
    char *name; /* "WATCH/NAME" */
    struct origin at;
    int watch; /* index into policy.watches */
    enum action action;
    unsigned ops;        /* OP_BIT()s; OPS_ALL for "any" */
    unsigned conditions; /* 1u << COND_x for each one it has */
    struct program_list exe, parent, ancestor;
    struct ids uid, gid, egid, loginuid;
    struct sha256_list exe_sha256;
    struct names unit;
    struct patterns path;
    int64_t expires; /* seconds since 1970, UTC */
    char *reason;    /* NULL if none */
};

struct watch {
    char *name;
    struct origin at;
    struct patterns path, exclude;
    enum action default_action;
    enum mode mode; /* MODE_UNSET: the master switch decides; see watch_mode() */
    enum coverage coverage;
    enum guard guard;
    enum changes changes;
    enum log_level log;
    enum action on_timeout;
    int first_rule, rules; /* its rules are policy.rules[first_rule .. first_rule + rules), in the order of the files */
};

struct home {
    uint32_t uid;
    char *path;
};

/* A [set NAME]: only for messages, its programs are already where it was used. */
struct named_set {
    char *name;
    struct origin at;
    bool used;
};

struct settings {
    enum mode mode;
    int timeout_ms;
    enum action on_timeout;
    char *listen; /* "ADDRESS:PORT", or NULL for "off" */
    char *socket;
    char *log_file;
    bool journal;
    char *user;        /* as written */
    uint32_t uid, gid; /* UINT32_MAX: the default user does not exist here (a note says so); nothing can run as it */
};

struct policy {
    struct settings settings;
    struct watch *watches;
    int n_watches;
    struct rule *rules; /* grouped by watch */
    int n_rules;
    struct pattern *programs; /* every distinct program path or glob of the policy; bit sets count in this order */
    size_t n_programs;
    struct home *homes; /* sorted by path */
    size_t n_homes;
    struct named_set *sets;
    size_t n_sets;
    char sha256[65];    /* of all files in order, hex; filled by whoever loads it */
    char **files;       /* what was read or should have been, in order; every origin.file is one of these strings */
    size_t *file_sizes; /* bytes read of each */
    size_t n_files;
};

/* The mode in force: audit if the master switch or the watch says audit. */
static inline enum mode watch_mode(const struct policy *p, const struct watch *w)
{
    if (p->settings.mode != MODE_ENFORCE)
        return MODE_AUDIT;
    return w->mode == MODE_AUDIT ? MODE_AUDIT : MODE_ENFORCE;
}

#endif
