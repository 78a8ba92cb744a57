/* A process (or thread) as the kernel knows it, held by descriptors that no later process can inherit. */
#ifndef FILEWARD_BASE_PROCESS_H
#define FILEWARD_BASE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/procfs.h"
#include "base/register.h"

enum { PROCESS_SHUT = -2 }; /* a descriptor that has not been asked for */

struct process {
    int pidfd; /* -1 where this kernel has none for a thread */
    int proc;  /* /proc/TID */
    int32_t tid;
};

enum process_part {
    PROCESS_PIDFD = 1, /* enough for process_creds(), where the kernel tells them by pidfd */
    PROCESS_PROC = 2,  /* for all the rest */
};

struct creds {
    int32_t tgid, ppid; /* ppid: the parent as it is now */
    uint32_t ruid, euid, fsuid, rgid, egid, sgid, fsgid;
    uint64_t cgroup; /* number of its control group in the unified hierarchy, never given twice; 0: unknown */
};

/* The file that a process runs. */
struct program {
    struct file_id id;
    int64_t changed_ns; /* ctime */
    uint32_t links;     /* 0: deleted */
};

/* What this kernel can tell about processes: enum feature bits of board.h, probed on ourselves. */
uint32_t process_features(void);

/* Thread `tid`, nothing of it opened. */
struct process process_named(int32_t tid);

/* Opens those `parts` that are shut, sure to be of the same process as what was open. 0, or -1 with errno (ESRCH: gone).
 * If it had to ask for the credentials, `seen` gets them and *told is set. */
int process_reach(struct process *p, unsigned parts, struct creds *seen, bool *told);

/* Names it and reaches both. */
int process_open(struct process *p, int32_t tid);
void process_close(struct process *p);

/* Credentials and parent, by PIDFD_GET_INFO, else from /proc/TID/status. -1: gone or unreadable (errno). */
int process_creds(const struct process *p, struct creds *out);

/* 0, or -1 with errno: the program cannot be determined (a kernel thread, or one that hides from us). */
int process_program(const struct process *p, struct program *out);

/* The name of the program as the kernel formats it in that process's mount tree: for display and for globs, never
 * proof. Returns its length, -1 with errno. */
ssize_t process_program_path(const struct process *p, char *out, size_t size);

/* Text attributes; false when they cannot be determined. */
bool process_status(const struct process *p, struct proc_status *out);
bool process_loginuid(const struct process *p, uint32_t *out);
/* *by_cgroup (may be NULL): whether creds.cgroup alone tells it, because there is no other hierarchy of the manager's. */
bool process_unit(const struct process *p, char unit[UNIT_MAX], bool *by_cgroup);

/* What the blocked thread asked the kernel for (procfs_syscall), through descriptors that stay open: a third of the cost.
 * CALL_RUNNING: it does not sleep yet, look again. */
struct process_sight {
    int wchan; /* -1: this kernel has none */
    int call;  /* -1: nothing is to be seen */
};
void process_sight_open(struct process_sight *s, const struct process *p);
void process_sight_close(struct process_sight *s);
enum proc_call process_sight_call(const struct process_sight *s, uint64_t *flags);

/* The name of the thread, for display. Returns its length, 0 if unknown. */
size_t process_comm(const struct process *p, char *out, size_t size);

/* Whether its user or mount namespace is another than ours. */
bool process_is_foreign(const struct process *p);

/* A number that identifies the process behind `pidfd` for the time since boot: the pidfd's inode (6.9), else the start
 * time from /proc/PID. 0 if unknown. */
uint64_t process_identity(int pidfd, int32_t pid);

/* statx() of `path` below `dir`, as an identity; never triggers an automount and never asks a remote server. Follows a
 * last symbolic link unless AT_SYMLINK_NOFOLLOW is in `flags`. 0, or -1 with errno. */
struct statx;
int stat_identity(int dir, const char *path, int flags, struct statx *out);
struct file_id file_id_of(const struct statx *st);

#endif
