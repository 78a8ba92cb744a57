/* The scout: marks what the watches name and writes it into the register. */
#ifndef FILEWARD_SCOUT_H
#define FILEWARD_SCOUT_H

#include "base/answer.h"
#include "base/register.h"
#include "base/ring.h"
#include "fileward/board.h"

struct scout_setup {
    const struct policy *policy;
    const struct gate *gates; /* one for each watch */
    struct board *board;
    struct reg *reg;
    struct ring *ring;
    int alive_fd; /* hangs up when neither keeper nor judge lives: then the scout leaves, so that it does not keep groups
                       open that nobody answers */
    int control_fd; /* the keeper's word: 'q' leave */
};

/* Marks everything, writes one byte to control_fd, then stays until told to leave. */
void scout_run(const struct scout_setup *setup);

#endif
