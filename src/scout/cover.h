/* coverage = filesystem: what the marks of a whole file system ask of the scout. */
#ifndef FILEWARD_SCOUT_COVER_H
#define FILEWARD_SCOUT_COVER_H

#include "scout/marks.h"

/* Before the first mark on the node's device: has the keeper mark its file system for this watch, if the watch wants
 * that, and writes it into the register. `entry` is the node's there, `path` its place. What fails is recorded; the node
 * can be marked all the same. */
void cover_device(struct marks *m, const struct node *n, uint32_t entry, const char *path);

/* The mounts may have changed, and the marks of file systems with them: each is asked for again, at the next node there or
 * by cover_again(). */
void cover_forget(struct marks *m);

/* From time to time: asks again for what the keeper could not do or did not answer. */
void cover_again(struct marks *m);

/* Whether any file system is, or was, marked for this watch, so that the judge may have left something out. */
bool cover_any(const struct marks *m);

/* What the judge may have left out while it was none of the watch's is asked about again: after a mark, and if it comes into
 * the watch and cannot be marked. If the kernel cannot be told, that is recorded. */
void cover_take_in(struct marks *m, const struct node *n, const char *path);

#endif
