#include "judge/object.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lookup.h"
#include "base/process.h"
#include "policy/glob.h"

static size_t kernel_name(const struct object_finder *f, int fd, char *out, size_t size)
{
    char number[16];
    snprintf(number, sizeof number, "%d", fd);
    ssize_t n = readlinkat(f->self_fd_dir, number, out, size - 1);
    if (n < 0)
        n = 0;
    out[n] = '\0';
    return (size_t)n;
}

static void set_place(struct thing *t, bool known)
{
    t->seen.known |= ATTR_PLACE;
    t->seen.place = known ? t->path : NULL;
    if (!known)
        t->seen.failed |= ATTR_PLACE;
}

/* Whether a name can be of something in the watch, by its letters alone: whatever else an opener's mount tree shows is
 * not looked up, since it may lead us into a mount that answers slowly or never. */
static bool may_be_in(const struct object_finder *f, int watch, const char *name)
{
    const struct patterns *paths = &f->policy->watches[watch].path;
    for (size_t i = 0; i < paths->n; i++) {
        const struct pattern *p = &paths->v[i];
        for (size_t h = 0; p->home && h < f->policy->n_homes; h++)
            if (strncmp(name, f->policy->homes[h].path, strlen(f->policy->homes[h].path)) == 0)
                return true;
        if (p->home)
            continue;
        size_t n = glob_literal_prefix(p->text);
        if (strncmp(name, p->text, n) == 0)
            return true;
        /* Beside a single file its neighbours are asked about too. */
        size_t dir = (size_t)(strrchr(name, '/') - name);
        if (!p->text[n] && strrchr(p->text, '/') == p->text + dir && strncmp(name, p->text, dir) == 0)
            return true;
    }
    return false;
}

/* In this watch; in any, while it is not known which (-1). */
static bool may_be_in_one(const struct object_finder *f, int watch, const char *name)
{
    if (watch >= 0)
        return may_be_in(f, watch, name);
    for (int w = 0; w < f->policy->n_watches; w++)
        if (may_be_in(f, w, name))
            return true;
    return false;
}

/* The place of an inode that the register does not have. It was reached through a marked directory, so its place is that
 * directory's and the last component of its name. The name is what the opener's mount tree makes of it and may be a lie:
 * it counts only if, in our own tree, the directory it names is one that this watch marked and the whole name is this
 * inode. */
static bool place_of_newcomer(const struct object_finder *f, struct thing *t)
{
    char name[PATH_MAX];
    size_t len = kernel_name(f, t->fd, name, sizeof name);
    char *slash = len > 0 && name[0] == '/' ? strrchr(name, '/') : NULL;
    struct statx st, dir;
    if (!slash || !may_be_in_one(f, t->watch, name))
        return false;
    bool there = lookup_plain(f->names, name, &dir, &st);
    lookup_rest(f->names);
    struct file_id here = there ? file_id_of(&st) : (struct file_id){0};
    if (!there || !file_id_equal(&here, &t->id))
        return false;

    struct file_id parent = file_id_of(&dir);
    uint32_t entry = reg_find(f->reg, t->number, &parent);
    if (!entry)
        entry = reg_find(f->reg, t->number + REGISTER_NEIGHBOURHOOD, &parent);
    size_t at = entry ? reg_place(f->reg, entry, t->path, sizeof t->path) : 0;
    size_t last = strlen(slash + 1);
    if (at == 0 || at + 1 + last >= sizeof t->path)
        return false;
    if (at == 1) /* the root itself: "/" and not "//" */
        at = 0;
    t->path[at] = '/';
    memcpy(t->path + at + 1, slash + 1, last + 1);
    return true;
}

/* Whether the marks of a watch ask about anything that it does not guard. */
static bool asks_about_others(const struct object_finder *f, int watch)
{
    return f->policy->watches[watch].exclude.n > 0 || atomic_load(&f->board->watch[watch].neighbourhoods) > 0;
}

/* What the descriptor tells. False if it tells nothing. */
static bool identify(const struct object_finder *f, int watch, int number, int fd, struct thing *t)
{
    struct statx st;
    t->watch = watch;
    t->number = number;
    t->fd = fd;
    t->seen = (struct object){.known = ATTR_OWNER};
    t->inside = true;
    t->entry = 0;
    if (stat_identity(fd, "", AT_EMPTY_PATH, &st) < 0) {
        t->id = (struct file_id){0};
        t->directory = false;
        t->seen.failed = ATTR_OWNER;
        set_place(t, false);
        return false;
    }
    t->id = file_id_of(&st);
    t->directory = S_ISDIR(st.stx_mode);
    t->seen.uid = st.stx_uid;
    t->seen.gid = st.stx_gid;
    t->seen.mode = st.stx_mode;
    t->entry = reg_find(f->reg, number, &t->id);
    return true;
}

bool object_is_guarded(const struct object_finder *f, const struct thing *t, int watch)
{
    const struct watch *w = &f->policy->watches[watch];
    return patterns_cover(f->policy, &w->path, t->path) && !patterns_cover(f->policy, &w->exclude, t->path);
}

void object_find(const struct object_finder *f, int watch, int number, int fd, struct thing *t)
{
    if (!identify(f, watch, number, fd, t))
        return;
    if (t->entry) {
        t->inside = !reg_is_outside(f->reg, t->entry);
        return;
    }
    if (!asks_about_others(f, watch))
        return;
    /* What cannot be placed is guarded: it came through a marked directory. */
    object_place(f, t);
    t->inside = !t->seen.place || object_is_guarded(f, t, watch);
}

void object_find_dropped(const struct object_finder *f, int number, int fd, struct thing *t)
{
    if (identify(f, -1, number, fd, t))
        object_place(f, t);
}

void object_place(const struct object_finder *f, struct thing *t)
{
    if (t->seen.known & ATTR_PLACE)
        return;
    /* The entry may have become another's since it was found, if its inode has lost its marks. */
    bool known = t->entry && reg_place(f->reg, t->entry, t->path, sizeof t->path) > 0 &&
                 reg_holds(f->reg, t->entry, t->number, &t->id);
    set_place(t, known || (!t->entry && place_of_newcomer(f, t)));
}

size_t object_display_name(const struct object_finder *f, struct thing *t, char *out, size_t size)
{
    object_place(f, t);
    if (!t->seen.place)
        return kernel_name(f, t->fd, out, size);
    size_t n = strlen(t->seen.place);
    if (n >= size)
        n = size - 1;
    memcpy(out, t->seen.place, n);
    out[n] = '\0';
    return n;
}
