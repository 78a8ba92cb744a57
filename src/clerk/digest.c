#include "clerk/digest.h"

#include <errno.h>
#include <nettle/md5.h>
#include <nettle/sha2.h>
#include <sys/stat.h>
#include <unistd.h>

static bool same_moment(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool unchanged(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && same_moment(&a->st_mtim, &b->st_mtim) && same_moment(&a->st_ctim, &b->st_ctim);
}

enum digest_end digest_file(int fd, unsigned which, struct digest *out, clerk_beat *beat, void *ctx)
{
    struct md5_ctx md5;
    struct sha256_ctx sha256;
    uint8_t block[DIGEST_BLOCK];
    struct stat before, after;
    if (fstat(fd, &before) < 0)
        return DIGEST_UNREADABLE;
    if (!S_ISREG(before.st_mode)) {
        errno = EINVAL;
        return DIGEST_UNREADABLE;
    }
    if (before.st_size > DIGEST_SIZE_MAX)
        return DIGEST_TOO_LARGE;
    md5_init(&md5);
    sha256_init(&sha256);
    off_t at = 0;
    for (;;) {
        if (beat && !beat(ctx))
            return DIGEST_STOPPED;
        ssize_t n = pread(fd, block, sizeof block, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return DIGEST_UNREADABLE;
        if (n == 0)
            break;
        at += n;
        if (at > before.st_size) /* it grows: it might grow for ever */
            return DIGEST_UNSTABLE;
        if (which & DIGEST_MD5)
            md5_update(&md5, (size_t)n, block);
        if (which & DIGEST_SHA256)
            sha256_update(&sha256, (size_t)n, block);
    }
    if (fstat(fd, &after) < 0)
        return DIGEST_UNREADABLE;
    if (at != before.st_size || !unchanged(&before, &after))
        return DIGEST_UNSTABLE;
    if (which & DIGEST_MD5)
        md5_digest(&md5, sizeof out->md5, out->md5);
    if (which & DIGEST_SHA256)
        sha256_digest(&sha256, sizeof out->sha256, out->sha256);
    return DIGEST_DONE;
}
