#include "judge/units.h"

#include <string.h>

enum { WAYS = 4 };

/* The entry of this control group, or the one to give it. */
static struct units_entry *entry_for(struct units *t, uint64_t cgroup)
{
    uint64_t h = cgroup * UINT64_C(0x9E3779B97F4A7C15) >> 32;
    struct units_entry *set = &t->entry[h % (UNITS_MAX / WAYS) * WAYS], *oldest = set;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].cgroup == cgroup)
            return &set[i];
        if (set[i].used < oldest->used)
            oldest = &set[i];
    }
    return oldest;
}

bool units_recall(struct units *t, uint64_t cgroup, char unit[UNIT_MAX])
{
#ifdef FILEWARD_NO_CACHE
    return false;
#endif
    struct units_entry *e = entry_for(t, cgroup);
    if (!cgroup || e->cgroup != cgroup)
        return false;
    e->used = ++t->uses;
    memcpy(unit, e->unit, UNIT_MAX);
    return true;
}

bool units_of(struct units *t, const struct process *p, struct creds *creds, char unit[UNIT_MAX])
{
    if (units_recall(t, creds->cgroup, unit))
        return true;
    struct units_entry *e = entry_for(t, creds->cgroup);
    e->used = ++t->uses;
    /* Read, then look again: had it moved in between, the name would be that of another group. */
    struct creds after;
    bool by_cgroup, ok = process_unit(p, unit, &by_cgroup);
    if (!ok || !by_cgroup || process_creds(p, &after) < 0 || after.cgroup != creds->cgroup)
        creds->cgroup = 0;
    e->cgroup = creds->cgroup;
    memcpy(e->unit, unit, UNIT_MAX);
    return ok;
}
