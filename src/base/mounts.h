/* The mounts in our own namespace that fileward keeps away from, told from the mount table alone: no path is touched,
 * so that nothing dead or remote is waited for. Nothing here allocates after mounts_create(). */
#ifndef FILEWARD_BASE_MOUNTS_H
#define FILEWARD_BASE_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mounts;

/* Reads `table` (MOUNTS_TABLE; format: proc(5)). NULL, with errno, when it cannot. */
#define MOUNTS_TABLE "/proc/self/mountinfo"
struct mounts *mounts_create(const char *table);
void mounts_free(struct mounts *m);

/* Reads the table again if it has changed. False when it cannot be read: then everything is refused. */
bool mounts_refresh(struct mounts *m);

/* The type of the first refused file system on the way to `path[0..len)`, an absolute path without symbolic links; "?"
 * if the table is not known. NULL: none. */
const char *mounts_refused(const struct mounts *m, const char *path, size_t len);

/* Whether this is the device of a refused file system. */
bool mounts_refused_device(const struct mounts *m, uint32_t major, uint32_t minor);

/* Reads the table anew. Whether this device is in it, and of no refused file system. */
bool mounts_allow_device(struct mounts *m, uint32_t major, uint32_t minor);

/* Undoes the \ooo of the mount table, in place. */
void mounts_unescape(char *s);

/* Reads the table anew. Whether the mount with this number (statx) is in it, and not of a refused kind. */
bool mounts_allow(struct mounts *m, uint64_t number);

/* Why fileward keeps away from a type of file system (a static text), or NULL. */
const char *mounts_refusal(const char *type);

#endif
