/* The log file: one line, one write(). It follows rotations, and what it could not write it counts and tells later. */
#ifndef FILEWARD_HERALD_LOG_H
#define FILEWARD_HERALD_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log {
    int fd;             /* open for appending; closed and replaced when the log is rotated */
    int dir_fd;         /* its directory */
    const char *name;   /* its name there */
    int64_t checked_ns; /* when the name was last looked at */
    bool torn;          /* the file ends in a piece of a line */
    int error;          /* errno of the first line lost */
    uint64_t untold;    /* lines lost since the last told gap */
    uint64_t lost;      /* ... since the start */
};

/* Writes a line that ends in a newline. Looks at most once a second whether the name still means this file. */
void log_write(struct log *l, const char *line, size_t len);

/* Tells lost lines, if there are any and writing works again. */
void log_tell_lost(struct log *l);

/* Opens the name anew, as after a rotation. Keeps the old file if that fails. */
void log_reopen(struct log *l);

#endif
