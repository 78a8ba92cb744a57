/* The herald: tells people and machines what the other roles did. Unprivileged; reads the rings, writes log and journal,
 * serves HTTP and the local socket on descriptors that the keeper opened. */
#ifndef FILEWARD_HERALD_H
#define FILEWARD_HERALD_H

#include "base/ring.h"
#include "fileward/board.h"
#include "fileward/policy.h"

struct herald_setup {
    const struct policy *policy;
    const struct board *board;      /* read-only */
    struct ring *rings[ROLE_COUNT]; /* of keeper, judge and scout; NULL for the herald itself */
    int log_fd;                     /* the log, open for appending */
    int log_dir_fd;                 /* its directory, to reopen it after a rotation */
    const char *log_name;           /* its name there */
    int http_fd;                    /* listening TCP socket, -1 if off */
    int socket_fd;                  /* listening local socket */
    int journal_fd;                 /* datagram socket connected to journald, -1 if off */
    int alive_fd;                   /* read end of a pipe: hangs up when neither keeper nor judge lives */
    int control_fd; /* keeper's socketpair end: 'r' reopen the log; hang-up alone means nothing. To the keeper: 'b' each
                       second. SIGTERM: accept nobody new, drain, then exit */
};

/* Prepares everything that opens or allocates descriptors or needs privileges it is about to lose. Returns 0 or -1 after
 * a message on standard error. Called in the herald's own process, before the sandbox. */
struct herald;
struct herald *herald_prepare(const struct herald_setup *setup);

/* Runs until told to stop; everything in the rings is written before it returns. Called inside the sandbox. */
void herald_run(struct herald *h);

#endif
