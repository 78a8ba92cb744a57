#include "cli/pairs.h"

#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct spread spread_of(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return (struct spread){
        .median = n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2, .low = v[n / 10], .high = v[n - 1 - n / 10]};
}

bool pairs_run(int rounds, int things, pairs_measure *measure, void *ctx, struct pair out[])
{
    static double value[PAIRS_THINGS_MAX][PAIRS_ROUNDS_MAX], ratio[PAIRS_THINGS_MAX][PAIRS_ROUNDS_MAX];
    if (rounds < 1 || rounds > PAIRS_ROUNDS_MAX || things < 1 || things > PAIRS_THINGS_MAX)
        return false;
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < things; i++) {
            int thing = (i + r) % things;
            value[thing][r] = measure(ctx, thing);
            if (value[thing][r] < 0)
                return false;
        }
        for (int t = 0; t < things; t++)
            ratio[t][r] = value[0][r] > 0 ? value[t][r] / value[0][r] : 0;
    }
    for (int t = 0; t < things; t++)
        out[t] = (struct pair){.value = spread_of(value[t], rounds), .ratio = spread_of(ratio[t], rounds)};
    return true;
}
