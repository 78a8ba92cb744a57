#include "scout/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/kernel.h"
#include "base/own.h"
#include "base/record.h"
#include "policy/glob.h"
#include "scout/cover.h"

enum {
    MAKING_S = 10,         /* a file is in the making for so long after it was made */
    PER_USER_MAX = 100000, /* a user must not fill the kernel's memory with marks */
    TOLD_MAX = 1000,       /* records about what stays unguarded, for each watch and minute; more are only counted */
    TOLD_AGAIN_S = 60,
};

void marks_unguarded(struct marks *m, const char *path, const char *why)
{
    atomic_fetch_add(&m->is->board->watch[m->watch].unguarded, 1);
    int64_t now = clock_now();
    if (now - m->told_since_ns >= TOLD_AGAIN_S * NS_PER_S) {
        m->told = 0;
        m->told_since_ns = now;
    }
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

/* By descriptor, so that what is marked is what was looked at, whatever the name means by now; and from the directory of
 * descriptors, since the way there from the root takes longer than the mark. */
int marks_add(const struct land *l, int group, const struct node *n, uint64_t mask)
{
    char name[16];
    snprintf(name, sizeof name, "%d", n->fd);
    return fanotify_mark(group, FAN_MARK_ADD, mask, l->reach.fds, name);
}

static bool mark(struct marks *m, const struct node *n, const char *path, uint64_t mask)
{
    if (marks_add(m->land, m->is->gates[m->watch].fd, n, mask) == 0)
        return true;
    char why[128];
    snprintf(why, sizeof why, "it cannot be marked: %s", strerror(errno));
    marks_unguarded(m, path, why);
    return false;
}

static bool covers(const struct marks *m)
{
    return m->is->policy->watches[m->watch].coverage == COVERAGE_FILESYSTEM;
}

/* Of what has come into a directory that is not followed we never hear: where the judge would let something outside pass
 * because we have seen all, it must not. Links and renames stay within a device. */
static void tell_blindness(struct marks *m, const struct node *dir)
{
    if (covers(m) && !reg_set_blind(m->is->reg, m->is->gates[m->watch].number, dir->id.major, dir->id.minor))
        m->land->blind |= !dir->of_user;
}

/* From here on the kernel tells of names that appear in a directory, and when the inode is gone. */
static void follow_changes(struct marks *m, const struct node *n, const char *path)
{
    uint64_t names = FAN_CREATE | FAN_MOVED_TO | FAN_ONDIR;
    if (m->is->n_changes == 0 || feeds_add(m->land, n, FAN_DELETE_SELF | (S_ISDIR(n->mode) ? names : 0)) == 0 ||
        !S_ISDIR(n->mode))
        return;
    char why[160];
    if (errno == EXDEV)
        snprintf(why, sizeof why,
                 "what appears in it later is not seen: it lies in a subvolume more than the kernel can follow (before "
                 "Linux 6.8: in any)");
    else
        snprintf(why, sizeof why, "what appears in it later is not seen: %s", strerror(errno));
    marks_unguarded(m, path, why);
    tell_blindness(m, n);
}

static uint64_t key_of(struct marks *m, struct node *n, const char *path)
{
    if (n->handle.key)
        return n->handle.key;
    handle_of_fd(n->fd, &n->handle);
    if (n->handle.key && n->sheltered && S_ISDIR(n->mode))
        reach_learn(&m->land->reach, n->handle.fsid, path);
    return n->handle.key;
}

/* --- what each user may have marked ----------------------------------------------------------------------------- */

static struct user_count *share_of(struct marks *m, uint32_t uid)
{
    const int slots = sizeof m->users / sizeof *m->users;
    for (int i = 0; i < slots; i++) {
        struct user_count *u = &m->users[(uid + (uint32_t)i) % (uint32_t)slots];
        if (u->used && u->uid != uid)
            continue;
        u->used = true;
        u->uid = uid;
        return u;
    }
    return NULL; /* more users than slots: the share cannot be kept, the guard can */
}

static bool within_users_share(struct marks *m, const struct node *n)
{
    struct user_count *u = n->loose ? share_of(m, n->uid) : NULL;
    return !u || ++u->n <= PER_USER_MAX || !u->n--;
}

static void charge(struct marks *m, uint32_t uid, int by)
{
    struct user_count *u = uid == REGISTER_NOBODY ? NULL : share_of(m, uid);
    if (u)
        u->n += (uint32_t)by;
}

/* --- what a walk meets ------------------------------------------------------------------------------------------- */

static void meet(struct marks *m, uint32_t entry)
{
    if (m->met && entry)
        m->met[entry / 64] |= UINT64_C(1) << (entry % 64);
}

static bool was_met(const struct marks *m, uint32_t entry)
{
    return m->met[entry / 64] >> (entry % 64) & 1;
}

/* --- marking ---------------------------------------------------------------------------------------------------- */

/* Where a mark of the inode's own does not tell whether it lives. */
static void keep_handle(struct marks *m, uint32_t entry, const struct node *n)
{
    if (covers(m) && entry && n->handle.key && reg_handle(m->is->reg, entry).key != n->handle.key)
        reg_set_handle(m->is->reg, entry, &n->handle);
}

/* The entry that the register has of an inode; not that of an earlier one with the same number, which has gone without
 * our having heard of it yet. */
static uint32_t find(struct marks *m, int number, struct node *n, const char *path)
{
    uint32_t entry = reg_find(m->is->reg, number, &n->id);
    uint64_t key = key_of(m, n, path);
    if (entry && key && reg_note(m->is->reg, entry).handle != key) {
        marks_gone(m, entry);
        return 0;
    }
    keep_handle(m, entry, n);
    meet(m, entry);
    return entry;
}

static uint32_t enter(struct marks *m, int number, const struct node *n, uint32_t parent, const char *name)
{
    uint32_t entry = reg_add(m->is->reg, number, &n->id, parent, name);
    struct reg_note note = {.handle = n->handle.key, .charged = n->loose ? n->uid : REGISTER_NOBODY, .loose = n->loose};
    reg_set_note(m->is->reg, entry, &note);
    keep_handle(m, entry, n);
    meet(m, entry);
    return entry;
}

/* Reading, writing and truncating are asked about of files alone, where the kernel and the file system can do that. */
static bool mark_writing(struct marks *m, const struct node *n)
{
    if (m->is->policy->watches[m->watch].guard != GUARD_OPEN_WRITE || !S_ISREG(n->mode))
        return false;
    if (marks_add(m->land, m->is->gates[m->watch].fd, n, questions(m) | KERNEL_FAN_PRE_ACCESS) == 0)
        return true;
    atomic_fetch_add(&m->is->board->watch[m->watch].unwritten, 1);
    return false;
}

/* Most programs replace a file by writing another beside it and renaming that over it. So a file that was made only just
 * now has the place of its present name; only later is its name more than that of something in the making, and stays its
 * place however it is renamed. What we found when we began is not in the making, whatever its age. */
static bool is_in_the_making(const struct marks *m, const struct node *n, const char *path)
{
    char place[PATH_MAX];
    int64_t age = clock_wall() - n->id.born_ns;
    return S_ISREG(n->mode) && n->links == 1 && n->id.born_ns > m->land->began_ns && age >= 0 &&
           age < MAKING_S * NS_PER_S && reg_place(m->is->reg, n->entry, place, sizeof place) > 0 &&
           strcmp(place, path) != 0;
}

bool marks_guard(struct marks *m, struct node *n, const char *path, uint32_t parent, const char *name)
{
    int number = m->is->gates[m->watch].number;
    n->entry = find(m, number, n, path);
    if (n->entry && is_in_the_making(m, n, path)) {
        marks_gone(m, n->entry);
        n->entry = 0;
    }
    if (!n->entry && !within_users_share(m, n)) {
        marks_unguarded(m, path, "its owner has more than 100000 files there");
        return false;
    }
    /* Into the register before the mark: from then on the judge is asked, and must know the place. With a full register
     * it is guarded all the same, its place taken from its name at each question. */
    bool first = !n->entry;
    if (first)
        n->entry = enter(m, number, n, parent, parent ? name : path);
    else
        reg_set_outside(m->is->reg, n->entry,
                        false); /* known by its first place, and found in another that is inside */
    cover_device(m, n, n->entry, path);
    bool marked =
        mark_writing(m, n) || mark(m, n, path, questions(m) | (S_ISDIR(n->mode) ? FAN_EVENT_ON_CHILD | FAN_ONDIR : 0));
    if (marked) {
        cover_take_in(m, n, path);
        follow_changes(m, n, path);
    }
    if (first && n->entry)
        atomic_fetch_add(&m->is->board->watch[m->watch].marks, 1);
    if (first && n->entry && !marked)
        marks_gone(m, n->entry);
    return marked;
}

void marks_neighbourhood(struct marks *m, struct node *dir, const char *path)
{
    /* Before the mark: from then on the judge is asked about neighbours, and must know that they are. An earlier scout may
     * have come so far and no further: the mark is set in any case. */
    int number = m->is->gates[m->watch].number + REGISTER_NEIGHBOURHOOD;
    uint32_t entry = find(m, number, dir, path);
    if (!entry) {
        entry = enter(m, number, dir, 0, path);
        charge(m, reg_note(m->is->reg, entry).charged, 1);
        atomic_fetch_add(&m->is->board->watch[m->watch].neighbourhoods, 1);
        atomic_fetch_add(&m->is->board->watch[m->watch].marks, 1);
    }
    cover_device(m, dir, entry, path);
    mark(m, dir, path, questions(m) | FAN_EVENT_ON_CHILD);
}

void marks_outpost(struct marks *m, struct node *dir, const char *path)
{
    int number = m->is->gates[m->watch].number + REGISTER_OUTPOST;
    char place[PATH_MAX];
    uint32_t entry = find(m, number, dir, path);
    if (entry && (reg_place(m->is->reg, entry, place, sizeof place) == 0 || strcmp(place, path) != 0)) {
        marks_gone(m, entry); /* it was renamed: it is looked for by its present name */
        entry = 0;
    }
    if (!entry && !within_users_share(m, dir)) {
        marks_unguarded(m, path, "its owner has more than 100000 files there; what appears in it later is not seen");
        return;
    }
    if (!entry)
        enter(m, number, dir, 0, path);
    follow_changes(m, dir, path);
}

/* What is marked already was counted when it was; a walk of everything counts anew. */
void marks_await(struct marks *m, const struct node *n, uint32_t uid)
{
    struct user_count *u = share_of(m, uid);
    bool known = feeds_follow(m->land, n->fd);
    if ((u && !known && u->awaited >= PER_USER_MAX) ||
        feeds_add(m->land, n, FAN_ATTRIB | (S_ISDIR(n->mode) ? (uint64_t)FAN_ONDIR : 0)) < 0)
        return;
    if (u && (!known || m->met))
        u->awaited++;
}

void marks_gone(struct marks *m, uint32_t entry)
{
    struct board_watch *b = &m->is->board->watch[m->watch];
    int kind = reg_watch(m->is->reg, entry) - m->is->gates[m->watch].number;
    charge(m, reg_note(m->is->reg, entry).charged, -1);
    reg_remove(m->is->reg, entry);
    if (kind != REGISTER_OUTPOST)
        atomic_fetch_sub(&b->marks, 1);
    if (kind == REGISTER_NEIGHBOURHOOD)
        atomic_fetch_sub(&b->neighbourhoods, 1);
}

void marks_beat(struct marks *m)
{
    int64_t now = clock_now();
    if (now - m->land->beat_ns < NS_PER_S)
        return;
    m->land->beat_ns = now;
    (void)!write(m->is->control_fd, "b", 1);
}

static bool is_left_out(const struct marks *m, uint32_t entry)
{
    const struct policy *p = m->is->policy;
    const struct watch *w = &p->watches[m->watch];
    char place[PATH_MAX];
    return reg_place(m->is->reg, entry, place, sizeof place) > 0 &&
           (!patterns_cover(p, &w->path, place) || patterns_cover(p, &w->exclude, place));
}

static void review(void *ctx, int number, uint32_t entry)
{
    struct marks *m = ctx;
    int kind = number - m->is->gates[m->watch].number;
    if (kind != 0 && kind != REGISTER_NEIGHBOURHOOD && kind != REGISTER_OUTPOST)
        return;
    marks_beat(m);
    charge(m, reg_note(m->is->reg, entry).charged, 1);
    m->seen += kind != REGISTER_OUTPOST;
    m->neighbours += kind == REGISTER_NEIGHBOURHOOD;
    if (kind == 0 && reg_is_outside(m->is->reg, entry) && !is_left_out(m, entry))
        reg_set_outside(m->is->reg, entry, false);
}

void marks_review(struct marks *m)
{
    struct board_watch *b = &m->is->board->watch[m->watch];
    atomic_store(&b->unguarded, 0);
    atomic_store(&b->unwritten, 0);
    m->seen = m->neighbours = 0;
    cover_forget(m);
    reg_review_blind(m->is->reg, m->is->gates[m->watch].number);
    free(m->met);
    m->met = calloc(REGISTER_ENTRIES_MAX / 64, sizeof *m->met);
    memset(m->users, 0, sizeof m->users);
    reg_for_each(m->is->reg, review, m);
    /* In one step: a judge that reads 0 takes everything that it is asked about for guarded. */
    atomic_store(&b->marks, m->seen);
    atomic_store(&b->neighbourhoods, m->neighbours);
}

/* --- what went while nobody looked ------------------------------------------------------------------------------ */

/* Numbers of the inodes that groups have marks on. */
struct marked {
    uint64_t *ino;
    size_t n, room;
};

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void sort(struct marked *l)
{
    if (l->n)
        qsort(l->ino, l->n, sizeof *l->ino, by_number);
}

static bool has(const struct marked *l, uint64_t ino)
{
    return l->n > 0 && bsearch(&ino, l->ino, l->n, sizeof *l->ino, by_number);
}

/* Adds those of a group, as the kernel tells them. False if it does not. */
static bool list_marked(int group, struct marked *l)
{
    char path[48], line[512];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", group);
    CLEAN_FILE FILE *f = fopen(path, "re");
    bool told = false;
    while (f && fgets(line, sizeof line, f)) {
        uint64_t ino;
        told |= strncmp(line, "fanotify flags:", strlen("fanotify flags:")) == 0;
        if (sscanf(line, "fanotify ino:%" SCNx64, &ino) != 1)
            continue;
        if (l->n == l->room) {
            size_t room = l->room ? 2 * l->room : 1024;
            uint64_t *more = reallocarray(l->ino, room, sizeof *more);
            if (!more)
                return false;
            l->ino = more;
            l->room = room;
        }
        l->ino[l->n++] = ino;
    }
    return told && !ferror(f);
}

static bool list_followed(const struct land *land, struct marked *l)
{
    for (int i = 0; i < land->is->n_changes; i++)
        if (land->feed[i].used && !list_marked(land->is->changes_fds[i], l))
            return false;
    return land->is->n_changes > 0;
}

struct sweep {
    struct marks *m;
    bool all_met; /* by the walk: then they are all marked */
    struct marked asked, followed;
};

static void sweep(void *ctx, int number, uint32_t entry)
{
    struct sweep *s = ctx;
    int kind = number - s->m->is->gates[s->m->watch].number;
    uint64_t ino = reg_id(s->m->is->reg, entry).ino;
    marks_beat(s->m);
    if (((kind == 0 || kind == REGISTER_NEIGHBOURHOOD) && !has(&s->asked, ino)) ||
        (kind == REGISTER_OUTPOST && !has(&s->followed, ino)))
        marks_gone(s->m, entry);
}

/* Of a watch whose file systems are marked: what has lost its names and marks is asked about as long as somebody holds
 * it. */
static void sweep_covered(struct marks *m, uint32_t entry)
{
    struct reg_handle h = reg_handle(m->is->reg, entry);
    struct statx st;
    CLEAN_FD int fd = reach_open_kept(&m->land->reach, &h);
    bool unknown = fd < 0 && errno == EOPNOTSUPP;
    if ((fd < 0 && errno == ESTALE) || (unknown && !limbo_keep_unknown(&m->land->limbo)))
        marks_gone(m, entry);
    else if (fd >= 0 && stat_identity(fd, "", AT_EMPTY_PATH, &st) == 0 && st.stx_nlink == 0)
        limbo_keep(&m->land->limbo, &h);
}

/* What the walk has not met is no more where it was. What it has met is inside, whatever its first place. */
static void settle(void *ctx, int number, uint32_t entry)
{
    struct sweep *s = ctx;
    struct marks *m = s->m;
    int kind = number - m->is->gates[m->watch].number;
    if ((kind != 0 && kind != REGISTER_NEIGHBOURHOOD && kind != REGISTER_OUTPOST) || was_met(m, entry))
        return;
    s->all_met = false;
    marks_beat(m);
    if (kind == 0)
        reg_set_outside(m->is->reg, entry, is_left_out(m, entry));
    if (covers(m))
        sweep_covered(m, entry);
}

/* A number that another inode has by now keeps an entry longer than it is needed, which does no harm. */
void marks_sweep(struct marks *m)
{
    struct sweep s = {.m = m, .all_met = m->met != NULL};
    if (m->met)
        reg_for_each(m->is->reg, settle, &s);
    free(m->met);
    m->met = NULL;
    reach_let_go(&m->land->reach);
    reg_settle_blind(m->is->reg, m->is->gates[m->watch].number);
    if (!s.all_met && !covers(m) && list_marked(m->is->gates[m->watch].fd, &s.asked) &&
        list_followed(m->land, &s.followed)) {
        sort(&s.asked);
        sort(&s.followed);
        reg_for_each(m->is->reg, sweep, &s);
    }
    free(s.asked.ino);
    free(s.followed.ino);
}

static void forget_dropped(void *ctx, int number, uint32_t entry)
{
    const struct scout_setup *is = ctx;
    for (int i = 0; i < is->policy->n_watches; i++)
        if (is->gates[i].number == (number & (REGISTER_WATCHES_MAX - 1)))
            return;
    reg_remove(is->reg, entry);
}

void marks_forget_dropped(const struct land *l)
{
    reg_for_each(l->is->reg, forget_dropped, (void *)(uintptr_t)l->is);
}
