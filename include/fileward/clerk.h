/* The clerk: looks up what takes long, so that the judge need not. It may be slow, hang or be killed at any time. */
#ifndef FILEWARD_CLERK_H
#define FILEWARD_CLERK_H

#include "base/shun.h"
#include "fileward/desk.h"
#include "fileward/policy.h"

struct clerk_setup {
    const struct policy *policy;
    struct shun *shun; /* says in it whom it looks at, and leaves alone whom the keeper has written there */
    int desk_fd; /* questions come, answers go; hangs up when neither keeper nor judge lives: then the clerk leaves */
    int end_fd;  /* loop_end_fd(): leave */
    int control_fd; /* to the keeper: 'r' when questions can be answered, 'b' each second */
};

/* NULL after a message on standard error. */
struct clerk *clerk_prepare(const struct clerk_setup *setup);

/* Answers until told to leave. */
void clerk_run(struct clerk *c);

#endif
