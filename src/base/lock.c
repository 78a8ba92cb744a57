#include "base/lock.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/own.h"

static struct flock of(enum lock_byte byte)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
}

bool lock_take(int fd, enum lock_byte byte)
{
    struct flock l = of(byte);
    return fcntl(fd, F_SETLK, &l) == 0;
}

pid_t lock_holder(int fd, enum lock_byte byte)
{
    struct flock l = of(byte);
    return fcntl(fd, F_GETLK, &l) == 0 && l.l_type != F_UNLCK ? l.l_pid : 0;
}

/* --- a gate that has lost its name ------------------------------------------------------------------------------- */

struct place {
    dev_t device;
    char directory[PATH_MAX]; /* with a slash at its end */
};

static bool find_place(int fd, struct place *out)
{
    char link[FD_NAME_SIZE];
    struct stat st;
    ssize_t n = readlink(fd_name(link, fd), out->directory, sizeof out->directory - 1);
    if (n <= 0 || fstat(fd, &st) < 0)
        return false;
    out->directory[n] = '\0';
    char *slash = strrchr(out->directory, '/');
    if (!slash)
        return false;
    slash[1] = '\0';
    out->device = st.st_dev;
    return true;
}

static bool is_called(int proc, const char *pid, const char *comm)
{
    char path[PATH_MAX], name[32];
    snprintf(path, sizeof path, "%s/comm", pid);
    CLEAN_FD int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof name);
    return n > 0 && (size_t)n == strlen(comm) + 1 && memcmp(name, comm, (size_t)n - 1) == 0;
}

/* A FIFO of root's alone, which was or is in that directory. */
static bool is_gate(int dir, const char *name, const struct place *place)
{
    char path[PATH_MAX];
    struct stat st;
    ssize_t n = readlinkat(dir, name, path, sizeof path - 1);
    size_t begins = strlen(place->directory);
    if (n <= 0 || (size_t)n <= begins || memcmp(path, place->directory, begins) != 0 ||
        memchr(path + begins, '/', (size_t)n - begins) || fstatat(dir, name, &st, 0) < 0)
        return false;
    return S_ISFIFO(st.st_mode) && st.st_uid == 0 && !(st.st_mode & 077) && st.st_dev == place->device;
}

static bool has_gate(int proc, const char *pid, const struct place *place)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/fd", pid);
    CLEAN_FD int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEAN_DIR DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d)
        return false;
    int dir = STEAL_FD(fd);
    for (const struct dirent *e; (e = readdir(d));)
        if (isdigit((unsigned char)e->d_name[0]) && is_gate(dir, e->d_name, place))
            return true;
    return false;
}

static pid_t look_for_lost(const struct place *place, const char *comm, pid_t except)
{
    CLEAN_DIR DIR *d = opendir("/proc");
    for (const struct dirent *e; d && (e = readdir(d));) {
        pid_t pid = isdigit((unsigned char)e->d_name[0]) ? (pid_t)strtol(e->d_name, NULL, 10) : 0;
        if (pid > 0 && pid != getpid() && pid != except && is_called(dirfd(d), e->d_name, comm) &&
            has_gate(dirfd(d), e->d_name, place))
            return pid;
    }
    return 0;
}

pid_t lock_lost(int fd, const char *comm, pid_t except)
{
    struct place place;
    pid_t pid = 0;
    int64_t until = clock_now() + 2 * NS_PER_S;
    if (!find_place(fd, &place))
        return 0;
    while ((pid = look_for_lost(&place, comm, except)) && clock_now() < until)
        nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
    return pid;
}
