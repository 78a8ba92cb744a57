#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/kernel.h"
#include "base/own.h"
#include "fileward/board.h"

/* --- what each role may ----------------------------------------------------------------------------------------- */

/* What the keeper hands on it must hold itself: it forks judges and scouts again when they die. */
static const cap_value_t keeper_caps[] = {CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_LEASE, CAP_DAC_READ_SEARCH,   CAP_SETUID,
                                          CAP_SETGID,    CAP_SETPCAP,    CAP_KILL,  CAP_CHECKPOINT_RESTORE};
/* /proc/TID/exe needs SYS_PTRACE, /proc/TID/syscall DAC_READ_SEARCH too; LEASE is for files that are not its own. */
static const cap_value_t judge_caps[] = {CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_LEASE};
/* The programs and mappings of others, whoever they belong to. */
static const cap_value_t clerk_caps[] = {CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE};
/* Inode marks need no capability, reaching the files does. */
static const cap_value_t scout_caps[] = {CAP_DAC_READ_SEARCH};

#define CALL(name) SCMP_SYS(name)

/* Where C libraries differ, by what the machine has, both calls stand: poll and ppoll, newfstatat and lstat. */

/* What every role's loop, clock, memory and end need. */
static const int common_calls[] = {CALL(read),
                                   CALL(write),
                                   CALL(close),
                                   CALL(fstat),
                                   CALL(newfstatat),
                                   CALL(epoll_wait),
                                   CALL(epoll_pwait),
                                   CALL(epoll_ctl),
                                   CALL(clock_gettime),
                                   CALL(clock_nanosleep),
                                   CALL(brk),
                                   CALL(munmap),
                                   CALL(madvise),
                                   CALL(futex),
                                   CALL(rt_sigreturn),
                                   CALL(rt_sigprocmask),
                                   CALL(restart_syscall),
                                   CALL(exit),
                                   CALL(exit_group),
                                   CALL(getpid),
                                   CALL(gettid),
                                   CALL(mremap),
                                   CALL(sched_yield),
                                   CALL(dup3),
                                   CALL(rt_sigaction),
#ifdef FILEWARD_ASAN /* the sanitizers' runtime */
                                   CALL(mmap),
                                   CALL(mprotect),
                                   CALL(sigaltstack),
                                   CALL(readlink),
                                   CALL(open),
                                   CALL(openat),
                                   CALL(prctl),
                                   CALL(getrlimit),
                                   CALL(prlimit64),
                                   CALL(sched_getaffinity),
                                   CALL(getuid),
                                   CALL(geteuid),
                                   CALL(getgid),
                                   CALL(getegid),
                                   CALL(lseek),
                                   CALL(ioctl),
                                   CALL(getdents64),
                                   CALL(clone),
                                   CALL(wait4),
                                   CALL(process_vm_readv),
                                   CALL(ptrace),
#endif
                                   -1};

/* Reads questions, looks at /proc, answers. It reads every secret that it judges, so it has no way to say it to anyone:
 * no socket, no new process, no file for writing, no mark. */
static const int judge_calls[] = {CALL(epoll_create1), CALL(pread64), CALL(readlinkat), CALL(readlink), CALL(statx),
                                  CALL(pidfd_open), CALL(fstatfs), CALL(lseek), CALL(getppid), CALL(poll), CALL(ppoll),
                                  CALL(writev), CALL(pwrite64) /* the ledger */,
                                  /* The place of what hides it: a handle, seen from where we stand. */
                                  CALL(name_to_handle_at), CALL(fchdir), -1};

/* It sends the keeper, on the only socket that it has, descriptors of directories whose file system is to be marked. */
static const int scout_calls[] = {CALL(epoll_create1),
                                  CALL(statx),
                                  CALL(getdents64),
                                  CALL(fcntl),
                                  CALL(lseek),
                                  CALL(poll),
                                  CALL(ppoll),
                                  CALL(fstatfs),
                                  CALL(name_to_handle_at),
                                  CALL(readlink),
                                  CALL(readlinkat),
                                  CALL(sendmsg),
                                  CALL(sysinfo) /* qsort() asks how much memory there is */,
                                  -1};

/* Reads programs, /proc and the package database. Its sockets it reads and writes like files: it can reach nobody else. */
static const int clerk_calls[] = {CALL(statx),
                                  CALL(pread64),
                                  CALL(readlinkat),
                                  CALL(readlink),
                                  CALL(lseek),
                                  CALL(fstatfs),
                                  CALL(poll),
                                  CALL(ppoll),
                                  CALL(lstat),
                                  CALL(sysinfo) /* qsort() */,
                                  -1};

/* Walks through /proc, and hands on what it finds. */
static const int looker_calls[] = {CALL(statx), CALL(getdents64), CALL(readlinkat),  CALL(kcmp), CALL(fcntl),
                                   CALL(lseek), CALL(sendto),     CALL(close_range), -1};

/* Talks to whoever comes on descriptors that the keeper opened, and opens nothing but the log. */
static const int herald_calls[] = {CALL(accept4), CALL(recvfrom), CALL(sendto),     CALL(sendmsg), CALL(poll),
                                   CALL(ppoll),   CALL(shutdown), CALL(getsockopt), CALL(pread64), -1};

/* Filters stack, so the keeper's must hold all that the roles it forks use and what it takes to confine them. What it
 * leaves out: exec, mounts, modules, connecting anywhere. */
static const int keeper_calls[] = {CALL(tgkill),
                                   CALL(fanotify_mark),
                                   CALL(clone),
                                   CALL(clone3),
                                   CALL(fork),
                                   CALL(vfork),
                                   CALL(wait4),
                                   CALL(waitid),
                                   CALL(kill),
                                   CALL(pidfd_open),
                                   CALL(pidfd_send_signal),
                                   CALL(pipe2),
                                   CALL(socketpair),
                                   CALL(eventfd2),
                                   CALL(timerfd_create),
                                   CALL(timerfd_settime),
                                   CALL(signalfd4),
                                   CALL(ioctl),
                                   CALL(fcntl),
                                   CALL(dup3),
                                   CALL(dup2),
                                   CALL(dup),
                                   CALL(mmap),
                                   CALL(mprotect),
                                   CALL(set_robust_list),
                                   CALL(rseq),
                                   CALL(prctl),
                                   CALL(capget),
                                   CALL(capset),
                                   CALL(setresuid),
                                   CALL(setresgid),
                                   CALL(setgroups),
                                   CALL(getresuid),
                                   CALL(getresgid),
                                   CALL(getgroups),
                                   CALL(getuid),
                                   CALL(geteuid),
                                   CALL(getgid),
                                   CALL(getegid),
                                   CALL(getppid),
                                   CALL(seccomp),
                                   CALL(landlock_create_ruleset),
                                   CALL(landlock_add_rule),
                                   CALL(landlock_restrict_self),
                                   CALL(prlimit64),
                                   CALL(setrlimit),
                                   CALL(getrlimit),
                                   CALL(getrandom),
                                   CALL(uname),
                                   CALL(sysinfo),
                                   CALL(ftruncate),
                                   CALL(memfd_create),
                                   CALL(set_tid_address),
                                   CALL(sched_getaffinity),
                                   CALL(setpriority),
                                   CALL(unlinkat),
                                   CALL(unlink),
                                   CALL(openat),
                                   CALL(readlinkat),
                                   CALL(readlink),
                                   CALL(setsid),
                                   CALL(close_range),
                                   CALL(getsockname),
                                   CALL(epoll_create1),
                                   CALL(access),
                                   CALL(faccessat),
                                   CALL(faccessat2),
                                   CALL(sendto),
                                   CALL(sendmsg),
                                   CALL(recvfrom),
                                   CALL(recvmsg), /* with descriptors from the scout */
                                   CALL(setsockopt),
                                   CALL(kcmp),          /* for the looker */
                                   CALL(fanotify_init), /* for the watches that a reload adds, and for scouts */
                                   CALL(umask),         /* what follows is the policy reader's */
                                   CALL(getcwd),
                                   CALL(mkdirat),
                                   CALL(mkdir),
                                   CALL(rename),
                                   CALL(renameat),
                                   CALL(renameat2),
                                   CALL(rmdir),
                                   CALL(fsync),
                                   CALL(writev),
                                   CALL(fstatfs),
                                   CALL(statfs),
                                   -1};

/* --- capabilities and ids --------------------------------------------------------------------------------------- */

static int failed(const char *what)
{
    fprintf(stderr, "fileward: cannot give up privileges: %s: %s\n", what, strerror(errno));
    return -1;
}

static void free_caps(cap_t *c)
{
    if (*c)
        cap_free(*c);
}

static int keep_only(const cap_value_t *caps, int n)
{
    __attribute__((cleanup(free_caps))) cap_t set = cap_init();
    if (!set || (n > 0 && (cap_set_flag(set, CAP_PERMITTED, n, caps, CAP_SET) < 0 ||
                           cap_set_flag(set, CAP_EFFECTIVE, n, caps, CAP_SET) < 0)))
        return failed("cap_set_flag");
    if (cap_set_proc(set) < 0)
        return failed("cap_set_proc");
    __attribute__((cleanup(free_caps))) cap_t now = cap_get_proc();
    if (!now || cap_compare(now, set) != 0) {
        errno = EPERM;
        return failed("capabilities are not what was set");
    }
    return 0;
}

static bool among(cap_value_t c, const cap_value_t *caps, int n)
{
    for (int i = 0; i < n; i++)
        if (caps[i] == c)
            return true;
    return false;
}

/* The bounding set limits what an exec could bring back; nothing here execs, and nothing could gain by it. */
static int bound_to(const cap_value_t *caps, int n)
{
    for (cap_value_t c = 0; c < cap_max_bits(); c++)
        if (!among(c, caps, n) && cap_get_bound(c) > 0 && cap_drop_bound(c) < 0)
            return failed("cap_drop_bound");
    return 0;
}

static int become(uint32_t uid, uint32_t gid)
{
    if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
        setresuid(uid, uid, uid) < 0)
        return failed("changing to the service user");
    uid_t r, e, s;
    gid_t rg, eg, sg;
    if (getresuid(&r, &e, &s) < 0 || getresgid(&rg, &eg, &sg) < 0 || r != uid || e != uid || s != uid || rg != gid ||
        eg != gid || sg != gid || getgroups(0, NULL) != 0) {
        errno = EPERM;
        return failed("the ids are not what was set");
    }
    return 0;
}

/* No new privileges by an exec, nobody to look into us, no core file. */
static int seal(void)
{
    struct rlimit none = {0, 0};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return failed("prctl(PR_SET_NO_NEW_PRIVS)");
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        return failed("prctl(PR_SET_DUMPABLE)");
    return setrlimit(RLIMIT_CORE, &none) < 0 ? failed("setrlimit(RLIMIT_CORE)") : 0;
}

/* --- system calls ----------------------------------------------------------------------------------------------- */

static int allow(scmp_filter_ctx f, const int *calls)
{
    for (; *calls != -1; calls++) {
        int rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, *calls, 0);
        if (rc < 0 && rc != -EDOM) { /* EDOM: this machine has no such call */
            errno = -rc;
            return failed("seccomp rule");
        }
    }
    return 0;
}

/* openat() for reading only. O_TMPFILE is not in the mask: it contains O_DIRECTORY. */
static int allow_reading(scmp_filter_ctx f)
{
    int rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(openat), 1,
                              SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_RDONLY));
    errno = -rc;
    return rc < 0 ? failed("seccomp rule for openat") : 0;
}

/* Memory without PROT_EXEC. */
static int allow_memory(scmp_filter_ctx f)
{
#ifdef FILEWARD_ASAN
    return 0;
#endif
    int rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, 4, 0));
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, 4, 0));
    errno = -rc;
    return rc < 0 ? failed("seccomp rule for memory") : 0;
}

/* What a handle names: looked at, never opened. */
static int allow_looking(scmp_filter_ctx f)
{
    int rc =
        seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(open_by_handle_at), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, O_PATH, O_PATH));
    errno = -rc;
    return rc < 0 ? failed("seccomp rule for open_by_handle_at") : 0;
}

static int allow_judge(scmp_filter_ctx f)
{
    /* Leases tell readers from writers, the lock names keeper and judge. FIONREAD and PIDFD_GET_INFO are all the ioctls
     * there are. */
    static const int fcntls[] = {F_SETLEASE, F_SETLK, F_GETLK};
    for (size_t i = 0; i < sizeof fcntls / sizeof *fcntls; i++) {
        int rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, (uint64_t)fcntls[i]));
        if (rc < 0) {
            errno = -rc;
            return failed("seccomp rule for fcntl");
        }
    }
    int rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(ioctl), 1,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffff, 0xff0b /* PIDFD_GET_INFO */));
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONREAD));
    errno = -rc;
    if (rc < 0)
        return failed("seccomp rule for ioctl");
    /* An inode that has no mark can be left out, by descriptor: no mark is taken away or changed by that. */
    static const uint64_t ways[] = {KERNEL_LEAVE_OUT, KERNEL_LEAVE_OUT_BEFORE_6_0};
    for (size_t i = 0; i < sizeof ways / sizeof *ways && rc == 0; i++)
        rc =
            seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(fanotify_mark), 3, SCMP_A1(SCMP_CMP_EQ, ways[i]),
                             SCMP_A2(SCMP_CMP_MASKED_EQ, ~(uint64_t)KERNEL_LEAVE_OUT_MASK, 0), SCMP_A4(SCMP_CMP_EQ, 0));
    errno = -rc;
    if (rc < 0)
        return failed("seccomp rule for fanotify_mark");
    return allow_looking(f) < 0 ? -1 : allow_reading(f);
}

static int allow_herald(scmp_filter_ctx f, int log_dir_fd)
{
    int rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(setsockopt), 1, SCMP_A1(SCMP_CMP_EQ, IPPROTO_TCP));
    if (rc == 0) /* counts descriptors */
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, F_GETFD));
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(openat), 1, SCMP_A0(SCMP_CMP_EQ, (uint32_t)log_dir_fd));
    errno = -rc;
    return rc < 0 ? failed("seccomp rule") : 0;
}

static void release_filter(scmp_filter_ctx *f)
{
    seccomp_release(*f);
}

/* abort(), how fortified code ends, may signal this process alone: all roles but the keeper have the same user. */
static int allow_abort(scmp_filter_ctx f)
{
    int rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (uint32_t)getpid()));
    errno = -rc;
    return rc < 0 ? failed("seccomp rule for tgkill") : 0;
}

static int allow_scout(scmp_filter_ctx f)
{
    /* Marks are added, never taken away; what the judge has left out is taken in again. */
    int rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(fanotify_mark), 1, SCMP_A1(SCMP_CMP_EQ, 1 /* FAN_MARK_ADD */));
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, CALL(fanotify_mark), 1, SCMP_A1(SCMP_CMP_EQ, KERNEL_TAKE_IN));
    errno = -rc;
    if (rc < 0)
        return failed("seccomp rule for fanotify_mark");
    return allow_looking(f) < 0 ? -1 : allow_reading(f);
}

static int fill_filter(scmp_filter_ctx f, enum role role, int log_dir_fd)
{
    if (allow(f, common_calls) < 0 || (role != ROLE_KEEPER && allow_abort(f) < 0))
        return -1;
    switch (role) {
    case ROLE_KEEPER:
        return allow(f, keeper_calls) < 0 || allow(f, judge_calls) < 0 || allow(f, scout_calls) < 0 ||
                       allow(f, clerk_calls) < 0 || allow_looking(f) < 0
                   ? -1
                   : allow(f, herald_calls);
    case ROLE_JUDGE:
        return allow(f, judge_calls) < 0 || allow_memory(f) < 0 ? -1 : allow_judge(f);
    case ROLE_SCOUT:
        return allow(f, scout_calls) < 0 || allow_memory(f) < 0 ? -1 : allow_scout(f);
    case ROLE_CLERK:
        return allow(f, clerk_calls) < 0 || allow_memory(f) < 0 ? -1 : allow_reading(f);
    case ROLE_HERALD:
        return allow(f, herald_calls) < 0 || allow_memory(f) < 0 ? -1 : allow_herald(f, log_dir_fd);
    default:
        return -1;
    }
}

static int confine_calls(enum role role, int log_dir_fd)
{
    __attribute__((cleanup(release_filter))) scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!f)
        return failed("seccomp_init");
    /* openat2() hides its flags behind a pointer: callers fall back to openat(). */
    if (role != ROLE_KEEPER && seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), CALL(openat2), 0) < 0)
        return failed("seccomp rule for openat2");
    if (fill_filter(f, role, log_dir_fd) < 0)
        return -1;
    int rc = seccomp_load(f);
    errno = -rc;
    if (rc < 0)
        return failed("loading the system call filter (CONFIG_SECCOMP_FILTER)");
    return 0;
}

/* --- Landlock: the herald's files ------------------------------------------------------------------------------- */

bool sandbox_has_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 1;
}

/* No file system but the log's directory, and there only making and writing regular files. */
static int confine_files(int log_dir_fd)
{
    if (!sandbox_has_landlock())
        return 0; /* status says so */
    struct landlock_ruleset_attr all = {.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
    CLEAN_FD int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
    struct landlock_path_beneath_attr log = {
        .allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG, .parent_fd = log_dir_fd};
    if (rules < 0 || syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &log, 0) < 0 ||
        syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        return failed("Landlock");
    return 0;
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

int sandbox_enter(enum role role, uint32_t uid, uint32_t gid, int log_dir_fd)
{
    const struct {
        const cap_value_t *caps;
        int n;
    } kept[ROLE_COUNT] = {
        [ROLE_KEEPER] = {keeper_caps, sizeof keeper_caps / sizeof *keeper_caps},
        [ROLE_JUDGE] = {judge_caps, sizeof judge_caps / sizeof *judge_caps},
        [ROLE_SCOUT] = {scout_caps, sizeof scout_caps / sizeof *scout_caps},
        [ROLE_HERALD] = {NULL, 0},
        [ROLE_CLERK] = {clerk_caps, sizeof clerk_caps / sizeof *clerk_caps},
    };
    const cap_value_t *caps = kept[role].caps;
    int n = kept[role].n;

    /* Safe in this order: the bounding set needs SETPCAP, the ids need SETUID and SETGID, both are gone afterwards, and
     * the filter comes last because it forbids all of these calls to every role but the keeper. */
    if (cap_reset_ambient() < 0 || bound_to(caps, n) < 0)
        return failed("bounding set");
    if (role != ROLE_KEEPER && become(uid, gid) < 0)
        return -1;
    if (keep_only(caps, n) < 0)
        return -1;
    struct rlimit files = {FILES_MAX, FILES_MAX};
    if (seal() < 0)
        return -1;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        return failed("setrlimit(RLIMIT_NOFILE)");
    if (role != ROLE_KEEPER && setresuid(0, 0, 0) == 0) {
        errno = EPERM;
        return failed("root could be regained");
    }
    if (role == ROLE_HERALD && confine_files(log_dir_fd) < 0)
        return -1;
    if (confine_calls(role, log_dir_fd) < 0)
        return -1;
    return 0;
}

/* Safe in this order: giving up capabilities is all that needs any, and none comes back, since the keeper that forked us
 * has sealed itself and its filter, which we inherit, knows no execve. There is no filter of our own: what we need beyond
 * reading (the last good policy is written, renamed and removed) is in the keeper's for our sake, and the permission
 * marks and other ids that it allows need capabilities that we no longer have. */
int sandbox_drop_to_reading(void)
{
    static const cap_value_t reading[] = {CAP_DAC_READ_SEARCH};
    return keep_only(reading, 1) < 0 ? -1 : seal();
}

/* Safe in this order: bounding set and ids as in sandbox_enter(). A change of ids takes back the wish to die with the
 * parent, so it comes after them; a parent that had died by then is not ours any more. The filter comes last, because it
 * forbids all of these calls. */
int sandbox_drop_to_looking(uint32_t uid, uint32_t gid, pid_t parent)
{
    static const cap_value_t looking[] = {CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE};
    __attribute__((cleanup(release_filter))) scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!f)
        return failed("seccomp_init");
    if (bound_to(looking, 3) < 0 || become(uid, gid) < 0 || keep_only(looking, 3) < 0 || seal() < 0)
        return -1;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return failed("prctl(PR_SET_PDEATHSIG)");
    if (getppid() != parent) {
        errno = ESRCH;
        return failed("the parent");
    }
    if (allow(f, common_calls) < 0 || allow(f, looker_calls) < 0 || allow_abort(f) < 0 || allow_memory(f) < 0 ||
        allow_reading(f) < 0)
        return -1;
    int rc = seccomp_load(f);
    errno = -rc;
    return rc < 0 ? failed("loading the system call filter (CONFIG_SECCOMP_FILTER)") : 0;
}

int sandbox_check_root(void)
{
    __attribute__((cleanup(free_caps))) cap_t now = cap_get_proc();
    for (size_t i = 0; now && i < sizeof keeper_caps / sizeof *keeper_caps; i++) {
        cap_flag_value_t has = CAP_CLEAR;
        if (cap_get_flag(now, keeper_caps[i], CAP_EFFECTIVE, &has) == 0 && has == CAP_SET)
            continue;
        char *name = cap_to_name(keeper_caps[i]);
        fprintf(stderr,
                "fileward: run needs %s: start it as root (sudo fileward run), or let the service manager; a container "
                "must be given it\n",
                name ? name : "a capability");
        cap_free(name);
        return -1;
    }
    return now ? 0 : -1;
}
