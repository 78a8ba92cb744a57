#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/kernel.h"
#include "base/sandbox.h"

enum { USER = 12345, GROUP = 12346 };
static const char *const names[ROLE_COUNT] = {"keeper", "judge", "scout", "herald", "clerk"};

/* Files of the test: the log's directory, and one beside it that belongs to the same user. */
static char dir[] = "/tmp/fileward-test-XXXXXX", log_dir[64], other_dir[64];

static int make_dirs(void **state)
{
    (void)state;
    if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
        return -1;
    snprintf(log_dir, sizeof log_dir, "%s/log", dir);
    snprintf(other_dir, sizeof other_dir, "%s/other", dir);
    if (mkdir(log_dir, 0755) < 0 || mkdir(other_dir, 0755) < 0)
        return -1;
    return geteuid() == 0 && (chown(log_dir, USER, GROUP) < 0 || chown(other_dir, USER, GROUP) < 0) ? -1 : 0;
}

static int remove_dirs(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static int enter(enum role role)
{
    int log = role == ROLE_HERALD ? open(log_dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    return sandbox_enter(role, USER, GROUP, log);
}

/* --- what it is ------------------------------------------------------------------------------------------------- */

static uint64_t bit(int cap)
{
    return UINT64_C(1) << cap;
}

static uint64_t caps_of(enum role role)
{
    switch (role) {
    case ROLE_KEEPER:
        return bit(CAP_SYS_ADMIN) | bit(CAP_SYS_PTRACE) | bit(CAP_LEASE) | bit(CAP_DAC_READ_SEARCH) | bit(CAP_SETUID) |
               bit(CAP_SETGID) | bit(CAP_SETPCAP) | bit(CAP_KILL) | bit(CAP_CHECKPOINT_RESTORE);
    case ROLE_JUDGE:
        return bit(CAP_SYS_PTRACE) | bit(CAP_DAC_READ_SEARCH) | bit(CAP_LEASE);
    case ROLE_SCOUT:
        return bit(CAP_DAC_READ_SEARCH);
    case ROLE_CLERK:
        return bit(CAP_SYS_PTRACE) | bit(CAP_DAC_READ_SEARCH) | bit(CAP_CHECKPOINT_RESTORE);
    default:
        return 0;
    }
}

static void slurp(pid_t pid, const char *what, char *out, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, what);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    out[fread(out, 1, size - 1, f)] = '\0';
    fclose(f);
}

static void expect_line(const char *text, const char *line)
{
    if (!strstr(text, line))
        fail_msg("no `%s` in: %s", line, text);
}

static void expect_status(enum role role, pid_t pid)
{
    char text[8192], line[128];
    uint32_t uid = role == ROLE_KEEPER ? 0 : USER, gid = role == ROLE_KEEPER ? getegid() : GROUP;
    slurp(pid, "status", text, sizeof text);
    snprintf(line, sizeof line, "\nUid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", uid, uid, uid, uid, gid, gid, gid,
             gid);
    expect_line(text, line);
    if (role != ROLE_KEEPER)
        expect_line(text, "\nGroups:\t \n");
    uint64_t caps = caps_of(role);
    snprintf(line, sizeof line, "\nCapInh:\t%016x\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016x\n",
             0, (unsigned long)caps, (unsigned long)caps, (unsigned long)caps, 0);
    expect_line(text, line);
    expect_line(text, "\nNoNewPrivs:\t1\n");
    expect_line(text, "\nSeccomp:\t2\n");

    slurp(pid, "limits", text, sizeof text);
    expect_line(text, "Max core file size        0                    0 ");
    expect_line(text, "Max open files            4096                 4096 ");
    /* Of a process that is not dumpable, what /proc shows is root's. */
    struct stat st;
    snprintf(line, sizeof line, "/proc/%d/status", pid);
    assert_int_equal(stat(line, &st), 0);
    assert_int_equal(st.st_uid, 0);
}

/* Each role as the daemon makes it: by itself, and forked by a confined keeper. */
static void test_ids_and_capabilities(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    for (int i = 0; i < 2 * ROLE_COUNT; i++) {
        enum role role = (enum role)(i % ROLE_COUNT);
        int said[2], leave[2];
        char rc = -1;
        assert_int_equal(pipe(said) | pipe(leave), 0);
        pid_t child = fork();
        if (child == 0) {
            alarm(30);
            if (i >= ROLE_COUNT && role != ROLE_KEEPER && enter(ROLE_KEEPER) < 0)
                _exit(1);
            rc = (char)enter(role);
            close(leave[1]);
            (void)!write(said[1], &rc, 1);
            (void)!read(leave[0], &rc, 1);
            _exit(0);
        }
        close(said[1]);
        if (read(said[0], &rc, 1) != 1 || rc != 0)
            fail_msg("%s cannot be confined", names[role]);
        expect_status(role, child);
        int status;
        close(leave[1]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        close(said[0]), close(leave[0]);
    }
}

/* The throw-away child that looks who holds what: behind the keeper's filter, as it is forked. */
static int as_looker(bool looks)
{
    int status = 0;
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        char text[4096], path[64], uid[32];
        alarm(30);
        if (enter(ROLE_KEEPER) < 0 || sandbox_drop_to_looking(USER, GROUP, parent) < 0)
            _exit(1);
        int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
        snprintf(uid, sizeof uid, "\nUid:\t%d\t", USER);
        text[read(fd, text, sizeof text - 1)] = '\0';
        uint64_t caps = bit(CAP_SYS_PTRACE) | bit(CAP_DAC_READ_SEARCH) | bit(CAP_CHECKPOINT_RESTORE);
        snprintf(path, sizeof path, "\nCapPrm:\t%016lx\n", (unsigned long)caps);
        if (!strstr(text, path) || !strstr(text, "\nNoNewPrivs:\t1\n") || !strstr(text, uid))
            _exit(2);
        if (syscall(SYS_kcmp, getpid(), parent, 2, 0, 0) < 0 && errno != ENOSYS)
            _exit(3);
        if (!looks)
            open(log_dir, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_looker(void **state)
{
    (void)state;
#ifdef FILEWARD_ASAN
    skip(); /* the sanitizers' runtime catches the signal */
#endif
    if (geteuid() != 0)
        skip();
    assert_int_equal(as_looker(true), 0);
    int status = as_looker(false);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

/* Forks a looker and dies before it, or as late as when it is sealed. Returns whether the looker died of that. */
static bool looker_dies_too(bool before)
{
    int said[2], parent_gone[2], status;
    char word = 0;
    assert_int_equal(pipe(said), 0);
    assert_int_equal(pipe(parent_gone), 0);
    pid_t parent = fork();
    if (parent == 0) {
        pid_t keeper = getpid(), looker = fork();
        if (looker == 0) {
            alarm(30);
            close(parent_gone[1]);
            if (enter(ROLE_KEEPER) < 0)
                _exit(1);
            if (before)
                (void)!read(parent_gone[0], &word, 1); /* the end: the test has reaped it */
            if (sandbox_drop_to_looking(USER, GROUP, keeper) < 0)
                _exit(1);
            (void)!write(said[1], "r", 1);
            (void)!read(parent_gone[0], &word, 1); /* whoever lives comes this far */
            _exit(0);
        }
        close(said[1]), close(parent_gone[0]), close(parent_gone[1]);
        _exit(!before && read(said[0], &word, 1) != 1);
    }
    close(said[1]), close(parent_gone[0]);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_int_equal(status, 0);
    if (before)
        close(parent_gone[1]);
    /* The looker's death closes the other end. */
    struct pollfd end = {.fd = said[0], .events = POLLIN};
    bool dies = poll(&end, 1, 10000) == 1 && read(said[0], &word, 1) == 0;
    close(said[0]);
    if (!before)
        close(parent_gone[1]);
    return dies;
}

static void test_looker_dies_with_its_parent(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_true(looker_dies_too(false));
    assert_true(looker_dies_too(true));
}

/* --- what it may ------------------------------------------------------------------------------------------------ */

enum { KILLED = -1, FINE = 0 };
#define NOWHERE ((long)AT_FDCWD)
#define TEXT(s) ((long)(s))
#define EVERY(x)                                                                                                       \
    {                                                                                                                  \
        x, x, x, x, x                                                                                                  \
    }

/* errno or FINE of the call by keeper, judge, scout, herald, clerk; or that it ends them. -1 as a descriptor: what matters is
 * that the call comes back. */
static const struct {
    const char *name;
    long nr, arg[6];
    int outcome[ROLE_COUNT];
} calls[] = {
    {"read /proc", SYS_openat, {NOWHERE, TEXT("/proc/self/status"), O_RDONLY}, {FINE, FINE, FINE, KILLED, FINE}},
    {"open to write", SYS_openat, {NOWHERE, TEXT("/dev/null"), O_WRONLY}, {FINE, KILLED, KILLED, KILLED, KILLED}},
    {"open to read and write",
     SYS_openat,
     {NOWHERE, TEXT("/dev/null"), O_RDWR},
     {FINE, KILLED, KILLED, KILLED, KILLED}},
    {"open to truncate", SYS_openat, {NOWHERE, TEXT("/dev/null"), O_TRUNC}, {FINE, KILLED, KILLED, KILLED, KILLED}},
    {"open to append", SYS_openat, {NOWHERE, TEXT("/dev/null"), O_APPEND}, {FINE, KILLED, KILLED, KILLED, KILLED}},
    {"create", SYS_openat, {NOWHERE, TEXT("/dev/null"), O_CREAT, 0600}, {FINE, KILLED, KILLED, KILLED, KILLED}},
    {"nameless file",
     SYS_openat,
     {NOWHERE, TEXT("/tmp"), O_TMPFILE | O_WRONLY, 0600},
     {FINE, KILLED, KILLED, KILLED, KILLED}},
    {"openat2", SYS_openat2, {-1, 0, 0, 0}, {KILLED, ENOSYS, ENOSYS, ENOSYS, ENOSYS}},
    {"statx", SYS_statx, {NOWHERE, TEXT("/"), 0, 0, 0}, {EFAULT, EFAULT, EFAULT, KILLED, EFAULT}},
    {"getdents64", SYS_getdents64, {-1}, {EBADF, KILLED, EBADF, KILLED, KILLED}},
    {"mmap", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}, EVERY(FINE)},
    {"mmap code",
     SYS_mmap,
     {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0},
     {FINE, KILLED, KILLED, KILLED, KILLED}},
    {"mprotect", SYS_mprotect, {0, 0, PROT_READ}, EVERY(FINE)},
    {"mprotect code", SYS_mprotect, {0, 0, PROT_READ | PROT_EXEC}, {FINE, KILLED, KILLED, KILLED, KILLED}},
    {"fanotify_mark", SYS_fanotify_mark, {-1, 1, 0x10000, NOWHERE, 0}, {EBADF, KILLED, EBADF, KILLED, KILLED}},
    {"leave an inode out",
     SYS_fanotify_mark,
     {-1, KERNEL_LEAVE_OUT, 0x70000, -1, 0},
     {EBADF, EBADF, KILLED, KILLED, KILLED}},
    {"leave out by name",
     SYS_fanotify_mark,
     {-1, KERNEL_LEAVE_OUT, 0x70000, NOWHERE, TEXT("/")},
     {EBADF, KILLED, KILLED, KILLED, KILLED}},
    {"leave children out",
     SYS_fanotify_mark,
     {-1, KERNEL_LEAVE_OUT, 0x8070000, -1, 0},
     {EBADF, KILLED, KILLED, KILLED, KILLED}},
    {"leave a mount out",
     SYS_fanotify_mark,
     {-1, KERNEL_LEAVE_OUT | 0x10, 0x70000, -1, 0},
     {EBADF, KILLED, KILLED, KILLED, KILLED}},
    {"leave out for good",
     SYS_fanotify_mark,
     {-1, KERNEL_LEAVE_OUT & ~0x200, 0x70000, -1, 0},
     {EBADF, KILLED, KILLED, KILLED, KILLED}},
    {"take an inode in",
     SYS_fanotify_mark,
     {-1, KERNEL_TAKE_IN, 0x70000, -1, 0},
     {EBADF, KILLED, EBADF, KILLED, KILLED}},
    {"take an inode's mark away", SYS_fanotify_mark, {-1, 2, 0x70000, -1, 0}, {EBADF, KILLED, KILLED, KILLED, KILLED}},
    {"mark a file system", SYS_fanotify_mark, {-1, 0x101, 0x10000, -1, 0}, {EBADF, KILLED, KILLED, KILLED, KILLED}},
    {"look by handle", SYS_open_by_handle_at, {-1, 0, O_PATH | O_CLOEXEC}, {EFAULT, EFAULT, EFAULT, KILLED, KILLED}},
    {"read by handle", SYS_open_by_handle_at, {-1, 0, O_RDONLY}, EVERY(KILLED)},
    {"write by handle", SYS_open_by_handle_at, {-1, 0, O_RDWR}, EVERY(KILLED)},
    {"send descriptors", SYS_sendmsg, {-1, 0, 0}, {EBADF, KILLED, EBADF, EBADF, KILLED}},
    {"pidfd_open", SYS_pidfd_open, {1, 0}, {FINE, FINE, KILLED, KILLED, KILLED}},
    {"ask a pidfd", SYS_ioctl, {-1, (long)KERNEL_PIDFD_GET_INFO, 0}, {EBADF, EBADF, KILLED, KILLED, KILLED}},
    {"type on a terminal", SYS_ioctl, {-1, TIOCSTI, 0}, {EBADF, KILLED, KILLED, KILLED, KILLED}},
    {"lease", SYS_fcntl, {-1, F_SETLEASE, F_RDLCK}, {EBADF, EBADF, EBADF, KILLED, KILLED}},
    {"fcntl", SYS_fcntl, {-1, F_SETOWN, 1}, {EBADF, KILLED, EBADF, KILLED, KILLED}},
    {"count descriptors", SYS_fcntl, {-1, F_GETFD}, {EBADF, KILLED, EBADF, EBADF, KILLED}},
    {"fork", SYS_clone, {SIGCHLD}, {FINE, KILLED, KILLED, KILLED, KILLED}},
    {"kill", SYS_kill, {1, 0}, {FINE, KILLED, KILLED, KILLED, KILLED}},
    {"signal another", SYS_tgkill, {-1, -1, 0}, {EINVAL, KILLED, KILLED, KILLED, KILLED}},
    {"take marks away", SYS_fanotify_mark, {-1, 0x80, 0, NOWHERE, 0}, {EBADF, KILLED, KILLED, KILLED, KILLED}},
    {"become root", SYS_setresuid, {0, 0, 0}, {FINE, KILLED, KILLED, KILLED, KILLED}},
    {"prctl", SYS_prctl, {4 /* PR_SET_DUMPABLE */, 0}, {FINE, KILLED, KILLED, KILLED, KILLED}},
    {"capset", SYS_capset, {0, 0}, {EFAULT, KILLED, KILLED, KILLED, KILLED}},
    {"unlink", SYS_unlinkat, {-1, TEXT("x"), 0}, {EBADF, KILLED, KILLED, KILLED, KILLED}},
    {"memfd_create", SYS_memfd_create, {TEXT("x"), 0}, {FINE, KILLED, KILLED, KILLED, KILLED}},
    {"answer several", SYS_writev, {-1, 0, 0}, {EBADF, EBADF, KILLED, KILLED, KILLED}},
    {"accept", SYS_accept4, {-1}, {EBADF, KILLED, KILLED, EBADF, KILLED}},
    {"send", SYS_sendto, {-1, 0, 0, 0, 0, 0}, {EBADF, KILLED, KILLED, EBADF, KILLED}},
    {"TCP option", SYS_setsockopt, {-1, 6, 1, 0, 0}, {EBADF, KILLED, KILLED, EBADF, KILLED}},
    {"socket option", SYS_setsockopt, {-1, SOL_SOCKET, 1, 0, 0}, {EBADF, KILLED, KILLED, KILLED, KILLED}},
    {"exec", SYS_execve, {TEXT("/bin/true"), 0, 0}, EVERY(KILLED)},
    {"execveat", SYS_execveat, {-1, TEXT(""), 0, 0, 0}, EVERY(KILLED)},
    {"socket", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}, EVERY(KILLED)},
    {"connect", SYS_connect, {-1, 0, 0}, EVERY(KILLED)},
    {"bind", SYS_bind, {-1, 0, 0}, EVERY(KILLED)},
    {"listen", SYS_listen, {-1, 1}, EVERY(KILLED)},
    {"ptrace", SYS_ptrace, {0, 0, 0, 0}, EVERY(KILLED)},
    {"process_vm_readv", SYS_process_vm_readv, {1, 0, 0, 0, 0, 0}, EVERY(KILLED)},
    {"process_vm_writev", SYS_process_vm_writev, {1, 0, 0, 0, 0, 0}, EVERY(KILLED)},
    {"pidfd_getfd", SYS_pidfd_getfd, {-1, 0, 0}, EVERY(KILLED)},
    {"fanotify_init", SYS_fanotify_init, {0, 0}, {FINE, KILLED, KILLED, KILLED, KILLED}},
    {"rename", SYS_renameat2, {-1, 0, -1, 0, 0}, {EFAULT, KILLED, KILLED, KILLED, KILLED}},
    {"link", SYS_linkat, {-1, 0, -1, 0, 0}, EVERY(KILLED)},
    {"symlink", SYS_symlinkat, {0, -1, 0}, EVERY(KILLED)},
    {"mkdir", SYS_mkdirat, {-1, 0, 0}, {EFAULT, KILLED, KILLED, KILLED, KILLED}},
    {"mknod", SYS_mknodat, {-1, 0, 0, 0}, EVERY(KILLED)},
    {"chmod", SYS_fchmodat, {-1, 0, 0}, EVERY(KILLED)},
    {"chown", SYS_fchownat, {-1, 0, 0, 0, 0}, EVERY(KILLED)},
    {"xattr", SYS_setxattr, {0, 0, 0, 0, 0}, EVERY(KILLED)},
    {"mount", SYS_mount, {0, 0, 0, 0, 0}, EVERY(KILLED)},
    {"unshare", SYS_unshare, {0}, EVERY(KILLED)},
    {"setns", SYS_setns, {-1, 0}, EVERY(KILLED)},
    {"chroot", SYS_chroot, {0}, EVERY(KILLED)},
    {"io_uring", SYS_io_uring_setup, {1, 0}, EVERY(KILLED)},
    {"bpf", SYS_bpf, {0, 0, 0}, EVERY(KILLED)},
    {"userfaultfd", SYS_userfaultfd, {0}, EVERY(KILLED)},
    {"perf_event_open", SYS_perf_event_open, {0, 0, 0, 0, 0}, EVERY(KILLED)},
    {"module", SYS_finit_module, {-1, 0, 0}, EVERY(KILLED)},
    {"keyctl", SYS_keyctl, {0, 0}, EVERY(KILLED)},
    {"personality", SYS_personality, {0x0400000 /* READ_IMPLIES_EXEC */}, EVERY(KILLED)},
    {"open_by_handle_at", SYS_open_by_handle_at, {-1, 0, 0}, EVERY(KILLED)},
    {"ask for a handle", SYS_name_to_handle_at, {-1, 0, 0, 0, 0}, {EFAULT, EFAULT, EFAULT, KILLED, KILLED}},
    {"pkey_mprotect", SYS_pkey_mprotect, {0, 0, PROT_EXEC, 0}, EVERY(KILLED)},
    {"shmat", SYS_shmat, {0, 0, 0}, EVERY(KILLED)},
};

static int outcome_of(enum role role, size_t i)
{
    const long *a = calls[i].arg;
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        if (enter(role) < 0)
            _exit(255);
        long rc = syscall(calls[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        _exit(rc < 0 ? errno : FINE);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGSYS);
        return KILLED;
    }
    return WEXITSTATUS(status);
}

static void test_calls(void **state)
{
    (void)state;
#ifdef FILEWARD_ASAN
    skip(); /* the sanitizers' runtime needs some of these calls */
#endif
    if (geteuid() != 0 || !sandbox_has_landlock())
        skip();
    int wrong = 0;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        for (int role = 0; role < ROLE_COUNT; role++) {
            int outcome = outcome_of((enum role)role, i);
            if (outcome != calls[i].outcome[role]) {
                print_error("%s: %s: %d, not %d\n", names[role], calls[i].name, outcome, calls[i].outcome[role]);
                wrong++;
            }
        }
    assert_int_equal(wrong, 0);
}

#if defined(__x86_64__) && !defined(FILEWARD_ASAN)
/* The numbers of other tables must not open another door. */
static void test_other_tables(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    for (int role = 0; role < ROLE_COUNT; role++)
        for (int x32 = 0; x32 < 2; x32++) {
            pid_t child = fork();
            if (child == 0) {
                if (enter((enum role)role) < 0)
                    _exit(255);
                long rc = 20; /* getpid */
                if (x32)
                    syscall(0x40000000 + SYS_getpid);
                else
                    __asm__ volatile("int $0x80" : "+a"(rc) : : "memory", "r8", "r9", "r10", "r11");
                _exit(0);
            }
            int status;
            assert_int_equal(waitpid(child, &status, 0), child);
            assert_true(WIFSIGNALED(status)); /* SIGSEGV where the kernel has no such table */
        }
}
#endif

/* --- where the herald may write ----------------------------------------------------------------------------------- */

enum step { MADE = 1, WROTE, READ_BACK, MADE_OUTSIDE, WROTE_OUTSIDE, CLIMBED, FOLLOWED, LISTED };

/* The first step that went otherwise than it should, 0 if none. */
static int use_files(int log)
{
    int fd = openat(log, "events.jsonl", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        return MADE;
    if (write(fd, "x\n", 2) != 2)
        return WROTE;
    static const struct {
        const char *name;
        int flags;
        enum step step;
        bool outside;
    } refused[] = {
        {"events.jsonl", O_RDONLY, READ_BACK, false}, {"new", O_WRONLY | O_CREAT, MADE_OUTSIDE, true},
        {"there", O_WRONLY, WROTE_OUTSIDE, true},     {"../other/new", O_WRONLY | O_CREAT, CLIMBED, false},
        {"link", O_WRONLY, FOLLOWED, false},          {".", O_RDONLY | O_DIRECTORY, LISTED, false},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", other_dir, refused[i].name);
        if (openat(log, refused[i].outside ? path : refused[i].name, refused[i].flags, 0600) >= 0 || errno != EACCES)
            return refused[i].step;
    }
    return 0;
}

static void test_log_dir(void **state)
{
    (void)state;
    char path[128];
    if (geteuid() != 0 || !sandbox_has_landlock())
        skip();
    snprintf(path, sizeof path, "%s/there", other_dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    assert_int_equal(fchown(fd, USER, GROUP), 0);
    close(fd);
    snprintf(path, sizeof path, "%s/link", log_dir);
    assert_int_equal(symlink("../other/there", path), 0);

    pid_t child = fork();
    if (child == 0) {
        int log = open(log_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        _exit(sandbox_enter(ROLE_HERALD, USER, GROUP, log) < 0 ? 255 : use_files(log));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct stat st;
    snprintf(path, sizeof path, "%s/events.jsonl", log_dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, USER);
    assert_int_equal(st.st_size, 2);
}

/* --- when it cannot be had ---------------------------------------------------------------------------------------- */

/* Without the privileges to give up, nothing goes on as if they were. */
static void test_refusals(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(sandbox_check_root(), 0);
    for (int role = 0; role < ROLE_COUNT; role++) {
        pid_t child = fork();
        if (child == 0) {
            int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
            if (null < 0 || dup2(null, STDERR_FILENO) < 0 || setresuid(USER, USER, USER) < 0)
                _exit(1);
            if (sandbox_check_root() == 0)
                _exit(2);
            _exit(enter((enum role)role) < 0 ? 0 : 3);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    if (!sandbox_has_landlock())
        return;
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (null < 0 || dup2(null, STDERR_FILENO) < 0)
            _exit(1);
        _exit(sandbox_enter(ROLE_HERALD, USER, GROUP, -1) < 0 ? 0 : 3); /* no log directory */
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_looker),
        cmocka_unit_test(test_looker_dies_with_its_parent),
        cmocka_unit_test(test_ids_and_capabilities),
        cmocka_unit_test(test_calls),
#if defined(__x86_64__) && !defined(FILEWARD_ASAN)
        cmocka_unit_test(test_other_tables),
#endif
        cmocka_unit_test(test_log_dir),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, make_dirs, remove_dirs);
}
