/* The fanotify groups: one for each watch. */
#ifndef FILEWARD_KEEPER_GROUPS_H
#define FILEWARD_KEEPER_GROUPS_H

#include "keeper/family.h"

/* Gives the family a group for each watch of its policy: that of the watch with this name in `before` (the family or the
 * dead keeper's judge that serves now; NULL: nobody), with its marks and its number, or a new one. Groups of watches that
 * the policy does not have come behind. Notes what this kernel can do (enum feature bits: DENY_ERRNO, FD_ERROR). 0, or -1
 * after a message that says what to do; what was made is in f->gates all the same. */
int groups_create(struct family *f, const struct family *before, uint32_t *features);

/* Looks at a group that another process made: whether it is one, and what it can do. */
bool groups_check(struct gate *gate);

/* Has this gate asked about the whole file system on which `fd` (O_PATH will do) lies. Whoever asks for it may be mistaken
 * or taken over: only for a watch whose policy says so, and only what is in our own table of mounts and no file system
 * that we keep away from. Touches no file system before it is known. False if it is not marked. */
bool groups_cover(const struct family *f, int watch, int fd);

/* Once all else is marked: takes away the marks of file systems from watches that want none any more. */
void groups_uncover(const struct family *f);

/* Takes away all marks of a group: from now on it is asked about nothing. */
void groups_unmark(const struct gate *gate);

/* Questions that nobody has read yet. */
unsigned groups_unread(const struct gate *gates, int n);

/* Reads what waits at a gate of the family and answers it with the fallback, but lets the family and process 1 through:
 * for when no judge can be had. Returns how many. */
unsigned groups_drain(const struct family *f, int gate);

#endif
