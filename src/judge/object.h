/* What is asked about: its inode, and its place. */
#ifndef FILEWARD_JUDGE_OBJECT_H
#define FILEWARD_JUDGE_OBJECT_H

#include <limits.h>
#include <stdbool.h>

#include "base/register.h"
#include "fileward/access.h"
#include "fileward/board.h"

struct thing {
    struct file_id id;
    bool directory;
    bool inside;   /* guarded in this watch; false: a neighbour or excluded, to be let through */
    bool settled;  /* not inside, and has been so for a while: need not be asked about again */
    bool disputed; /* not inside by this name of several, but another may just have come to lie inside */
    uint32_t links;
    uint64_t mount;
    int64_t changed_ns; /* ctime */
    int watch;          /* whose rules are looked at; -1 none yet */
    int number, fd;     /* as asked: the watch's number in the register, and the object */
    uint32_t entry;     /* in the register; 0 if it is not there */
    uint64_t stamp;     /* of that entry, when the place was taken from it; else 0 */
    struct object seen; /* what decide() gets; .place points into path */
    char path[PATH_MAX];
};

/* Young is what may just have come from somewhere else: a rename and a link change an inode's ctime. */
enum { SETTLES_MS = 2000, TOLD_MS = 500 /* after a change the scout has been told of it */ };

struct object_finder {
    const struct policy *policy;
    const struct reg *reg;
    const struct board *board;
    struct lookup *names;
    int self_fd_dir; /* /proc/self/fd */
    int root;        /* "/", O_PATH: where we stand but for moments */
};

/* Identifies the object behind `fd` and whether watch `watch`, which has `number` in the register, guards it. Formats a
 * path only for an inode that the register does not have, in a watch that has excluded places or neighbours or is asked
 * about a whole file system. `fd` stays borrowed by `out`. */
void object_find(const struct object_finder *f, int watch, int number, int fd, struct thing *out);

/* The same for an object that was asked about through the marks of a watch that a reload has dropped: its place, if it
 * can be told, says which watches guard it now (object_is_guarded()). */
void object_find_dropped(const struct object_finder *f, int number, int fd, struct thing *out);

/* Whether the place of `t`, which is known, is one that watch `watch` guards. */
bool object_is_guarded(const struct object_finder *f, const struct thing *t, int watch);

/* Fills in the place (ATTR_PLACE), if it has not been. */
void object_place(const struct object_finder *f, struct thing *t);

/* For a record: the place, else the name as the kernel formats it (unproven). Returns its length. */
size_t object_display_name(const struct object_finder *f, struct thing *t, char *out, size_t size);

#endif
