/* Inodes without a name that live on, because somebody holds them: the mark of a file system still asks about them, so
 * the register must know them until they are gone. */
#ifndef FILEWARD_SCOUT_LIMBO_H
#define FILEWARD_SCOUT_LIMBO_H

#include <stddef.h>

#include "scout/handle.h"

struct limbo {
    struct lost_soul *v;
    size_t n, room;
    size_t unknown; /* others, of which it cannot be told whether they live */
};

/* The inode has lost its last name. False if it is gone; else it is kept in mind. */
bool limbo_receive(struct limbo *l, struct reach *reach, const int32_t fsid[2], const struct file_handle *h);

/* The same for one that lives. */
void limbo_keep(struct limbo *l, const struct reg_handle *h);

/* The same for one of which that can never be told: it stays. False: there are too many of these. */
bool limbo_keep_unknown(struct limbo *l);

/* Calls `gone` for each that has gone since. */
typedef void limbo_gone(void *ctx, const int32_t fsid[2], const struct file_handle *h);
void limbo_look(struct limbo *l, struct reach *reach, limbo_gone *gone, void *ctx);

void limbo_free(struct limbo *l);

#endif
