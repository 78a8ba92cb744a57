/* A ring of records in shared memory: one producer, one consumer. It outlives both. The producer never waits: a full
 * ring drops the record and counts it. Neither side trusts what the other wrote. */
#ifndef FILEWARD_BASE_RING_H
#define FILEWARD_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>

#include "fileward/record.h"

struct ring_memory;
struct ring {
    struct ring_memory *m;
    size_t size;    /* of the data in bytes, a power of two */
    enum role role; /* whose records */
    int memory_fd;  /* memfd */
    int wake_fd;    /* eventfd, readable when records wait */
};

/* Makes memory and eventfd. Returns 0, or -1 with errno. Both descriptors stay open until ring_close(). */
int ring_create(struct ring *r, enum role role, size_t size);
void ring_close(struct ring *r);

/* Unmaps it and keeps the descriptors. */
void ring_hide(struct ring *r);

/* Maps a ring that another process made; its records and numbers go on. Takes over both descriptors. -1 with errno, and
 * the descriptors stay the caller's (EINVAL: it is of another program version). */
int ring_attach(struct ring *r, enum role role, int memory_fd, int wake_fd);

/* Producer. Fills record->seq and record->role and copies `record->size` bytes. false: dropped and counted (`seq` is
 * used up all the same, so that the hole shows). Wakes the consumer. Never blocks. */
bool ring_push(struct ring *r, struct record *record);

/* Consumer. Copies the oldest record to `out` (RECORD_BYTES_MAX bytes, 8-aligned) and frees its place. Returns its size, 0
 * if there is none. A malformed ring is emptied: returns 0, and what was in it shows as a hole in `seq`. The record's inner
 * offsets are checked: every record_text lies within the record. */
size_t ring_pop(struct ring *r, struct record *out);

/* Either side: records dropped, and the last sequence number used. */
uint64_t ring_dropped(const struct ring *r);
uint64_t ring_last_seq(const struct ring *r);

/* Consumer: a word of its own in the shared memory, for the last `seq` it has dealt with. It survives the consumer. */
uint64_t *ring_seen(struct ring *r);

#endif
