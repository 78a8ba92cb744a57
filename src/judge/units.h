/* The units of control groups. A control group's number is never given twice and its name never changes, so what was read
 * once from /proc holds for whoever is in it. */
#ifndef FILEWARD_JUDGE_UNITS_H
#define FILEWARD_JUDGE_UNITS_H

#include "base/process.h"

enum { UNITS_MAX = 256 };

struct units {
    uint64_t uses;
    struct units_entry {
        uint64_t cgroup; /* 0: free */
        uint64_t used;
        char unit[UNIT_MAX];
    } entry[UNITS_MAX];
};

/* The unit of a control group that was seen before; false if it was not. */
bool units_recall(struct units *t, uint64_t cgroup, char unit[UNIT_MAX]);

/* The unit of `p`, whose control group has the number in `creds`. Sets creds->cgroup to 0 where it does not tell the unit:
 * on a machine with several hierarchies, or if the process changes it just now. False if it cannot be determined. */
bool units_of(struct units *t, const struct process *p, struct creds *creds, char unit[UNIT_MAX]);

#endif
