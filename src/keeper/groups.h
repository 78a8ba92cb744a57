/* The fanotify groups: one for each watch. */
#ifndef FILEWARD_KEEPER_GROUPS_H
#define FILEWARD_KEEPER_GROUPS_H

#include "base/answer.h"

/* Makes a group for each watch of the policy and notes what this kernel can do (enum feature bits: DENY_ERRNO,
 * FD_ERROR). 0, or -1 after a message that says what to do. */
int groups_create(const struct policy *p, struct gate gates[WATCHES_MAX], uint32_t *features);

/* Questions that nobody has read yet. */
unsigned groups_unread(const struct gate *gates, int n);

/* Reads what waits and answers it with the fallback: for when no judge can be had. Returns how many. */
unsigned groups_drain(const struct gate *gate, enum answer fallback);

#endif
