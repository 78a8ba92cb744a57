/* The lines of a log that grows, is rotated or is not there yet. */
#ifndef FILEWARD_CLI_LINES_H
#define FILEWARD_CLI_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { LINES_BUFFER = 65536, LINES_LONGEST = 16384 /* of a line; longer ones are passed over */ };

struct lines {
    const char *path;
    int fd; /* -1: not there yet */
    char buffer[LINES_BUFFER];
    size_t begin, end;  /* unread bytes in the buffer */
    off_t position;     /* of the file, behind them */
    int64_t rotated_ns; /* clock_now() at which the name was first seen to be another file; 0 */
    bool skipping;      /* within a line that is passed over */
    size_t malformed;   /* lines passed over because of their length */
};

/* 0, or -1 with errno; after ENOENT lines_follow() may still find it. */
int lines_open(struct lines *l, const char *path);

/* Goes on at the first line that begins in the last `bytes` of the file. */
void lines_seek_tail(struct lines *l, off_t bytes);

/* The next whole line, without newline, valid until the next call. false: none for now. */
bool lines_next(struct lines *l, const char **line, size_t *len);

/* Once there is none: looks whether the file was rotated or truncated, and goes over to what stands there now. Returns
 * whether it is worth asking again. */
bool lines_follow(struct lines *l);

void lines_close(struct lines *l);

#endif
