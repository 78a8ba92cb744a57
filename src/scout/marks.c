#include "scout/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>

#include "base/clock.h"

enum {
    PER_USER_MAX = 100000, /* a user must not fill the kernel's memory with marks */
    TOLD_MAX = 1000,       /* records about what stays unguarded, for each watch; more are only counted */
};

void marks_unguarded(struct marks *m, const char *path, const char *why)
{
    atomic_fetch_add(&m->is->board->watch[m->watch].unguarded, 1);
    if (m->told++ >= TOLD_MAX)
        return;
    struct {
        struct record r;
        char bytes[PATH_MAX + 512];
    } rec = {.r = {.kind = RECORD_UNGUARDED, .watch = m->watch, .rule = RULE_DEFAULT, .time_ns = clock_wall()}};
    size_t path_len = strnlen(path, PATH_MAX), why_len = strnlen(why, 500);
    memcpy(rec.bytes, path, path_len);
    memcpy(rec.bytes + path_len, why, why_len);
    rec.r.path = (struct record_text){.at = 0, .len = (uint16_t)path_len};
    rec.r.text = (struct record_text){.at = (uint16_t)path_len, .len = (uint16_t)why_len};
    rec.r.size = (uint32_t)(sizeof rec.r + path_len + why_len + 7) & ~7u;
    ring_push(m->is->ring, &rec.r);
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
    n->entry = reg_find(m->is->reg, m->watch, &n->id);
    if (!n->entry && !within_users_share(m, n)) {
        marks_unguarded(m, path, "its owner has more than 100000 files there");
        return false;
    }
    /* Into the register before the mark: from then on the judge is asked, and must know the place. With a full register
     * it is guarded all the same, its place taken from its name at each question. */
    bool first = !n->entry;
    if (first)
        n->entry = reg_add(m->is->reg, m->watch, &n->id, parent, parent ? name : path);
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
    bool first = !reg_find(m->is->reg, m->watch + REGISTER_NEIGHBOURHOOD, &dir->id);
    if (first) {
        reg_add(m->is->reg, m->watch + REGISTER_NEIGHBOURHOOD, &dir->id, 0, path);
        atomic_fetch_add(&m->is->board->watch[m->watch].neighbourhoods, 1);
    }
    if (!mark(m, dir, path, questions(m) | FAN_EVENT_ON_CHILD))
        return false;
    if (first)
        atomic_fetch_add(&m->is->board->watch[m->watch].marks, 1);
    return true;
}
