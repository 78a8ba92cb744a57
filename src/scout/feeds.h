/* The groups through which the kernel tells of changes. One takes either all file systems whose files have the identifier
 * of the whole, or a single one of the others: a btrfs subvolume (Linux 6.8; before, no subvolume). What goes where only
 * trying tells. */
#ifndef FILEWARD_SCOUT_FEEDS_H
#define FILEWARD_SCOUT_FEEDS_H

#include <stdbool.h>
#include <stdint.h>

struct land;
struct node;

/* What went into a group last. */
struct feed {
    bool used;
    uint32_t major, minor;
};

/* Adds a mark, or to one that is there, in a group that takes it. 0, or -1 with errno; EXDEV: none does. */
int feeds_add(struct land *l, const struct node *n, uint64_t mask);

/* Whether what a descriptor shows has a mark in any of them. */
bool feeds_follow(const struct land *l, int fd);

#endif
