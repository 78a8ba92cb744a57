/* The questions that wait for the clerk, a place for each descriptor that the judge may hold, so that it is never full.
 * Next is always who was not served for longest: whoever asks much waits for himself, and keeps each other user waiting for
 * one question at a time. Nothing here allocates. */
#ifndef FILEWARD_CLERK_QUEUE_H
#define FILEWARD_CLERK_QUEUE_H

#include <stdbool.h>

#include "fileward/board.h"
#include "fileward/desk.h"

enum { QUEUE_LINES = 1024 };

struct queue {
    uint64_t takings;
    uint64_t line[QUEUE_LINES]; /* when one of the users that share it was served last, in takings */
    struct place {
        bool taken;
        uint32_t user;
        uint64_t served; /* when this user was */
        int64_t since;   /* when the judge read it: each user's own in their order */
    } place[FILES_MAX];
    struct desk_question question[FILES_MAX];
    int end; /* behind the last place that is taken */
    int n;
};

/* The judge asks again when it has waited for long: that is the same question. What was begun and is put back comes first
 * among its user's. */
void queue_put(struct queue *q, const struct desk_question *question);

/* The next one. False: there is none. */
bool queue_take(struct queue *q, struct desk_question *out);

#endif
