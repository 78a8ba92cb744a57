/* /metrics: the Prometheus text format 0.0.4. Labels are names of the policy, never anything that a process chose. */
#ifndef FILEWARD_HERALD_METRICS_H
#define FILEWARD_HERALD_METRICS_H

#include <stdio.h>

#include "fileward/board.h"
#include "fileward/policy.h"
#include "herald/self.h"

/* All that /metrics and /status tell. */
struct state {
    const struct policy *policy;
    const struct board *board;
    const char *kernel;           /* uname's release */
    uint64_t dropped[ROLE_COUNT]; /* records, and for the herald: lines */
    uint64_t journal_dropped;     /* messages that journald did not take */
    struct self_usage usage;
    bool names;              /* paths and programs may be told: who asks is known */
    int64_t now_ns, wall_ns; /* CLOCK_MONOTONIC, CLOCK_REALTIME */
};

void metrics_write(FILE *f, const struct state *s);

/* Nanoseconds as seconds, in the shortest form that Prometheus' own libraries would print ("2.5e-06", "0.001", "1").
 * Never looks at the locale. */
enum { SECONDS_BYTES = 32 };
void seconds_text(char out[SECONDS_BYTES], uint64_t ns);

#endif
