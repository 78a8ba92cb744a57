/* Ways to call open. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "selftest/selftest.h"
#include "selftest/uring.h"

static int open_read(const struct arena *a)
{
    return try_open(a, at(a, "g/secret"), O_RDONLY);
}

static int open_write(const struct arena *a)
{
    return try_open(a, at(a, "g/secret"), O_WRONLY);
}

static int open_rdwr(const struct arena *a)
{
    return try_open(a, at(a, "g/secret"), O_RDWR);
}

static int open_append(const struct arena *a)
{
    return try_open(a, at(a, "g/secret"), O_WRONLY | O_APPEND);
}

/* Refused is not enough: the content must be there too. */
static int truncates(const struct arena *a, int flags)
{
    struct stat st;
    int fd = open(at(a, "g/secret"), flags | O_TRUNC | O_CLOEXEC), why = errno;
    own_close(&fd);
    if (stat(at(a, "g/secret"), &st) < 0)
        return cannot(a, "stat");
    return fd >= 0 || st.st_size == 0 ? 0 : -why;
}

static int open_trunc(const struct arena *a)
{
    return truncates(a, O_WRONLY);
}

static int open_rdtrunc(const struct arena *a)
{
    return truncates(a, O_RDONLY);
}

static int create(const struct arena *a)
{
    return try_open(a, at(a, "g/new"), O_WRONLY | O_CREAT | O_EXCL);
}

static int create_deep(const struct arena *a)
{
    return try_open(a, at(a, "g/sub/new"), O_WRONLY | O_CREAT);
}

static int tmpfile_inside(const struct arena *a)
{
    return try_open(a, at(a, "g"), O_WRONLY | O_TMPFILE);
}

static int list(const struct arena *a)
{
    return try_open(a, at(a, "g"), O_RDONLY | O_DIRECTORY);
}

static int list_deep(const struct arena *a)
{
    return try_open(a, at(a, "g/sub"), O_RDONLY | O_DIRECTORY);
}

static int deep(const struct arena *a)
{
    return try_open(a, at(a, "g/sub/deep"), O_RDONLY);
}

static int single(const struct arena *a)
{
    return try_open(a, at(a, "one/key"), O_RDONLY);
}

static int by_openat2(const struct arena *a)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC};
    return got(a, (int)syscall(SYS_openat2, AT_FDCWD, at(a, "g/secret"), &how, sizeof how));
}

static int openat2_write(const struct arena *a)
{
    struct open_how how = {.flags = O_WRONLY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
    return got(a, (int)syscall(SYS_openat2, AT_FDCWD, at(a, "g/secret"), &how, sizeof how));
}

static int cwd(const struct arena *a)
{
    return chdir(at(a, "g")) < 0 ? cannot(a, "chdir") : try_open(a, "secret", O_RDONLY);
}

static int cwd_of_proc(const struct arena *a)
{
    return chdir(at(a, "g")) < 0 ? cannot(a, "chdir") : try_open(a, "/proc/self/cwd/secret", O_RDONLY);
}

static bool hold_directory(struct arena *a)
{
    a->fd = open(at(a, "g"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return a->fd >= 0;
}

static int dirfd_before(const struct arena *a)
{
    return got(a, openat(a->fd, "secret", O_RDONLY | O_CLOEXEC));
}

static bool hold_path(struct arena *a)
{
    a->fd = open(at(a, "g/secret"), O_PATH | O_CLOEXEC);
    return a->fd >= 0;
}

static int reopen_fd(const struct arena *a, int fd)
{
    char name[40];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return try_open(a, name, O_RDONLY);
}

static int o_path_before(const struct arena *a)
{
    return reopen_fd(a, a->fd);
}

static int o_path_after(const struct arena *a)
{
    CLEAN_FD int fd = open(at(a, "g/secret"), O_PATH | O_CLOEXEC);
    return fd < 0 ? cannot(a, "O_PATH") : reopen_fd(a, fd);
}

static int by_handle(const struct arena *a)
{
    union {
        struct file_handle handle;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } h = {.handle.handle_bytes = MAX_HANDLE_SZ};
    int mount_id;
    CLEAN_FD int mount = open(a->fs->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mount < 0 || name_to_handle_at(AT_FDCWD, at(a, "g/secret"), &h.handle, &mount_id, 0) < 0)
        return cannot(a, "name_to_handle_at");
    return got(a, open_by_handle_at(mount, &h.handle, O_RDONLY | O_CLOEXEC));
}

static int uring(const struct arena *a, int flags, enum uring how)
{
    bool made;
    int fd = uring_open(at(a, "g/secret"), flags, how, &made);
    errno = fd < 0 ? -fd : 0;
    if (!made)
        return cannot(a, "no io_uring");
    return fd < 0 ? fd : got(a, fd);
}

static int uring_inline(const struct arena *a)
{
    return uring(a, O_RDONLY, URING_INLINE);
}

static int uring_write(const struct arena *a)
{
    return uring(a, O_WRONLY, URING_INLINE);
}

static int uring_async(const struct arena *a)
{
    return uring(a, O_RDONLY, URING_ASYNC);
}

static int uring_linked(const struct arena *a)
{
    return uring(a, O_RDONLY, URING_LINKED);
}

static int uring_sqpoll(const struct arena *a)
{
    return uring(a, O_RDONLY, URING_SQPOLL);
}

static int uring_openat2(const struct arena *a)
{
    return uring(a, O_RDONLY, URING_OPENAT2);
}

/* A process of the same user that has the file open, and mapped, and the directory as its own. */
static bool holds(struct arena *a)
{
    int fd = open(at(a, "g/secret"), O_RDONLY);
    return fd >= 0 && mmap((void *)0x10000000, 4096, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED &&
           (fd == 9 || dup2(fd, 9) == 9) && chdir(at(a, "g")) == 0 && become_owner(a);
}

static bool hold_in_process(struct arena *a)
{
    a->helper = keep_process(a, holds);
    return a->helper > 0;
}

static int of_holder(const struct arena *a, const char *what)
{
    char name[80];
    snprintf(name, sizeof name, "/proc/%d/%s", a->helper, what);
    return try_open(a, name, O_RDONLY);
}

static int fd_of_holder(const struct arena *a)
{
    return of_holder(a, "fd/9");
}

static int cwd_of_holder(const struct arena *a)
{
    return of_holder(a, "cwd/secret");
}

static int mapping_of_holder(const struct arena *a)
{
    return of_holder(a, "map_files/10000000-10001000");
}

/* The kernel writes the file, in the name of the process that dies. */
static int core_dump(const struct arena *a)
{
    struct rlimit limit;
    char pattern[128] = "";
    CLEAN_FD int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, pattern, sizeof pattern - 1) <= 0 || getrlimit(RLIMIT_CORE, &limit) < 0)
        return cannot(a, "core_pattern");
    errno = ENOTSUP;
    if (pattern[0] == '|' || strchr(pattern, '/'))
        return cannot(a, "core dumps go elsewhere");
    limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_max < 1 << 20 || setrlimit(RLIMIT_CORE, &limit) < 0)
        return cannot(a, "the limit of core dumps");
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        if (chdir(at(a, "g/sub")) == 0)
            kill(getpid(), SIGABRT);
        _exit(1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return cannot(a, "fork");
    errno = ECHILD;
    if (!WIFSIGNALED(status))
        return cannot(a, "it did not die");
    return WCOREDUMP(status) ? 0 : -EPERM;
}

/* Process accounting: the kernel opens the file by its name. */
static int accounting(const struct arena *a)
{
    int rc = (int)syscall(SYS_acct, at(a, "g/secret")), why = errno;
    if (rc == 0)
        syscall(SYS_acct, NULL);
    return rc == 0 ? 0 : -why;
}

/* XFS opens by handle with a call of its own. */
static int by_xfs_handle(const struct arena *a)
{
    struct {
        uint32_t fd;
        const void *path;
        uint32_t flags;
        void *in;
        uint32_t in_length;
        void *out;
        uint32_t *out_length;
    } request = {.path = at(a, "g/secret"), .flags = O_RDONLY};
    const unsigned long path_to_handle = _IOWR('X', 105, request), open_by_handle = _IOWR('X', 107, request);
    char handle[64];
    uint32_t length = sizeof handle;
    CLEAN_FD int mount = open(a->fs->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    request.out = handle;
    request.out_length = &length;
    if (mount < 0 || ioctl(mount, path_to_handle, &request) < 0)
        return cannot(a, "XFS_IOC_PATH_TO_HANDLE");
    request.in = handle;
    request.in_length = length;
    return got(a, ioctl(mount, open_by_handle, &request));
}

/* 32-bit calls show other numbers. */
static int open_32bit(const struct arena *a)
{
#if defined __x86_64__
    enum { OPEN_I386 = 5, ROOM = 4096 };
    long fd;
    char *path = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (path == MAP_FAILED)
        return cannot(a, "mmap");
    snprintf(path, ROOM, "%s", at(a, "g/secret"));
    __asm__ volatile("int $0x80"
                     : "=a"(fd)
                     : "a"(OPEN_I386), "b"(path), "c"(O_RDONLY), "d"(0)
                     : "r8", "r9", "r10", "r11", "memory");
    errno = (int)-fd;
    if (fd == -ENOSYS || fd == -EFAULT)
        return cannot(a, "32-bit calls");
    return fd < 0 ? (int)fd : got(a, (int)fd);
#else
    errno = ENOTSUP;
    return cannot(a, "not on this processor");
#endif
}

static const struct route list_of[] = {
    {"open-read", "open(2) for reading", BY_BOTH, .attempt = open_read},
    {"open-write", "open(2) for writing", BY_BOTH, .attempt = open_write},
    {"open-rdwr", "open(2) for both", BY_BOTH, .attempt = open_rdwr},
    {"open-append", "open(2) for appending", BY_BOTH, .attempt = open_append},
    {"open-truncate", "open(2) with O_WRONLY and O_TRUNC", BY_BOTH, .attempt = open_trunc},
    {"open-read-truncate", "open(2) with O_RDONLY and O_TRUNC", BY_BOTH, .attempt = open_rdtrunc},
    {"create", "a new file", BY_BOTH, .attempt = create},
    {"create-below", "a new file in a directory below", BY_BOTH, .attempt = create_deep},
    {"tmpfile", "O_TMPFILE in the directory", BY_BOTH, .attempt = tmpfile_inside},
    {"list", "the directory opened, to list it", BY_BOTH, .attempt = list},
    {"list-below", "a directory below, opened", BY_BOTH, .attempt = list_deep},
    {"open-below", "a file in a directory below", BY_BOTH, .attempt = deep},
    {"open-single", "a file that is a watch by itself", BY_BOTH, .attempt = single},
    {"openat2-read", "openat2(2) for reading", BY_BOTH, .attempt = by_openat2},
    {"openat2-write", "openat2(2) for writing", BY_BOTH, .attempt = openat2_write},
    {"working-directory", "from within the directory", BY_BOTH, .attempt = cwd},
    {"proc-cwd", "through /proc/self/cwd", BY_BOTH, .attempt = cwd_of_proc},
    {"directory-before", "below a descriptor of the directory from before", BY_BOTH, .prepare = hold_directory,
     .attempt = dirfd_before},
    {"o-path-before", "an O_PATH descriptor from before, opened again", BY_BOTH, .prepare = hold_path,
     .attempt = o_path_before},
    {"o-path-after", "an O_PATH descriptor, opened again", BY_BOTH, .attempt = o_path_after},
    {"proc-fd", "/proc/PID/fd of a process that has it open", BY_BOTH, .prepare = hold_in_process,
     .attempt = fd_of_holder},
    {"proc-pid-cwd", "/proc/PID/cwd of a process in the directory", BY_BOTH, .prepare = hold_in_process,
     .attempt = cwd_of_holder},
    {"proc-map-files", "/proc/PID/map_files of a process that has it mapped", BY_ROOT, .prepare = hold_in_process,
     .attempt = mapping_of_holder},
    {"uring-read", "io_uring, for reading", BY_BOTH, .attempt = uring_inline},
    {"uring-write", "io_uring, for writing", BY_BOTH, .attempt = uring_write},
    {"uring-openat2", "io_uring, openat2", BY_BOTH, .attempt = uring_openat2},
    {"uring-async", "io_uring, by a worker thread", BY_BOTH, .attempt = uring_async},
    {"uring-linked", "io_uring, linked behind another request", BY_BOTH, .attempt = uring_linked},
    {"uring-sqpoll", "io_uring, by the kernel's polling thread", BY_BOTH, .attempt = uring_sqpoll},
    {"core-dump", "a core dump into the directory", BY_BOTH, .attempt = core_dump},
    {"accounting", "acct(2): the kernel opens it by name", BY_ROOT, .attempt = accounting},
    {"open-32bit", "open(2) as a 32-bit program calls it", BY_BOTH, .attempt = open_32bit},
    {"xfs-handle", "XFS_IOC_OPEN_BY_HANDLE", BY_ROOT, .only = 1u << FS_XFS, .attempt = by_xfs_handle},
    {"handle", "open_by_handle_at(2)", BY_ROOT, .attempt = by_handle},
};

struct routes routes_open(void)
{
    return (struct routes){list_of, sizeof list_of / sizeof *list_of};
}
