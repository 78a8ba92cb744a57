#include "judge/verdicts.h"

#include <stdlib.h>
#include <string.h>

#include "policy/decide.h"

enum { ENTRIES = 4096, WAYS = 4 };

/* Everything that decide() may look at, but the sets of programs. What is not known is 0. */
struct key {
    uint64_t cgroup, place;
    int32_t watch;
    uint32_t ops;
    uint32_t known, failed; /* of the subject */
    uint32_t fsuid, gid, rgid, egid, sgid, loginuid;
    uint32_t object_known, object_failed, object_uid, object_mode;
    uint32_t relatives; /* which of the two other sets there are */
    uint32_t proven;    /* of the program: packaged, intact */
    struct sha256 sha256;
};
/* A new field must be looked at here: does it belong in the key, or must what rests on it not be remembered? */
_Static_assert(sizeof(void *) != 8 || (sizeof(struct subject) == 128 && sizeof(struct object) == 32),
               "the key has all that decide() sees");
_Static_assert(sizeof(struct key) % sizeof(uint64_t) == 0, "no padding, and hashed by words");

struct entry {
    struct key key;
    uint64_t used;       /* 0: free */
    int64_t from, until; /* seconds: no rule of the watch begins or ends to be past its time between these */
    uint32_t need;
    struct decision decision[OP_COUNT];
};

struct verdicts {
    const struct policy *policy;
    uint64_t uses;
    size_t words;    /* of each set of programs: as many as this policy needs */
    uint64_t *sets;  /* for each entry: the program's, the parent's, the ancestors' */
    uint64_t *asked; /* the same of the question in hand */
    struct entry entry[ENTRIES];
};

enum { SETS = 3 };

struct verdicts *verdicts_create(const struct policy *p)
{
    struct verdicts *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    v->policy = p;
    v->words = (p->n_programs + 63) / 64;
    v->sets = calloc(ENTRIES + 1, SETS * sizeof *v->sets * (v->words ? v->words : 1));
    if (!v->sets) {
        free(v);
        return NULL;
    }
    v->asked = &v->sets[ENTRIES * SETS * v->words];
    return v;
}

void verdicts_free(struct verdicts *v)
{
    if (!v)
        return;
    free(v->sets);
    free(v);
}

/* Whether the key can hold all that is known. Not the groups that somebody is in, nor a name that is taken from a path. */
static bool can_be_remembered(const struct verdict_question *q)
{
#ifdef FILEWARD_NO_CACHE
    return false;
#endif
    return !(q->subject->known & ATTR_GROUPS) && (!(q->subject->known & ATTR_UNIT) || q->cgroup) &&
           (!(q->object->known & ATTR_PLACE) || q->place);
}

static void put_set(struct verdicts *v, int which, bool known, const struct program_set *set)
{
    uint64_t *at = v->asked + (size_t)which * v->words;
    if (known && set)
        memcpy(at, set->bits, v->words * sizeof *at);
    else
        memset(at, 0, v->words * sizeof *at);
}

static struct key key_of(struct verdicts *v, const struct verdict_question *q)
{
    const struct subject *s = q->subject;
    const struct object *o = q->object;
    bool parent = s->known & ATTR_PARENT, lineage = s->known & ATTR_LINEAGE;
    put_set(v, 0, s->known & ATTR_EXE, s->exe);
    put_set(v, 1, parent, s->parent);
    put_set(v, 2, lineage, s->ancestors);
    return (struct key){.cgroup = s->known & ATTR_UNIT ? q->cgroup : 0,
                        .watch = q->watch,
                        .ops = q->ops,
                        .known = s->known,
                        .failed = s->failed,
                        .fsuid = s->fsuid,
                        .gid = s->gid,
                        .rgid = s->rgid,
                        .egid = s->egid,
                        .sgid = s->sgid,
                        .loginuid = s->known & ATTR_LOGINUID ? s->loginuid : 0,
                        .object_known = o->known,
                        .object_failed = o->failed,
                        .object_uid = o->uid,
                        .object_mode = o->mode,
                        .place = o->known & ATTR_PLACE ? q->place : 0,
                        .relatives = (parent && s->parent) | (lineage && s->ancestors) << 1,
                        .proven = (s->known & ATTR_TRUST && s->packaged) | (s->known & ATTR_CODE && s->intact) << 1,
                        .sha256 = s->known & ATTR_SHA256 ? s->sha256 : (struct sha256){{0}}};
}

static uint64_t mix(uint64_t h, const void *words, size_t bytes)
{
    uint64_t word;
    for (size_t i = 0; i < bytes; i += sizeof word) {
        memcpy(&word, (const char *)words + i, sizeof word);
        h = (h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 32;
    }
    return h;
}

static uint64_t *sets_of(struct verdicts *v, const struct entry *e)
{
    return &v->sets[(size_t)(e - v->entry) * SETS * v->words];
}

/* The entry with this key, or the one to give it: free, else the longest unused. */
static struct entry *entry_for(struct verdicts *v, const struct key *key, bool *found)
{
    size_t bytes = SETS * v->words * sizeof *v->asked;
    uint64_t h = mix(mix(0, key, sizeof *key), v->asked, bytes);
    struct entry *set = &v->entry[(h >> 20) % (ENTRIES / WAYS) * WAYS], *oldest = set;
    *found = true;
    for (int i = 0; i < WAYS; i++) {
        struct entry *e = &set[i];
        if (e->used && memcmp(&e->key, key, sizeof *key) == 0 && memcmp(sets_of(v, e), v->asked, bytes) == 0)
            return e;
        if (e->used < oldest->used)
            oldest = e;
    }
    *found = false;
    return oldest;
}

/* For how long the same rules are past their time. */
static void keep_until(const struct verdicts *v, int watch, int64_t now, struct entry *e)
{
    const struct watch *w = &v->policy->watches[watch];
    e->from = INT64_MIN;
    e->until = INT64_MAX;
    for (int i = w->first_rule; i < w->first_rule + w->rules; i++) {
        const struct rule *r = &v->policy->rules[i];
        if (!(r->conditions >> COND_EXPIRES & 1))
            continue;
        if (r->expires <= now && r->expires > e->from)
            e->from = r->expires;
        if (r->expires > now && r->expires < e->until)
            e->until = r->expires;
    }
}

unsigned verdicts_decide(struct verdicts *v, const struct verdict_question *q, int64_t now,
                         struct decision out[OP_COUNT], bool *remembered)
{
    const struct watch *w = &v->policy->watches[q->watch];
    *remembered = false;
    if (!can_be_remembered(q))
        return decide(v->policy, w, q->subject, q->object, q->ops, now, out);

    struct key key = key_of(v, q);
    struct entry *e = entry_for(v, &key, remembered);
    *remembered = *remembered && e->from <= now && now < e->until;
    if (!*remembered) {
        e->key = key;
        memcpy(sets_of(v, e), v->asked, SETS * v->words * sizeof *v->asked);
        keep_until(v, q->watch, now, e);
        e->need = decide(v->policy, w, q->subject, q->object, q->ops, now, e->decision);
    }
    e->used = ++v->uses;
    for (int op = 0; op < OP_COUNT; op++)
        if (q->ops & OP_BIT(op))
            out[op] = e->decision[op];
    return e->need;
}
