#include "scout/budget.h"

#include "base/clock.h"

static void let_time_pass(struct budget *b, int64_t now)
{
    b->spent_ns -= (now - b->at_ns) / BUDGET_SHARE;
    if (b->spent_ns < 0)
        b->spent_ns = 0;
    b->at_ns = now;
}

/* His own, or a free one; with more users at once than there are, two share one. */
static struct budget *of_user(struct budgets *b, uint32_t uid, int64_t now)
{
    struct budget *free_one = NULL;
    for (uint32_t i = 0; i < BUDGET_USERS; i++) {
        struct budget *u = &b->of[(uid + i) % BUDGET_USERS];
        let_time_pass(u, now);
        if (u->spent_ns > 0 && u->uid == uid)
            return u;
        if (u->spent_ns == 0 && !free_one)
            free_one = u;
    }
    if (!free_one)
        return &b->of[uid % BUDGET_USERS];
    free_one->uid = uid;
    return free_one;
}

bool budget_allows(struct budgets *b, uint32_t uid, int64_t now)
{
    return of_user(b, uid, now)->spent_ns < BUDGET_BURST_MS * NS_PER_MS;
}

void budget_charge(struct budgets *b, uint32_t uid, int64_t now, int64_t took_ns)
{
    of_user(b, uid, now)->spent_ns += took_ns;
}
