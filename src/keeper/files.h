/* What the keeper opens by name, all of it before it serves: log, sockets, the gate. */
#ifndef FILEWARD_KEEPER_FILES_H
#define FILEWARD_KEEPER_FILES_H

#include <stdbool.h>
#include <sys/types.h>

#include "fileward/policy.h"

struct files {
    int log, log_dir;            /* the log, appended to; its directory */
    char log_name[NAME_MAX + 1]; /* there; a copy, since the policy that said it goes with a reload */
    int http;                    /* listening, or -1; before files_open(): that of a dead keeper's herald, or -1 */
    int socket;                  /* listening local socket */
    int journal;                 /* connected to journald, or -1 */
    int lock;                    /* the gate, base/lock.h; -1 until it is taken */
    int ledger;                  /* the file beside it, base/ledger.h */
    pid_t judge;                 /* of a dead keeper, who serves behind that gate; 0: nobody */
    int null;                    /* /dev/null */
    int run_dir;                 /* of gate, ledger and socket */
    char socket_path[108];
    bool announced; /* the socket has its name */
};

/* Makes us the keeper of the usual gate (/run/fileward), if there is one: before the policy is read, because a judge that
 * guards the policy lets nobody else at it. 0, or -1 after a message: somebody else is. */
int files_take_usual_gate(struct files *f);

/* Makes us the keeper of the policy's gate; makes its directory. 0, or -1 after a message. */
int files_take_gate(const struct policy *p, struct files *f);

/* Opens everything else; makes missing directories. The socket has its name only after files_announce(). 0, or -1
 * after a message that says what to do. */
int files_open(const struct policy *p, struct files *f);

/* Gives the socket its name, in place of what is left from an earlier run. */
void files_announce(struct files *f);

/* Removes what would mislead after the end: the socket that has no name yet, and the one with the name if nobody else
 * serves behind it. */
void files_remove(const struct files *f, bool name);

#endif
