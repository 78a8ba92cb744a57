#include "base/programs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/lookup.h"
#include "policy/glob.h"

enum { ENTRIES = 256, WAYS = 4, SHARE = 20 };
static const int64_t burst_ns = 20 * NS_PER_MS;
#ifdef FILEWARD_NO_CACHE
static const int64_t fresh_ns = 0;
#else
static const int64_t fresh_ns = NS_PER_S;
#endif

/* What a literal pattern of the policy names now. */
struct target {
    struct file_id id;
    bool exists;
};

struct known {
    struct program program;
    int64_t looked_at; /* 0: free */
    int64_t until;     /* it need not be looked at again */
    struct program_set set;
    bool refused;       /* it lies where nothing is looked up */
    bool proven;        /* holds for whoever runs it: its name led to it in our own namespace, or names do not matter */
    uint64_t name_hash; /* else: holds for who shows the same name */
};

struct programs {
    const struct policy *policy;
    struct lookup *names;
    struct once *once;      /* NULL: nothing is remembered */
    struct target *targets; /* one for each policy program; globs stay empty */
    bool *literal;
    bool globs;            /* not all are literal: what a file is may depend on its name */
    uint64_t *pattern;     /* each one's number in `once` */
    int64_t targets_at;    /* clock_now() of the last look at all of them, */
    int64_t targets_since; /* when it began by the wall clock, as ctimes are */
    int64_t spent_ns;      /* by looking at them, beyond its share of the time, at spent_at */
    int64_t spent_at;
    struct known known[ENTRIES];
};

struct programs *programs_create(const struct policy *p, struct lookup *names, struct once *once)
{
    struct programs *t = calloc(1, sizeof *t);
    size_t n = p->n_programs ? p->n_programs : 1;
    if (!t)
        return NULL;
    t->policy = p;
    t->names = names;
    t->once = once;
    t->pattern = calloc(n, sizeof *t->pattern);
    t->targets = calloc(n, sizeof *t->targets);
    t->literal = calloc(n, sizeof *t->literal);
    if (!t->targets || !t->literal || !t->pattern) {
        programs_free(t);
        return NULL;
    }
    for (size_t i = 0; i < p->n_programs; i++) {
        t->literal[i] = glob_is_literal(p->programs[i].text);
        t->globs = t->globs || !t->literal[i];
        t->pattern[i] = once_pattern(p->programs[i].text);
    }
    return t;
}

void programs_free(struct programs *t)
{
    if (!t)
        return;
    free(t->targets);
    free(t->literal);
    free(t->pattern);
    free(t);
}

static bool leads_to(const struct programs *t, const char *path, struct file_id *id)
{
    struct statx st;
    bool exists = lookup_follow(t->names, path, &st);
    if (exists)
        *id = file_id_of(&st);
    return exists;
}

static bool names_it(const struct programs *t, const char *path, const struct file_id *id)
{
    struct file_id named;
    return leads_to(t, path, &named) && file_id_equal(&named, id);
}

static void remember(const struct programs *t, size_t i, const struct file_id *id)
{
    if (t->once)
        once_add(t->once, t->pattern[i], id);
}

static void look_up(struct programs *t, size_t i)
{
    struct target *target = &t->targets[i], before = *target;
    target->exists = leads_to(t, t->policy->programs[i].text, &target->id);
    if (target->exists && !(before.exists && file_id_equal(&before.id, &target->id)))
        remember(t, i, &target->id);
}

/* Whether the targets may be out of date for a program that changed then: whatever gives a file a name, or takes it,
 * changes the file. */
static bool may_have_moved(const struct programs *t, int64_t changed_ns)
{
    const int64_t coarse_ns = 20 * NS_PER_MS; /* file systems take the time of the last tick */
    return changed_ns + coarse_ns >= t->targets_since;
}

static void let_time_pass(struct programs *t, int64_t now)
{
    t->spent_ns -= (now - t->spent_at) / SHARE;
    if (t->spent_ns < 0)
        t->spent_ns = 0;
    t->spent_at = now;
}

/* Returns whether they are up to date. Programs that change all the time make us look at most a twentieth of the time;
 * but one look that took long, because others had the processor, keeps no other waiting. */
static bool refresh_targets(struct programs *t, int64_t now, int64_t changed_ns)
{
    let_time_pass(t, now);
    if (t->targets_at && now - t->targets_at < fresh_ns) {
        if (!may_have_moved(t, changed_ns))
            return true;
        if (t->spent_ns >= burst_ns)
            return false;
    }
    t->targets_since = clock_wall();
    for (size_t i = 0; i < t->policy->n_programs; i++)
        if (t->literal[i])
            look_up(t, i);
    t->targets_at = clock_now();
    t->spent_ns += t->targets_at - now;
    return true;
}

static bool is_named(const struct programs *t, size_t i, const char *name)
{
    const char *text = t->policy->programs[i].text;
    return name[0] == '/' && (t->literal[i] ? strcmp(text, name) == 0 : glob_match(text, name));
}

/* Returns whether the name leads to this inode, so that what came of it holds for whoever runs it. A name is looked up
 * only when the policy has it: others may lead into a mount that answers slowly. */
static bool compare(struct programs *t, const struct file_id *id, const char *name, struct program_set *set)
{
    bool looked = false, leads_here = true;
    memset(set, 0, sizeof *set);
    for (size_t i = 0; i < t->policy->n_programs; i++) {
        bool named = is_named(t, i, name);
        if (named && !looked) {
            looked = true;
            leads_here = names_it(t, name, id);
        }
        if (named && t->literal[i]) /* upgraded since the last look at the targets? */
            look_up(t, i);
        if (t->literal[i] ? !t->targets[i].exists || !file_id_equal(&t->targets[i].id, id) : !named || !leads_here)
            continue;
        program_set_add(set, i);
        if (!t->literal[i])
            remember(t, i, id);
    }
    return looked && leads_here;
}

struct recollection {
    const struct programs *t;
    struct program_set *set;
};

static void recollect(void *ctx, uint64_t pattern)
{
    const struct recollection *r = ctx;
    for (size_t i = 0; i < r->t->policy->n_programs; i++)
        if (r->t->pattern[i] == pattern)
            program_set_add(r->set, i);
}

/* A deleted program has no name to look up: it is what it was when it had one. */
static void look_back(const struct programs *t, const struct file_id *id, struct program_set *set)
{
    struct recollection r = {.t = t, .set = set};
    memset(set, 0, sizeof *set);
    if (t->once)
        once_find(t->once, id, recollect, &r);
}

static bool same_file(const struct known *k, const struct program *p)
{
    return k->looked_at && file_id_equal(&k->program.id, &p->id);
}

/* The entry for this program, or the one to replace by it. */
static struct known *find(struct programs *t, const struct program *p)
{
    uint64_t h = (p->id.ino ^ (uint64_t)p->id.minor << 32 ^ p->id.major) * UINT64_C(0x9E3779B97F4A7C15);
    struct known *set = &t->known[(h >> 32) % (ENTRIES / WAYS) * WAYS], *oldest = set;
    for (int i = 0; i < WAYS; i++) {
        if (same_file(&set[i], p))
            return &set[i];
        if (set[i].looked_at < oldest->looked_at)
            oldest = &set[i];
    }
    return oldest;
}

bool programs_of(struct programs *t, const struct program *program, program_path *path, const void *ctx,
                 struct program_set *set)
{
    int64_t now = clock_now();
    struct known *k = find(t, program);
    bool seen = same_file(k, program);
    bool fresh =
        seen && k->program.changed_ns == program->changed_ns && k->program.links == program->links && now < k->until;
    if (fresh && (k->proven || program->links == 0)) {
        *set = k->set;
        return !k->refused;
    }
    char name[PATH_MAX];
    if (program->links == 0 || path(ctx, name, sizeof name) < 0)
        name[0] = '\0';
    uint64_t hash = once_pattern(name);
    if (!fresh || k->name_hash != hash) {
        *k = (struct known){.program = *program, .looked_at = now, .until = now + fresh_ns, .name_hash = hash};
        if (program->links == 0)
            look_back(t, &program->id, &k->set);
        else if (!refresh_targets(t, now, program->changed_ns))
            k->until = now + (t->spent_ns - burst_ns) * SHARE;
        if (program->links > 0)
            k->proven = compare(t, &program->id, name, &k->set) || !t->globs;
        k->refused = lookup_refused_device(t->names, program->id.major, program->id.minor);
        lookup_rest(t->names);
    }
    *set = k->set;
    return !k->refused;
}

bool programs_impostor(const struct programs *t, const char *name, const struct program_set *set)
{
    for (size_t i = 0; i < t->policy->n_programs; i++)
        if (is_named(t, i, name) && !program_set_has(set, i))
            return true;
    return false;
}
