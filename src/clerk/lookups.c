#include "clerk/lookups.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/facts.h"
#include "base/fd.h"
#include "base/lookup.h"
#include "base/own.h"
#include "clerk/code.h"
#include "clerk/trust.h"
#include "policy/glob.h"
#include "policy/needs.h"
#include "policy/trail.h"

/* The kernel's time of a change is as old as its clock's last tick: who changes a file twice within it leaves one time. */
static const int64_t tick_ns = 20 * NS_PER_MS;

/* What was read half-way is gone on with: so many files, and of one user so many. */
enum { READERS = 128, READERS_OF_USER = 8 };

struct lookups {
    const struct policy *policy;
    int rule;       /* looked ahead up to this rule, */
    size_t program; /* and this program of it */
    bool wants_packages;
    bool stale; /* there is another database by now. What it says of names that we know is read anew each time */
    struct packages *packages;
    int64_t read_ns, took_ns; /* when it was last read, or tried, and how long that took */
    struct lookup *names;
    struct facts *facts;    /* by inode and ctime */
    struct facts *departed; /* by inode and mtime: what was packaged while it had its name */
    struct reader {
        uint32_t user;
        struct file_id file;
        uint64_t used; /* 0: free */
        struct digest_work *work;
    } reader[READERS];
    uint64_t uses;
    uint32_t user; /* for whom the look in hand is */
    bool stopped;  /* it was, by the beat */
    clerk_beat *beat;
    void *ctx;
    char why[512];
};

struct lookups *lookups_create(const struct policy *p, clerk_beat *beat, void *ctx)
{
    struct lookups *l = calloc(1, sizeof *l);
    bool ok = l && (l->names = lookup_create()) && (l->facts = facts_create()) && (l->departed = facts_create());
    for (int i = 0; ok && i < READERS; i++)
        ok = (l->reader[i].work = digest_work_create()) != NULL;
    if (!ok) {
        lookups_free(l);
        return NULL;
    }
    for (int i = 0; i < p->n_rules; i++)
        l->wants_packages |= (needs_of_rule(&p->rules[i]) & (ATTR_TRUST | ATTR_CODE)) != 0;
    l->policy = p;
    l->beat = beat;
    l->ctx = ctx;
    return l;
}

void lookups_free(struct lookups *l)
{
    if (!l)
        return;
    packages_free(l->packages);
    lookup_free(l->names);
    facts_free(l->facts);
    facts_free(l->departed);
    for (int i = 0; i < READERS; i++)
        digest_work_free(l->reader[i].work);
    free(l);
}

bool lookups_look(struct lookups *l)
{
    if (!l->wants_packages || l->stale || (l->packages && !packages_changed(l->packages)))
        return false;
    l->stale = true;
    facts_forget(l->facts, ATTR_TRUST);
    return true;
}

/* While packages are installed the database changes all the time: at most half of the time is for reading it. */
bool lookups_read(struct lookups *l)
{
    const char *why;
    int64_t began = clock_now();
    if (!l->stale || (l->read_ns && began - l->read_ns < (l->packages ? l->took_ns : NS_PER_S)))
        return false;
    struct packages *old = l->packages;
    l->packages = old ? packages_read_again(old, l->beat, l->ctx, &why) : packages_read("", l->beat, l->ctx, &why);
    packages_free(old);
    l->stale = !l->packages;
    l->read_ns = clock_now();
    l->took_ns = l->read_ns - began;
    facts_forget(l->facts, ATTR_TRUST);
    l->rule = 0;
    l->program = 0;
    return true;
}

bool lookups_doubt(const struct lookups *l, const struct desk_answer *a)
{
    return l->stale && ((a->to.wants == ATTR_TRUST && !a->packaged) || (a->to.wants == ATTR_CODE && !a->intact));
}

static int64_t ns(const struct statx_timestamp *t)
{
    return t->tv_sec * NS_PER_S + t->tv_nsec;
}

/* What `proc` runs, if it still is the program that was asked about: an O_PATH descriptor, else -1. */
static int open_program(struct lookups *l, int proc, const struct desk_question *q, struct statx *st)
{
    CLEAN_FD int fd = openat(proc, "exe", O_PATH | O_CLOEXEC);
    if (fd < 0 || stat_identity(fd, "", AT_EMPTY_PATH, st) < 0)
        return -1;
    struct file_id id = file_id_of(st);
    if (!file_id_equal(&id, &q->program) || ns(&st->stx_ctime) != q->changed_ns || !S_ISREG(st->stx_mode) ||
        lookup_refused_device(l->names, st->stx_dev_major, st->stx_dev_minor))
        return -1;
    return STEAL_FD(fd);
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

/* From the midst of a look: whether to go on with it. */
static bool go_on(void *ctx)
{
    struct lookups *l = ctx;
    l->stopped |= l->beat && !l->beat(l->ctx);
    return !l->stopped;
}

/* The one of this user that was not used for longest, and how many he has. */
static struct reader *oldest_of(struct lookups *l, uint32_t user, int *n)
{
    struct reader *oldest = NULL;
    *n = 0;
    for (int i = 0; i < READERS; i++) {
        struct reader *r = &l->reader[i];
        if (!r->used || r->user != user)
            continue;
        ++*n;
        if (!oldest || r->used < oldest->used)
            oldest = r;
    }
    return oldest;
}

/* Of whoever has most; of several such, who has left his for longest. */
static struct reader *oldest_of_most(struct lookups *l)
{
    struct reader *found = NULL;
    int most = 0;
    for (int i = 0; i < READERS; i++) {
        int n;
        struct reader *oldest = oldest_of(l, l->reader[i].user, &n);
        if (oldest && (!found || n > most || (n == most && oldest->used < found->used))) {
            found = oldest;
            most = n;
        }
    }
    return found;
}

/* A free one, else one to take away: a user with many files loses his own, and where there are many users whoever has
 * most loses one. */
static struct reader *reader_to_take(struct lookups *l)
{
    int n;
    struct reader *own = oldest_of(l, l->user, &n);
    if (n >= READERS_OF_USER)
        return own;
    for (int i = 0; i < READERS; i++)
        if (!l->reader[i].used)
            return &l->reader[i];
    return oldest_of_most(l);
}

/* What the user of the look in hand has read of a file. */
static struct reader *begun(struct lookups *l, const struct file_id *file)
{
    struct reader *r = NULL;
    for (int i = 0; i < READERS && !r; i++) {
        struct reader *at = &l->reader[i];
        if (at->used && at->user == l->user && file_id_equal(&at->file, file))
            r = at;
    }
    if (!r) {
        r = reader_to_take(l);
        r->user = l->user;
        r->file = *file;
    }
    r->used = ++l->uses;
    return r;
}

/* Unless it was stopped half-way nothing is to be gone on with. */
static void leave_reader(struct reader *r, bool stopped)
{
    if (!stopped)
        r->used = 0;
}

/* A change that is not over yet could leave the time that we are about to remember. False: stopped before it was. */
static bool let_settle(struct lookups *l, const struct statx *st)
{
    for (;;) {
        int64_t age = clock_wall() - ns(&st->stx_ctime);
        if (age < 0 || age >= tick_ns)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
        if (!go_on(l))
            return false;
    }
}

/* Opens a program for reading, on a file system that we have mounted ourselves: one of somebody else's mount tree may be
 * an overlay over what never answers. Where a device tells nothing (btrfs has one for each subvolume) its name does, whoever
 * can change that: on the way nothing is opened and no refused file system entered, and what is there must be the same
 * inode. */
static int open_content(struct lookups *l, int program, const struct statx *st)
{
    char link[FD_NAME_SIZE], name[PATH_MAX];
    struct trail t = {.fd = -1};
    bool here = lookup_allows_device(l->names, st->stx_dev_major, st->stx_dev_minor);
    if (!here && trust_name_of(program, name))
        trail_follow(name, true, lookup_guard(l->names), &t);
    CLEAN_FD int ours = t.fd;
    if (!here) {
        struct file_id asked = file_id_of(st), named = file_id_of(&t.st);
        if (ours < 0 || !file_id_equal(&asked, &named))
            return -1;
    }
    return open(fd_name(link, here ? program : ours), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* --- its hash --------------------------------------------------------------------------------------------------- */

/* False: not known, or not yet. */
static bool read_whole(struct lookups *l, int program, const struct statx *st, const struct file_id *id,
                       struct digest *d)
{
    CLEAN_FD int fd = let_settle(l, st) ? open_content(l, program, st) : -1;
    if (fd < 0)
        return false;
    struct reader *r = begun(l, id);
    enum digest_end end = digest_go_on(r->work, fd, DIGEST_SHA256, d, go_on, l);
    leave_reader(r, end == DIGEST_STOPPED);
    return end == DIGEST_DONE;
}

static void hash(struct lookups *l, int program, const struct statx *st, struct desk_answer *a)
{
    struct fact *f = facts_of(l->facts, &a->to.program, a->to.changed_ns);
    if (!(f->known & ATTR_SHA256)) {
        struct digest d;
        if (!read_whole(l, program, st, &a->to.program, &d))
            return;
        memcpy(f->sha256.bytes, d.sha256, sizeof f->sha256.bytes);
        f->known |= ATTR_SHA256;
    }
    a->sha256 = f->sha256;
    a->failed = false;
    a->lasting = true;
}

/* --- its package ------------------------------------------------------------------------------------------------ */

static enum trust trust_of(struct lookups *l, int fd, const struct statx *st)
{
    /* First of all, since it costs nothing: whoever makes files of his own has nothing looked up, waited for or
     * remembered. */
    enum trust t = trust_of_inode(st);
    if (t != TRUST_PACKAGED)
        return t;
    struct file_id id = file_id_of(st);
    int64_t changed = ns(&st->stx_ctime), modified = ns(&st->stx_mtime);
    struct fact *f = facts_of(l->facts, &id, changed);
    if (f->known & ATTR_TRUST && f->packaged)
        return TRUST_PACKAGED;
    if (st->stx_nlink == 0) {
        f = facts_of(l->departed, &id, modified);
        return f->known & ATTR_TRUST ? TRUST_PACKAGED : TRUST_DELETED;
    }
    if (!let_settle(l, st))
        return TRUST_STOPPED;
    struct reader *r = begun(l, &id);
    t = trust_file(l->packages, l->names, fd, NULL, r->work, go_on, l);
    leave_reader(r, t == TRUST_STOPPED);
    lookup_rest(l->names);
    if (t == TRUST_PACKAGED) {
        f->known |= ATTR_TRUST;
        f->packaged = true;
        facts_of(l->departed, &id, modified)->known |= ATTR_TRUST;
    }
    return t;
}

/* Not known is something else than no. */
static bool is_undetermined(enum trust t)
{
    return t == TRUST_UNREADABLE || t == TRUST_NO_DATABASE || t == TRUST_STOPPED;
}

static void trust(struct lookups *l, int program, const struct statx *st, struct desk_answer *a)
{
    enum trust t = trust_of(l, program, st);
    a->packaged = t == TRUST_PACKAGED;
    snprintf(l->why, sizeof l->why, "%s", trust_words(t));
    a->failed = is_undetermined(t);
    a->lasting = trust_is_inodes(t) && !l->stale;
}

/* --- its code --------------------------------------------------------------------------------------------------- */

static enum code_answer is_trusted(void *ctx, int fd, const struct statx *st)
{
    enum trust t = trust_of(ctx, fd, st);
    return t == TRUST_PACKAGED ? CODE_ANSWER_YES : is_undetermined(t) ? CODE_ANSWER_STOP : CODE_ANSWER_NO;
}

/* Who traces it can make it do anything without a trace in its memory. */
static bool is_traced(int proc)
{
    const struct process p = {.pidfd = -1, .proc = proc};
    struct proc_status status;
    return process_status(&p, &status) && status.tracer != 0;
}

static void code(struct lookups *l, int proc, struct desk_answer *a)
{
    struct code_seen seen = {0};
    enum code c = code_look(proc, &a->to.program, is_trusted, go_on, l, &seen);
    snprintf(l->why, sizeof l->why, "%s%s%s", seen.name, seen.name[0] ? ": " : "", code_words(c));
    a->intact = c == CODE_INTACT && !is_traced(proc);
    if (c == CODE_INTACT && !a->intact)
        snprintf(l->why, sizeof l->why, "somebody traces it");
    a->failed = c == CODE_TOO_MUCH || c == CODE_UNREADABLE || c == CODE_STOPPED;
}

bool lookups_ahead(struct lookups *l)
{
    const struct policy *p = l->policy;
    for (; !l->stale && l->rule < p->n_rules; l->rule++, l->program = 0) {
        const struct rule *r = &p->rules[l->rule];
        if (!(r->conditions & (1u << COND_TRUST | 1u << COND_CODE)))
            continue;
        while (l->program < r->exe.n) {
            const char *text = p->programs[r->exe.v[l->program++]].text;
            struct trail trail;
            struct statx st;
            if (!glob_is_literal(text))
                continue;
            l->user = DESK_NOBODY;
            l->stopped = false;
            trail_follow(text, false, lookup_guard(l->names), &trail);
            CLEAN_FD int fd = trail.fd;
            if (fd < 0 || stat_identity(fd, "", AT_EMPTY_PATH, &st) < 0)
                continue;
            trust_of(l, fd, &st);
            l->program -= l->stopped;
            return true;
        }
    }
    return false;
}

void lookups_answer_of(struct lookups *l, int program, struct desk_answer *a)
{
    struct statx st;
    a->failed = true;
    if (stat_identity(program, "", AT_EMPTY_PATH, &st) < 0 || !S_ISREG(st.stx_mode))
        return;
    a->to.program = file_id_of(&st);
    a->to.changed_ns = ns(&st.stx_ctime);
    if (a->to.wants == ATTR_SHA256)
        hash(l, program, &st, a);
    else if (a->to.wants == ATTR_TRUST)
        trust(l, program, &st, a);
}

const char *lookups_why(const struct lookups *l)
{
    return l->why;
}

bool lookups_answer(struct lookups *l, struct desk_answer *a)
{
    char name[32];
    struct statx st;
    snprintf(name, sizeof name, "/proc/%d", a->to.tid);
    CLEAN_FD int proc = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    CLEAN_FD int program = proc < 0 ? -1 : open_program(l, proc, &a->to, &st);
    a->failed = true;
    l->user = a->to.user;
    l->stopped = false;
    if (program < 0)
        return true;
    if (a->to.wants == ATTR_SHA256)
        hash(l, program, &st, a);
    else if (a->to.wants == ATTR_TRUST)
        trust(l, program, &st, a);
    else if (a->to.wants == ATTR_CODE)
        code(l, proc, a);
    return !l->stopped;
}
