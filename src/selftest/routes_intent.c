/* Who may read, and only that, tries to write. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "selftest/selftest.h"
#include "selftest/uring.h"

/* Reading must be allowed, else nothing is shown; then the writing open. What is truncated has been written, whatever the
 * call returned. */
static int judged(const struct arena *a, int fd, int why)
{
    struct stat st;
    own_close(&fd);
    if (stat(at(a, "ro/file"), &st) < 0)
        return cannot(a, "stat");
    return fd >= 0 || st.st_size == 0 ? 0 : -why;
}

static bool readable(const struct arena *a)
{
    return try_open(a, at(a, "ro/file"), O_RDONLY) == 0;
}

static int opened(const struct arena *a, int flags)
{
    if (!readable(a))
        return cannot(a, "a reader cannot read");
    int fd = open(at(a, "ro/file"), flags | O_CLOEXEC, 0600);
    return judged(a, fd, errno);
}

static int by_write(const struct arena *a)
{
    return opened(a, O_WRONLY);
}

static int by_rdwr(const struct arena *a)
{
    return opened(a, O_RDWR);
}

static int by_append(const struct arena *a)
{
    return opened(a, O_WRONLY | O_APPEND);
}

static int by_create(const struct arena *a)
{
    return opened(a, O_WRONLY | O_CREAT);
}

static int by_trunc(const struct arena *a)
{
    return opened(a, O_WRONLY | O_TRUNC);
}

static int by_rdtrunc(const struct arena *a)
{
    return opened(a, O_RDONLY | O_TRUNC);
}

static int new_file(const struct arena *a)
{
    return readable(a) ? try_open(a, at(a, "ro/new"), O_WRONLY | O_CREAT | O_EXCL) : cannot(a, "a reader cannot read");
}

static int by_openat2(const struct arena *a, int flags)
{
    struct open_how how = {.flags = (unsigned)flags | O_CLOEXEC};
    if (!readable(a))
        return cannot(a, "a reader cannot read");
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, at(a, "ro/file"), &how, sizeof how);
    return judged(a, fd, errno);
}

static int openat2_write(const struct arena *a)
{
    return by_openat2(a, O_WRONLY);
}

static int openat2_rdtrunc(const struct arena *a)
{
    return by_openat2(a, O_RDONLY | O_TRUNC);
}

static int by_uring(const struct arena *a, int flags, enum uring how)
{
    bool made;
    if (!readable(a))
        return cannot(a, "a reader cannot read");
    int fd = uring_open(at(a, "ro/file"), flags, how, &made);
    return made ? judged(a, fd, -fd) : cannot(a, "no io_uring");
}

static int uring_write(const struct arena *a)
{
    return by_uring(a, O_WRONLY, URING_INLINE);
}

static int uring_rdtrunc(const struct arena *a)
{
    return by_uring(a, O_RDONLY | O_TRUNC, URING_INLINE);
}

static int disguised_write(const struct arena *a)
{
    return by_uring(a, O_WRONLY, URING_DISGUISED);
}

static int disguised_rdtrunc(const struct arena *a)
{
    return by_uring(a, O_RDONLY | O_TRUNC, URING_DISGUISED);
}

/* The descriptor of a reader, opened again for writing. */
static int reopened(const struct arena *a)
{
    char name[40];
    CLEAN_FD int held = open(at(a, "ro/file"), O_RDONLY | O_CLOEXEC);
    snprintf(name, sizeof name, "/proc/self/fd/%d", held);
    if (held < 0)
        return cannot(a, "a reader cannot read");
    int fd = open(name, O_WRONLY | O_CLOEXEC);
    return judged(a, fd, errno);
}

static const struct route list_of[] = {
    {"reader-writes", "who may read opens for writing", BY_BOTH, .may_read = true, .attempt = by_write},
    {"reader-rdwr", "who may read opens for both", BY_BOTH, .may_read = true, .attempt = by_rdwr},
    {"reader-appends", "who may read opens for appending", BY_BOTH, .may_read = true, .attempt = by_append},
    {"reader-creates", "who may read opens with O_CREAT", BY_BOTH, .may_read = true, .attempt = by_create},
    {"reader-new-file", "who may read makes a file", BY_BOTH, .may_read = true, .attempt = new_file},
    {"reader-truncates", "who may read opens with O_TRUNC", BY_BOTH, .may_read = true, .attempt = by_trunc},
    {"reader-rdtrunc", "who may read opens with O_RDONLY and O_TRUNC", BY_BOTH, .may_read = true,
     .attempt = by_rdtrunc},
    {"reader-reopens", "who may read opens his descriptor again for writing", BY_BOTH, .may_read = true,
     .attempt = reopened},
    {"reader-openat2", "who may read writes by openat2(2)", BY_BOTH, .may_read = true, .attempt = openat2_write},
    {"reader-openat2-trunc", "who may read truncates by openat2(2)", BY_BOTH, .may_read = true,
     .attempt = openat2_rdtrunc},
    {"reader-uring", "who may read writes by io_uring", BY_BOTH, .may_read = true, .attempt = uring_write},
    {"reader-uring-trunc", "who may read truncates by io_uring", BY_BOTH, .may_read = true, .attempt = uring_rdtrunc},
    {"reader-disguised", "who may read writes by io_uring, within a call that reads", BY_BOTH, .may_read = true,
     .attempt = disguised_write},
    {"reader-disguised-trunc", "who may read truncates by io_uring, within a call that reads", BY_BOTH,
     .may_read = true, .known = OPEN_ALWAYS, .limit = "what a thread shows of its call is not proof for io_uring",
     .closes = "a file mode by which readers cannot write", .attempt = disguised_rdtrunc},
};

struct routes routes_intent(void)
{
    return (struct routes){list_of, sizeof list_of / sizeof *list_of};
}
