#include "fileward/clerk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "clerk/lookups.h"

struct clerk {
    struct clerk_setup is;
    struct loop loop;
    struct lookups *lookups;
    int64_t beaten_ns;
    bool owes; /* the judge has not been told yet that what was trusted is to be forgotten */
};

/* A sign of life, also from the midst of long work. */
static bool beat(void *ctx)
{
    struct clerk *c = ctx;
    int64_t now = clock_now();
    if (now - c->beaten_ns >= NS_PER_S) {
        (void)!write(c->is.control_fd, "b", 1);
        c->beaten_ns = now;
    }
    return true;
}

static bool send_answer(struct clerk *c, const struct desk_answer *a)
{
    return write(c->is.desk_fd, a, sizeof *a) == (ssize_t)sizeof *a;
}

/* Before any later answer. */
static void tell_to_forget(struct clerk *c)
{
    const struct desk_answer forget = {0};
    c->owes = c->owes && !send_answer(c, &forget);
}

/* An answer that does not fit is lost: the judge asks again. */
static void answer(struct clerk *c, const struct desk_question *q)
{
    struct desk_answer a = {.to = *q};
    c->owes |= lookups_look(c->lookups);
    bool done = lookups_answer(c->lookups, &a);
    if (done && lookups_doubt(c->lookups, &a) && lookups_read(c->lookups)) {
        c->owes = true;
        a = (struct desk_answer){.to = *q};
        done = lookups_answer(c->lookups, &a);
    }
    tell_to_forget(c);
    if (done && !c->owes)
        send_answer(c, &a);
}

static void look_at_packages(struct clerk *c)
{
    c->owes |= lookups_look(c->lookups);
    c->owes |= lookups_read(c->lookups);
    tell_to_forget(c);
}

static void on_questions(void *ctx, int fd, uint32_t events)
{
    struct clerk *c = ctx;
    struct desk_question q;
    ssize_t n = read(fd, &q, sizeof q);
    if (n == (ssize_t)sizeof q) {
        answer(c, &q);
        beat(c);
    } else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || events & EPOLLHUP) {
        c->loop.stop = true;
    }
}

/* The keeper is gone; its judge may still guard and ask. */
static void on_control(void *ctx, int fd, uint32_t events)
{
    (void)events;
    struct clerk *c = ctx;
    char word;
    ssize_t n = read(fd, &word, 1);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        loop_remove(&c->loop, fd);
}

static void on_end(void *ctx, int fd, uint32_t events)
{
    (void)fd, (void)events;
    struct clerk *c = ctx;
    c->loop.stop = true;
}

static void on_deadline(void *ctx)
{
    struct clerk *c = ctx;
    look_at_packages(c);
    beat(c);
    /* One at a time: whoever asks does not wait for what nobody has asked yet. */
    c->loop.deadline = clock_now() + (lookups_ahead(c->lookups) ? 0 : NS_PER_S);
}

struct clerk *clerk_prepare(const struct clerk_setup *setup)
{
    struct clerk *c = calloc(1, sizeof *c);
    if (!c || !(c->lookups = lookups_create(setup->policy, beat, c)) || loop_init(&c->loop) < 0 ||
        loop_add(&c->loop, setup->desk_fd, EPOLLIN, on_questions, c) < 0 ||
        loop_add(&c->loop, setup->control_fd, EPOLLIN, on_control, c) < 0 ||
        loop_add(&c->loop, setup->end_fd, EPOLLIN, on_end, c) < 0) {
        fprintf(stderr, "fileward: clerk: cannot begin (out of memory, or /proc is not mounted)\n");
        return NULL;
    }
    c->is = *setup;
    c->loop.on_deadline = on_deadline;
    c->loop.deadline_ctx = c;
    return c;
}

void clerk_run(struct clerk *c)
{
    c->owes = true; /* what the clerk before us has not seen */
    look_at_packages(c);
    (void)!write(c->is.control_fd, "r", 1);
    on_deadline(c);
    loop_run(&c->loop);
}
