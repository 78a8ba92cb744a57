/* Whom the clerk leaves alone, because one before it came to hang over him. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/shun.h"

static void test_blame(void **state)
{
    (void)state;
    const int64_t s = NS_PER_S;
    uint32_t user;
    struct shun *shun = shun_create();
    assert_non_null(shun);
    assert_false(shun_blame(shun, 1 * s, &user));
    shun_begin_look(shun, 7, 1 * s);
    shun_end_look(shun, 1 * s);
    assert_false(shun_blame(shun, 2 * s, &user));
    shun_begin_look(shun, 7, 1 * s);
    shun_forget_look(shun); /* a new clerk */
    assert_false(shun_blame(shun, 2 * s, &user));
    shun_begin_look(shun, 0, 2 * s); /* root's */
    assert_false(shun_blame(shun, 3 * s, &user));
    shun_begin_look(shun, 8, 2 * s); /* one that leaves */
    shun_begin_look(shun, 7, 3 * s);
    shun_end_look(shun, 2 * s);
    assert_true(shun_blame(shun, 10 * s, &user));
    assert_int_equal(user, 7);
    assert_false(shun_blame(shun, 10 * s, &user)); /* once for each look */
    assert_true(shun_holds(shun, 7, 109 * s));
    assert_false(shun_holds(shun, 7, 110 * s));
    assert_false(shun_holds(shun, 8, 11 * s));
    /* Longer each time, and not for ever. */
    shun_begin_look(shun, 7, 120 * s);
    assert_true(shun_blame(shun, 130 * s, &user));
    assert_true(shun_holds(shun, 7, 329 * s));
    assert_false(shun_holds(shun, 7, 330 * s));
    for (int i = 0; i < 100; i++) {
        shun_begin_look(shun, 7, 400 * s);
        assert_true(shun_blame(shun, 400 * s, &user));
    }
    assert_false(shun_holds(shun, 7, 2200 * s));
    /* Many: the last ones are remembered. */
    for (uint32_t i = 1000; i < 1200; i++) {
        shun_begin_look(shun, i, 3000 * s);
        assert_true(shun_blame(shun, 3000 * s + i, &user));
        assert_true(shun_holds(shun, i, 3001 * s));
    }
    shun_free(shun);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_blame)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
