#include "fileward/clerk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "clerk/lookups.h"
#include "clerk/queue.h"

/* So long a look keeps the others waiting; then it is their turn, and afterwards it goes on. */
static const int64_t first_slice_ns = 10 * NS_PER_MS;

struct clerk {
    struct clerk_setup is;
    struct loop loop;
    struct lookups *lookups;
    struct queue queue;
    int64_t enough_ns; /* when the look in hand gives way to who waits; 0: there is none */
    int64_t beaten_ns, looked_ns;
    bool owes; /* the judge has not been told yet that what was trusted is to be forgotten */
};

/* Takes the questions out of the socket, which holds few, so that one user's crowd does not keep others out of it. */
static ssize_t collect(struct clerk *c)
{
    enum { MOST = 1024 }; /* at a time: whoever never stops asking is not alone */
    struct desk_question q;
    ssize_t n = 0;
    for (int i = 0; i < MOST && (n = read(c->is.desk_fd, &q, sizeof q)) == (ssize_t)sizeof q; i++)
        queue_put(&c->queue, &q);
    return n;
}

/* From the midst of long work: a sign of life. Whether to go on with the look in hand. */
static bool beat(void *ctx)
{
    struct clerk *c = ctx;
    int64_t now = clock_now();
    if (now - c->beaten_ns >= NS_PER_S) {
        (void)!write(c->is.control_fd, "b", 1);
        c->beaten_ns = now;
    }
    collect(c);
    return !c->enough_ns || now < c->enough_ns || c->queue.n == 0;
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

/* Nobody waits for it any more; what is said of a program is remembered for others. */
static bool is_in_vain(const struct clerk *c, const struct desk_question *q, int64_t now)
{
    return q->wants == ATTR_CODE && now - q->ticket.read_ns >= c->is.policy->settings.timeout_ms * NS_PER_MS / 2;
}

/* What was read of a file is kept for the next turn, but a look at code begins anew with each: it gets twice as long as
 * the time before, so that it comes to an end, as far as others can wait for it. */
static int64_t slice_of(const struct clerk *c, const struct desk_question *q, int turns)
{
    const int64_t most_ns = c->is.policy->settings.timeout_ms * NS_PER_MS / 4;
    int64_t slice_ns = first_slice_ns;
    for (; q->wants == ATTR_CODE && turns > 0 && slice_ns * 2 <= most_ns; turns--)
        slice_ns *= 2;
    return slice_ns;
}

/* An answer that does not fit is lost: the judge asks again. `turns`: how many it has had. False: it needs another. */
static bool answer(struct clerk *c, const struct desk_question *q, int turns)
{
    struct desk_answer a = {.to = *q};
    int64_t now = clock_now();
    if (is_in_vain(c, q, now) || shun_holds(c->is.shun, q->user, now))
        return true;
    c->owes |= lookups_look(c->lookups);
    c->enough_ns = now + slice_of(c, q, turns);
    shun_begin_look(c->is.shun, q->user, now);
    bool done = lookups_answer(c->lookups, &a);
    shun_end_look(c->is.shun, now);
    c->enough_ns = 0;
    if (done && lookups_doubt(c->lookups, &a) && lookups_read(c->lookups)) {
        c->owes = true;
        done = false;
    }
    tell_to_forget(c);
    if (done && !c->owes)
        send_answer(c, &a);
    return done;
}

/* The next question. False: there is none. */
static bool serve(struct clerk *c)
{
    struct desk_question q;
    int turns;
    if (!queue_take(&c->queue, &q, &turns))
        return false;
    if (answer(c, &q, turns))
        queue_done(&c->queue, &q);
    else
        queue_put_back(&c->queue, &q);
    return true;
}

static void look_at_packages(struct clerk *c)
{
    c->owes |= lookups_look(c->lookups);
    c->owes |= lookups_read(c->lookups);
    c->looked_ns = clock_now();
    tell_to_forget(c);
}

static void on_questions(void *ctx, int fd, uint32_t events)
{
    (void)fd;
    struct clerk *c = ctx;
    ssize_t n = collect(c);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || events & EPOLLHUP)
        c->loop.stop = true;
    c->loop.deadline = clock_now();
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

/* One at a time: whoever asks does not wait for what nobody has asked yet. */
static bool look_ahead(struct clerk *c)
{
    c->enough_ns = clock_now();
    bool more = lookups_ahead(c->lookups);
    c->enough_ns = 0;
    return more;
}

static void on_deadline(void *ctx)
{
    struct clerk *c = ctx;
    bool more = serve(c);
    if (!more || clock_now() - c->looked_ns >= NS_PER_S)
        look_at_packages(c);
    if (!more)
        more = look_ahead(c);
    beat(c);
    c->loop.deadline = clock_now() + (more || c->queue.n > 0 ? 0 : NS_PER_S);
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
    shun_forget_look(c->is.shun); /* of a clerk before us that died in it */
    c->owes = true;               /* what the clerk before us has not seen */
    look_at_packages(c);
    (void)!write(c->is.control_fd, "r", 1);
    on_deadline(c);
    loop_run(&c->loop);
}
