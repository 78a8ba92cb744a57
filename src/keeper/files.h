/* What the keeper opens by name, all of it before it serves: log, sockets, lock. */
#ifndef FILEWARD_KEEPER_FILES_H
#define FILEWARD_KEEPER_FILES_H

#include "fileward/policy.h"

struct files {
    int log, log_dir; /* the log, appended to; its directory */
    const char *log_name;
    int http;    /* listening, or -1 */
    int socket;  /* listening local socket */
    int journal; /* connected to journald, or -1 */
    int lock;    /* the gate's lock file, base/lock.h */
    int null;    /* /dev/null */
    char socket_path[108];
};

/* Opens everything; makes missing directories. 0, or -1 after a message that says what to do. */
int files_open(const struct policy *p, struct files *f);

/* Removes the names that would mislead after the end. */
void files_remove(const struct files *f);

#endif
