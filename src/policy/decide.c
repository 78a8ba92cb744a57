#include "policy/decide.h"

#include <string.h>

#include "policy/glob.h"

/* What one condition says. UNKNOWN: an attribute was looked for and could not be determined. */
enum answer { YES, NO, UNKNOWN, NEEDS };

/* Whether `wanted` may be looked at: YES, else UNKNOWN, or NEEDS with the missing bits in *missing. */
static enum answer have(unsigned wanted, unsigned known, unsigned failed, unsigned *missing)
{
    *missing = wanted & ~known;
    if (*missing)
        return NEEDS;
    return wanted & failed ? UNKNOWN : YES;
}

static enum answer yes_if(bool b)
{
    return b ? YES : NO;
}

static bool in_ranges(const struct ids *ids, uint32_t id)
{
    for (size_t i = 0; i < ids->n; i++) {
        if (ids->v[i].low <= id && id <= ids->v[i].high)
            return true;
    }
    return false;
}

static bool any_program(const struct program_list *list, const struct program_set *set)
{
    for (size_t i = 0; set && i < list->n; i++) {
        if (program_set_has(set, list->v[i]))
            return true;
    }
    return false;
}

static enum answer try_object(const struct object *o, unsigned *missing)
{
    enum answer a = have(ATTR_OWNER, o->known, o->failed, missing);
    return a == YES ? yes_if(o->uid == 0 && (o->mode & 0004) && !(o->mode & 0022)) : a;
}

static enum answer try_uid(const struct rule *r, const struct subject *s, const struct object *o, unsigned *missing)
{
    enum answer a = have(ATTR_CREDS, s->known, s->failed, missing);
    if (a != YES)
        return a;
    if (in_ranges(&r->uid, s->fsuid))
        return YES;
    if (!r->uid.owner)
        return NO;
    a = have(ATTR_OWNER, o->known, o->failed, missing);
    return a == YES ? yes_if(o->uid == s->fsuid) : a;
}

static enum answer try_gid(const struct rule *r, const struct subject *s, unsigned *missing)
{
    enum answer a = have(ATTR_CREDS, s->known, s->failed, missing);
    if (a != YES)
        return a;
    if (in_ranges(&r->gid, s->gid) || in_ranges(&r->gid, s->rgid) || in_ranges(&r->gid, s->egid) ||
        in_ranges(&r->gid, s->sgid))
        return YES;
    a = have(ATTR_GROUPS, s->known, s->failed, missing);
    if (a == NEEDS)
        return a;
    for (size_t i = 0; i < s->n_groups; i++) { /* of a list too long to be whole, what is there still counts */
        if (in_ranges(&r->gid, s->groups[i]))
            return YES;
    }
    return a == YES ? NO : a;
}

static enum answer try_unit(const struct rule *r, const struct subject *s, unsigned *missing)
{
    enum answer a = have(ATTR_UNIT, s->known, s->failed, missing);
    if (a != YES)
        return a;
    for (size_t i = 0; s->unit && i < r->unit.n; i++) {
        if (strcmp(r->unit.v[i], s->unit) == 0)
            return YES;
    }
    return NO;
}

static enum answer try_path(const struct policy *p, const struct rule *r, const struct object *o, unsigned *missing)
{
    enum answer a = have(ATTR_PLACE, o->known, o->failed, missing);
    if (a != YES)
        return a;
    return o->place ? yes_if(patterns_cover(p, &r->path, o->place)) : UNKNOWN;
}

static enum answer try_sha256(const struct rule *r, const struct subject *s, unsigned *missing)
{
    enum answer a = have(ATTR_SHA256, s->known, s->failed, missing);
    if (a != YES)
        return a;
    for (size_t i = 0; i < r->exe_sha256.n; i++) {
        if (memcmp(r->exe_sha256.v[i].bytes, s->sha256.bytes, SHA256_BYTES) == 0)
            return YES;
    }
    return NO;
}

static enum answer try_condition(const struct policy *p, const struct rule *r, enum condition c,
                                 const struct subject *s, const struct object *o, int64_t now, unsigned *missing)
{
    enum answer a;
    switch (c) {
    case COND_EXPIRES:
        return yes_if(now < r->expires);
    case COND_OBJECT:
        return try_object(o, missing);
    case COND_UID:
        return try_uid(r, s, o, missing);
    case COND_EGID:
        a = have(ATTR_CREDS, s->known, s->failed, missing);
        return a == YES ? yes_if(in_ranges(&r->egid, s->egid)) : a;
    case COND_EXE:
        a = have(ATTR_EXE, s->known, s->failed, missing);
        return a == YES ? yes_if(any_program(&r->exe, s->exe)) : a;
    case COND_GID:
        return try_gid(r, s, missing);
    case COND_PATH:
        return try_path(p, r, o, missing);
    case COND_LOGINUID:
        a = have(ATTR_LOGINUID, s->known, s->failed, missing);
        return a == YES ? yes_if(s->loginuid != UINT32_MAX && in_ranges(&r->loginuid, s->loginuid)) : a;
    case COND_UNIT:
        return try_unit(r, s, missing);
    case COND_PARENT:
        a = have(ATTR_PARENT, s->known, s->failed, missing);
        return a == YES ? yes_if(any_program(&r->parent, s->parent)) : a;
    case COND_ANCESTOR:
        a = have(ATTR_LINEAGE, s->known, s->failed, missing);
        if (a == UNKNOWN && s->ancestors && any_program(&r->ancestor, s->ancestors))
            return YES;
        return a == YES ? yes_if(any_program(&r->ancestor, s->ancestors)) : a;
    case COND_EXE_SHA256:
        return try_sha256(r, s, missing);
    case COND_TRUST:
        a = have(ATTR_TRUST, s->known, s->failed, missing);
        return a == YES ? yes_if(s->packaged) : a;
    case COND_CODE:
        a = have(ATTR_CODE, s->known, s->failed, missing);
        return a == YES ? yes_if(s->intact) : a;
    case COND_COUNT:
        break;
    }
    return UNKNOWN;
}

enum trial rule_try(const struct policy *p, const struct rule *r, const struct subject *s, const struct object *o,
                    int64_t now, unsigned *why)
{
    unsigned needed = 0;
    for (unsigned c = 0; c < COND_COUNT; c++) {
        unsigned missing = 0;
        if (!(r->conditions >> c & 1))
            continue;
        enum answer a = try_condition(p, r, (enum condition)c, s, o, now, &missing);
        if (a == NO || (a == UNKNOWN && r->action == ACTION_ALLOW)) {
            *why = c;
            return TRIAL_FAILS;
        }
        if (a == NEEDS && !needed)
            needed = missing;
    }
    *why = needed;
    return needed ? TRIAL_NEEDS : TRIAL_HOLDS;
}

unsigned decide(const struct policy *p, const struct watch *w, const struct subject *s, const struct object *o,
                unsigned ops, int64_t now, struct decision out[OP_COUNT])
{
    unsigned open = ops & OPS_ALL; /* what no rule has decided yet */
    for (int i = w->first_rule; open && i < w->first_rule + w->rules; i++) {
        const struct rule *r = &p->rules[i];
        unsigned why;
        if (!(r->ops & open))
            continue;
        enum trial t = rule_try(p, r, s, o, now, &why);
        if (t == TRIAL_NEEDS)
            return why;
        if (t == TRIAL_FAILS)
            continue;
        for (int op = 0; op < OP_COUNT; op++) {
            if (open & r->ops & OP_BIT(op))
                out[op] = (struct decision){r->action, i};
        }
        open &= ~r->ops;
    }
    for (int op = 0; op < OP_COUNT; op++) {
        if (open & OP_BIT(op))
            out[op] = (struct decision){w->default_action, RULE_DEFAULT};
    }
    return 0;
}
