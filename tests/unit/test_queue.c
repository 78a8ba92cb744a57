/* In what order the clerk takes what it is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "clerk/queue.h"

static int build(void **state)
{
    *state = calloc(1, sizeof(struct queue));
    return *state ? 0 : -1;
}

static int demolish(void **state)
{
    free(*state);
    return 0;
}

static void put(struct queue *q, int fd, int64_t read_ns, uint32_t user, uint32_t wants)
{
    queue_put(q, &(struct desk_question){.ticket = {.fd = fd, .read_ns = read_ns}, .user = user, .wants = wants});
}

static int take(struct queue *q)
{
    struct desk_question out;
    int turns;
    if (!queue_take(q, &out, &turns))
        return -1;
    queue_done(q, &out);
    return out.ticket.fd;
}

/* One of each user in turn, each user's own in their order. */
static void test_turns(void **state)
{
    struct queue *q = *state;
    for (int i = 0; i < 1000; i++)
        put(q, (i * 7) % 1000, i, 1, 1);
    assert_int_equal(take(q), 0);
    put(q, 2000, 2000, 2, 1);
    put(q, 2001, 2001, 2, 1);
    put(q, 3000, 2002, DESK_NOBODY, 1);
    assert_int_equal(take(q), 2000);
    assert_int_equal(take(q), 3000);
    assert_int_equal(take(q), 7);
    assert_int_equal(take(q), 2001);
    assert_int_equal(take(q), 14);
    /* What is put back is the first of its user again, but not before others. */
    put(q, 2001, 2003, 2, 1);
    put(q, 14, 2, 1, 1);
    assert_int_equal(take(q), 2001);
    assert_int_equal(take(q), 14);
    assert_int_equal(take(q), 21);
    assert_int_equal(q->n, 1000 - 4);
}

/* Whoever asks again as soon as he is answered, and users that do so in turn, keep nobody from his; nor does a crowd of one
 * whose line is the same. */
static void test_nobody_starves(void **state)
{
    struct queue *q = *state;
    static const uint32_t user[] = {5, 6, 7 + QUEUE_LINES};
    for (int i = 0; i < 100; i++)
        put(q, 1000 + i, i, 5, 1);
    for (int i = 0; i < 100; i++)
        put(q, 2000 + i, i, 7 + QUEUE_LINES, 1);
    put(q, 1, 1, 6, 1);
    for (int round = 0; round < 20; round++) {
        put(q, 7, 1000 + round, 7, 1);
        int waited = 0;
        for (int fd; (fd = take(q)) != 7; waited++) {
            /* another at once, as if he had waited for ever */
            put(q, fd, round + 1, user[fd >= 2000 ? 2 : fd < 1000], 1);
            assert_in_range(waited, 0, 5);
        }
    }
}

/* An opener asks one thing at a time, and its descriptor is another's only when it has been answered. */
static void test_places(void **state)
{
    struct queue *q = *state;
    struct desk_question out;
    int turns;
    put(q, 5, 1, 1, 1);
    put(q, 5, 1, 1, 1);
    assert_int_equal(q->n, 1);
    put(q, 5, 1, 1, 2);
    put(q, 5, 2, 7, 4);
    put(q, 5, 1, 1, 1); /* what is taken up again late */
    assert_int_equal(q->n, 1);
    assert_true(queue_take(q, &out, &turns));
    assert_int_equal(out.user, 7);
    assert_int_equal(out.wants, 4);
    assert_false(queue_take(q, &out, &turns));
    for (int fd = -3; fd < FILES_MAX + 3; fd++)
        put(q, fd, 1, (uint32_t)fd, 1);
    assert_int_equal(q->n, FILES_MAX);
    for (int i = 0; i < FILES_MAX; i++)
        assert_true(queue_take(q, &out, &turns));
    assert_int_equal(take(q), -1);
    assert_int_equal(q->end, 0);
}

static struct desk_question expect_turns(struct queue *q, int fd, int wanted)
{
    struct desk_question out;
    int turns;
    assert_true(queue_take(q, &out, &turns));
    assert_int_equal(out.ticket.fd, fd);
    assert_int_equal(turns, wanted);
    return out;
}

/* How often a question had its turn is known when it is put back; another in its place begins anew. */
static void test_put_back(void **state)
{
    struct queue *q = *state;
    struct desk_question out;
    put(q, 5, 1, 1, 1);
    put(q, 6, 1, 2, 1);
    for (int i = 0; i < 5; i++) {
        out = expect_turns(q, 5, i);
        queue_put_back(q, &out);
        out = expect_turns(q, 6, i);
        queue_put_back(q, &out);
    }
    put(q, 5, 2, 1, 1);
    expect_turns(q, 5, 0);
    expect_turns(q, 6, 5);
    put(q, 5, 2, 1, 4);
    expect_turns(q, 5, 0);
}

/* What the judge asks again while it is in hand keeps nobody waiting, and is not looked at once more. */
static void test_in_hand(void **state)
{
    struct queue *q = *state;
    struct desk_question out;
    put(q, 5, 1, 1, 1);
    out = expect_turns(q, 5, 0);
    put(q, 5, 1, 1, 1);
    assert_int_equal(q->n, 0);
    queue_done(q, &out);
    assert_int_equal(take(q), -1);
    /* What was answered may be lost: then it is asked again; and the next opener asks at once. */
    put(q, 5, 1, 1, 1);
    out = expect_turns(q, 5, 1);
    put(q, 5, 2, 1, 1);
    assert_int_equal(q->n, 1);
    queue_put_back(q, &out);
    assert_int_equal(q->n, 1);
    out = expect_turns(q, 5, 0);
    assert_int_equal(out.ticket.read_ns, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_turns, build, demolish),
        cmocka_unit_test_setup_teardown(test_nobody_starves, build, demolish),
        cmocka_unit_test_setup_teardown(test_places, build, demolish),
        cmocka_unit_test_setup_teardown(test_put_back, build, demolish),
        cmocka_unit_test_setup_teardown(test_in_hand, build, demolish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
