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
    int links;
    size_t len;          /* of out->real, without a closing slash; 0 at the root */
    char rest[PATH_MAX]; /* what is still to be walked */
};

static bool roots_alone(const struct stat *st)
{
    return st->st_uid == 0 && (!(st->st_mode & (S_IWGRP | S_IWOTH)) || (st->st_mode & S_ISVTX));
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

/* One component further. TRAIL_END_FOUND means: go on. */
static enum trail_end walk_step(struct walk *w, int *at, const char *name)
{
    struct stat st;
    if (fstat(*at, &st) < 0)
        return TRAIL_END_FAILED;
    if (!w->any_owner && S_ISDIR(st.st_mode) && !roots_alone(&st))
        return untrusted(w, NULL);
    CLEAN_FD int fd = openat(*at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? TRAIL_END_MISSING : TRAIL_END_FAILED;
    if (fstat(fd, &st) < 0)
        return TRAIL_END_FAILED;
    if (S_ISLNK(st.st_mode)) {
        if (!w->any_owner && st.st_uid != 0)
            return untrusted(w, name);
        if (!expand_link(w, fd))
            return TRAIL_END_FAILED;
        if (w->rest[0] != '/')
            return TRAIL_END_FOUND;
        w->len = 0;
        w->out->real[0] = '\0';
        close(*at);
        *at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        return *at < 0 ? TRAIL_END_FAILED : TRAIL_END_FOUND;
    }
    if (strcmp(name, "..") == 0)
        go_up(w);
    else if (strcmp(name, ".") != 0 && !append(w, name))
        return TRAIL_END_FAILED;
    close(*at);
    *at = STEAL_FD(fd);
    return TRAIL_END_FOUND;
}

void trail_follow(const char *path, bool any_owner, struct trail *out)
{
    struct walk w = {.out = out, .any_owner = any_owner};
    *out = (struct trail){.end = TRAIL_END_FAILED, .fd = -1};
    if (path[0] != '/' || strlen(path) >= sizeof w.rest) {
        errno = path[0] != '/' ? EINVAL : ENAMETOOLONG;
        return;
    }
    strcpy(w.rest, path);
    CLEAN_FD int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    enum trail_end end = at < 0 ? TRAIL_END_FAILED : TRAIL_END_FOUND;
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
