/* An open through io_uring, with raw system calls. */
#include "selftest/uring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"

struct ring {
    char *sq, *cq;
    struct io_uring_sqe *sqe;
    struct io_uring_params p;
};

static bool ring_make(struct ring *r, int *fd, unsigned flags)
{
    const int prot = PROT_READ | PROT_WRITE;
    r->p = (struct io_uring_params){.flags = flags, .sq_thread_idle = 1000};
    *fd = (int)syscall(SYS_io_uring_setup, 4, &r->p);
    if (*fd < 0)
        return false;
    r->sq =
        mmap(NULL, r->p.sq_off.array + r->p.sq_entries * sizeof(unsigned), prot, MAP_SHARED, *fd, IORING_OFF_SQ_RING);
    r->cq = mmap(NULL, r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe), prot, MAP_SHARED, *fd,
                 IORING_OFF_CQ_RING);
    r->sqe = mmap(NULL, r->p.sq_entries * sizeof *r->sqe, prot, MAP_SHARED, *fd, IORING_OFF_SQES);
    return r->sq != MAP_FAILED && r->cq != MAP_FAILED && r->sqe != MAP_FAILED;
}

/* Waits for completion number `n`. */
static int ring_result(const struct ring *r, unsigned n)
{
    const unsigned *tail = (unsigned *)(r->cq + r->p.cq_off.tail);
    for (int64_t end = clock_now() + 5 * NS_PER_S; __atomic_load_n(tail, __ATOMIC_ACQUIRE) < n;) {
        /* System calls of ours bring the completions; this one shows itself as an open for reading. */
        int harmless = open("/dev/null", O_RDONLY | O_CLOEXEC);
        own_close(&harmless);
        if (clock_now() > end)
            return -ETIMEDOUT;
    }
    return ((const struct io_uring_cqe *)(r->cq + r->p.cq_off.cqes))[n - 1].res;
}

/* Makes the pipe readable a moment later. */
static bool write_later(const int ends[2])
{
    pid_t pid = fork();
    if (pid == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
        _exit(write(ends[1], "y", 1) == 1 ? 0 : 1);
    }
    return pid > 0;
}

static int submit(const struct ring *r, int fd, unsigned n)
{
    bool polled = r->p.flags & IORING_SETUP_SQPOLL;
    unsigned *array = (unsigned *)(r->sq + r->p.sq_off.array);
    for (unsigned i = 0; i < n; i++)
        array[i] = i;
    __atomic_store_n((unsigned *)(r->sq + r->p.sq_off.tail), n, __ATOMIC_RELEASE);
    return (int)syscall(SYS_io_uring_enter, fd, polled ? 0 : n, 0, polled ? IORING_ENTER_SQ_WAKEUP : 0, NULL, 0);
}

int uring_open(const char *path, int flags, enum uring how, bool *made)
{
    struct ring r;
    CLEAN_FD int fd = -1;
    int ends[2];
    *made = ring_make(&r, &fd, how == URING_SQPOLL ? IORING_SETUP_SQPOLL : 0) && pipe2(ends, O_CLOEXEC) == 0;
    if (!*made)
        return -errno;
    const struct open_how open_how = {.flags = (unsigned)flags};
    unsigned n = how == URING_LINKED || how == URING_DISGUISED ? 2 : 1;
    struct io_uring_sqe *sqe = &r.sqe[n - 1];
    r.sqe[0] = (struct io_uring_sqe){.opcode = how == URING_DISGUISED ? IORING_OP_POLL_ADD : IORING_OP_NOP,
                                     .flags = IOSQE_IO_LINK,
                                     .fd = ends[0],
                                     .poll32_events = POLLIN};
    *sqe = (struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
                                 .flags = how == URING_ASYNC ? IOSQE_ASYNC : 0,
                                 .fd = AT_FDCWD,
                                 .addr = (uintptr_t)path,
                                 .open_flags = (unsigned)flags};
    if (how == URING_OPENAT2) {
        sqe->opcode = IORING_OP_OPENAT2;
        sqe->open_flags = 0;
        sqe->len = sizeof open_how;
        sqe->off = (uintptr_t)&open_how;
    }
    if (submit(&r, fd, n) < 0 || (how == URING_DISGUISED && !write_later(ends)))
        return -errno;
    return ring_result(&r, n);
}
