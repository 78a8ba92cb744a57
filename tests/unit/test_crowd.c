#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judge/crowd.h"

static struct question q[HELD_MAX];

static void test_most(void **state)
{
    (void)state;
    q[0] = (struct question){.whom = 7, .read_ns = 1};
    assert_int_equal(crowd_oldest(q, 1), 0);
    q[1] = (struct question){.whom = 9, .read_ns = 5};
    q[2] = (struct question){.whom = 9, .read_ns = 4};
    q[3] = (struct question){.whom = 9, .read_ns = 6};
    q[4] = (struct question){.whom = 7, .read_ns = 0};
    assert_int_equal(crowd_oldest(q, 5), 2);
}

/* One who has two among a thousand others. */
static void test_many(void **state)
{
    (void)state;
    for (int i = 0; i < HELD_MAX; i++)
        q[i] = (struct question){.whom = UINT64_C(1) << 62 | (uint64_t)i, .read_ns = 1000 + i};
    q[HELD_MAX - 1].whom = q[500].whom;
    q[HELD_MAX - 1].read_ns = 2;
    assert_int_equal(crowd_oldest(q, HELD_MAX), HELD_MAX - 1);
    /* All alone, all the same. */
    for (int i = 0; i < HELD_MAX; i++)
        q[i] = (struct question){.whom = 3, .read_ns = 1000 - i};
    assert_int_equal(crowd_oldest(q, HELD_MAX), HELD_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_most),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
