/* The gate's lock: a FIFO, /run/fileward/gate. A POSIX lock names its holder (F_GETLK), and no fork inherits it. */
#ifndef FILEWARD_BASE_LOCK_H
#define FILEWARD_BASE_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

/* Bytes of the file: who runs, and who reads the questions. */
enum lock_byte { LOCK_KEEPER, LOCK_JUDGE };

/* Takes a byte for the calling process until it ends. False if another process has it. */
bool lock_take(int fd, enum lock_byte byte);

/* The process that holds a byte, 0 if nobody does. */
pid_t lock_holder(int fd, enum lock_byte byte);

/* A process of this name, neither this one nor `except`, that has a gate open which was made in the same directory as this
 * one: its lock is nowhere to be found once the FIFO was removed or replaced, even with the directory. It is given a
 * moment to leave. 0 if there is none. Nobody but root can open a gate, so nobody else can pretend. */
pid_t lock_lost(int fd, const char *comm, pid_t except);

#endif
