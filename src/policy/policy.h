/* Reading a policy: files -> reader (lines) -> parser (struct policy). All errors come in one run. */
#ifndef FILEWARD_POLICY_POLICY_H
#define FILEWARD_POLICY_POLICY_H

#include "fileward/policy.h"

/* Errors and notes found while reading, in the order of files and lines. `text` is the whole line without newline:
 * "file:line: message" ("file:line: note: message" when not fatal; no line where the whole file is meant), already
 * escaped for a terminal. `file` belongs to the policy that was read and goes with it; `text` belongs to the findings. */
struct finding {
    const char *file;
    int line;
    bool fatal; /* false: a note, e.g. which later file replaced a key */
    char *text;
};
struct findings {
    struct finding *v;
    size_t n;
    size_t errors; /* how many are fatal */
};

/* Where names come from; the tests and `make run` use their own. NULL members mean the system's files. */
struct policy_sources {
    const char *main_file;   /* /etc/fileward/fileward.ini; its neighbour policy.d is read too */
    const char *runtime_dir; /* /run/fileward/policy.d: temporary rules; may be missing */
    const char *passwd;      /* /etc/passwd */
    const char *group;       /* /etc/group */
    const char *login_defs;  /* /etc/login.defs: UID_MIN, UID_MAX */
    bool skip_ownership;     /* unit tests and fuzzers only: do not check owner and mode of files */
};

/* Reads everything `src` names. Returns a policy even when there are errors (as far as it was understood, so that
 * `status` can find the socket); nothing may run on it unless findings->errors is 0. Never NULL: without memory the
 * process says so and ends, since only commands and throw-away children read policies. Caller frees both. `contents`
 * and `size`, if not NULL, receive all bytes read, in order (for the policy's hash); caller frees *contents. */
struct policy *policy_read(const struct policy_sources *src, struct findings *findings, char **contents, size_t *size);
void policy_free(struct policy *p);
void policy_drop_last_rule(struct policy *p); /* for the parser: frees it and counts it off */
void findings_free(struct findings *f);

const char *op_name(enum op op);                                    /* "read" ... "any" */
const char *action_name(enum action a);                             /* "allow", "deny" */
const char *mode_name(enum mode m);                                 /* "audit", "enforce" */
const char *guard_name(enum guard g);                               /* "open", "open+read", "open+write" */
const char *coverage_name(enum coverage c);                         /* "inode", "filesystem" */
const char *log_name(enum log_level l);                             /* "none", "deny", "all" */
const char *condition_name(enum condition c);                       /* "exe", "uid" ... as written in a policy */
const char *rule_name(const struct policy *p, int watch, int rule); /* "ssh/tools"; RULE_DEFAULT gives "ssh/default"
    from a static buffer that the next call overwrites */

#endif
