/* Who asks: a bounded table of processes by thread id, and what the policy wants to know of them. */
#ifndef FILEWARD_JUDGE_SUBJECT_H
#define FILEWARD_JUDGE_SUBJECT_H

#include <stdbool.h>

#include "base/process.h"
#include "base/programs.h"
#include "fileward/access.h"
#include "fileward/board.h"

struct subjects;
enum { SUBJECTS_MAX = 1024, SUBJECT_FILES = 2 /* descriptors of each */, SIGHTS_MAX = 256, SIGHT_FILES = 2 };

/* The last exec that a thread was allowed. Each watch that holds the program is asked about it as an exec, then each as an
 * open by the same thread. One bit for each watch. */
struct last_exec {
    struct file_id id;
    uint64_t asked;   /* as an exec, by a watch that is asked about reading too */
    uint64_t pending; /* and not yet as an open */
};

/* A subject under question. Filled lazily; borrowed until the next subject_find(). A descriptor that was opened by this
 * number and tells something is of the one who has the number now: it needs no other proof. */
struct inquiry {
    int32_t tid;
    unsigned may_need;       /* ATTR_ bits: what is opened at first sight */
    struct process *process; /* NULL: nothing has told yet that it is the one who asks */
    bool gone;               /* it has ended, so that nobody waits for an answer */
    bool awaits_clerk;       /* the clerk has been asked about it */
    struct subject seen;     /* what decide() gets */
    struct creds creds;      /* zero as long as ATTR_CREDS is not known */
    struct program program;  /* valid if ATTR_EXE is known and has not failed */
    struct program_set exe, parent, ancestors;
    struct proc_status status;
    char unit[UNIT_MAX];
};

/* NULL when memory is out. Keeps the pointers. */
struct lookup;
struct subjects *subjects_create(const struct policy *p, struct board *board, struct lookup *names, struct once *once);

/* Begins an inquiry about thread `tid`, of which `may_need` (ATTR_ bits) may be asked. Costs nothing yet. */
void subject_find(struct subjects *t, int32_t tid, unsigned may_need, struct inquiry *out);

/* Determines `attributes` (ATTR_ bits of a subject): afterwards each is in seen.known, and in seen.failed if it could
 * not be determined. */
void subject_gather(struct subjects *t, struct inquiry *q, unsigned attributes);

/* Opens all of it, for a record: q->process then is NULL only if nothing of it can be looked at. */
void subject_reach(struct subjects *t, struct inquiry *q);

/* The last exec of who asks, as far as it has something to ask yet; else NULL. */
struct last_exec *subject_exec(struct subjects *t, struct inquiry *q);

/* The same of a thread that is only known by its number: to end what may be another's, not to believe it. */
struct last_exec *subject_last_exec(struct subjects *t, int32_t tid);

/* That of this file, begun if there was none. NULL: it cannot be looked at. */
struct last_exec *subject_begin_exec(struct subjects *t, struct inquiry *q, const struct file_id *id);

/* Whether `name` (of the program that it runs) is that of a program of the policy which it is not. */
bool subject_is_impostor(const struct subjects *t, const struct inquiry *q, const char *name);

/* What shows the calls of who asks, kept open for the next time. NULL: it cannot be looked at. */
const struct process_sight *subject_sight(struct subjects *t, struct inquiry *q);

/* Calls `each` for the ancestors from the parent upward, at most `most` of them; `process` is NULL for one that cannot be
 * opened. It returns whether what it did has shown that the process lives. */
enum ancestry { ANCESTRY_WHOLE, ANCESTRY_LONGER, ANCESTRY_BROKEN /* somebody in it ended meanwhile */ };
typedef bool each_ancestor(void *ctx, int32_t pid, const struct process *process);
enum ancestry subject_ancestors(struct subjects *t, struct inquiry *q, int most, each_ancestor *each, void *ctx);

#endif
