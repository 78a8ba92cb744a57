/* What the kernel tells of the directories that are guarded, and of those where something guarded may appear. */
#ifndef FILEWARD_SCOUT_CHANGES_H
#define FILEWARD_SCOUT_CHANGES_H

#include <stdbool.h>

#include "scout/marks.h"

struct change_feed {
    struct land *land;
    struct marks *marks; /* of each watch */
    /* Something happened that is not known: the kernel's queue was too short, or a user wanted more of our time than his
     * share (set here), or the mount table could not be followed (set by the scout). Cleared by whoever looks everywhere. */
    bool lost;
    _Alignas(8) char buffer[1 << 15];
};

/* Reads once from one of the groups, as much as fits, and brings marks and register up to date. False: there was
 * nothing. */
bool changes_read(struct change_feed *c, int group);

/* Looks whether what had lost its name is gone by now. */
void changes_look_again(struct change_feed *c);

/* Something happened at this path, or to what can be seen there: a mount came or went. */
void changes_at(struct change_feed *c, const char *path);

#endif
