/* From records to lines: takes what waits in a ring, tells holes, and gives repeats the record that they repeat. */
#ifndef FILEWARD_HERALD_STREAM_H
#define FILEWARD_HERALD_STREAM_H

#include "base/ring.h"

enum { REMEMBERED = 1024 }; /* access records of the judge */

typedef void stream_writer(void *ctx, const char *line, size_t len);

struct stream {
    stream_writer *write;
    void *ctx;
    struct record *remembered[REMEMBERED]; /* at seq % REMEMBERED; NULL: none */
    uint64_t hole[ROLE_COUNT];             /* last_seq of an empty ring, when that was ahead of what arrived */
};

/* Writes up to `max` records of the ring. Returns how many there were. */
size_t stream_take(struct stream *s, struct ring *r, size_t max);

/* To be called now and then when the ring is empty: records that were dropped and are followed by no other would else
 * not be missed. `final`: the role is gone, so that nothing can be under way. */
void stream_tell_tail(struct stream *s, struct ring *r, bool final);

#endif
