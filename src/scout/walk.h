/* From the patterns of a watch to the inodes they name. */
#ifndef FILEWARD_SCOUT_WALK_H
#define FILEWARD_SCOUT_WALK_H

#include "scout/marks.h"

/* Guards everything that the watch's patterns name now, in every home where they say "~". Never follows a symbolic link,
 * and below a directory that a non-root user can write neither crosses a mount nor takes in an inode of another owner;
 * what is left out where a pattern meant it is recorded.
 * With a `target`, an absolute path, only what lies on the way to it, at it and below; "": everything. */
void walk_watch(struct marks *m, const char *target);

/* Whether what lies at `path`, or below, may be something that the watch's patterns name. It may say so too often. */
bool walk_may_lead_to(const struct marks *m, const char *path);

/* Guards what is called `name` in a directory that is guarded itself, and, if *all, everything below; else *all tells
 * afterwards whether there was no directory to go on into. False if `dir_fd` does not show the directory of that entry. */
bool walk_into(struct marks *m, int dir_fd, uint32_t entry, const char *name, bool *all);

#endif
