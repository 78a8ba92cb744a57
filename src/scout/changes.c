#include "scout/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/own.h"
#include "scout/walk.h"

enum { ENTRIES_MAX = 3 * WATCHES_MAX }; /* of one inode: guarded, neighbourhood and outpost in each watch */

/* A directory and a name in it, or an inode alone. */
struct named {
    const int32_t *fsid;
    const struct file_handle *handle;
    const char *name; /* NULL: none */
};

/* The watch that an entry belongs to, and as what it stands there. NULL: it was dropped. */
static struct marks *marks_of(struct change_feed *c, uint32_t entry, int *kind)
{
    const struct scout_setup *is = c->land->is;
    int number = reg_watch(is->reg, entry);
    *kind = number & ~(REGISTER_WATCHES_MAX - 1);
    for (int i = 0; i < is->policy->n_watches; i++)
        if (is->gates[i].number == (number & (REGISTER_WATCHES_MAX - 1)))
            return &c->marks[i];
    return NULL;
}

void changes_at(struct change_feed *c, const char *path)
{
    for (int i = 0; i < c->land->is->policy->n_watches; i++)
        walk_watch(&c->marks[i], path);
}

/* By the name that the directory had when it was last walked through. */
static void look_there(struct marks *m, uint32_t entry, const char *name)
{
    char path[PATH_MAX];
    size_t n = reg_place(m->is->reg, entry, path, sizeof path), len = strlen(name);
    if (n == 0 || n + 1 + len >= sizeof path)
        return;
    if (n == 1)
        n = 0;
    path[n] = '/';
    memcpy(path + n + 1, name, len + 1);
    walk_watch(m, path);
}

/* With `all` it is looked for with everything below. False: something was left for a look at everything. */
static bool look_for(struct change_feed *c, struct marks *m, uint32_t entry, const struct named *s, bool all)
{
    bool guarded = reg_watch(c->land->is->reg, entry) < REGISTER_WATCHES_MAX, complete = all;
    CLEAN_FD int dir = guarded ? reach_open(&c->land->reach, s->fsid, s->handle) : -1;
    if (dir >= 0 && walk_into(m, dir, entry, s->name, &complete))
        return complete;
    if (all)
        look_there(m, entry, s->name);
    return all;
}

/* At the expense of whoever can write the directory. */
static void look_in_turn(struct change_feed *c, struct marks *m, uint32_t entry, const struct named *s)
{
    const bool loose = reg_note(c->land->is->reg, entry).loose;
    const uint32_t user = reg_note(c->land->is->reg, entry).charged;
    int64_t began = clock_now();
    bool all = !loose || budget_allows(&c->land->budgets, user, began);
    c->lost |= !look_for(c, m, entry, s, all);
    int64_t now = clock_now();
    if (loose)
        budget_charge(&c->land->budgets, user, now, now - began);
}

/* A name has appeared in a directory. One that is guarded is found wherever it is by now. */
static void on_name(struct change_feed *c, const struct named *s)
{
    uint32_t entries[ENTRIES_MAX];
    const struct reg *reg = c->land->is->reg;
    size_t n = reg_with_handle(reg, handle_key(s->fsid, s->handle), entries, ENTRIES_MAX);
    for (size_t i = 0; i < n; i++) {
        int kind;
        struct marks *m = marks_of(c, entries[i], &kind);
        if (!m || kind == REGISTER_NEIGHBOURHOOD || (kind == 0 && reg_is_outside(reg, entries[i])))
            continue;
        look_in_turn(c, m, entries[i], s);
        marks_beat(m);
    }
}

static bool is_covered(const struct marks *m)
{
    return m->is->policy->watches[m->watch].coverage == COVERAGE_FILESYSTEM;
}

static void forget(struct change_feed *c, const struct named *s, bool all)
{
    uint32_t entries[ENTRIES_MAX];
    struct reg *reg = c->land->is->reg;
    size_t n = reg_with_handle(reg, handle_key(s->fsid, s->handle), entries, ENTRIES_MAX);
    for (size_t i = 0; i < n; i++) {
        int kind;
        struct marks *m = marks_of(c, entries[i], &kind);
        if (!m)
            reg_remove(reg, entries[i]);
        else if (all || !is_covered(m))
            marks_gone(m, entries[i]);
    }
}

/* Whether the handle can be opened as long as its inode lives, by what the register has of it. */
static bool can_be_opened(const struct change_feed *c, const struct named *s)
{
    uint32_t entries[ENTRIES_MAX];
    const struct reg *reg = c->land->is->reg;
    size_t n = reg_with_handle(reg, handle_key(s->fsid, s->handle), entries, ENTRIES_MAX);
    for (size_t i = 0; i < n; i++)
        if (reg_handle(reg, entries[i]).bytes > 0)
            return true;
    return false;
}

static bool receive(struct change_feed *c, const struct named *s)
{
    struct limbo *l = &c->land->limbo;
    return can_be_opened(c, s) ? limbo_receive(l, &c->land->reach, s->fsid, s->handle) : limbo_keep_unknown(l);
}

/* Its last name is gone, and the marks on it. If it is held open it can still be reached, and a whole file system that is
 * marked is still asked about it. */
static void on_end(struct change_feed *c, const struct named *s)
{
    bool covered = false;
    for (int i = 0; i < c->land->is->policy->n_watches; i++)
        covered |= is_covered(&c->marks[i]);
    forget(c, s, !covered || !receive(c, s));
}

static void on_gone(void *ctx, const int32_t fsid[2], const struct file_handle *h)
{
    const struct named s = {.fsid = fsid, .handle = h};
    forget(ctx, &s, true);
}

void changes_look_again(struct change_feed *c)
{
    limbo_look(&c->land->limbo, &c->land->reach, on_gone, c);
}

/* Something that was left out may have got another owner. Where it is, the kernel can say if anybody has just used its
 * name. */
static void on_owner(struct change_feed *c, const struct named *s)
{
    char link[FD_NAME_SIZE], path[PATH_MAX];
    CLEAN_FD int fd = reach_open(&c->land->reach, s->fsid, s->handle);
    ssize_t n = fd < 0 ? -1 : readlink(fd_name(link, fd), path, sizeof path - 1);
    if (n <= 1 || path[0] != '/')
        return;
    path[n] = '\0';
    changes_at(c, path);
}

/* The kernel puts records with names at multiples of four bytes (FANOTIFY_INFO_ALIGN); the structure itself wants eight. */
typedef struct fanotify_event_metadata event __attribute__((aligned(4)));

/* The parts of an event, as far as they hold together. */
static void read_event(struct change_feed *c, const event *e)
{
    struct named appeared = {0}, itself = {0};
    const char *at = (const char *)e + e->metadata_len, *end = (const char *)e + e->event_len;
    while ((size_t)(end - at) >= sizeof(struct fanotify_event_info_fid) + sizeof(struct file_handle)) {
        const struct fanotify_event_info_fid *info = (const void *)at;
        const struct file_handle *h = (const void *)info->handle;
        const char *name = (const char *)h->f_handle + h->handle_bytes, *after = at + info->hdr.len;
        if (info->hdr.len < sizeof *info + sizeof *h || after > end || name > after)
            return;
        struct named s = {.fsid = info->fsid.val, .handle = h};
        bool has_name =
            info->hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME && memchr(name, '\0', (size_t)(after - name));
        if (has_name && strcmp(name, ".") != 0) {
            s.name = name;
            appeared = s;
        } else {
            itself = s;
        }
        at = after;
    }
    if (e->mask & (FAN_CREATE | FAN_MOVED_TO) && appeared.name)
        on_name(c, &appeared);
    if (e->mask & FAN_ATTRIB && itself.handle)
        on_owner(c, &itself);
    if (e->mask & FAN_DELETE_SELF && itself.handle)
        on_end(c, &itself);
}

bool changes_read(struct change_feed *c, int group)
{
    ssize_t len = read(group, c->buffer, sizeof c->buffer);
    const event *e = (const void *)c->buffer;
    for (; FAN_EVENT_OK(e, len); e = FAN_EVENT_NEXT(e, len)) {
        if (e->vers != FANOTIFY_METADATA_VERSION)
            break;
        c->lost |= (e->mask & FAN_Q_OVERFLOW) != 0;
        read_event(c, e);
        if (e->fd >= 0)
            close(e->fd);
    }
    reach_let_go(&c->land->reach);
    return len > 0;
}
