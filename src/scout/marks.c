#include "scout/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/record.h"
#include "policy/glob.h"

enum {
    PER_USER_MAX = 100000, /* a user must not fill the kernel's memory with marks */
    TOLD_MAX = 1000,       /* records about what stays unguarded, for each watch; more are only counted */
};

void marks_unguarded(struct marks *m, const char *path, const char *why)
{
    atomic_fetch_add(&m->is->board->watch[m->watch].unguarded, 1);
    if (m->told++ >= TOLD_MAX)
        return;
    struct record_note n;
    record_begin(&n.record, RECORD_UNGUARDED, m->is->policy);
    record_name_watch(&n.record, sizeof n, m->is->policy, m->watch);
    n.record.path = record_put(&n.record, sizeof n, path, strnlen(path, PATH_MAX));
    n.record.text = record_put(&n.record, sizeof n, why, strnlen(why, 500));
    record_end(&n.record);
    ring_push(m->is->ring, &n.record);
}

static uint64_t questions(const struct marks *m)
{
    bool reads = m->is->policy->watches[m->watch].guard == GUARD_OPEN_READ;
    return FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM | (reads ? (uint64_t)FAN_ACCESS_PERM : 0);
}

/* By descriptor, so that what is marked is what was looked at, whatever the name means by now. */
static int add(struct marks *m, const struct node *n, uint64_t mask)
{
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", n->fd);
    return fanotify_mark(m->is->gates[m->watch].fd, FAN_MARK_ADD, mask, AT_FDCWD, link);
}

static bool within_users_share(struct marks *m, const struct node *n)
{
    if (!n->loose)
        return true;
    const int slots = sizeof m->users / sizeof *m->users;
    for (int i = 0; i < slots; i++) {
        struct user_count *u = &m->users[(n->uid + (uint32_t)i) % (uint32_t)slots];
        if (u->used && u->uid != n->uid)
            continue;
        *u = (struct user_count){.uid = n->uid, .used = true, .n = u->n + 1};
        return u->n <= PER_USER_MAX;
    }
    return true; /* more users than slots: the share cannot be kept, the guard can */
}

static bool mark(struct marks *m, const struct node *n, const char *path, uint64_t mask)
{
    if (add(m, n, mask) < 0) {
        char why[128];
        snprintf(why, sizeof why, "it cannot be marked: %s", strerror(errno));
        marks_unguarded(m, path, why);
        return false;
    }
    return true;
}

bool marks_guard(struct marks *m, struct node *n, const char *path, uint32_t parent, const char *name)
{
    int number = m->is->gates[m->watch].number;
    n->entry = reg_find(m->is->reg, number, &n->id);
    if (!n->entry && !within_users_share(m, n)) {
        marks_unguarded(m, path, "its owner has more than 100000 files there");
        return false;
    }
    /* Into the register before the mark: from then on the judge is asked, and must know the place. With a full register
     * it is guarded all the same, its place taken from its name at each question. */
    bool first = !n->entry;
    if (first)
        n->entry = reg_add(m->is->reg, number, &n->id, parent, parent ? name : path);
    else
        reg_set_outside(m->is->reg, n->entry,
                        false); /* known by its first place, and found in another that is inside */
    if (!mark(m, n, path, questions(m) | (S_ISDIR(n->mode) ? FAN_EVENT_ON_CHILD | FAN_ONDIR : 0)))
        return false;
    if (first)
        atomic_fetch_add(&m->is->board->watch[m->watch].marks, 1);
    return true;
}

bool marks_neighbourhood(struct marks *m, const struct node *dir, const char *path)
{
    /* Before the mark: from then on the judge is asked about neighbours, and must know that they are. An earlier scout may
     * have come so far and no further: the mark is set in any case. */
    int number = m->is->gates[m->watch].number + REGISTER_NEIGHBOURHOOD;
    bool first = !reg_find(m->is->reg, number, &dir->id);
    if (first) {
        reg_add(m->is->reg, number, &dir->id, 0, path);
        atomic_fetch_add(&m->is->board->watch[m->watch].neighbourhoods, 1);
    }
    if (!mark(m, dir, path, questions(m) | FAN_EVENT_ON_CHILD))
        return false;
    if (first)
        atomic_fetch_add(&m->is->board->watch[m->watch].marks, 1);
    return true;
}

void marks_beat(struct marks *m)
{
    int64_t now = clock_now();
    if (now - m->beat_ns < NS_PER_S)
        return;
    m->beat_ns = now;
    (void)!write(m->is->control_fd, "b", 1);
}

static void review(void *ctx, int number, uint32_t entry)
{
    struct marks *m = ctx;
    const struct policy *p = m->is->policy;
    const struct watch *w = &p->watches[m->watch];
    int ours = m->is->gates[m->watch].number;
    char place[PATH_MAX];
    if (number == ours + REGISTER_NEIGHBOURHOOD) {
        m->neighbours++;
        m->seen++;
    }
    if (number != ours)
        return;
    marks_beat(m);
    m->seen++;
    if (reg_place(m->is->reg, entry, place, sizeof place) > 0)
        reg_set_outside(m->is->reg, entry,
                        !patterns_cover(p, &w->path, place) || patterns_cover(p, &w->exclude, place));
}

void marks_review(struct marks *m)
{
    struct board_watch *b = &m->is->board->watch[m->watch];
    atomic_store(&b->unguarded, 0);
    m->seen = m->neighbours = 0;
    reg_for_each(m->is->reg, review, m);
    /* In one step: a judge that reads 0 takes everything that it is asked about for guarded. */
    atomic_store(&b->marks, m->seen);
    atomic_store(&b->neighbourhoods, m->neighbours);
}
