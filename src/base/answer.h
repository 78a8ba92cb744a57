/* The one function that writes a response to the kernel. Judge and keeper both answer through it, so promise 3 (audit
 * cannot hurt) stands in one place. */
#ifndef FILEWARD_BASE_ANSWER_H
#define FILEWARD_BASE_ANSWER_H

#include <stdbool.h>

#include "fileward/policy.h"

enum answer {
    ANSWER_ALLOW,
    ANSWER_DENY,    /* the policy's word: EPERM */
    ANSWER_RELEASE, /* refused without a decision: EBUSY where the kernel lets a refusal say so, else EPERM */
};

/* A group, as answering needs it. Gate i of a policy is that of watch i; behind them may come gates of watches that a
 * reload has dropped, until what they guarded is marked by others. */
struct gate {
    int fd;                 /* fanotify group */
    enum mode mode;         /* MODE_AUDIT: whatever is asked of answer_write(), ALLOW is written */
    enum action on_timeout; /* the answer when no decision could be made */
    bool deny_errno;        /* FEATURE_DENY_ERRNO: a pre-content group */
    int number;             /* of its watch in the register; stays the same over reloads */
    char watch[NAME_MAX_LEN + 1];
};

/* What is answered when nobody can decide. */
static inline enum answer answer_fallback(const struct gate *gate)
{
    return gate->on_timeout == ACTION_ALLOW ? ANSWER_ALLOW : ANSWER_RELEASE;
}

/* Answers the event with number `event_fd`. Returns 0, or -1 with errno (ENOENT: nobody waits for that number any
 * more). Does not close anything. */
int answer_write(const struct gate *gate, int event_fd, enum answer answer);

/* Answers several events of one group with one call. Returns how many it took, in their order; the next one must be
 * answered alone, to learn what is the matter with it. */
enum { ANSWERS_MAX = 16 };
struct answer_to {
    int event_fd;
    enum answer answer;
};
int answer_write_several(const struct gate *gate, const struct answer_to *to, int n);

/* What answer_write() really does with `answer` in this gate: ACTION_ALLOW or ACTION_DENY. */
enum action answer_verdict(const struct gate *gate, enum answer answer);

#endif
