/* Decisions remembered. decide() is a pure function, so what it said holds for whoever comes with the same input: the key
 * is that input itself, gathered anew for each question, and not the name of something that could have changed meanwhile.
 * Two things stand in it by number, because their text can be no other: a place by the stamp of its entry in the
 * register, a unit by its control group. Bounded, and nothing is allocated after the start. */
#ifndef FILEWARD_JUDGE_VERDICTS_H
#define FILEWARD_JUDGE_VERDICTS_H

#include "fileward/access.h"

struct verdicts;

/* NULL when memory is out. Keeps a pointer to the policy. */
struct verdicts *verdicts_create(const struct policy *p);
void verdicts_free(struct verdicts *v);

/* A question to the policy, and the numbers of what it holds as text; 0 where there is none. */
struct verdict_question {
    int watch;
    unsigned ops;
    const struct subject *subject;
    const struct object *object;
    uint64_t place;  /* reg_stamp() of its entry */
    uint64_t cgroup; /* that alone tells the unit */
};

/* As decide(), which it asks when it does not remember. Sets *remembered if it did. */
unsigned verdicts_decide(struct verdicts *v, const struct verdict_question *q, int64_t now,
                         struct decision out[OP_COUNT], bool *remembered);

#endif
