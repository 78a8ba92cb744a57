/* The keeper's children: forking, watching, replacing. */
#ifndef FILEWARD_KEEPER_FAMILY_H
#define FILEWARD_KEEPER_FAMILY_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/answer.h"
#include "base/register.h"
#include "base/ring.h"
#include "fileward/board.h"
#include "keeper/files.h"

/* The children that are kept alive. Two judges: one reads, the other waits to take its place. */
enum seat { SEAT_HERALD, SEAT_JUDGE, SEAT_SPARE, SEAT_SCOUT, SEAT_COUNT };

struct child {
    enum role role;
    pid_t pid; /* 0: none */
    int pidfd, control;
    bool ready;
    int64_t born_ns;
    int64_t retry_ns; /* when an empty seat may be filled again */
    int64_t delay_ns; /* how long the next retry waits */
};

/* What the roles share, made once before the first of them is forked. */
struct family {
    const struct policy *policy;
    struct gate gates[WATCHES_MAX];
    struct board *board;
    int board_fd;
    struct reg *reg;
    struct ring rings[ROLE_COUNT]; /* of keeper, judge and scout */
    struct files files;
    int alive[2]; /* pipe: keeper and judges hold the write end, scout and herald the read end */
    struct child seat[SEAT_COUNT];
    pid_t stray[16]; /* killed, not ended yet; 0: free */
};

/* Makes the shared memory. 0, or -1 after a message. */
int family_prepare(struct family *f);

/* Forks a child into an empty seat and writes it on the board. False if it could not be forked. */
bool family_fork(struct family *f, enum seat seat);

/* Waits until the child says that it is ready, at most `ms`. */
bool family_wait_ready(struct family *f, enum seat seat, int ms);

/* Reads what a child says; marks it ready. */
void family_hear(struct family *f, enum seat seat);

/* Sends a word ('g', 'q', 'r'). */
void family_say(struct family *f, enum seat seat, char word);

/* Waits at most `ms` for the child's end and empties its seat; true if it has ended. `how` (if not NULL) receives its
 * wait status. */
bool family_reap(struct family *f, enum seat seat, int ms, int *how);

/* Kills and waits a bounded time: a process inside the kernel may not die. Empties the seat in any case. */
void family_kill(struct family *f, enum seat seat);

/* Reaps what was killed earlier and has ended since. Returns how many still live. */
int family_reap_strays(struct family *f);

/* Moves the spare to the judge's seat and lets it read. False if there is none. */
bool family_promote(struct family *f);

#endif
