/* Taking over from a dead keeper: its judge still guards, and holds all that the next keeper needs. */
#ifndef FILEWARD_KEEPER_HERITAGE_H
#define FILEWARD_KEEPER_HERITAGE_H

#include "keeper/family.h"

/* Fills `old`, a family of nobody, with the processes that serve behind the gate in e->files.lock, and takes copies of
 * their descriptors into it and into `e`: the groups with their marks, the register, the rings, the herald's HTTP socket.
 * What is of another program version is left and made anew, which is told. Needs SYS_PTRACE,
 * because pidfd_getfd takes from processes of another user that are not dumpable. 1; 0 when nobody serves there; -1 after a
 * message: somebody does, and cannot be taken over from. */
int heritage_take(struct family *old, struct estate *e);

#endif
