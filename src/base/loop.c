#include "base/loop.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"

int loop_init(struct loop *l)
{
    *l = (struct loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    for (int i = 0; i < LOOP_HANDLERS_MAX; i++)
        l->entries[i].fd = -1;
    return l->epoll_fd < 0 ? -1 : 0;
}

int loop_add(struct loop *l, int fd, uint32_t events, loop_handler *handler, void *ctx)
{
    for (int i = 0; i < LOOP_HANDLERS_MAX; i++) {
        struct loop_entry *e = &l->entries[i];
        if (e->fd >= 0)
            continue;
        struct epoll_event ev = {.events = events, .data.u32 = (uint32_t)i};
        if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
            return -1;
        *e = (struct loop_entry){.fd = fd, .handler = handler, .ctx = ctx};
        return 0;
    }
    errno = ENOSPC;
    return -1;
}

void loop_remove(struct loop *l, int fd)
{
    for (int i = 0; i < LOOP_HANDLERS_MAX; i++) {
        if (l->entries[i].fd != fd)
            continue;
        epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        l->entries[i].fd = -1;
    }
}

/* Milliseconds to wait, rounded up so that a deadline is over when the wait is. */
static int wait_ms(const struct loop *l, int max_wait_ms)
{
    if (!l->deadline)
        return max_wait_ms;
    int64_t left = (l->deadline - clock_now() + NS_PER_MS - 1) / NS_PER_MS;
    if (left < 0)
        left = 0;
    if (left > INT32_MAX)
        left = INT32_MAX;
    return max_wait_ms >= 0 && max_wait_ms < left ? max_wait_ms : (int)left;
}

void loop_once(struct loop *l, int max_wait_ms)
{
    struct epoll_event ready[16];
    int n = epoll_wait(l->epoll_fd, ready, 16, wait_ms(l, max_wait_ms));
    for (int i = 0; i < n; i++) {
        /* A handler earlier in this round may have removed this one. */
        struct loop_entry e = l->entries[ready[i].data.u32];
        if (e.fd >= 0)
            e.handler(e.ctx, e.fd, ready[i].events);
    }
    if (l->deadline && clock_now() >= l->deadline) {
        l->deadline = 0; /* the callback sets the next one */
        l->on_deadline(l->deadline_ctx);
    }
}

void loop_run(struct loop *l)
{
    while (!l->stop)
        loop_once(l, -1);
}

int loop_end_fd(void)
{
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_BLOCK, &end, NULL);
    return signalfd(-1, &end, SFD_CLOEXEC | SFD_NONBLOCK);
}

void loop_close(struct loop *l)
{
    close(l->epoll_fd);
}
