/* Reading one file of a policy into sections and pairs, and refusing every file and line that could be meant or read
 * in two ways. The only file that knows inih. */
#ifndef FILEWARD_POLICY_READER_H
#define FILEWARD_POLICY_READER_H

#include <stdbool.h>
#include <stddef.h>

enum {
    READER_FILE_MAX = 1 << 20, /* bytes */
    READER_LINE_MAX = 4096,    /* bytes */
    READER_ERRORS_MAX = 100,   /* of one file; then the rest of it is not read */
};

/* What a file holds, in the order of its lines. All strings live for the call only. */
struct reader_handler {
    void *user;
    /* [name], as written between the brackets; NULL after a header that was refused (`problem` has said why): the
     * pairs that follow belong to nothing. */
    void (*section)(void *user, const char *name, int line);
    /* key = value; the comment is gone from the value. */
    void (*pair)(void *user, const char *key, const char *value, int line);
    /* What is wrong. Line 0: with the file as a whole. */
    void (*problem)(void *user, int line, const char *message);
};

/* The bytes of a file. */
struct content {
    char *bytes; /* NUL-terminated; caller frees */
    size_t size;
};

/* Opens and reads `path`, if it is an absolute path to a regular file of at most READER_FILE_MAX bytes that root owns
 * and only root may write, in directories of which the same holds (`any_owner`: not asked). Anything else is reported
 * through `h` and yields false; a FIFO, device or directory is never opened. */
bool reader_load(const char *path, bool any_owner, const struct reader_handler *h, struct content *out);

/* Hands on the sections and pairs of a content. */
void reader_parse(const struct content *c, const struct reader_handler *h);

#endif
