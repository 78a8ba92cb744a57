/* The rescue: nobody waits for a judge that is dead or does not move. */
#ifndef FILEWARD_KEEPER_RESCUE_H
#define FILEWARD_KEEPER_RESCUE_H

#include "keeper/family.h"

enum { RESCUE_DEATHS = 10 };
struct rescue {
    uint64_t beat;               /* the judge's heartbeat at the last look */
    int64_t waiting_since;       /* the first look at which something waited and it had just moved; 0: nothing waits */
    int64_t died[RESCUE_DEATHS]; /* when judges died, as a ring */
    unsigned deaths;
    int64_t pause_ns; /* how long the keeper itself stood in, the last time that judges died too fast */
};

/* Looks whether questions wait while the judge stands still. True when it has for half the timeout. Also writes what it
 * saw on the board. `now` is clock_now(). */
bool rescue_is_due(struct rescue *r, struct family *f, int64_t now);

/* Answers everything that any judge has read with the fallback: first the numbers it published, then every number that
 * it could hold, in every group. Only when no judge can read meanwhile. Returns how many were released. */
uint64_t rescue_sweep(struct family *f);

/* Releases what the judge holds, ends it and lets the spare read; `why` goes into the record. Judges that die one after
 * the other are not replaced at once: then the seat stays empty until its retry_ns, and rescue_stand_in() answers. */
void rescue_replace_judge(struct rescue *r, struct family *f, const char *why);

/* With no judge at all: the keeper reads and answers with the fallback. */
void rescue_stand_in(struct family *f);

#endif
