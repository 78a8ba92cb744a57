#include "clerk/digest.h"

#include <errno.h>
#include <nettle/md5.h>
#include <nettle/sha2.h>
#include <stdlib.h>
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

struct digest_work {
    unsigned which; /* 0: nothing is begun */
    struct stat of; /* when it was begun */
    off_t at;
    struct md5_ctx md5;
    struct sha256_ctx sha256;
};

struct digest_work *digest_work_create(void)
{
    return calloc(1, sizeof(struct digest_work));
}

void digest_work_free(struct digest_work *w)
{
    free(w);
}

static void begin(struct digest_work *w, unsigned which, const struct stat *of)
{
    w->which = which;
    w->of = *of;
    w->at = 0;
    md5_init(&w->md5);
    sha256_init(&w->sha256);
}

static enum digest_end read_rest(struct digest_work *w, int fd, clerk_beat *beat, void *ctx)
{
    uint8_t block[DIGEST_BLOCK];
    for (;;) {
        if (beat && !beat(ctx))
            return DIGEST_STOPPED;
        ssize_t n = pread(fd, block, sizeof block, w->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return DIGEST_UNREADABLE;
        if (n == 0)
            return DIGEST_DONE;
        w->at += n;
        if (w->at > w->of.st_size) /* it grows: it might grow for ever */
            return DIGEST_UNSTABLE;
        if (w->which & DIGEST_MD5)
            md5_update(&w->md5, (size_t)n, block);
        if (w->which & DIGEST_SHA256)
            sha256_update(&w->sha256, (size_t)n, block);
    }
}

static enum digest_end finish(struct digest_work *w, int fd, struct digest *out)
{
    struct stat after;
    if (fstat(fd, &after) < 0)
        return DIGEST_UNREADABLE;
    if (w->at != w->of.st_size || !unchanged(&w->of, &after))
        return DIGEST_UNSTABLE;
    if (w->which & DIGEST_MD5)
        md5_digest(&w->md5, sizeof out->md5, out->md5);
    if (w->which & DIGEST_SHA256)
        sha256_digest(&w->sha256, sizeof out->sha256, out->sha256);
    return DIGEST_DONE;
}

enum digest_end digest_go_on(struct digest_work *w, int fd, unsigned which, struct digest *out, clerk_beat *beat,
                             void *ctx)
{
    struct stat now;
    if (fstat(fd, &now) < 0)
        return DIGEST_UNREADABLE;
    if (!S_ISREG(now.st_mode)) {
        errno = EINVAL;
        return DIGEST_UNREADABLE;
    }
    if (now.st_size > DIGEST_SIZE_MAX)
        return DIGEST_TOO_LARGE;
    if (w->which != which || w->of.st_dev != now.st_dev || w->of.st_ino != now.st_ino || !unchanged(&w->of, &now))
        begin(w, which, &now);
    enum digest_end end = read_rest(w, fd, beat, ctx);
    if (end == DIGEST_STOPPED)
        return end;
    if (end == DIGEST_DONE)
        end = finish(w, fd, out);
    w->which = 0;
    return end;
}

enum digest_end digest_file(int fd, unsigned which, struct digest *out, clerk_beat *beat, void *ctx)
{
    struct digest_work w = {0};
    return digest_go_on(&w, fd, which, out, beat, ctx);
}
