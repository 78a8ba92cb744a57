#include "cli/lines.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define ROTATION_NS (3 * NS_PER_S / 2)

static int open_log(const char *path)
{
    /* O_NONBLOCK: never wait for the other end of a FIFO. */
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static void begin(struct lines *l, int fd)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = fd;
    l->begin = l->end = 0;
    l->position = 0;
    l->skipping = false;
    l->rotated_ns = 0;
}

int lines_open(struct lines *l, const char *path)
{
    l->path = path;
    l->malformed = 0;
    l->fd = -1;
    begin(l, open_log(path));
    return l->fd < 0 ? -1 : 0;
}

void lines_close(struct lines *l)
{
    if (l->fd >= 0)
        close(l->fd);
}

void lines_seek_tail(struct lines *l, off_t bytes)
{
    struct stat st;
    if (l->fd < 0 || fstat(l->fd, &st) < 0 || st.st_size <= bytes)
        return;
    /* From one byte earlier: should that be a newline, the line behind it is whole. */
    l->position = lseek(l->fd, st.st_size - bytes - 1, SEEK_SET);
    l->skipping = true;
}

/* More bytes behind the unread ones, which move to the front. */
static bool fill(struct lines *l)
{
    memmove(l->buffer, l->buffer + l->begin, l->end - l->begin);
    l->end -= l->begin;
    l->begin = 0;
    ssize_t n = l->fd < 0 ? 0 : read(l->fd, l->buffer + l->end, LINES_BUFFER - l->end);
    if (n <= 0)
        return false;
    l->end += (size_t)n;
    l->position += n;
    return true;
}

bool lines_next(struct lines *l, const char **line, size_t *len)
{
    for (;;) {
        const char *start = l->buffer + l->begin;
        size_t have = l->end - l->begin;
        const char *newline = memchr(start, '\n', have);
        if (newline) {
            bool whole = !l->skipping && newline - start < LINES_LONGEST;
            l->begin += (size_t)(newline - start) + 1;
            l->malformed += !whole && !l->skipping;
            l->skipping = false;
            if (!whole)
                continue;
            *line = start;
            *len = (size_t)(newline - start);
            return true;
        }
        if (have >= LINES_LONGEST) {
            l->malformed += !l->skipping;
            l->skipping = true;
            l->begin = l->end = 0;
        }
        if (!fill(l))
            return false;
    }
}

/* The herald goes on writing to a renamed log until it looks again, at most a second later: it is given that time. */
static bool still_written(struct lines *l, off_t size)
{
    if (l->rotated_ns == 0)
        l->rotated_ns = clock_now();
    return size > l->position || clock_now() - l->rotated_ns < ROTATION_NS;
}

bool lines_follow(struct lines *l)
{
    struct stat here, there;
    bool open = l->fd >= 0 && fstat(l->fd, &here) == 0;
    if (stat(l->path, &there) < 0) /* renamed, and a new one has not been needed yet */
        return open && here.st_size > l->position;
    if (open) {
        bool same = here.st_dev == there.st_dev && here.st_ino == there.st_ino;
        if (same && here.st_size >= l->position)
            return here.st_size > l->position;
        if (!same && still_written(l, here.st_size))
            return here.st_size > l->position;
    }
    int fd = open_log(l->path);
    if (fd < 0)
        return false;
    begin(l, fd);
    return true;
}
