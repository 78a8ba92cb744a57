#include "scout/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mounts.h"
#include "base/own.h"
#include "policy/glob.h"
#include "scout/cover.h"

enum { DEPTH_MAX = 256 };

/* One walk along one pattern. */
struct walk {
    struct marks *m;
    const struct policy *policy;
    const struct watch *watch;
    const struct home *home; /* the pattern says "~": whose */
    char path[PATH_MAX];     /* of the node in hand */
    size_t len;
    int depth;
    struct mounts *mounts;
    const char *target; /* the walk is along this path only, and free from its end on; "": free at once */
    size_t target_len;
    bool shallow;  /* nothing below the first node that is met is looked at */
    bool left_out; /* ... and there was such a thing */
};

static bool is_dir(const struct node *n)
{
    return S_ISDIR(n->mode);
}

static void close_node(struct node *n)
{
    if (n->fd >= 0)
        close(n->fd);
}
#define CLEAN_NODE __attribute__((cleanup(close_node)))

/* --- opening ---------------------------------------------------------------------------------------------------- */

static bool look_at(struct node *n, const struct node *parent)
{
    struct statx st;
    if (statx(n->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &st) < 0)
        return false;
    n->id = file_id_of(&st);
    n->uid = st.stx_uid;
    n->mode = st.stx_mode;
    n->links = st.stx_nlink;
    n->mount = st.stx_mnt_id;
    bool users_can_write = S_ISDIR(n->mode) && (n->uid != 0 || n->mode & (S_IWGRP | S_IWOTH));
    n->loose = users_can_write || (parent && parent->loose);
    n->sheltered = !parent || !parent->loose;
    bool same_device = parent && parent->id.major == n->id.major && parent->id.minor == n->id.minor;
    n->of_user = same_device ? parent->of_user : !n->sheltered;
    return true;
}

/* Why nothing at the path in hand can be guarded. */
static const char *elsewhere(const struct walk *w)
{
    const char *type = mounts_refused(w->mounts, w->path, w->len), *why = type ? mounts_refusal(type) : NULL;
    return why ? why : "it cannot be told what is mounted there";
}

/* Why this child, whose path is in hand, must not be taken in, or NULL. */
static const char *objection(const struct walk *w, const struct node *child, const struct node *parent)
{
    if (child->refused)
        return child->refused;
    if (S_ISLNK(child->mode))
        return "it is a symbolic link; name what it points to";
    if (parent->loose && child->mount != parent->mount)
        return "it is a mount in a directory that a user can write";
    if (parent->loose && child->uid != parent->uid)
        return "it belongs to another user than its directory, which a user can write";
    if (child->mount == parent->mount)
        return NULL;
    mounts_refresh(w->mounts); /* it may have come since */
    return mounts_refused_device(w->mounts, child->id.major, child->id.minor) ? elsewhere(w) : NULL;
}

/* Opens `name`, whose path is in hand, in `parent` without touching it. False if it is gone. A mount of a kind that we keep
 * away from is there, and not opened. */
static bool open_child(const struct walk *w, const struct node *parent, const char *name, struct node *child)
{
    *child = (struct node){.fd = -1, .mode = S_IFDIR};
    if (mounts_refused(w->mounts, w->path, w->len)) {
        child->refused = elsewhere(w);
        return true;
    }
    child->fd = openat(parent->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return child->fd >= 0 && look_at(child, parent);
}

/* Reads a directory. The judge lets us in; during a rescue it may be the fallback that answers, so try again. */
static DIR *open_listing(const struct node *dir)
{
    for (int tries = 0; tries < 20; tries++) {
        CLEAN_FD int fd = openat(dir->fd, ".", O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0) {
            DIR *d = fdopendir(fd);
            if (d)
                (void)STEAL_FD(fd); /* it belongs to d */
            return d;
        }
        if (errno != EPERM && errno != EBUSY)
            return NULL;
        nanosleep(&(struct timespec){.tv_nsec = 20 * NS_PER_MS}, NULL);
    }
    return NULL;
}

/* Appends a component to the path in hand; false if it gets too long. */
static bool enter(struct walk *w, const char *name, size_t *back)
{
    *back = w->len;
    size_t n = strlen(name);
    if (w->len + 1 + n >= sizeof w->path || w->depth >= DEPTH_MAX)
        return false;
    w->path[w->len++] = '/';
    memcpy(w->path + w->len, name, n + 1);
    w->len += n;
    w->depth++;
    return true;
}

static void leave(struct walk *w, size_t back)
{
    w->len = back;
    w->path[back] = '\0';
    w->depth--;
}

/* The name that the walk must take next, while it is on its way to its target. */
static bool has_one_way(const struct walk *w, char name[NAME_MAX + 1])
{
    if (w->target_len <= w->len)
        return false;
    const char *next = w->target + w->len + 1;
    size_t n = strcspn(next, "/");
    if (n > NAME_MAX)
        n = NAME_MAX;
    memcpy(name, next, n);
    name[n] = '\0';
    return true;
}

/* --- guarding --------------------------------------------------------------------------------------------------- */

typedef void each_child(struct walk *w, const struct node *dir, const char *name, const void *ctx);

static void with_child(struct walk *w, const struct node *dir, const char *name, each_child *each, const void *ctx)
{
    size_t back;
    if (!enter(w, name, &back)) {
        marks_unguarded(w->m, w->path, "something in it lies too deep, or has too long a name");
        return;
    }
    each(w, dir, name, ctx);
    leave(w, back);
}

static void for_each_child(struct walk *w, const struct node *dir, each_child *each, const void *ctx)
{
    char name[NAME_MAX + 1];
    if (has_one_way(w, name)) {
        with_child(w, dir, name, each, ctx);
        return;
    }
    CLEAN_DIR DIR *d = open_listing(dir);
    if (!d) {
        char why[128];
        snprintf(why, sizeof why, "its entries cannot be listed: %s", strerror(errno));
        marks_unguarded(w->m, w->path, why);
        return;
    }
    const struct dirent *e;
    while ((e = readdir(d))) {
        marks_beat(w->m);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            with_child(w, dir, e->d_name, each, ctx);
    }
}

static void go_below(struct walk *w, const struct node *dir, each_child *each)
{
    if (w->shallow)
        w->left_out = true;
    else
        for_each_child(w, dir, each, NULL);
}

/* What lies in a watch and gets no marks of its own, and everything below: where the whole file system is marked it is
 * asked about all the same. */
static void take_in(struct walk *w, const struct node *n);

static void take_in_child(struct walk *w, const struct node *dir, const char *name, const void *ctx)
{
    (void)ctx;
    CLEAN_NODE struct node child;
    if (open_child(w, dir, name, &child) && !child.refused && child.mount == dir->mount)
        take_in(w, &child);
}

static void take_in(struct walk *w, const struct node *n)
{
    if (n->fd < 0 || !cover_any(w->m) || (!is_dir(n) && !S_ISREG(n->mode)))
        return;
    cover_take_in(w->m, n, w->path);
    if (is_dir(n))
        go_below(w, n, take_in_child);
}

/* What must not be taken in. An owner can still be given to what is there: we are told, and look again. Who fills a
 * directory with what is not his is its owner, or (if that is root) the owner of what is there. */
static void refuse(struct walk *w, const struct node *child, const struct node *parent, const char *why)
{
    marks_unguarded(w->m, w->path, why);
    if (child->mount == parent->mount)
        take_in(w, child);
    if (child->fd >= 0 && child->uid != parent->uid && !S_ISLNK(child->mode) && child->mount == parent->mount)
        marks_await(w->m, child, parent->uid ? parent->uid : child->uid);
}

static void guard(struct walk *w, struct node *n, const struct node *parent, const char *name);

static void guard_child(struct walk *w, const struct node *dir, const char *name, const void *ctx)
{
    (void)ctx;
    CLEAN_NODE struct node child;
    /* Links, FIFOs, sockets and devices in a tree are not what it guards: no open of theirs is asked about. */
    if (!open_child(w, dir, name, &child) || (!is_dir(&child) && !S_ISREG(child.mode)))
        return;
    const char *why = objection(w, &child, dir);
    if (why)
        refuse(w, &child, dir, why);
    else
        guard(w, &child, dir, name);
}

/* The node and, if it is a directory, everything below. The mark comes first, so that what appears during the scan is
 * asked about by its directory's mark. */
static void guard(struct walk *w, struct node *n, const struct node *parent, const char *name)
{
    if (patterns_cover(w->policy, &w->watch->exclude, w->path))
        return;
    if (!marks_guard(w->m, n, w->path, parent ? parent->entry : 0, name))
        take_in(w, n);
    else if (is_dir(n))
        go_below(w, n, guard_child);
}

/* --- following a pattern ---------------------------------------------------------------------------------------- */

/* The rest of a pattern: its first component, and what follows. */
struct rest {
    const char *text; /* without leading slash; "" at the end */
    size_t literal;   /* so many bytes of it are a home's name, taken as they are */
};

static void follow(struct walk *w, struct node *n, struct rest rest);

struct step {
    char component[NAME_MAX + 1];
    bool literal;
    struct rest after;
};

static bool first_component(struct rest rest, struct step *s)
{
    size_t n = strcspn(rest.text, "/");
    if (n > NAME_MAX)
        return false;
    memcpy(s->component, rest.text, n);
    s->component[n] = '\0';
    s->literal = n <= rest.literal || glob_is_literal(s->component);
    size_t skip = n + (rest.text[n] == '/');
    s->after = (struct rest){.text = rest.text + skip, .literal = rest.literal > skip ? rest.literal - skip : 0};
    return true;
}

static bool last(const struct step *s)
{
    return s->after.text[0] == '\0';
}

/* The child that a component of the pattern names. */
static void take(struct walk *w, const struct node *dir, const char *name, const struct step *s)
{
    CLEAN_NODE struct node child;
    if (!open_child(w, dir, name, &child))
        return;
    const char *why = objection(w, &child, dir);
    if (why && (s->literal || !S_ISLNK(child.mode))) {
        refuse(w, &child, dir, why);
        return;
    }
    if (why)
        return;
    if (last(s) && (is_dir(&child) || S_ISREG(child.mode)))
        guard(w, &child, NULL, name);
    else if (is_dir(&child))
        follow(w, &child, s->after);
}

static void take_if_it_matches(struct walk *w, const struct node *dir, const char *name, const void *ctx)
{
    const struct step *s = ctx;
    if (glob_match(s->component, name))
        take(w, dir, name, s);
}

static void take_any_depth(struct walk *w, const struct node *dir, const char *name, const void *ctx)
{
    const struct step *s = ctx;
    CLEAN_NODE struct node child;
    if (!open_child(w, dir, name, &child) || objection(w, &child, dir))
        return;
    if (last(s) && (is_dir(&child) || S_ISREG(child.mode)))
        guard(w, &child, NULL, name);
    else if (is_dir(&child)) {
        follow(w, &child, s->after);
        for_each_child(w, &child, take_any_depth, s);
    }
}

static void follow_literal(struct walk *w, struct node *n, const struct step *s)
{
    CLEAN_NODE struct node child = {.fd = -1};
    char only[NAME_MAX + 1];
    size_t back;
    if ((has_one_way(w, only) && strcmp(only, s->component) != 0) || !enter(w, s->component, &back))
        return;
    bool exists = open_child(w, n, s->component, &child);
    leave(w, back);
    /* A file is replaced by renaming another over its name, and one that is not there yet appears under it. But users
     * without a ~/.ssh need not pay for it with a question at each file of their home. */
    if (last(s) && (exists ? S_ISREG(child.mode) : !w->home))
        marks_neighbourhood(w->m, n, w->len ? w->path : "/");
    if (!exists)
        return;
    enter(w, s->component, &back);
    take(w, n, s->component, s);
    leave(w, back);
}

static void follow(struct walk *w, struct node *n, struct rest rest)
{
    struct step s;
    if (!first_component(rest, &s))
        return;
    if (w->home && w->len == strlen(w->home->path) && n->uid != w->home->uid) { /* it is being made, or is not his */
        marks_await(w->m, n, w->home->uid);
        return;
    }
    marks_outpost(w->m, n, w->len ? w->path : "/"); /* before it is looked into, so that nothing appears unseen */
    if (s.literal) {
        follow_literal(w, n, &s);
        return;
    }
    if (last(&s))
        marks_neighbourhood(w->m, n, w->len ? w->path : "/");
    if (strcmp(s.component, "**") != 0) {
        for_each_child(w, n, take_if_it_matches, &s);
        return;
    }
    if (!last(&s))
        follow(w, n, s.after);
    for_each_child(w, n, take_any_depth, &s);
}

/* Whether what lies at `path`, or below, may be something that the pattern names. It may say so too often. */
static bool may_lead_to(const char *text, size_t literal, const char *path)
{
    struct step s;
    for (struct rest rest = {.text = text + 1, .literal = literal ? literal - 1 : 0}; *path && rest.text[0];
         rest = s.after) {
        char name[NAME_MAX + 1];
        size_t n = strcspn(++path, "/");
        if (n > NAME_MAX || !first_component(rest, &s))
            return false;
        memcpy(name, path, n);
        name[n] = '\0';
        if (!s.literal && strcmp(s.component, "**") == 0)
            return true;
        if (s.literal ? strcmp(s.component, name) != 0 : !glob_match(s.component, name))
            return false;
        path += n;
    }
    return true;
}

static void walk_path(struct marks *m, const char *text, const struct home *home, const char *target)
{
    size_t literal = home ? strlen(home->path) : 0;
    struct walk w = {.m = m,
                     .policy = m->is->policy,
                     .watch = &m->is->policy->watches[m->watch],
                     .home = home,
                     .mounts = m->land->mounts,
                     .target = target,
                     .target_len = strlen(target)};
    if (text[0] != '/' || !may_lead_to(text, literal, target))
        return;
    mounts_refresh(w.mounts);
    CLEAN_NODE struct node root = {.fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (root.fd >= 0 && look_at(&root, NULL))
        follow(&w, &root, (struct rest){.text = text + 1, .literal = literal ? literal - 1 : 0});
}

static void walk_homes(struct marks *m, const char *text, const char *target)
{
    const struct policy *p = m->is->policy;
    for (size_t h = 0; h < p->n_homes; h++) {
        char path[PATH_MAX];
        int n = snprintf(path, sizeof path, "%s%s", p->homes[h].path, text);
        if (n > 0 && (size_t)n < sizeof path)
            walk_path(m, path, &p->homes[h], target);
    }
}

void walk_watch(struct marks *m, const char *target)
{
    const struct patterns *paths = &m->is->policy->watches[m->watch].path;
    for (size_t i = 0; i < paths->n; i++) {
        if (!m->land->mounts)
            marks_unguarded(m, paths->v[i].text, "the table of mounts cannot be read");
        else if (paths->v[i].home)
            walk_homes(m, paths->v[i].text, target);
        else
            walk_path(m, paths->v[i].text, NULL, target);
    }
}

static bool shares_a_way(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return !*a || !*b;
}

bool walk_may_lead_to(const struct marks *m, const char *path)
{
    const struct policy *p = m->is->policy;
    const struct patterns *paths = &p->watches[m->watch].path;
    for (size_t i = 0; i < paths->n; i++) {
        if (!paths->v[i].home && paths->v[i].text[0] == '/' && may_lead_to(paths->v[i].text, 0, path))
            return true;
        for (size_t h = 0; paths->v[i].home && h < p->n_homes; h++)
            if (shares_a_way(p->homes[h].path, path))
                return true;
    }
    return false;
}

bool walk_into(struct marks *m, int dir_fd, uint32_t entry, const char *name, bool *all)
{
    struct walk w = {.m = m,
                     .policy = m->is->policy,
                     .watch = &m->is->policy->watches[m->watch],
                     .mounts = m->land->mounts,
                     .target = "",
                     .shallow = !*all};
    struct node dir = {.fd = dir_fd};
    struct file_id id = reg_id(m->is->reg, entry);
    if (!w.mounts || !look_at(&dir, NULL) || !file_id_equal(&dir.id, &id) || !is_dir(&dir))
        return false;
    mounts_refresh(w.mounts);
    dir.loose |= reg_note(m->is->reg, entry).loose;
    dir.of_user = dir.loose; /* if it is not, its device is known already */
    dir.entry = entry;
    w.len = reg_place(m->is->reg, entry, w.path, sizeof w.path);
    for (size_t i = 0; i < w.len; i++)
        w.depth += w.path[i] == '/';
    if (w.len == 1) /* the root itself */
        w.len = 0;
    with_child(&w, &dir, name, guard_child, NULL);
    *all = !w.left_out;
    return true;
}
