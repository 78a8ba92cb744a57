#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "scout/budget.h"

#define BURST ((int64_t)BUDGET_BURST_MS * NS_PER_MS)

static void test_burst_and_share(void **state)
{
    (void)state;
    struct budgets b = {0};
    int64_t now = 1000 * NS_PER_S;
    assert_true(budget_allows(&b, 7, now));
    budget_charge(&b, 7, now, BURST - 1);
    assert_true(budget_allows(&b, 7, now));
    budget_charge(&b, 7, now, 1 + NS_PER_S);
    assert_false(budget_allows(&b, 7, now));
    assert_true(budget_allows(&b, 8, now)); /* another's time is his own */
    assert_false(budget_allows(&b, 7, now + BUDGET_SHARE * NS_PER_S));
    now += BUDGET_SHARE * NS_PER_S + NS_PER_S;
    assert_true(budget_allows(&b, 7, now));
    budget_charge(&b, 7, now, NS_PER_S);
    assert_false(budget_allows(&b, 7, now));
    /* Nobody saves more than the burst. */
    now += 100000 * NS_PER_S;
    assert_true(budget_allows(&b, 7, now));
    budget_charge(&b, 7, now, BURST);
    assert_false(budget_allows(&b, 7, now));
}

/* Who always wants more gets his share and no more. */
static void test_greed(void **state)
{
    (void)state;
    struct budgets b = {0};
    int64_t now = NS_PER_S, had = 0;
    for (int64_t end = now + 1000 * NS_PER_S; now < end; now += 50 * NS_PER_MS) {
        if (!budget_allows(&b, 7, now))
            continue;
        budget_charge(&b, 7, now, 20 * NS_PER_MS);
        had += 20 * NS_PER_MS;
    }
    assert_true(had >= 100 * NS_PER_S && had <= 100 * NS_PER_S + BURST + NS_PER_S);
}

/* More users than there is room for: they share, and a free place is anybody's again. */
static void test_many_users(void **state)
{
    (void)state;
    struct budgets b = {0};
    int64_t now = NS_PER_S;
    for (uint32_t uid = 1000; uid < 1000 + BUDGET_USERS; uid++) {
        assert_true(budget_allows(&b, uid, now));
        budget_charge(&b, uid, now, BURST + NS_PER_S);
    }
    assert_false(budget_allows(&b, 1000, now));
    assert_false(budget_allows(&b, 5000, now));
    now += 100 * NS_PER_S;
    assert_true(budget_allows(&b, 5000, now));
    budget_charge(&b, 5000, now, BURST);
    assert_false(budget_allows(&b, 5000, now));
    assert_true(budget_allows(&b, 1000, now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_and_share),
        cmocka_unit_test(test_greed),
        cmocka_unit_test(test_many_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
