/* Following a path through directories that only root can write, so that what it leads to is what root meant. */
#ifndef FILEWARD_POLICY_TRAIL_H
#define FILEWARD_POLICY_TRAIL_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

enum trail_end {
    TRAIL_END_FOUND,     /* walked to the end */
    TRAIL_END_MISSING,   /* a component does not exist */
    TRAIL_END_UNTRUSTED, /* a directory on the way is not root's alone, or a symbolic link is not root's */
    TRAIL_END_FAILED,    /* errno says why: ELOOP, ENAMETOOLONG, EACCES, ENOTDIR ... */
};

struct trail {
    enum trail_end end;
    int fd;              /* O_PATH descriptor of what was found; -1 unless TRAIL_END_FOUND. Caller closes it */
    struct statx st;     /* of what was found */
    char real[PATH_MAX]; /* the path without symbolic links, as far as walked, and the rest as it was written */
    char bad[PATH_MAX];  /* TRAIL_END_UNTRUSTED: the directory or link */
};

/* Who says where not to go. Asked before a name is touched, with its real path and `st` NULL, and again when it turns out
 * to be the root of a mount: nothing has been asked of that file system then. False ends the trail with EREMOTE. */
struct trail_guard {
    bool (*may_enter)(void *ctx, const char *real, const struct statx *st);
    void *ctx;
};

/* Walks absolute `path`, following symbolic links, the last component's too. A directory may be walked through when
 * root owns it and neither group nor others may write it; a sticky one, too, since there nobody can replace root's
 * entries. With `any_owner` every directory will do. The last component itself is not judged. `guard` may be NULL. No
 * file system is asked for anything but names and links: attributes are what the kernel has at hand. */
void trail_follow(const char *path, bool any_owner, const struct trail_guard *guard, struct trail *out);

#endif
