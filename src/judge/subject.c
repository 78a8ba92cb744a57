#include "judge/subject.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fileward/record.h"
#include "judge/units.h"

enum { SLOTS = SUBJECTS_MAX, WAYS = 4, SIGHTS = SIGHTS_MAX };

struct slot {
    struct process process;
    bool used, pinned;
    int sight; /* its number among the sights, -1 none */
    uint64_t last_used;
    struct last_exec exec;
};

struct subjects {
    struct board *board;
    struct programs *programs;
    uint64_t uses;
    struct slot *asked; /* pinned: who asks now */
    struct slot slot[SLOTS];
    struct sight {
        struct slot *of; /* NULL: free */
        struct process_sight sight;
    } sight[SIGHTS];
    int next_sight; /* the one to take away when none is free */
    struct units units;
};

struct subjects *subjects_create(const struct policy *p, struct board *board, struct lookup *names)
{
    struct subjects *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->board = board;
    t->programs = programs_create(p, names);
    if (!t->programs) {
        free(t);
        return NULL;
    }
    return t;
}

/* The slot of `tid`, or the one to give it: free, else the longest unused. Only one slot of all is ever pinned. */
static struct slot *slot_for(struct subjects *t, int32_t tid)
{
    struct slot *set = &t->slot[(uint32_t)tid % (SLOTS / WAYS) * WAYS], *best = &set[set[0].pinned];
    for (int i = 0; i < WAYS; i++) {
        if (set[i].used && set[i].process.tid == tid)
            return &set[i];
        if (!set[i].pinned && best->used && (!set[i].used || set[i].last_used < best->last_used))
            best = &set[i];
    }
    return best;
}

static void drop_sight(struct sight *sight)
{
    if (!sight->of)
        return;
    process_sight_close(&sight->sight);
    sight->of->sight = -1;
    sight->of = NULL;
}

static void drop(struct subjects *t, struct slot *s)
{
    if (!s->used)
        return;
    if (s->sight >= 0)
        drop_sight(&t->sight[s->sight]);
    process_close(&s->process);
    s->used = false;
}

static bool is_known(const struct slot *s, int32_t tid, struct creds *creds)
{
    return s->used && s->process.tid == tid && process_creds(&s->process, creds) == 0;
}

/* The process with this number that lives now, and its credentials. */
static struct slot *find(struct subjects *t, int32_t tid, struct creds *creds)
{
    struct slot *s = slot_for(t, tid);
    struct last_exec exec = {0};
    s->last_used = ++t->uses;
    if (is_known(s, tid, creds)) {
#ifdef FILEWARD_NO_CACHE
        exec = s->exec;
#else
        atomic_fetch_add_explicit(&t->board->cache_hits, 1, memory_order_relaxed);
        return s;
#endif
    }
    atomic_fetch_add_explicit(&t->board->cache_misses, 1, memory_order_relaxed);
    drop(t, s);
    struct process p;
    if (process_open_with(&p, tid, creds) < 0)
        return NULL;
    *s = (struct slot){
        .process = p, .used = true, .pinned = s->pinned, .sight = -1, .last_used = s->last_used, .exec = exec};
    return s;
}

void subject_find(struct subjects *t, int32_t tid, struct inquiry *q)
{
    if (t->asked)
        t->asked->pinned = false;
    struct creds creds = {0};
    struct slot *s = find(t, tid, &creds);
    t->asked = s;
    q->gone = !s && (errno == ESRCH || errno == ENOENT);
    q->process = NULL;
    q->exec = NULL;
    q->creds = creds;
    q->seen = (struct subject){.known = ATTR_CREDS, .failed = ATTR_CREDS};
    if (!s)
        return;
    s->pinned = true;
    q->process = &s->process;
    q->exec = &s->exec;
    q->seen = (struct subject){.known = ATTR_CREDS,
                               .fsuid = creds.fsuid,
                               .ruid = creds.ruid,
                               .gid = creds.fsgid,
                               .rgid = creds.rgid,
                               .sgid = creds.sgid,
                               .egid = creds.egid};
}

static ssize_t path_of(const void *process, char *out, size_t size)
{
    return process_program_path(process, out, size);
}

static bool gather_exe(struct subjects *t, struct inquiry *q)
{
    if (process_program(q->process, &q->program) < 0)
        return false;
    q->seen.exe = &q->exe;
    return programs_of(t->programs, &q->program, path_of, q->process, &q->exe);
}

static bool gather_groups(struct inquiry *q)
{
    if (!process_status(q->process, &q->status))
        return false;
    q->seen.groups = q->status.groups;
    q->seen.n_groups = q->status.n_groups;
    return !q->status.more_groups;
}

static bool gather_unit(struct subjects *t, struct inquiry *q)
{
    q->seen.unit = q->unit;
    return units_of(&t->units, q->process, &q->creds, q->unit);
}

bool subject_ancestors(struct subjects *t, const struct inquiry *q, each_ancestor *each, void *ctx)
{
    int32_t pid = q->creds.ppid;
    for (int depth = 0; pid > 0 && depth < RECORD_ANCESTORS_MAX; depth++) {
        struct creds creds;
        struct slot *s = find(t, pid, &creds);
        each(ctx, pid, s ? &s->process : NULL);
        if (!s)
            return false;
        pid = creds.ppid;
    }
    return pid <= 0;
}

static struct sight *free_sight(struct subjects *t)
{
    for (int i = 0; i < SIGHTS; i++)
        if (!t->sight[i].of)
            return &t->sight[i];
    t->next_sight = (t->next_sight + 1) % SIGHTS;
    struct sight *taken = &t->sight[t->next_sight];
    drop_sight(taken);
    return taken;
}

const struct process_sight *subject_sight(struct subjects *t, const struct inquiry *q)
{
    struct slot *s = t->asked;
    if (!q->process || !s)
        return NULL;
    if (s->sight < 0) {
        struct sight *sight = free_sight(t);
        process_sight_open(&sight->sight, q->process);
        sight->of = s;
        s->sight = (int)(sight - t->sight);
    }
    return &t->sight[s->sight].sight;
}

bool subject_is_impostor(const struct subjects *t, const struct inquiry *q, const char *name)
{
    return programs_impostor(t->programs, name, &q->exe);
}

struct lineage {
    struct subjects *t;
    struct inquiry *q;
    int depth;
};

static void add_ancestor(void *ctx, int32_t pid, const struct process *p)
{
    (void)pid;
    struct lineage *l = ctx;
    struct program program;
    struct program_set set = {0};
    /* An ancestor whose program cannot be seen (a kernel thread) is none that the policy names. */
    if (p && process_program(p, &program) == 0)
        programs_of(l->t->programs, &program, path_of, p, &set);
    if (l->depth++ == 0)
        l->q->parent = set;
    for (int i = 0; i < PROGRAM_WORDS; i++)
        l->q->ancestors.bits[i] |= set.bits[i];
}

static bool gather_lineage(struct subjects *t, struct inquiry *q)
{
    /* A parent that ends while we look moves its children to another: look again. */
    for (int tries = 0; tries < 3; tries++) {
        struct lineage l = {.t = t, .q = q};
        memset(&q->parent, 0, sizeof q->parent);
        memset(&q->ancestors, 0, sizeof q->ancestors);
        if (subject_ancestors(t, q, add_ancestor, &l)) {
            q->seen.parent = l.depth > 0 ? &q->parent : NULL;
            q->seen.ancestors = &q->ancestors;
            return true;
        }
        if (l.depth == RECORD_ANCESTORS_MAX) { /* too long: what was seen still counts, what was not is unknown */
            q->seen.parent = &q->parent;
            q->seen.ancestors = &q->ancestors;
            return false;
        }
        if (process_creds(q->process, &q->creds) < 0)
            return false;
    }
    return false;
}

static bool gather_one(struct subjects *t, struct inquiry *q, unsigned attribute)
{
    if (!q->process)
        return false;
    switch (attribute) {
    case ATTR_EXE:
        return gather_exe(t, q);
    case ATTR_GROUPS:
        return gather_groups(q);
    case ATTR_LOGINUID:
        return process_loginuid(q->process, &q->seen.loginuid);
    case ATTR_UNIT:
        return gather_unit(t, q);
    case ATTR_LINEAGE:
        return gather_lineage(t, q);
    default:
        return false;
    }
}

void subject_gather(struct subjects *t, struct inquiry *q, unsigned attributes)
{
    for (unsigned rest = attributes & ~q->seen.known; rest; rest &= rest - 1) {
        unsigned attribute = rest & -rest;
        q->seen.known |= attribute;
        if (!gather_one(t, q, attribute))
            q->seen.failed |= attribute;
    }
}
