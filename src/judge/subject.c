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
    uint64_t since; /* when it was opened, in the order of `asked` */
    uint64_t asked; /* when its parent was asked for; 0: never */
    int32_t parent;
    struct last_exec exec;
};

struct subjects {
    struct board *board;
    struct programs *programs;
    uint64_t uses;
    uint64_t steps;     /* openings, and askings for a parent */
    unsigned by_ids;    /* the parts of a process that tell its ids */
    struct slot *asker; /* pinned: the slot of who asks now, which may still hold another */
    struct slot slot[SLOTS];
    struct sight {
        struct slot *of; /* NULL: free */
        struct process_sight sight;
    } sight[SIGHTS];
    int next_sight; /* the one to take away when none is free */
    struct units units;
};

struct subjects *subjects_create(const struct policy *p, struct board *board, struct lookup *names, struct once *once)
{
    struct subjects *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->board = board;
    t->by_ids = board->features & FEATURE_PIDFD_INFO ? PROCESS_PIDFD : PROCESS_PIDFD | PROCESS_PROC;
    t->programs = programs_create(p, names, once);
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

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void note_parent(struct subjects *t, struct slot *s, const struct creds *creds)
{
    s->parent = creds->ppid;
    s->asked = ++t->steps;
}

static bool ask_ids(struct subjects *t, struct slot *s, struct creds *creds)
{
    if (process_creds(&s->process, creds) < 0)
        return false;
    note_parent(t, s, creds);
    return true;
}

/* Makes it the slot of the process that has this number now. */
static bool open_slot(struct subjects *t, struct slot *s, int32_t tid, unsigned parts, struct creds *creds, bool *told)
{
    struct process p = process_named(tid);
    struct last_exec exec = {0};
#ifdef FILEWARD_NO_CACHE
    if (s->used && s->process.tid == tid && process_creds(&s->process, creds) == 0)
        exec = s->exec;
#endif
    count(&t->board->cache_misses);
    drop(t, s);
    if (process_reach(&p, parts, creds, told) < 0) {
        int why = errno;
        process_close(&p);
        errno = why;
        return false;
    }
    *s = (struct slot){.process = p,
                       .used = true,
                       .pinned = s->pinned,
                       .sight = -1,
                       .last_used = s->last_used,
                       .since = ++t->steps,
                       .exec = exec};
    if (*told)
        note_parent(t, s, creds);
    return true;
}

/* --- who asks --------------------------------------------------------------------------------------------------- */

void subject_find(struct subjects *t, int32_t tid, unsigned may_need, struct inquiry *q)
{
    if (t->asker)
        t->asker->pinned = false;
    t->asker = slot_for(t, tid);
    t->asker->pinned = true;
    t->asker->last_used = ++t->uses;
    q->tid = tid;
    q->may_need = may_need;
    q->gone = false;
    q->awaits_clerk = false;
    q->process = NULL;
    q->creds = (struct creds){0};
    q->seen = (struct subject){0};
}

static bool is_held(const struct subjects *t, const struct inquiry *q)
{
#ifdef FILEWARD_NO_CACHE
    if (!q->process)
        return false;
#endif
    return t->asker->used && t->asker->process.tid == q->tid;
}

/* What the slot holds has told something: it lives, so it is the one who asks. */
static void confirm(struct subjects *t, struct inquiry *q)
{
    if (!q->process)
        count(&t->board->cache_hits);
    q->process = &t->asker->process;
}

static void take_ids(struct inquiry *q, const struct creds *creds)
{
    q->creds = *creds;
    q->seen.known |= ATTR_CREDS;
    q->seen.failed &= ~(unsigned)ATTR_CREDS;
    q->seen.fsuid = creds->fsuid;
    q->seen.ruid = creds->ruid;
    q->seen.gid = creds->fsgid;
    q->seen.rgid = creds->rgid;
    q->seen.sgid = creds->sgid;
    q->seen.egid = creds->egid;
}

/* What to open of who has not been seen before. Of two that are opened at once it costs less to prove that they belong
 * together. */
static unsigned first_parts(const struct subjects *t, const struct inquiry *q)
{
    const unsigned ids = ATTR_CREDS | ATTR_UNIT | ATTR_PARENT | ATTR_LINEAGE, object = ATTR_OWNER | ATTR_PLACE;
    return (q->may_need & ids ? t->by_ids : 0) | (q->may_need & ~(ids | object) ? (unsigned)PROCESS_PROC : 0);
}

/* Opens these parts. Until q->process is set they may be of one who had the number before. */
static bool reach(struct subjects *t, struct inquiry *q, unsigned parts)
{
    struct creds creds;
    bool told = false, held = is_held(t, q);
    if (q->gone)
        return false;
    bool ok = held && process_reach(&t->asker->process, parts, &creds, &told) == 0;
    if (ok && told) {
        note_parent(t, t->asker, &creds);
        confirm(t, q);
    }
    if (!ok && !q->process) {
        ok = open_slot(t, t->asker, q->tid, parts | first_parts(t, q), &creds, &told);
        q->process = ok ? &t->asker->process : NULL;
    }
    if (ok && told)
        take_ids(q, &creds);
    q->gone = !ok && (errno == ESRCH || errno == ENOENT);
    return ok;
}

static bool gather_ids(struct subjects *t, struct inquiry *q)
{
    struct creds creds;
    for (int tries = 0; tries < 2; tries++) {
        if (!reach(t, q, t->by_ids))
            return false;
        if (q->creds.tgid) /* by the way */
            return true;
        if (ask_ids(t, t->asker, &creds)) {
            confirm(t, q);
            take_ids(q, &creds);
            return true;
        }
        if (q->process)
            break;
        drop(t, t->asker); /* of one who had the number before */
    }
    q->gone = true;
    return false;
}

static bool need_ids(struct subjects *t, struct inquiry *q)
{
    subject_gather(t, q, ATTR_CREDS);
    return !(q->seen.failed & ATTR_CREDS);
}

/* Who asks, and sure to be, with /proc/TID open. */
static bool need_proc(struct subjects *t, struct inquiry *q)
{
    return (q->process || !is_held(t, q) || need_ids(t, q)) && reach(t, q, PROCESS_PROC);
}

void subject_reach(struct subjects *t, struct inquiry *q)
{
    need_proc(t, q);
}

static bool has_exec(const struct slot *s, int32_t tid)
{
    return s->used && s->process.tid == tid && (s->exec.asked || s->exec.pending);
}

struct last_exec *subject_exec(struct subjects *t, struct inquiry *q)
{
    struct slot *s = t->asker;
    return has_exec(s, q->tid) && (q->process || need_ids(t, q)) && has_exec(s, q->tid) ? &s->exec : NULL;
}

struct last_exec *subject_last_exec(struct subjects *t, int32_t tid)
{
    struct slot *s = slot_for(t, tid);
    return has_exec(s, tid) ? &s->exec : NULL;
}

struct last_exec *subject_begin_exec(struct subjects *t, struct inquiry *q, const struct file_id *id)
{
    if (!q->process && !need_ids(t, q))
        return NULL;
    struct last_exec *e = &t->asker->exec;
    if (!file_id_equal(&e->id, id))
        *e = (struct last_exec){.id = *id};
    return e;
}

/* --- what it is ------------------------------------------------------------------------------------------------- */

static ssize_t path_of(const void *process, char *out, size_t size)
{
    return process_program_path(process, out, size);
}

static bool gather_exe(struct subjects *t, struct inquiry *q)
{
    /* That the program shows proves that the process lives; that it does not show proves nothing. */
    if (!reach(t, q, PROCESS_PROC))
        return false;
    if (process_program(&t->asker->process, &q->program) == 0)
        confirm(t, q);
    else if (q->process || !need_proc(t, q) || process_program(q->process, &q->program) < 0)
        return false;
    q->seen.exe = &q->exe;
    return programs_of(t->programs, &q->program, path_of, q->process, &q->exe);
}

static bool gather_groups(struct subjects *t, struct inquiry *q)
{
    if (!need_proc(t, q) || !process_status(q->process, &q->status))
        return false;
    q->seen.groups = q->status.groups;
    q->seen.n_groups = q->status.n_groups;
    return !q->status.more_groups;
}

static bool gather_unit(struct subjects *t, struct inquiry *q)
{
    q->seen.unit = q->unit;
    q->unit[0] = '\0';
    if (!need_ids(t, q))
        return false;
    return units_recall(&t->units, q->creds.cgroup, q->unit) ||
           (need_proc(t, q) && units_of(&t->units, q->process, &q->creds, q->unit));
}

/* --- whose child it is ------------------------------------------------------------------------------------------ */

/* The slot of the process that has, or had, this number. */
static struct slot *slot_of_ancestor(struct subjects *t, int32_t pid)
{
    const unsigned both = PROCESS_PIDFD | PROCESS_PROC;
    struct slot *s = slot_for(t, pid);
    struct creds creds;
    bool told, held = s->used && s->process.tid == pid;
#ifdef FILEWARD_NO_CACHE
    held = false;
#endif
    s->last_used = ++t->uses;
    if (held && process_reach(&s->process, both, &creds, &told) == 0) {
        if (told)
            note_parent(t, s, &creds);
        count(&t->board->cache_hits);
    } else if (!open_slot(t, s, pid, both, &creds, &told)) {
        return NULL;
    }
    return s->asked || ask_ids(t, s, &creds) ? s : NULL;
}

/* The slot of the parent of `below`. Whose child somebody is changes only when the parent ends. So a parent's number that was
 * asked for when its process was in our hands already, and a process that still lives, are proof without asking again.
 * NULL: it cannot be opened, or there is none. */
static struct slot *slot_of_parent(struct subjects *t, struct slot *below)
{
    struct creds creds;
    for (int tries = 0; tries < 2 && below->parent > 0; tries++) { /* it may have ended since we asked */
        const int32_t pid = below->parent;
        struct slot *s = slot_of_ancestor(t, pid);
        if (s && s->since < below->asked)
            return s;
        if (!ask_ids(t, below, &creds))
            return NULL;
        if (s && below->parent == pid)
            return s;
    }
    return NULL;
}

enum ancestry subject_ancestors(struct subjects *t, struct inquiry *q, int most, each_ancestor *each, void *ctx)
{
    struct creds creds;
    if (!need_ids(t, q))
        return ANCESTRY_BROKEN;
    struct slot *below = t->asker;
    for (int depth = 0; depth < most && below->parent > 0; depth++) {
        struct slot *s = slot_of_parent(t, below);
        if (!s && below->parent <= 0)
            break;
        if (!s) {
            each(ctx, below->parent, NULL);
            return ANCESTRY_BROKEN;
        }
        if (!each(ctx, s->process.tid, &s->process) && !ask_ids(t, s, &creds)) {
            drop(t, s);
            return ANCESTRY_BROKEN;
        }
        below = s;
    }
    return below->parent <= 0 ? ANCESTRY_WHOLE : ANCESTRY_LONGER;
}

struct lineage {
    struct subjects *t;
    struct inquiry *q;
    int depth;
};

static bool add_ancestor(void *ctx, int32_t pid, const struct process *p)
{
    (void)pid;
    struct lineage *l = ctx;
    struct program program;
    struct program_set set = {0};
    /* An ancestor whose program cannot be seen (a kernel thread) is none that the policy names. */
    bool seen = p && process_program(p, &program) == 0;
    if (seen)
        programs_of(l->t->programs, &program, path_of, p, &set);
    if (l->depth++ == 0)
        l->q->parent = set;
    for (int i = 0; i < PROGRAM_WORDS; i++)
        l->q->ancestors.bits[i] |= set.bits[i];
    return seen;
}

/* Looks at `most` ancestors. */
static enum ancestry climb(struct subjects *t, struct inquiry *q, int most)
{
    struct creds creds;
    q->seen.parent = q->seen.ancestors = NULL;
    /* A parent that ends while we look moves its children to another: look again. */
    for (int tries = 0; tries < 3; tries++) {
        struct lineage l = {.t = t, .q = q};
        memset(&q->parent, 0, sizeof q->parent);
        memset(&q->ancestors, 0, sizeof q->ancestors);
        enum ancestry seen = subject_ancestors(t, q, most, add_ancestor, &l);
        if (seen != ANCESTRY_BROKEN) {
            q->seen.parent = l.depth > 0 ? &q->parent : NULL;
            q->seen.ancestors = &q->ancestors;
            return seen;
        }
        if (!need_ids(t, q) || !ask_ids(t, t->asker, &creds))
            break;
        take_ids(q, &creds);
    }
    return ANCESTRY_BROKEN;
}

static bool gather_parent(struct subjects *t, struct inquiry *q)
{
    return climb(t, q, 1) != ANCESTRY_BROKEN;
}

/* With it the parent is known. Of a line that is too long what was seen still counts, what was not is unknown. */
static bool gather_lineage(struct subjects *t, struct inquiry *q)
{
    enum ancestry seen = climb(t, q, RECORD_ANCESTORS_MAX);
    q->seen.known |= ATTR_PARENT;
    q->seen.failed &= ~(unsigned)ATTR_PARENT;
    if (seen == ANCESTRY_BROKEN)
        q->seen.failed |= ATTR_PARENT;
    return seen == ANCESTRY_WHOLE;
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

const struct process_sight *subject_sight(struct subjects *t, struct inquiry *q)
{
    struct slot *s = t->asker;
    if (!need_proc(t, q))
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

static bool gather_one(struct subjects *t, struct inquiry *q, unsigned attribute)
{
    switch (attribute) {
    case ATTR_CREDS:
        return gather_ids(t, q);
    case ATTR_EXE:
        return gather_exe(t, q);
    case ATTR_GROUPS:
        return gather_groups(t, q);
    case ATTR_LOGINUID:
        return need_proc(t, q) && process_loginuid(q->process, &q->seen.loginuid);
    case ATTR_UNIT:
        return gather_unit(t, q);
    case ATTR_PARENT:
        return gather_parent(t, q);
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
