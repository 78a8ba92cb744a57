#include "fileward/scout.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "scout/walk.h"

struct scout {
    const struct scout_setup *is;
    struct loop loop;
};

static void on_control(void *ctx, int fd, uint32_t events)
{
    (void)events;
    struct scout *s = ctx;
    char word;
    ssize_t n = read(fd, &word, 1);
    if (n == 0 || (n < 0 && errno != EAGAIN &&
                   errno != EINTR)) /* the keeper is gone; a judge may still serve and need our marks kept */
        loop_remove(&s->loop, fd);
}

static void on_end(void *ctx, int fd, uint32_t events)
{
    (void)fd, (void)events;
    struct scout *s = ctx;
    s->loop.stop = true;
}

static void on_deadline(void *ctx)
{
    struct scout *s = ctx;
    (void)!write(s->is->control_fd, "b", 1);
    s->loop.deadline = clock_now() + NS_PER_S;
}

void scout_run(const struct scout_setup *setup)
{
    struct scout s = {.is = setup};
    if (loop_init(&s.loop) < 0 || loop_add(&s.loop, setup->control_fd, EPOLLIN, on_control, &s) < 0 ||
        loop_add(&s.loop, setup->end_fd, EPOLLIN, on_end, &s) < 0 ||
        loop_add(&s.loop, setup->alive_fd, 0 /* EPOLLHUP comes unasked */, on_end, &s) < 0)
        _exit(EXIT_FAILURE);
    (void)!write(setup->control_fd, "r", 1);
    for (int i = 0; i < setup->policy->n_watches; i++) {
        struct marks m = {.is = setup, .watch = i};
        marks_review(&m);
        walk_watch(&m);
    }
    atomic_store(&setup->board->scanned, 1);
    (void)!write(setup->control_fd, "b", 1);
    s.loop.on_deadline = on_deadline;
    s.loop.deadline_ctx = &s;
    s.loop.deadline = clock_now() + NS_PER_S;
    loop_run(&s.loop);
    loop_close(&s.loop);
}
