/* Names, looked up in our own namespace without waiting for anybody: not for who serves a FUSE file system that a user
 * mounted, nor for a network or an automounter. What lies there is not found. Nothing here allocates after
 * lookup_create(), or changes anything. */
#ifndef FILEWARD_BASE_LOOKUP_H
#define FILEWARD_BASE_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct lookup;
struct trail_guard;

/* NULL, with errno: out of memory, or the table of mounts cannot be read. */
struct lookup *lookup_create(void);
void lookup_free(struct lookup *l);

/* What absolute `path` leads to, symbolic links followed. False if there is nothing, or it cannot be told. */
bool lookup_follow(struct lookup *l, const char *path, struct statx *out);

/* What absolute `path` is, and the directory that it is in; false also if any component is a symbolic link. */
bool lookup_plain(struct lookup *l, const char *path, struct statx *dir, struct statx *out);

/* From the directory that the last look-up found to the one that it is in. False at the root, or when it cannot be told. */
bool lookup_up(struct lookup *l, struct statx *dir);

/* Opens the directory `path`, which must have no symbolic link in it. Its descriptor (O_PATH), which stays lookup's; -1:
 * there is none, or it cannot be told. */
int lookup_directory(struct lookup *l, const char *path, struct statx *dir);

/* The last directory is kept open between look-ups, for the next name in it. This closes it: an open directory keeps its
 * file system from being unmounted. Ends each series of look-ups. */
void lookup_rest(struct lookup *l);

/* The type of file system on which `path` lies if nothing is looked up there, by the table of mounts alone; else NULL. */
const char *lookup_refused(struct lookup *l, const char *path, size_t len);

/* Whether this is the device of such a file system. */
bool lookup_refused_device(struct lookup *l, uint32_t major, uint32_t minor);

/* Whether this is the device of a file system that is mounted here, and not of such a one. Dear. */
bool lookup_allows_device(struct lookup *l, uint32_t major, uint32_t minor);

/* The same restraint for whoever follows a trail himself (policy/trail.h). Lives as long as `l`. */
const struct trail_guard *lookup_guard(const struct lookup *l);

#endif
