#include "judge/object.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/handle.h"
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

/* The place of something by the nearest directory above it that this watch has marked: that one's place, and the rest of
 * `name`. `dir` is the directory that lookup has in hand and name[cut] the slash behind it. */
static bool place_from_above(const struct object_finder *f, struct thing *t, const char *name, size_t cut,
                             struct statx *dir)
{
    for (;;) {
        struct file_id id = file_id_of(dir);
        uint32_t entry = reg_find(f->reg, t->number, &id);
        if (!entry)
            entry = reg_find_copied(f->reg, t->number, &id);
        if (!entry)
            entry = reg_find(f->reg, t->number + REGISTER_NEIGHBOURHOOD, &id);
        size_t at = entry ? reg_place(f->reg, entry, t->path, sizeof t->path) : 0, rest = strlen(name + cut);
        if (entry && (at == 0 || at + rest >= sizeof t->path))
            return false;
        if (entry) {
            at = at == 1 ? 0 : at; /* the root itself: "/" and not "//" */
            memcpy(t->path + at, name + cut, rest + 1);
            return true;
        }
        if (cut == 0 || !lookup_up(f->names, dir))
            break;
        while (name[--cut] != '/')
            ;
    }
    memcpy(t->path, name, strlen(name) + 1); /* none: it is where it is */
    return true;
}

/* The place of `name`, if in our own tree that is the inode in hand. */
static bool place_of_name(const struct object_finder *f, struct thing *t, const char *name)
{
    struct statx st, dir;
    if (strcmp(name, "/") == 0) {
        struct file_id root =
            stat_identity(f->root, "", AT_EMPTY_PATH, &st) == 0 ? file_id_of(&st) : (struct file_id){0};
        strcpy(t->path, "/");
        return file_id_equal(&root, &t->id);
    }
    if (!lookup_plain(f->names, name, &dir, &st))
        return false;
    struct file_id here = file_id_of(&st);
    return file_id_equal(&here, &t->id) && place_from_above(f, t, name, (size_t)(strrchr(name, '/') - name), &dir);
}

/* What was reached by a name that is gone (there may be others): the kernel formats the one that it had. That is true
 * if it was reached through the mount that is there in our own tree. */
static bool place_of_unlinked(const struct object_finder *f, struct thing *t, char *name, size_t len)
{
    static const char suffix[] = " (deleted)";
    const size_t n = sizeof suffix - 1;
    struct statx dir;
    if (len <= n || strcmp(name + len - n, suffix) != 0)
        return false;
    name[len - n] = '\0';
    char *slash = strrchr(name, '/');
    if (!slash)
        return false;
    *slash = '\0';
    bool there = lookup_directory(f->names, slash == name ? "/" : name, &dir) >= 0;
    *slash = '/';
    return there && dir.stx_mnt_id == t->mount && place_from_above(f, t, name, (size_t)(slash - name), &dir);
}

/* The name of the inode in hand on the mount where a watch was marked (`mount` is something there), whatever the mount
 * through which it was opened. */
static size_t name_on(const struct object_finder *f, const struct thing *t, const char *mount, char *out, size_t size)
{
    union any_handle handle = {.h.handle_bytes = MAX_HANDLE_SZ};
    struct statx dir;
    int mount_id, at = lookup_directory(f->names, mount, &dir);
    if (at < 0)
        return 0;
    if (dir.stx_mnt_id == t->mount)
        return kernel_name(f, t->fd, out, size);
    /* A handle says nothing of mounts. It is opened where we stand, since another mount would have to be named by a
     * descriptor that is open for reading; and whoever stands somewhere keeps it from being unmounted. */
    if (name_to_handle_at(t->fd, "", &handle.h, &mount_id, AT_EMPTY_PATH) < 0 || fchdir(at) < 0)
        return 0;
    int fd = open_by_handle_at(AT_FDCWD, &handle.h, O_PATH | O_CLOEXEC);
    size_t n = fd < 0 ? 0 : kernel_name(f, fd, out, size);
    if (fd >= 0)
        close(fd);
    (void)!fchdir(f->root);
    return n;
}

/* By the mounts on which this watch was marked: those on the object's own device, or (of a snapshot) all. */
static bool place_on_marked_mount(const struct object_finder *f, struct thing *t, char name[PATH_MAX])
{
    char mount[PATH_MAX];
    struct reg_device d;
    bool known = reg_covers(f->reg, t->number, t->id.major, t->id.minor);
    for (int i = 0; reg_device(f->reg, i, &d); i++) {
        if (d.watch != t->number || (known && (d.major != t->id.major || d.minor != t->id.minor)))
            continue;
        if (reg_place(f->reg, d.entry, mount, sizeof mount) > 0 && name_on(f, t, mount, name, PATH_MAX) > 0 &&
            name[0] == '/' && place_of_name(f, t, name))
            return true;
    }
    return false;
}

/* The place of anything on a file system that is marked as a whole. What the opener's mount tree makes of its name proves
 * nothing; and while we look it may be renamed or lose its name, so look again. False: it cannot be placed. */
static bool place_anywhere(const struct object_finder *f, struct thing *t)
{
    enum { TRIES = 3 };
    char name[PATH_MAX];
    struct statx st;
    bool placed = false;
    for (int i = 0; i < TRIES && !placed; i++) {
        if (i > 0 && stat_identity(t->fd, "", AT_EMPTY_PATH, &st) == 0)
            t->links = st.stx_nlink;
        if (t->links > 0 && (placed = place_on_marked_mount(f, t, name)))
            break;
        size_t len = kernel_name(f, t->fd, name, sizeof name);
        if (len > 0 && name[0] == '/')
            placed = (t->links > 0 && place_of_name(f, t, name)) || place_of_unlinked(f, t, name, len);
    }
    lookup_rest(f->names);
    return placed;
}

/* The place that `name` says, if the directory it names is one that this watch marked and the whole name is the inode in
 * hand. */
static bool place_in_marked(const struct object_finder *f, struct thing *t, const char *name)
{
    const char *slash = strrchr(name, '/');
    struct statx st, dir;
    if (!slash || !may_be_in_one(f, t->watch, name) || !lookup_plain(f->names, name, &dir, &st))
        return false;
    struct file_id here = file_id_of(&st), parent = file_id_of(&dir);
    if (!file_id_equal(&here, &t->id))
        return false;
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

/* By the name that the inode in hand has where `dir` is, a directory in which this watch may have marked something. Not of
 * one that has several: any of them might come out. */
static bool place_on_mount_of(const struct object_finder *f, struct thing *t, const char *dir)
{
    char name[PATH_MAX];
    struct statx st;
    return t->links == 1 && lookup_directory(f->names, dir, &st) >= 0 && st.stx_dev_major == t->id.major &&
           st.stx_dev_minor == t->id.minor && st.stx_mnt_id != t->mount && name_on(f, t, dir, name, sizeof name) > 0 &&
           name[0] == '/' && place_in_marked(f, t, name);
}

static bool place_by_patterns(const struct object_finder *f, struct thing *t)
{
    enum { MOST = 32 }; /* directories: more is too long for who waits */
    const struct patterns *paths = &f->policy->watches[t->watch].path;
    char dir[PATH_MAX];
    int looks = 0;
    for (size_t i = 0; i < paths->n; i++) {
        const struct pattern *p = &paths->v[i];
        for (size_t h = 0; p->home && h < f->policy->n_homes && looks < MOST; h++, looks++)
            if (place_on_mount_of(f, t, f->policy->homes[h].path))
                return true;
        size_t n = p->home ? 0 : glob_literal_prefix(p->text);
        /* A directory, or a file in one. */
        for (int up = 0; up < 2 && n > 0 && n < sizeof dir && looks < MOST; up++, looks++) {
            memcpy(dir, p->text, n);
            dir[n] = '\0';
            if (place_on_mount_of(f, t, dir))
                return true;
            n = (size_t)(strrchr(dir, '/') - dir);
        }
    }
    return false;
}

/* The place of an inode that the register does not have. It was reached through a marked directory, so its place is that
 * directory's and the last component of its name. The name is what the opener's mount tree makes of it and may be a lie, or
 * that of another mount: then it is asked for where the watch was marked. */
static bool place_of_newcomer(const struct object_finder *f, struct thing *t)
{
    char name[PATH_MAX];
    size_t len = kernel_name(f, t->fd, name, sizeof name);
    bool placed = (len > 0 && name[0] == '/' && place_in_marked(f, t, name)) ||
                  (t->watch >= 0 && !t->directory && place_by_patterns(f, t));
    lookup_rest(f->names);
    return placed;
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
    t->settled = t->disputed = false;
    t->entry = 0;
    t->stamp = 0;
    if (stat_identity(fd, "", AT_EMPTY_PATH, &st) < 0) {
        t->id = (struct file_id){0};
        t->directory = false;
        t->seen.failed = ATTR_OWNER;
        set_place(t, false);
        return false;
    }
    t->id = file_id_of(&st);
    t->directory = S_ISDIR(st.stx_mode);
    t->links = st.stx_nlink;
    t->mount = st.stx_mnt_id;
    t->changed_ns = st.stx_ctime.tv_sec * NS_PER_S + st.stx_ctime.tv_nsec;
    t->seen.uid = st.stx_uid;
    t->seen.gid = st.stx_gid;
    t->seen.mode = st.stx_mode;
    t->entry = reg_find(f->reg, number, &t->id);
    if (!t->entry)
        t->entry = reg_find_copied(f->reg, number, &t->id);
    return true;
}

bool object_is_guarded(const struct object_finder *f, const struct thing *t, int watch)
{
    const struct watch *w = &f->policy->watches[watch];
    return patterns_cover(f->policy, &w->path, t->path) && !patterns_cover(f->policy, &w->exclude, t->path);
}

/* Another name of it would be another place; of a directory there is but one. A link or a rename changes the ctime. The
 * scout may be far behind, or have been told of too much at once; or it is new and has not looked yet, and the register
 * holds what one before it has seen. At a first start it holds nothing, and seen_ns is 0. */
static void settle(const struct object_finder *f, struct thing *t)
{
    const int64_t seen_ns = atomic_load(&f->board->scout_seen_ns);
    const bool scanned = atomic_load(&f->board->scanned);
    bool young = clock_wall() - t->changed_ns <= SETTLES_MS * NS_PER_MS, one = t->directory || t->links <= 1,
         seen = t->changed_ns < seen_ns - TOLD_MS * NS_PER_MS;
    if (f->policy->watches[t->watch].coverage != COVERAGE_FILESYSTEM || (!scanned && !seen_ns))
        return;
    if (reg_is_blind(f->reg, t->number, t->id.major, t->id.minor)) {
        t->inside = !one; /* for all that the scout knows, by its other name */
        return;
    }
    t->settled = scanned && one && t->links > 0 && !young;
    t->disputed = !one && (young || !seen);
}

void object_find(const struct object_finder *f, int watch, int number, int fd, struct thing *t)
{
    if (!identify(f, watch, number, fd, t))
        return;
    if (t->entry) {
        t->inside = !reg_is_outside(f->reg, t->entry);
        return;
    }
    if (!asks_about_others(f, watch) && !reg_is_covered(f->reg, number))
        return;
    /* What cannot be placed is guarded: it came through a marked directory, or by a way that hides where it lies. */
    object_place(f, t);
    t->inside = !t->seen.place || object_is_guarded(f, t, watch);
    if (!t->inside)
        settle(f, t);
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
    uint64_t stamp = t->entry ? reg_stamp(f->reg, t->entry) : 0;
    bool known = stamp && reg_place(f->reg, t->entry, t->path, sizeof t->path) > 0 &&
                 reg_holds(f->reg, t->entry, t->number, &t->id) && reg_stamp(f->reg, t->entry) == stamp;
    t->stamp = known ? stamp : 0;
    set_place(t, known || (!t->entry &&
                           (reg_is_covered(f->reg, t->number) ? place_anywhere(f, t) : place_of_newcomer(f, t))));
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
