#include "herald/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/own.h"
#include "herald/json.h"

void log_reopen(struct log *l)
{
    /* O_NONBLOCK: should someone have put a FIFO there, opening it must not wait. */
    CLEAN_FD int fd =
        openat(l->dir_fd, l->name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0640);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    close(l->fd);
    l->fd = STEAL_FD(fd);
}

/* Reopens the log when its name is another file now, or gone. */
static void follow_rotation(struct log *l)
{
    struct stat here, there;
    int64_t now = clock_now();
    if (l->checked_ns && now - l->checked_ns < NS_PER_S)
        return;
    l->checked_ns = now;
    if (fstat(l->fd, &here) < 0 || !S_ISREG(here.st_mode))
        return;
    if (fstatat(l->dir_fd, l->name, &there, AT_SYMLINK_NOFOLLOW) < 0 || here.st_dev != there.st_dev ||
        here.st_ino != there.st_ino)
        log_reopen(l);
}

/* One write(). A piece of a line that an earlier one left is closed with a newline first, so that it spoils itself only. */
static bool append(struct log *l, const char *line, size_t len)
{
    char closed[LINE_BYTES_MAX + 1] = "\n";
    size_t skip = l->torn ? 1 : 0;
    memcpy(closed + skip, line, len);
    ssize_t n = write(l->fd, closed, skip + len);
    if (n == (ssize_t)(skip + len)) {
        l->torn = false;
        return true;
    }
    if (n > 0)
        l->torn = true;
    if (l->untold == 0)
        l->error = n < 0 ? errno : ENOSPC;
    return false;
}

void log_tell_lost(struct log *l)
{
    char line[LINE_BYTES_MAX], why[128];
    if (l->untold == 0)
        return;
    snprintf(why, sizeof why, "the log could not be written: %s", strerrordesc_np(l->error));
    if (append(l, line, lost_line(line, clock_wall(), l->untold, why)))
        l->untold = 0;
}

void log_write(struct log *l, const char *line, size_t len)
{
    follow_rotation(l);
    log_tell_lost(l);
    if (l->untold == 0 && append(l, line, len))
        return;
    l->untold++;
    l->lost++;
}
