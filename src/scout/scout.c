#include "fileward/scout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/mounts.h"
#include "base/record.h"
#include "scout/changes.h"
#include "scout/cover.h"
#include "scout/mountlist.h"
#include "scout/walk.h"

enum {
    REST = 10, /* looking everywhere may take one part in so many of our time, when it must be done again and again */
    FORGET_AFTER_S = 10,
};

struct scout {
    const struct scout_setup *is;
    struct loop loop;
    struct land land;
    struct marks marks[WATCHES_MAX];
    struct change_feed changes;
    struct mountlist *mountlist;
    struct points {
        char **v;
        size_t n, room;
    } points;          /* where something was mounted or unmounted, to be walked to */
    int64_t rescan_ns; /* not before */
    bool unmounted;    /* or mounted: something that we marked may have gone */
    int64_t sweep_ns;  /* not before */
    int64_t forget_ns; /* entries of dropped watches not before; 0: it is done */
};

static void on_control(void *ctx, int fd, uint32_t events)
{
    (void)events;
    struct scout *s = ctx;
    char word;
    ssize_t n = read(fd, &word, 1);
    if (n == 0 || (n < 0 && errno != EAGAIN &&
                   errno != EINTR)) /* the keeper is gone; a judge may still serve and need our marks kept */
        loop_remove(&s->loop, fd);
}

static void on_end(void *ctx, int fd, uint32_t events)
{
    (void)fd, (void)events;
    struct scout *s = ctx;
    s->loop.stop = true;
}

/* --- everything ------------------------------------------------------------------------------------------------- */

static void tell_rescan(const struct scout *s, const char *why)
{
    struct record_note n;
    record_begin(&n.record, RECORD_RESCAN, s->is->policy);
    for (int i = 0; i < s->is->policy->n_watches; i++)
        n.record.count += atomic_load(&s->is->board->watch[i].marks);
    n.record.text = record_put(&n.record, sizeof n, why, strlen(why));
    record_end(&n.record);
    ring_push(s->is->ring, &n.record);
    atomic_fetch_add(&s->is->board->rescans, 1);
}

/* Says up to which of its questions everything that happened before has been seen. */
static void say_settled(struct scout *s, uint32_t asked, int64_t seen_ns)
{
    if (s->is->n_changes == 0 || s->changes.lost || s->land.blind)
        return;
    atomic_store(&s->is->board->scout_settled, asked);
    atomic_store(&s->is->board->scout_seen_ns, seen_ns);
}

/* Walks all watches. With `why` it is done again, because something was missed. */
static void scan(struct scout *s, const char *why)
{
    int64_t began = clock_now(), seen_ns = clock_wall();
    uint32_t asked = atomic_load(&s->is->board->scout_asked);
    limbo_free(&s->land.limbo); /* marks_sweep() finds them again */
    s->changes.lost = false;    /* what is lost from here on is lost again */
    s->land.blind = false;
    for (int i = 0; i < s->is->policy->n_watches; i++) {
        marks_review(&s->marks[i]);
        walk_watch(&s->marks[i], "");
        marks_sweep(&s->marks[i]);
    }
    say_settled(s, asked, seen_ns);
    if (why)
        tell_rescan(s, why);
    int64_t now = clock_now();
    s->rescan_ns = now + (now - began) * REST;
}

static void scan_what_was_lost(struct scout *s)
{
    if (s->changes.lost && clock_now() >= s->rescan_ns)
        scan(s, "more changed at once than the kernel keeps for the scout (sysctl fs.fanotify.max_queued_events) "
                "or than one user may take of its time, or the mount table could not be read");
}

/* --- changes ---------------------------------------------------------------------------------------------------- */

static void on_changes(void *ctx, int fd, uint32_t events)
{
    (void)events;
    struct scout *s = ctx;
    changes_read(&s->changes, fd);
    scan_what_was_lost(s);
}

/* Reads all groups until each was empty once. False: it would take too long. */
static bool read_all(struct scout *s)
{
    enum { MOST = 1000 }; /* reads. Others wait for us too: who fills the queue faster is judged by the rules */
    int reads = 0;
    for (int i = 0; i < s->is->n_changes; i++)
        while (s->land.feed[i].used && changes_read(&s->changes, s->is->changes_fds[i]))
            if (++reads == MOST)
                return false;
    return true;
}

/* Sees all that has happened, and says so. */
static void catch_up(struct scout *s)
{
    const int64_t seen_ns = clock_wall();
    uint32_t asked = atomic_load(&s->is->board->scout_asked);
    if (read_all(s))
        say_settled(s, asked, seen_ns);
    scan_what_was_lost(s);
}

/* A judge wants to know whether something has come into a watch of which we have been told and have not seen it yet. */
static void on_bell(void *ctx, int fd, uint32_t events)
{
    struct scout *s = ctx;
    uint64_t rung;
    (void)events;
    (void)!read(fd, &rung, sizeof rung);
    catch_up(s);
}

static bool is_wanted(void *ctx, const char *point)
{
    const struct scout *s = ctx;
    for (int i = 0; i < s->is->policy->n_watches; i++)
        if (walk_may_lead_to(&s->marks[i], strcmp(point, "/") == 0 ? "" : point))
            return true;
    return false;
}

static bool keep_point(struct points *p, const char *point)
{
    if (p->n == p->room) {
        size_t room = p->room ? 2 * p->room : 16;
        char **more = reallocarray(p->v, room, sizeof *more);
        if (!more)
            return false;
        p->v = more;
        p->room = room;
    }
    p->v[p->n] = strdup(point);
    return p->v[p->n] && ++p->n;
}

/* The marks of a file system go with its last mount. Nothing is walked yet: of two mounts of one file system the first
 * walk would put marks on the root of both. */
static void at_mount_point(void *ctx, const char *point, int fd)
{
    struct scout *s = ctx;
    if (fd >= 0 && feeds_follow(&s->land, fd))
        return;
    s->changes.lost |= !keep_point(&s->points, point);
    s->unmounted |= is_wanted(s, point);
}

static void walk_points(struct scout *s)
{
    for (size_t i = 0; i < s->points.n; i++) {
        changes_at(&s->changes, strcmp(s->points.v[i], "/") == 0 ? "" : s->points.v[i]);
        free(s->points.v[i]);
    }
    free(s->points.v);
    s->points = (struct points){0};
}

static void on_mounts(void *ctx, int fd, uint32_t events)
{
    (void)fd, (void)events;
    struct scout *s = ctx;
    for (int i = 0; i < s->is->policy->n_watches; i++)
        cover_forget(&s->marks[i]);
    s->changes.lost |= mountlist_update(s->mountlist, at_mount_point) < 0;
    walk_points(s);
}

/* Of what went with its file system nobody tells. */
static void sweep_what_went(struct scout *s)
{
    int64_t began = clock_now();
    if (!s->unmounted || began < s->sweep_ns)
        return;
    s->unmounted = false;
    for (int i = 0; i < s->is->policy->n_watches; i++)
        marks_sweep(&s->marks[i]);
    int64_t now = clock_now();
    s->sweep_ns = now + (now - began) * REST;
}

/* Until the change is over the judge needs them for who is still asked about through the old marks. If a keeper dies in the
 * middle of it, it is over when another has taken its place, and a scout of that one ours. */
static void forget_dropped(struct scout *s)
{
    if (s->forget_ns == 0 || clock_now() < s->forget_ns || atomic_load(&s->is->board->changing))
        return;
    marks_forget_dropped(&s->land);
    s->forget_ns = 0;
}

static void on_deadline(void *ctx)
{
    struct scout *s = ctx;
    (void)!write(s->is->control_fd, "b", 1);
    changes_look_again(&s->changes);
    for (int i = 0; i < s->is->policy->n_watches; i++)
        cover_again(&s->marks[i]);
    sweep_what_went(s);
    forget_dropped(s);
    catch_up(s);
    s->loop.deadline = clock_now() + NS_PER_S;
}

static struct scout *make(const struct scout_setup *setup)
{
    struct scout *s = calloc(1, sizeof *s);
    if (!s || loop_init(&s->loop) < 0)
        return NULL;
    s->is = setup;
    s->land = (struct land){.is = setup, .mounts = mounts_create(MOUNTS_TABLE), .began_ns = clock_wall()};
    reach_init(&s->land.reach, s->land.mounts);
    s->changes.land = &s->land;
    s->changes.marks = s->marks;
    for (int i = 0; i < setup->policy->n_watches; i++)
        s->marks[i] = (struct marks){.is = setup, .land = &s->land, .watch = i};
    s->mountlist = mountlist_create(MOUNTS_TABLE, is_wanted, s);
    return s->mountlist && s->land.reach.fds >= 0 ? s : NULL;
}

void scout_run(const struct scout_setup *setup)
{
    struct scout *s = make(setup);
    if (!s || loop_add(&s->loop, setup->control_fd, EPOLLIN, on_control, s) < 0 ||
        loop_add(&s->loop, setup->end_fd, EPOLLIN, on_end, s) < 0 ||
        loop_add(&s->loop, setup->alive_fd, 0 /* EPOLLHUP comes unasked */, on_end, s) < 0)
        _exit(EXIT_FAILURE);
    (void)!write(setup->control_fd, "r", 1);
    bool again = atomic_load(&setup->board->scanned);
    reg_mend(setup->reg);
    for (int i = 0; i < setup->n_changes; i++)
        if (loop_add(&s->loop, setup->changes_fds[i], EPOLLIN, on_changes, s) < 0)
            _exit(EXIT_FAILURE);
    if (loop_add(&s->loop, setup->bell_fd, EPOLLIN, on_bell, s) < 0 ||
        loop_add(&s->loop, mountlist_fd(s->mountlist), EPOLLPRI, on_mounts, s) < 0)
        _exit(EXIT_FAILURE);
    scan(s, again ? "the scout was replaced" : NULL);
    atomic_store(&setup->board->scanned, 1);
    (void)!write(setup->control_fd, "b", 1);
    s->forget_ns = clock_now() + FORGET_AFTER_S * NS_PER_S;
    s->loop.on_deadline = on_deadline;
    s->loop.deadline_ctx = s;
    s->loop.deadline = clock_now() + NS_PER_S;
    loop_run(&s->loop);
    loop_close(&s->loop);
    limbo_free(&s->land.limbo);
    reach_free(&s->land.reach);
    mounts_free(s->land.mounts);
    mountlist_free(s->mountlist);
    free(s);
}
