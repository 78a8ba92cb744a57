#include "policy/needs.h"

/* Measured on one machine (docs/performance.md): to be compared with each other. */
const struct need needs[NEEDS] = {
    {ATTR_OWNER, "owner", "the owner and mode of the file", 0},
    {ATTR_CREDS, "ids", "the ids of who asks", 1},
    {ATTR_PLACE, "place", "the place of the file", 1},
    {ATTR_EXE, "exe", "the program", 3},
    {ATTR_PARENT, "parent", "its parent", 4},
    {ATTR_LOGINUID, "loginuid", "who logged in", 5},
    {NEED_INTENT, "intent", "whether it reads or writes", 8},
    {ATTR_UNIT, "unit", "the unit", 12},
    {ATTR_GROUPS, "groups", "all groups of who asks", 15},
    {ATTR_LINEAGE, "lineage", "all its ancestors", 20},
    {ATTR_SHA256, "sha256", "the hash of the program (once, then it is remembered)", 3},
    {ATTR_TRUST, "trust", "the package of the program (once, then it is remembered)", 3},
    {ATTR_CODE, "code", "all code that it runs", 200},
};

unsigned needs_of_condition(const struct rule *r, enum condition c)
{
    static const unsigned of[COND_COUNT] = {
        [COND_OBJECT] = ATTR_OWNER,
        [COND_UID] = ATTR_CREDS,
        [COND_EGID] = ATTR_CREDS,
        [COND_EXE] = ATTR_EXE,
        [COND_GID] = ATTR_CREDS | ATTR_GROUPS,
        [COND_PATH] = ATTR_PLACE,
        [COND_LOGINUID] = ATTR_LOGINUID,
        [COND_UNIT] = ATTR_UNIT,
        [COND_PARENT] = ATTR_PARENT,
        [COND_ANCESTOR] = ATTR_LINEAGE,
        [COND_EXE_SHA256] = ATTR_SHA256,
        [COND_TRUST] = ATTR_TRUST,
        [COND_CODE] = ATTR_CODE,
    };
    return of[c] | (c == COND_UID && r->uid.owner ? (unsigned)ATTR_OWNER : 0);
}

unsigned needs_of_rule(const struct rule *r)
{
    const unsigned both = OP_BIT(OP_READ) | OP_BIT(OP_WRITE), open = r->ops & both;
    unsigned all = open && open != both ? NEED_INTENT : 0;
    for (unsigned c = 0; c < COND_COUNT; c++)
        if (r->conditions >> c & 1)
            all |= needs_of_condition(r, (enum condition)c);
    return all;
}

bool needs_clerk(const struct policy *p)
{
    for (int i = 0; i < p->n_rules; i++)
        if (needs_of_rule(&p->rules[i]) & ATTRS_OF_CLERK)
            return true;
    return false;
}

unsigned needs_of_watch(const struct policy *p, const struct watch *w)
{
    unsigned all = 0;
    for (int i = w->first_rule; i < w->first_rule + w->rules; i++)
        all |= needs_of_rule(&p->rules[i]);
    return all;
}

const struct rule *needs_first(const struct policy *p, const struct watch *w, unsigned bit)
{
    for (int i = w->first_rule; i < w->first_rule + w->rules; i++)
        if (needs_of_rule(&p->rules[i]) & bit)
            return &p->rules[i];
    return NULL;
}
