/* Reading a policy without being hurt by it: a throw-away child reads and checks, and leaves the policy in memory that is
 * sealed before anybody uses it. */
#ifndef FILEWARD_KEEPER_READING_H
#define FILEWARD_KEEPER_READING_H

#include "keeper/family.h"

/* What came of it. Lies in the shared memory; `policy` and what it points to behind it. */
struct reading_result {
    const struct policy *policy; /* NULL: it has errors, or could not be read */
    bool last_good;              /* that on disk was bad: this is the one that was kept */
    uint32_t errors;
    char text[RELOAD_TEXT_MAX]; /* the findings, a line each; cut */
};

struct reading {
    struct reading_result *result; /* NULL: none under way or kept */
    int memory_fd;
};

/* Forks the reader into SEAT_READER of `f`, whose judge then lets it through. It says on standard error what it finds.
 * `fall_back`: with a bad policy, take the last good one. False if it could not be forked. */
bool reading_begin(struct reading *r, struct family *f, const char *main_file, bool fall_back);

/* After the reader's end: seals the result, so that it never changes again. */
void reading_finish(struct reading *r);

/* Gives the memory back; the policy in it must not be in use any more. */
void reading_release(struct reading *r);

#endif
