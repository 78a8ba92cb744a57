/* Measuring several things so that they can be compared: they take turns, each round in another order, so that whatever
 * else the machine does meets all alike; and each is compared with the first of the same round. */
#ifndef FILEWARD_CLI_PAIRS_H
#define FILEWARD_CLI_PAIRS_H

#include <stdbool.h>

enum { PAIRS_THINGS_MAX = 8, PAIRS_ROUNDS_MAX = 1000 };

/* Of all rounds: the median, and what a tenth of them lies below and above. */
struct spread {
    double median, low, high;
};

struct pair {
    struct spread value;
    struct spread ratio; /* to the first thing */
};

/* Measures thing number `thing` once. A negative value: it cannot be measured, and all of it ends. */
typedef double pairs_measure(void *ctx, int thing);

/* False if something could not be measured. */
bool pairs_run(int rounds, int things, pairs_measure *measure, void *ctx, struct pair out[]);

#endif
