#include "base/lookup.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mounts.h"
#include "base/process.h"
#include "policy/trail.h"

struct lookup {
    struct mounts *mounts;
    struct trail_guard guard;
    char name[PATH_MAX]; /* of the directory that is open, as it was asked for */
    struct trail dir;    /* dir.fd is -1: none */
};

/* Each step of a trail starts from a descriptor, so a mount can come in between only as the next step's, and then its
 * root is looked at before anything below. The kernel has told of the mount by then: the table shows it. */
static bool may_enter(void *ctx, const char *real, const struct statx *st)
{
    struct lookup *l = ctx;
    if (!st)
        return !mounts_refused(l->mounts, real, strlen(real));
    mounts_refresh(l->mounts);
    return !mounts_refused_device(l->mounts, st->stx_dev_major, st->stx_dev_minor);
}

struct lookup *lookup_create(void)
{
    struct lookup *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->dir.fd = -1;
    l->guard = (struct trail_guard){.may_enter = may_enter, .ctx = l};
    l->mounts = mounts_create(MOUNTS_TABLE);
    if (l->mounts)
        return l;
    free(l);
    return NULL;
}

void lookup_free(struct lookup *l)
{
    if (!l)
        return;
    lookup_rest(l);
    mounts_free(l->mounts);
    free(l);
}

void lookup_rest(struct lookup *l)
{
    if (l->dir.fd >= 0)
        close(l->dir.fd);
    l->dir.fd = -1;
}

/* Opens the directory of `path`, if it is not the one that is open. Returns the last component; NULL if there is none or
 * the directory is not to be had. */
static const char *enter_directory(struct lookup *l, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (!slash || len >= sizeof l->name || !slash[1] || strcmp(slash + 1, ".") == 0 || strcmp(slash + 1, "..") == 0)
        return NULL;
    if (l->dir.fd >= 0 && strncmp(l->name, path, len) == 0 && l->name[len] == '\0')
        return slash + 1;
    lookup_rest(l);
    mounts_refresh(l->mounts);
    memcpy(l->name, path, len);
    l->name[len] = '\0';
    trail_follow(len ? l->name : "/", true, &l->guard, &l->dir);
    return l->dir.fd < 0 ? NULL : slash + 1;
}

/* `name` in the open directory, which may be a symbolic link or the root of a mount. */
static bool look_at(struct lookup *l, const char *name, struct statx *out)
{
    char real[PATH_MAX + NAME_MAX + 2];
    size_t len = strcmp(l->dir.real, "/") == 0 ? 0 : strlen(l->dir.real), n = strlen(name);
    if (n > NAME_MAX)
        return false;
    memcpy(real, l->dir.real, len);
    real[len] = '/';
    memcpy(real + len + 1, name, n + 1);
    if (!may_enter(l, real, NULL) || stat_identity(l->dir.fd, name, AT_SYMLINK_NOFOLLOW, out) < 0)
        return false;
    return !(out->stx_attributes & STATX_ATTR_MOUNT_ROOT) || may_enter(l, real, out);
}

bool lookup_follow(struct lookup *l, const char *path, struct statx *out)
{
    const char *name = enter_directory(l, path);
    if (!name || !look_at(l, name, out))
        return false;
    if (!S_ISLNK(out->stx_mode))
        return true;
    struct trail trail;
    trail_follow(path, true, &l->guard, &trail);
    if (trail.fd < 0)
        return false;
    close(trail.fd);
    *out = trail.st;
    return true;
}

bool lookup_plain(struct lookup *l, const char *path, struct statx *dir, struct statx *out)
{
    const char *name = enter_directory(l, path);
    if (!name || strcmp(l->dir.real, l->name[0] ? l->name : "/") != 0 || !look_at(l, name, out))
        return false;
    *dir = l->dir.st;
    return !S_ISLNK(out->stx_mode);
}

bool lookup_up(struct lookup *l, struct statx *dir)
{
    if (l->dir.fd < 0 || strcmp(l->dir.real, "/") == 0)
        return false;
    char *slash = strrchr(l->dir.real, '/');
    int up = openat(l->dir.fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    close(l->dir.fd);
    l->dir.fd = up;
    l->name[0] = '?'; /* no more the one that was asked for */
    l->name[1] = '\0';
    slash[slash == l->dir.real] = '\0';
    return up >= 0 && stat_identity(up, "", AT_EMPTY_PATH, dir) == 0;
}

int lookup_directory(struct lookup *l, const char *path, struct statx *dir)
{
    lookup_rest(l);
    if (strlen(path) >= sizeof l->name)
        return -1;
    mounts_refresh(l->mounts);
    strcpy(l->name, strcmp(path, "/") == 0 ? "" : path);
    trail_follow(path, true, &l->guard, &l->dir);
    bool there = l->dir.fd >= 0 && strcmp(l->dir.real, path) == 0 && S_ISDIR(l->dir.st.stx_mode) &&
                 stat_identity(l->dir.fd, "", AT_EMPTY_PATH, dir) == 0;
    if (!there)
        lookup_rest(l); /* what is kept open is a directory */
    return l->dir.fd;
}

const char *lookup_refused(struct lookup *l, const char *path, size_t len)
{
    mounts_refresh(l->mounts);
    return mounts_refused(l->mounts, path, len);
}

bool lookup_refused_device(struct lookup *l, uint32_t major, uint32_t minor)
{
    mounts_refresh(l->mounts);
    return mounts_refused_device(l->mounts, major, minor);
}

bool lookup_allows_device(struct lookup *l, uint32_t major, uint32_t minor)
{
    return mounts_allow_device(l->mounts, major, minor);
}

const struct trail_guard *lookup_guard(const struct lookup *l)
{
    return &l->guard;
}
