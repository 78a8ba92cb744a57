/* The scout: marks what the watches name, writes it into the register, and follows what changes. */
#ifndef FILEWARD_SCOUT_H
#define FILEWARD_SCOUT_H

#include "base/answer.h"
#include "base/register.h"
#include "base/ring.h"
#include "fileward/board.h"

enum { SCOUT_FEEDS_MAX = 16 };

struct scout_setup {
    const struct policy *policy;
    const struct gate *gates; /* one for each watch */
    struct board *board;
    struct reg *reg;
    struct ring *ring;
    int changes_fds[SCOUT_FEEDS_MAX]; /* scout_changes_groups() */
    int n_changes;                    /* 0: what appears later is not seen */
    int alive_fd; /* hangs up when neither keeper nor judge lives: then the scout leaves, so that it does not keep groups
                       open that nobody answers */
    int bell_fd;  /* eventfd: a judge rings; see board.h */
    int end_fd;   /* loop_end_fd(): leave */
    int control_fd; /* to the keeper: 'r' at the beginning, 'b' each second, SCOUT_COVERS + watch. SIGTERM: leave */
};

/* With a descriptor of something on a file system that is to be marked as a whole for that watch. The keeper answers 'f',
 * or 'F' if it will not or cannot. */
enum { SCOUT_COVERS = 128 };
_Static_assert(SCOUT_COVERS + WATCHES_MAX <= 256, "one byte");

/* Makes the groups through which the kernel tells what appears and what goes; several, since a btrfs subvolume cannot
 * share one with anything else. To be made before privileges are given up, anew for each scout. Their number, which may be
 * less than SCOUT_FEEDS_MAX; 0 with errno if there is none. */
int scout_changes_groups(int fds[SCOUT_FEEDS_MAX]);

/* Marks everything, sets board->scanned, then keeps marks and register true until told to leave. */
void scout_run(const struct scout_setup *setup);

#endif
