#include "policy/trail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"

enum { LINKS_MAX = 40 }; /* as many as the kernel follows */

struct walk {
    struct trail *out;
    bool any_owner;
    const struct trail_guard *guard;
    int links;
    size_t len;          /* of out->real, without a closing slash; 0 at the root */
    char rest[PATH_MAX]; /* what is still to be walked */
};

static bool roots_alone(const struct statx *st)
{
    return st->stx_uid == 0 && (!(st->stx_mode & (S_IWGRP | S_IWOTH)) || (st->stx_mode & S_ISVTX));
}

/* What fstat() says, but never asks whoever serves a file system: the root of a mount may be served by nobody. */
static bool look_at(int fd, struct statx *st)
{
    return statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_BTIME, st) ==
           0;
}

/* Takes the first component off `rest`. Returns false when there is none. */
static bool next_component(char *rest, char name[NAME_MAX + 1])
{
    size_t skip = strspn(rest, "/");
    size_t len = strcspn(rest + skip, "/");
    if (len == 0 || len > NAME_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(name, rest + skip, len);
    name[len] = '\0';
    memmove(rest, rest + skip + len, strlen(rest + skip + len) + 1);
    return true;
}

/* Appends "/name" to the real path. */
static bool append(struct walk *w, const char *name)
{
    size_t len = strlen(name);
    if (w->len + 1 + len >= sizeof w->out->real) {
        errno = ENAMETOOLONG;
        return false;
    }
    w->out->real[w->len] = '/';
    memcpy(w->out->real + w->len + 1, name, len + 1);
    w->len += 1 + len;
    return true;
}

static enum trail_end untrusted(struct walk *w, const char *name)
{
    size_t len = w->len;
    char real[PATH_MAX];
    memcpy(real, w->out->real, sizeof real);
    if (name)
        append(w, name);
    memcpy(w->out->bad, w->len ? w->out->real : "/", w->len ? w->len + 1 : 2);
    memcpy(w->out->real, real, sizeof real);
    w->len = len;
    return TRAIL_END_UNTRUSTED;
}

/* Puts the link's target before the rest. Returns false with errno. */
static bool expand_link(struct walk *w, int link)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(link, "", target, sizeof target);
    if (n < 0)
        return false;
    if (++w->links > LINKS_MAX) {
        errno = ELOOP;
        return false;
    }
    size_t rest = strlen(w->rest);
    if ((size_t)n + 1 + rest >= sizeof w->rest) {
        errno = ENAMETOOLONG;
        return false;
    }
    memmove(w->rest + n + 1, w->rest, rest + 1);
    memcpy(w->rest, target, (size_t)n);
    w->rest[n] = '/';
    return true;
}

static void go_up(struct walk *w)
{
    while (w->len > 0 && w->out->real[--w->len] != '/')
        continue;
    w->out->real[w->len] = '\0';
}

static bool guard_says(const struct walk *w, const struct statx *st)
{
    if (w->guard->may_enter(w->guard->ctx, w->out->real, st))
        return true;
    errno = EREMOTE;
    return false;
}

/* Asks the guard about `name` in the directory in hand; with `st` about the root of a mount that it turned out to be. */
static bool may_enter(struct walk *w, const char *name, const struct statx *st)
{
    size_t len = w->len;
    if (!w->guard)
        return true;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) /* has been entered by its name */
        return !st || guard_says(w, st);
    bool allowed = append(w, name) && guard_says(w, st);
    w->len = len;
    w->out->real[len] = '\0';
    return allowed;
}

static bool to_the_root(struct walk *w, int *at)
{
    w->len = 0;
    w->out->real[0] = '\0';
    if (*at >= 0)
        close(*at);
    *at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return *at >= 0 && look_at(*at, &w->out->st);
}

/* One component further. TRAIL_END_FOUND means: go on. */
static enum trail_end walk_step(struct walk *w, int *at, const char *name)
{
    struct statx st;
    if (!w->any_owner && S_ISDIR(w->out->st.stx_mode) && !roots_alone(&w->out->st))
        return untrusted(w, NULL);
    if (!may_enter(w, name, NULL))
        return TRAIL_END_FAILED;
    CLEAN_FD int fd = openat(*at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? TRAIL_END_MISSING : TRAIL_END_FAILED;
    if (!look_at(fd, &st))
        return TRAIL_END_FAILED;
    if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT && !may_enter(w, name, &st))
        return TRAIL_END_FAILED;
    if (S_ISLNK(st.stx_mode)) {
        if (!w->any_owner && st.stx_uid != 0)
            return untrusted(w, name);
        if (!expand_link(w, fd) || (w->rest[0] == '/' && !to_the_root(w, at)))
            return TRAIL_END_FAILED;
        return TRAIL_END_FOUND;
    }
    if (strcmp(name, "..") == 0)
        go_up(w);
    else if (strcmp(name, ".") != 0 && !append(w, name))
        return TRAIL_END_FAILED;
    close(*at);
    *at = STEAL_FD(fd);
    w->out->st = st;
    return TRAIL_END_FOUND;
}

void trail_follow(const char *path, bool any_owner, const struct trail_guard *guard, struct trail *out)
{
    struct walk w = {.out = out, .any_owner = any_owner, .guard = guard};
    *out = (struct trail){.end = TRAIL_END_FAILED, .fd = -1};
    if (path[0] != '/' || strlen(path) >= sizeof w.rest) {
        errno = path[0] != '/' ? EINVAL : ENAMETOOLONG;
        return;
    }
    strcpy(w.rest, path);
    CLEAN_FD int at = -1;
    enum trail_end end = to_the_root(&w, &at) ? TRAIL_END_FOUND : TRAIL_END_FAILED;
    while (end == TRAIL_END_FOUND && w.rest[strspn(w.rest, "/")]) {
        char name[NAME_MAX + 1];
        bool named = next_component(w.rest, name);
        end = named ? walk_step(&w, &at, name) : TRAIL_END_FAILED;
        if (end == TRAIL_END_MISSING || end == TRAIL_END_UNTRUSTED || (end == TRAIL_END_FAILED && named)) {
            int why = errno;
            if (!append(&w, name))
                end = TRAIL_END_FAILED;
            errno = why;
        }
    }
    size_t rest = strlen(w.rest);
    if (end != TRAIL_END_FOUND && w.len + rest < sizeof out->real) {
        memcpy(out->real + w.len, w.rest, rest + 1);
        w.len += rest;
    }
    if (w.len == 0)
        strcpy(out->real, "/");
    out->end = end;
    out->fd = end == TRAIL_END_FOUND ? STEAL_FD(at) : -1;
}
