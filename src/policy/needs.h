/* What deciding may ask for, said beforehand: for the judge, which gathers nothing in vain, and for people, who want to know
 * what a rule costs. */
#ifndef FILEWARD_POLICY_NEEDS_H
#define FILEWARD_POLICY_NEEDS_H

#include "fileward/access.h"

/* Beside the ATTR_ bits: whether an open reads or writes. */
#define NEED_INTENT (1u << 16)

/* The ATTR_ bits on which a condition rests. */
unsigned needs_of_condition(const struct rule *r, enum condition c);

/* All that trying this rule may ask for. NEED_INTENT: it names one of reading and writing. */
unsigned needs_of_rule(const struct rule *r);

/* Whether the policy has a rule that only the clerk can try. */
bool needs_clerk(const struct policy *p);

/* All that a question to this watch may ask for. */
unsigned needs_of_watch(const struct policy *p, const struct watch *w);

/* The needs by name, cheapest first. */
struct need {
    unsigned bit;
    const char *name;  /* in JSON */
    const char *words; /* for people */
    int us;            /* about what it costs, beside an open's 10 to 30 us; 0: nothing */
};
enum { NEEDS = 13 };
extern const struct need needs[NEEDS];

/* The first rule of a watch that asks for it, NULL if none does. */
const struct rule *needs_first(const struct policy *p, const struct watch *w, unsigned bit);

#endif
