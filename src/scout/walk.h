/* From the patterns of a watch to the inodes they name. */
#ifndef FILEWARD_SCOUT_WALK_H
#define FILEWARD_SCOUT_WALK_H

#include "scout/marks.h"

/* Guards everything that the watch's patterns name now, in every home where they say "~". Never follows a symbolic link,
 * and below a directory that a non-root user can write neither crosses a mount nor takes in an inode of another owner;
 * what is left out where a pattern meant it is recorded. */
void walk_watch(struct marks *m);

#endif
