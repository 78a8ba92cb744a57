#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"

struct seen {
    struct loop *loop;
    int calls, fd, remove; /* remove: takes this one out when called */
    uint32_t events;
};

static void on_event(void *ctx, int fd, uint32_t events)
{
    struct seen *s = ctx;
    s->calls++;
    s->fd = fd;
    s->events = events;
    if (s->remove >= 0)
        loop_remove(s->loop, s->remove);
}

static void on_stop(void *ctx, int fd, uint32_t events)
{
    (void)fd, (void)events;
    ((struct loop *)ctx)->stop = true;
}

static int ready(void)
{
    int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(fd >= 0);
    return fd;
}

static void test_handlers(void **state)
{
    (void)state;
    struct loop l;
    struct seen a = {.loop = &l, .remove = -1}, b = a;
    int quiet = eventfd(0, EFD_CLOEXEC), loud = ready();
    assert_int_equal(loop_init(&l), 0);
    assert_int_equal(loop_add(&l, quiet, EPOLLIN, on_event, &a), 0);
    assert_int_equal(loop_add(&l, loud, EPOLLIN, on_event, &b), 0);
    loop_once(&l, 0);
    assert_int_equal(a.calls, 0);
    assert_int_equal(b.calls, 1);
    assert_int_equal(b.fd, loud);
    assert_int_equal(b.events, EPOLLIN);
    loop_remove(&l, loud);
    loop_once(&l, 0);
    assert_int_equal(b.calls, 1);

    /* It is ours again and may be added again. */
    assert_int_equal(loop_add(&l, loud, EPOLLIN, on_event, &a), 0);
    loop_once(&l, 0);
    assert_int_equal(a.calls, 1);
    assert_int_equal(a.fd, loud);
    loop_close(&l);
    close(loud);
    close(quiet);
}

/* A handler may take out another one that is ready in the same round, or itself. */
static void test_remove_in_handler(void **state)
{
    (void)state;
    struct loop l;
    int one = ready(), two = ready();
    struct seen a = {.loop = &l, .remove = two}, b = {.loop = &l, .remove = one};
    assert_int_equal(loop_init(&l), 0);
    assert_int_equal(loop_add(&l, one, EPOLLIN, on_event, &a), 0);
    assert_int_equal(loop_add(&l, two, EPOLLIN, on_event, &b), 0);
    loop_once(&l, 0);
    assert_int_equal(a.calls + b.calls, 1);
    loop_once(&l, 0);
    assert_int_equal(a.calls + b.calls, 2);

    struct seen self = {.loop = &l, .remove = one};
    loop_remove(&l, one);
    loop_remove(&l, two);
    assert_int_equal(loop_add(&l, one, EPOLLIN, on_event, &self), 0);
    loop_once(&l, 0);
    loop_once(&l, 0);
    assert_int_equal(self.calls, 1);
    loop_close(&l);
    close(one);
    close(two);
}

static void test_full(void **state)
{
    (void)state;
    struct loop l;
    int fds[LOOP_HANDLERS_MAX + 1];
    struct seen s = {.loop = &l, .remove = -1};
    assert_int_equal(loop_init(&l), 0);
    for (int i = 0; i <= LOOP_HANDLERS_MAX; i++)
        fds[i] = ready();
    assert_int_equal(loop_add(&l, -1, EPOLLIN, on_event, &s), -1);
    assert_int_equal(errno, EBADF);
    for (int i = 0; i < LOOP_HANDLERS_MAX; i++)
        assert_int_equal(loop_add(&l, fds[i], EPOLLIN, on_event, &s), 0);
    assert_int_equal(loop_add(&l, fds[LOOP_HANDLERS_MAX], EPOLLIN, on_event, &s), -1);
    assert_int_equal(errno, ENOSPC);
    /* Nobody starves: each is called in its turn. */
    for (int i = 0; i < LOOP_HANDLERS_MAX; i++)
        loop_once(&l, 0);
    assert_true(s.calls >= LOOP_HANDLERS_MAX);
    loop_remove(&l, fds[77]);
    assert_int_equal(loop_add(&l, fds[LOOP_HANDLERS_MAX], EPOLLIN, on_event, &s), 0);
    loop_close(&l);
    for (int i = 0; i <= LOOP_HANDLERS_MAX; i++)
        close(fds[i]);
}

struct alarm {
    struct loop *loop;
    int calls;
    int64_t again; /* sets itself anew, so much later */
};

static void on_deadline(void *ctx)
{
    struct alarm *a = ctx;
    a->calls++;
    if (a->again)
        a->loop->deadline = clock_now() + a->again;
}

static void test_deadline(void **state)
{
    (void)state;
    struct loop l;
    assert_int_equal(loop_init(&l), 0);
    struct alarm a = {.loop = &l};
    l.on_deadline = on_deadline;
    l.deadline_ctx = &a;

    /* One that is over is called at once, and once. */
    l.deadline = 1;
    loop_once(&l, -1);
    loop_once(&l, 0);
    assert_int_equal(a.calls, 1);
    assert_int_equal(l.deadline, 0);

    /* Not before its time, and without anything else happening. */
    int64_t due = clock_now() + 3 * NS_PER_MS;
    l.deadline = due;
    loop_once(&l, 0);
    assert_int_equal(a.calls, 1);
    loop_once(&l, -1);
    assert_true(clock_now() >= due);
    assert_int_equal(a.calls, 2);

    /* Far away does not keep from returning. */
    l.deadline = clock_now() + 1000 * 24 * 3600 * NS_PER_S;
    loop_once(&l, 1);
    assert_int_equal(a.calls, 2);
    l.deadline = INT64_MAX;
    loop_once(&l, 1);
    assert_int_equal(a.calls, 2);

    /* The callback sets the next one. A busy descriptor does not put it off. */
    int loud = ready();
    struct seen s = {.loop = &l, .remove = -1};
    assert_int_equal(loop_add(&l, loud, EPOLLIN, on_event, &s), 0);
    a.again = NS_PER_MS;
    l.deadline = clock_now() + NS_PER_MS;
    while (a.calls < 4 && s.calls < 10000000)
        loop_once(&l, -1);
    assert_int_equal(a.calls, 4);
    assert_true(s.calls > 1);
    loop_close(&l);
    close(loud);
}

static void test_stop(void **state)
{
    (void)state;
    struct loop l;
    int loud = ready();
    assert_int_equal(loop_init(&l), 0);
    assert_int_equal(loop_add(&l, loud, EPOLLIN, on_stop, &l), 0);
    loop_run(&l);
    assert_true(l.stop);
    loop_run(&l); /* stays so */
    loop_close(&l);
    close(loud);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handlers), cmocka_unit_test(test_remove_in_handler),
        cmocka_unit_test(test_full),     cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
