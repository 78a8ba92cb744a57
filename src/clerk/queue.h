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
        bool in_hand; /* of the question that was last here: it was taken out, and is not done with */
        uint32_t user;
        uint64_t served; /* when this user was */
        int64_t since;   /* when the judge read it: each user's own in their order */
        int turns;       /* of the question that is, or was last, here: how often it was taken */
    } place[FILES_MAX];
    struct desk_question question[FILES_MAX];
    int end; /* behind the last place that is taken */
    int n;
};

/* The judge asks again when it has waited for long: that is the same question, also while it is in hand. */
void queue_put(struct queue *q, const struct desk_question *question);

/* The next one, and how often it was taken before. It is in hand then. False: there is none. */
bool queue_take(struct queue *q, struct desk_question *out, int *turns);

/* What was in hand is put back, and comes first among its user's; or it is done with. */
void queue_put_back(struct queue *q, const struct desk_question *question);
void queue_done(struct queue *q, const struct desk_question *question);

#endif
