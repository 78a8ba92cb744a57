/* The scout's time, for which users compete: who moves a large tree to and fro must not keep it from what others make. */
#ifndef FILEWARD_SCOUT_BUDGET_H
#define FILEWARD_SCOUT_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BUDGET_SHARE = 10,      /* a user may have one part in so many, */
    BUDGET_BURST_MS = 3000, /* and so much beyond it at once */
    BUDGET_USERS = 256,
};

struct budgets {
    struct budget {
        uint32_t uid;
        int64_t spent_ns, at_ns; /* beyond his share, at that time; 0: nobody's */
    } of[BUDGET_USERS];
};

/* Whether he may have more. */
bool budget_allows(struct budgets *b, uint32_t uid, int64_t now);

/* He has had so much. */
void budget_charge(struct budgets *b, uint32_t uid, int64_t now, int64_t took_ns);

#endif
