#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kernel.h"
#include "base/own.h"
#include "fileward/board.h"

enum { TEXT_MAX = 8192 };

static int pidfd_open_raw(int32_t pid, unsigned flags)
{
    return (int)syscall(SYS_pidfd_open, pid, flags);
}

/* A thread's pidfd; before 6.9 there are none, and a process's pidfd serves for its first thread. */
static int open_pidfd(int32_t tid)
{
    int fd = pidfd_open_raw(tid, KERNEL_PIDFD_THREAD);
    return fd < 0 && errno == EINVAL ? pidfd_open_raw(tid, 0) : fd;
}

static bool info_by_pidfd(int pidfd, struct kernel_pidfd_info *info)
{
    errno = EBADF; /* what is said of no descriptor, or of one that tells nothing */
    /* Not PIDFD_INFO_EXIT: with it the call succeeds on a process that is long gone. */
    *info = (struct kernel_pidfd_info){.mask = KERNEL_PIDFD_INFO_PID | KERNEL_PIDFD_INFO_CREDS |
                                               KERNEL_PIDFD_INFO_CGROUPID};
    return pidfd >= 0 && ioctl(pidfd, KERNEL_PIDFD_GET_INFO, info) == 0 && (info->mask & KERNEL_PIDFD_INFO_CREDS);
}

uint32_t process_features(void)
{
    CLEAN_FD int thread = pidfd_open_raw(getpid(), KERNEL_PIDFD_THREAD);
    struct kernel_pidfd_info info;
    uint32_t features = thread >= 0 ? FEATURE_PIDFD_THREAD : 0;
    CLEAN_FD int process = pidfd_open_raw(getpid(), 0);
    return info_by_pidfd(process, &info) ? features | FEATURE_PIDFD_INFO : features;
}

static struct creds creds_of_info(const struct kernel_pidfd_info *i)
{
    return (struct creds){.tgid = (int32_t)i->tgid,
                          .ppid = (int32_t)i->ppid,
                          .ruid = i->ruid,
                          .euid = i->euid,
                          .fsuid = i->fsuid,
                          .rgid = i->rgid,
                          .egid = i->egid,
                          .sgid = i->sgid,
                          .fsgid = i->fsgid,
                          .cgroup = i->mask & KERNEL_PIDFD_INFO_CGROUPID ? i->cgroupid : 0};
}

struct process process_named(int32_t tid)
{
    return (struct process){.tid = tid, .pidfd = PROCESS_SHUT, .proc = PROCESS_SHUT};
}

static int reach_pidfd(struct process *p)
{
    struct statx st;
    CLEAN_FD int fd = open_pidfd(p->tid);
    if (fd < 0 && errno == ESRCH)
        return -1;
    /* Had the number passed to another process before this, the one whose directory is open would now be gone. */
    if (p->proc >= 0 && stat_identity(p->proc, "status", 0, &st) < 0) {
        errno = ESRCH;
        return -1;
    }
    p->pidfd = STEAL_FD(fd);
    return 0;
}

static int reach_proc(struct process *p, struct creds *seen, bool *told)
{
    char path[32];
    struct kernel_pidfd_info info;
    snprintf(path, sizeof path, "/proc/%d", p->tid);
    CLEAN_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    /* Had the number passed to another process before this, the one of the pidfd would now be dead. */
    if (p->pidfd >= 0 && info_by_pidfd(p->pidfd, &info)) {
        *seen = creds_of_info(&info);
        *told = true;
    } else if (p->pidfd >= 0 && errno == ESRCH) {
        return -1;
    }
    p->proc = STEAL_FD(fd);
    return 0;
}

int process_reach(struct process *p, unsigned parts, struct creds *seen, bool *told)
{
    *told = false;
    if (parts & PROCESS_PIDFD && p->pidfd == PROCESS_SHUT && reach_pidfd(p) < 0)
        return -1;
    if ((parts & PROCESS_PROC || p->pidfd == -1) && p->proc == PROCESS_SHUT)
        return reach_proc(p, seen, told);
    return 0;
}

int process_open(struct process *p, int32_t tid)
{
    struct creds creds;
    bool told;
    struct process both = process_named(tid);
    if (process_reach(&both, PROCESS_PIDFD | PROCESS_PROC, &creds, &told) == 0) {
        *p = both;
        return 0;
    }
    int why = errno;
    process_close(&both);
    errno = why;
    return -1;
}

void process_close(struct process *p)
{
    if (p->pidfd >= 0)
        close(p->pidfd);
    if (p->proc >= 0)
        close(p->proc);
}

static ssize_t read_text(const struct process *p, const char *name, char *out, size_t size)
{
    CLEAN_FD int fd = openat(p->proc, name, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -1 : read(fd, out, size);
}

bool process_status(const struct process *p, struct proc_status *out)
{
    char text[TEXT_MAX];
    ssize_t n = read_text(p, "status", text, sizeof text);
    return n > 0 && procfs_status(text, (size_t)n, out);
}

int process_creds(const struct process *p, struct creds *out)
{
    struct kernel_pidfd_info i;
    if (info_by_pidfd(p->pidfd, &i)) {
        *out = creds_of_info(&i);
        return 0;
    }
    if (errno == ESRCH)
        return -1;
    struct proc_status s;
    if (!process_status(p, &s)) {
        errno = ESRCH;
        return -1;
    }
    *out = (struct creds){.tgid = s.tgid,
                          .ppid = s.ppid,
                          .ruid = s.ruid,
                          .euid = s.euid,
                          .fsuid = s.fsuid,
                          .rgid = s.rgid,
                          .egid = s.egid,
                          .sgid = s.sgid,
                          .fsgid = s.fsgid};
    return 0;
}

int stat_identity(int dir, const char *path, int flags, struct statx *out)
{
    return statx(dir, path, flags | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
                 STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, out);
}

struct file_id file_id_of(const struct statx *st)
{
    return (struct file_id){
        .major = st->stx_dev_major,
        .minor = st->stx_dev_minor,
        .ino = st->stx_ino,
        .born_ns = st->stx_mask & STATX_BTIME ? st->stx_btime.tv_sec * NS_PER_S + st->stx_btime.tv_nsec : 0};
}

int process_program(const struct process *p, struct program *out)
{
    struct statx st;
    if (stat_identity(p->proc, "exe", 0, &st) < 0)
        return -1;
    *out = (struct program){.id = file_id_of(&st),
                            .changed_ns = st.stx_ctime.tv_sec * NS_PER_S + st.stx_ctime.tv_nsec,
                            .links = st.stx_nlink};
    return 0;
}

ssize_t process_program_path(const struct process *p, char *out, size_t size)
{
    ssize_t n = readlinkat(p->proc, "exe", out, size - 1);
    if (n >= 0)
        out[n] = '\0';
    return n;
}

bool process_loginuid(const struct process *p, uint32_t *out)
{
    char text[32];
    ssize_t n = read_text(p, "loginuid", text, sizeof text);
    if (n < 0 && errno == ENOENT) { /* a kernel without audit: nobody has one */
        *out = UINT32_MAX;
        return true;
    }
    return n > 0 && procfs_number(text, (size_t)n, out);
}

bool process_unit(const struct process *p, char unit[UNIT_MAX], bool *by_cgroup)
{
    char text[TEXT_MAX];
    ssize_t n = read_text(p, "cgroup", text, sizeof text);
    if (by_cgroup)
        *by_cgroup = n > 0 && !procfs_unit_is_mixed(text, (size_t)n);
    return n > 0 && procfs_unit(text, (size_t)n, unit);
}

void process_sight_open(struct process_sight *s, const struct process *p)
{
    s->wchan = openat(p->proc, "wchan", O_RDONLY | O_CLOEXEC);
    s->call = openat(p->proc, "syscall", O_RDONLY | O_CLOEXEC);
}

void process_sight_close(struct process_sight *s)
{
    if (s->wchan >= 0)
        close(s->wchan);
    if (s->call >= 0)
        close(s->call);
    s->wchan = s->call = -1;
}

/* Whether the thread has left its processor. Asking for the call of one that is about to makes the kernel wait for a
 * whole tick (wait_task_inactive()), and on a crowded machine all others with it; wchan is "0" as long as it has not.
 * A kernel without wchan leaves us no choice. */
static bool sleeps(const struct process_sight *s)
{
    char text[64];
    ssize_t n = pread(s->wchan, text, sizeof text, 0);
    return n < 0 || (n > 0 && text[0] != '0');
}

enum proc_call process_sight_call(const struct process_sight *s, uint64_t *flags)
{
    const int64_t patience_ns = 25000; /* on another processor it takes some microseconds to fall asleep */
    char text[256];
    *flags = 0;
    for (int64_t began = clock_now(); !sleeps(s);)
        if (clock_now() - began > patience_ns)
            return CALL_RUNNING;
    ssize_t n = pread(s->call, text, sizeof text, 0);
    return n > 0 ? procfs_syscall(text, (size_t)n, flags) : CALL_OTHER;
}

size_t process_comm(const struct process *p, char *out, size_t size)
{
    ssize_t n = read_text(p, "comm", out, size);
    if (n > 0 && out[n - 1] == '\n')
        n--;
    return n > 0 ? (size_t)n : 0;
}

bool process_is_foreign(const struct process *p)
{
    static const char *const names[] = {"user", "mnt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char ours[32], theirs[16];
        struct statx a, b;
        snprintf(ours, sizeof ours, "/proc/self/ns/%s", names[i]);
        snprintf(theirs, sizeof theirs, "ns/%s", names[i]);
        if (stat_identity(AT_FDCWD, ours, 0, &a) == 0 && stat_identity(p->proc, theirs, 0, &b) == 0 &&
            a.stx_ino != b.stx_ino)
            return true;
    }
    return false;
}

uint64_t process_identity(int pidfd, int32_t pid)
{
    struct statfs fs;
    struct stat st;
    if (pidfd >= 0 && fstatfs(pidfd, &fs) == 0 && fs.f_type == KERNEL_PIDFS_MAGIC && fstat(pidfd, &st) == 0)
        return st.st_ino;

    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    CLEAN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    uint64_t start = 0;
    return n > 0 && procfs_start_time(text, (size_t)n, &start) ? start : 0;
}
