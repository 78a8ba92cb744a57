/* Which mounts came and which went: the mount table, compared with what it was. */
#ifndef FILEWARD_SCOUT_MOUNTLIST_H
#define FILEWARD_SCOUT_MOUNTLIST_H

#include <stdbool.h>

struct mountlist;

/* Whether anybody cares what is mounted on this point: only then it is looked at, beyond what the table says. */
typedef bool mountlist_wanted(void *ctx, const char *point);

/* NULL with errno. `table` as in base/mounts.h. */
struct mountlist *mountlist_create(const char *table, mountlist_wanted *wanted, void *ctx);
void mountlist_free(struct mountlist *l);

/* Becomes ready (EPOLLPRI) when the table has changed. */
int mountlist_fd(const struct mountlist *l);

/* Reads the table again and calls `each` for every mount point that something was mounted on, or taken from, also if what
 * is there now looks the same in the table. Before Linux 6.8, and of a file that something is mounted on, that cannot be told:
 * then `each` is called for all that are wanted and look the same, with an O_PATH descriptor of the directory that is there
 * (else -1), which stays the list's. -1 with errno if the table cannot be read: then anything may have changed. */
typedef void mountlist_each(void *ctx, const char *point, int fd);
int mountlist_update(struct mountlist *l, mountlist_each *each);

#endif
