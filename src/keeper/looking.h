/* Who holds guarded files open already: a throw-away child looks, once everything is marked, so that nobody waits for it.
 * It writes counts and the first few on the board, and a record for each, which the keeper passes on. */
#ifndef FILEWARD_KEEPER_LOOKING_H
#define FILEWARD_KEEPER_LOOKING_H

#include "keeper/family.h"

struct looking {
    pid_t pid; /* 0: nobody looks */
    int fd;    /* records come here */
    uint64_t watches;
    int32_t at; /* the process that it looked at when it was last seen to move */
    int64_t moved_ns;
    int stuck; /* so often it was ended because it did not move */
};

/* Looks for files of these watches (a bit each). False if nobody could be forked. */
bool looking_begin(struct looking *l, struct family *f, uint64_t watches);

/* Passes records on. One that does not move is ended, and another goes on behind the process at which it stopped. */
void looking_tick(struct looking *l, struct family *f, int64_t now);

/* Ends it. Returns whether it had not finished. */
bool looking_end(struct looking *l, struct family *f);

#endif
