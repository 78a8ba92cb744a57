/* Privileges and system calls of each role. The only file that knows capabilities, seccomp and
 * Landlock. Whatever fails here ends the start: a role never runs with more than it was meant to have. */
#ifndef FILEWARD_BASE_SANDBOX_H
#define FILEWARD_BASE_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "fileward/role.h"

/* Confines the calling process to what `role` needs, for ever, and reads it back: ids, capabilities, no_new_privs, not
 * dumpable, system calls. `uid` and `gid` are those of the service user; the keeper stays root. `log_dir_fd` is the one
 * directory in which the herald may make and write files (-1 for the other roles). A system call outside the list kills
 * the process. Returns 0; -1 after a message on standard error. */
int sandbox_enter(enum role role, uint32_t uid, uint32_t gid, int log_dir_fd);

/* For the throw-away child that reads a policy: keeps the right to read what root may not, and no other; no_new_privs, not
 * dumpable. Returns 0; -1 after a message. */
int sandbox_drop_to_reading(void);

/* For the throw-away child that looks at what processes hold: becomes the service user, keeps what /proc asks for
 * (SYS_PTRACE, DAC_READ_SEARCH, CHECKPOINT_RESTORE for map_files), and may read, look and say. Dies with `parent`, which
 * forked it. 0; -1 after a message. */
int sandbox_drop_to_looking(uint32_t uid, uint32_t gid, pid_t parent);

/* Whether the kernel can confine by Landlock. */
bool sandbox_has_landlock(void);

/* Whether we hold what the keeper needs; else a message that says what is missing. 0 or -1. */
int sandbox_check_root(void);

#endif
