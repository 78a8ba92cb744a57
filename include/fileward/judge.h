/* The judge: reads the questions, decides, answers. */
#ifndef FILEWARD_JUDGE_H
#define FILEWARD_JUDGE_H

#include "base/answer.h"
#include "base/ledger.h"
#include "base/once.h"
#include "base/register.h"
#include "base/ring.h"
#include "fileward/board.h"

struct judge_setup {
    const struct policy *policy;
    const struct gate *gates; /* one for each watch, then those of dropped watches */
    int n_gates;
    struct board *board;
    const struct reg *reg;
    struct once *once;
    struct ring *ring;
    int lock_fd; /* base/lock.h: the judge that reads holds LOCK_JUDGE */
    struct ledger *ledger;
    int bell_fd;    /* eventfd: rings for the scout; see board.h */
    int desk_fd;    /* where the clerk is asked; -1: no rule needs it */
    int control_fd; /* the keeper's word: 'g' read from now on, 'd' let go of dropped watches; hang-up: the keeper is gone
                       (a judge that reads goes on, one that waits leaves). SIGTERM: answer what you hold and leave */
};

/* Makes everything a judge needs: nothing is allocated later. NULL after a message on standard error. */
struct judge *judge_prepare(const struct judge_setup *setup);

/* Waits for 'g', then serves until SIGTERM. Writes one byte to control_fd when it is ready. */
void judge_run(struct judge *j);

#endif
