/* Whether to look again or to sleep. To wake up costs more than all else that an answer takes, so the judge looks again
 * for the next question as long as that comes soon, and not at all while others need the processor for it. Everything is
 * taken from what it sees; there is nothing to set. */
#ifndef FILEWARD_JUDGE_PACE_H
#define FILEWARD_JUDGE_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
    int loadavg;         /* /proc/loadavg: how many processes can run just now; -1: unknown */
    int processors;      /* that they have */
    int64_t patience_ns; /* how long to look before sleeping; 0: not at all */
    int64_t rested_at;   /* when the last question had been answered; 0: before the first */
    int64_t looked_at;   /* the last look */
    bool looking;        /* since rested_at, without having slept */
    bool has_room;       /* and there is a processor for that */
    unsigned crowds;     /* how often in a row there was none ... */
    unsigned skip;       /* ... and so many times from now on it is not even tried */
};

void pace_init(struct pace *p);

/* Questions have come. `now` is clock_now(). */
void pace_woken(struct pace *p, int64_t now);

/* They have been answered. */
void pace_done(struct pace *p, int64_t now);

/* Nothing waits: whether to look again at once (true), or to sleep. */
bool pace_look_again(struct pace *p, int64_t now);

#endif
