/* Which mounts came and which went: the mount table, compared with what it was. */
#ifndef FILEWARD_SCOUT_MOUNTLIST_H
#define FILEWARD_SCOUT_MOUNTLIST_H

struct mountlist;

/* NULL with errno. `table` as in base/mounts.h. */
struct mountlist *mountlist_create(const char *table);
void mountlist_free(struct mountlist *l);

/* Becomes ready (EPOLLPRI) when the table has changed. */
int mountlist_fd(const struct mountlist *l);

/* Reads the table again and calls `each` for every mount point that something was mounted on, or taken from. -1 with errno if
 * it cannot be read: then anything may have changed. */
typedef void mountlist_each(void *ctx, const char *point);
int mountlist_update(struct mountlist *l, mountlist_each *each, void *ctx);

#endif
