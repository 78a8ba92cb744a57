/* The decision: a pure function of policy, subject and object. No kernel, no clock, no memory of its own. */
#ifndef FILEWARD_POLICY_DECIDE_H
#define FILEWARD_POLICY_DECIDE_H

#include "fileward/access.h"

/* Decides each operation in `ops` (OP_BIT()s) by the first rule of `w` that names it and whose conditions all hold,
 * else by the watch's default. `now` is seconds since 1970.
 * Returns 0 when out[op] is filled for every asked op; else the ATTR_ bits that must be gathered before asking again
 * (never one already in `known`). An attribute in `failed` fails an allow rule and satisfies a deny rule. */
unsigned decide(const struct policy *p, const struct watch *w, const struct subject *s, const struct object *o,
                unsigned ops, int64_t now, struct decision out[OP_COUNT]);

enum trial { TRIAL_HOLDS, TRIAL_FAILS, TRIAL_NEEDS };

/* Tries one rule. TRIAL_FAILS: *why is the first condition that failed (enum condition); TRIAL_NEEDS: *why is the
 * ATTR_ bits wanted. Does not look at rule->ops. */
enum trial rule_try(const struct policy *p, const struct rule *r, const struct subject *s, const struct object *o,
                    int64_t now, unsigned *why);

#endif
