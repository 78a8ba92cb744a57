/* Text of /proc, parsed. Pure functions over bytes that a hostile process may have shaped; never past `len`. */
#ifndef FILEWARD_BASE_PROCFS_H
#define FILEWARD_BASE_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fileward/access.h"

/* /proc/TID/status: the lines that say who it is. */
struct proc_status {
    int32_t tgid, ppid, tracer;
    uint32_t ruid, euid, suid, fsuid, rgid, egid, sgid, fsgid;
    uint32_t groups[GROUPS_MAX];
    size_t n_groups;
    bool more_groups; /* than GROUPS_MAX */
};
/* false if a line that is needed is missing or malformed. */
bool procfs_status(const char *text, size_t len, struct proc_status *out);

/* /proc/TID/cgroup: the unit as the system manager named it, i.e. the first component of the path that is not a slice,
 * in the unified hierarchy or in name=systemd. "" if there is none. false if neither hierarchy is listed. */
bool procfs_unit(const char *text, size_t len, char unit[UNIT_MAX]);
/* Whether it may have been taken from another hierarchy than the unified one. */
bool procfs_unit_is_mixed(const char *text, size_t len);

/* /proc/TID/loginuid. */
bool procfs_number(const char *text, size_t len, uint32_t *out);

/* /proc/TID/syscall of a blocked thread. */
enum proc_call {
    CALL_OTHER,   /* unreadable, or a call that tells nothing of an open */
    CALL_RUNNING, /* not asleep yet: nothing is shown */
    CALL_EXEC,    /* execve, execveat */
    CALL_READ,    /* a call that takes content from a file, or maps it; where it has two files, from one of them */
    CALL_OPEN,    /* open, openat, creat: *flags are its flags */
};
enum proc_call procfs_syscall(const char *text, size_t len, uint64_t *flags);
/* /proc/PID/stat: the start time in clock ticks since boot. The name in it may hold anything, parentheses too. */
bool procfs_start_time(const char *text, size_t len, uint64_t *out);

#endif
