/* Which file system a path lies on, told from the mount table alone: no path is touched, so that nothing dead or
 * remote is waited for. */
#ifndef FILEWARD_BASE_MOUNTS_H
#define FILEWARD_BASE_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>

struct mount {
    char *point; /* without closing slash, "" for the root */
    char *type;  /* "ext4", "fuse.sshfs" ... */
};
struct mounts {
    struct mount *v;
    size_t n;
};

/* Reads /proc/self/mountinfo (format: proc(5)). Returns false, with errno, when it cannot. */
bool mounts_read(struct mounts *out);
void mounts_free(struct mounts *m);

/* The type of the file system at `path[0..len)`, an absolute path without symbolic links. NULL: not known. */
const char *mounts_type_at(const struct mounts *m, const char *path, size_t len);

/* Why fileward cannot guard what lies on such a file system (a static text), or NULL when it can. */
const char *mounts_refusal(const char *type);

#endif
