/* Checksums of a file's content. Nothing here allocates. */
#ifndef FILEWARD_CLERK_DIGEST_H
#define FILEWARD_CLERK_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

enum {
    DIGEST_MD5 = 1, /* which ones: both can be had from one reading */
    DIGEST_SHA256 = 2,
    DIGEST_MD5_BYTES = 16,
    DIGEST_SHA256_BYTES = 32,
    DIGEST_BLOCK = 64 * 1024, /* read at a time, between two calls of the beat */
};
/* No program is larger; a file that is, is not read. */
#define DIGEST_SIZE_MAX (INT64_C(1) << 30)

struct digest {
    uint8_t md5[DIGEST_MD5_BYTES];
    uint8_t sha256[DIGEST_SHA256_BYTES];
};

/* What long work calls between its steps: a sign of life. False ends the work. May be NULL wherever it is asked for. */
typedef bool clerk_beat(void *ctx);

enum digest_end {
    DIGEST_DONE,
    DIGEST_UNREADABLE, /* errno says why; EINVAL: not a regular file */
    DIGEST_TOO_LARGE,  /* than DIGEST_SIZE_MAX */
    DIGEST_UNSTABLE,   /* it changed while it was read */
    DIGEST_STOPPED,    /* by the beat */
};

/* How far a file has been read, so that it can be gone on with. NULL when memory is out. */
struct digest_work;
struct digest_work *digest_work_create(void);
void digest_work_free(struct digest_work *w);

/* Like digest_file(), but what the beat stops is gone on with at the next call for the same file, unless it has changed
 * since. */
enum digest_end digest_go_on(struct digest_work *w, int fd, unsigned which, struct digest *out, clerk_beat *beat,
                             void *ctx);

/* Reads the whole of `fd`, a regular file that is open for reading, wherever its offset is. */
enum digest_end digest_file(int fd, unsigned which, struct digest *out, clerk_beat *beat, void *ctx);

#endif
