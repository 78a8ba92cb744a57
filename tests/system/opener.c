/* opener HOW PATH: opens PATH in one certain way. Says "opened", or why not on standard error and ends with 1. What a
 * shell cannot do lies here: flags, openat2, io_uring, threads, leases, handles.
 *   read write rdwr append trunc rdtrunc create list     open(2) with such flags
 *   openat2-read openat2-write uring-read uring-write    other calls that open
 *   reopen      an O_PATH descriptor, opened again through /proc/self/fd
 *   handle      by its file handle
 *   thread UID PATH   in a thread that alone changed its user
 *   leaderless PATH   in a thread whose process's first thread has ended
 *   lease PATH        takes a write lease, says "leased", holds it until its input ends
 *   many N PATH       N times (0: until SIGTERM); says how many were opened, refused (EPERM), released (EBUSY) or
 *                     failed otherwise, and how many milliseconds the longest took
 *   new N PATH        once in each of N new processes; says how many were opened
 *   numbered TID PROGRAM ARGUMENT...   runs it as a child whose number is TID */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int say(int fd, const char *path)
{
    if (fd < 0) {
        fprintf(stderr, "opener: %s: %s\n", path, strerror(errno));
        return 1;
    }
    puts("opened");
    fflush(stdout);
    close(fd);
    return 0;
}

static int by_openat2(const char *path, int flags)
{
    struct open_how how = {.flags = (unsigned)flags};
    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

static int by_uring(const char *path, int flags)
{
    struct io_uring_params p = {0};
    int ring = (int)syscall(SYS_io_uring_setup, 4, &p);
    if (ring < 0)
        return -1;
    size_t sq_size = p.sq_off.array + p.sq_entries * sizeof(unsigned);
    size_t cq_size = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
    const int prot = PROT_READ | PROT_WRITE;
    char *sq = mmap(NULL, sq_size, prot, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    char *cq = mmap(NULL, cq_size, prot, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    struct io_uring_sqe *sqe = mmap(NULL, p.sq_entries * sizeof *sqe, prot, MAP_SHARED, ring, IORING_OFF_SQES);
    if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED)
        return -1;
    sqe[0] = (struct io_uring_sqe){
        .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (unsigned long)path, .open_flags = (unsigned)flags};
    ((unsigned *)(sq + p.sq_off.array))[0] = 0;
    __atomic_store_n((unsigned *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
        return -1;
    int result = ((struct io_uring_cqe *)(cq + p.cq_off.cqes))[0].res;
    if (result >= 0)
        return result;
    errno = -result;
    return -1;
}

static int reopen(const char *path)
{
    char link[32];
    int fd = open(path, O_PATH);
    if (fd < 0)
        return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return open(link, O_RDONLY);
}

static int by_handle(const char *path)
{
    union {
        struct file_handle handle;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } h = {.handle.handle_bytes = MAX_HANDLE_SZ};
    char directory[4096];
    int mount_id;
    snprintf(directory, sizeof directory, "%s", path);
    char *slash = strrchr(directory, '/');
    if (slash)
        *slash = '\0';
    /* A guarded directory cannot be opened, so its parent names the mount. */
    slash = strrchr(directory, '/');
    if (slash)
        *slash = '\0';
    int mount = open(directory, O_RDONLY | O_DIRECTORY);
    if (mount < 0 || name_to_handle_at(AT_FDCWD, path, &h.handle, &mount_id, 0) < 0)
        return -1;
    return open_by_handle_at(mount, &h.handle, O_RDONLY);
}

struct job {
    const char *path;
    uid_t uid;
    pid_t leader;
    int fd, why;
};

static void *open_as(void *arg)
{
    struct job *j = arg;
    /* The raw call changes this thread alone. */
    if (syscall(SYS_setresuid, j->uid, j->uid, j->uid) == 0)
        j->fd = open(j->path, O_RDONLY);
    j->why = errno;
    return NULL;
}

static int thread(const char *uid, const char *path)
{
    struct job j = {.path = path, .uid = (uid_t)strtoul(uid, NULL, 10), .fd = -1};
    pthread_t t;
    if (pthread_create(&t, NULL, open_as, &j) != 0 || pthread_join(t, NULL) != 0)
        return 2;
    errno = j.why;
    return say(j.fd, path);
}

static void *open_alone(void *arg)
{
    const struct job *j = arg;
    char name[64], text[512];
    snprintf(name, sizeof name, "/proc/%d/stat", j->leader);
    for (;;) {
        int fd = open(name, O_RDONLY);
        ssize_t n = read(fd, text, sizeof text - 1);
        close(fd);
        text[n > 0 ? n : 0] = '\0';
        const char *end = strrchr(text, ')');
        if (!end || end[2] == 'Z')
            break;
        usleep(1000);
    }
    exit(say(open(j->path, O_RDONLY), j->path));
}

static int leaderless(const char *path)
{
    static struct job j;
    j = (struct job){.path = path, .leader = getpid()};
    pthread_t t;
    if (pthread_create(&t, NULL, open_alone, &j) != 0)
        return 2;
    syscall(SYS_exit, 0);
    return 2;
}

static int lease(const char *path)
{
    char byte;
    int fd = open(path, O_RDWR);
    signal(SIGIO, SIG_IGN);
    /* Whoever answered our open may not have closed its own descriptor of the file yet. */
    int rc = -1;
    for (int tries = 0; fd >= 0 && rc < 0 && tries < 1000; tries++) {
        rc = fcntl(fd, F_SETLEASE, F_WRLCK);
        if (rc < 0)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    if (rc < 0) {
        fprintf(stderr, "opener: %s: lease: %s\n", path, strerror(errno));
        return 1;
    }
    puts("leased");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0;
}

static volatile sig_atomic_t enough;

static void on_term(int signal_number)
{
    (void)signal_number;
    enough = 1;
}

static long milliseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int many(const char *times, const char *path)
{
    long n[4] = {0}, longest = 0, limit = strtol(times, NULL, 10);
    signal(SIGTERM, on_term);
    for (long i = 0; !enough && (limit == 0 || i < limit); i++) {
        long begin = milliseconds();
        int fd = open(path, O_RDONLY);
        n[fd >= 0 ? 0 : errno == EPERM ? 1 : errno == EBUSY ? 2 : 3]++;
        if (fd >= 0)
            close(fd);
        long took = milliseconds() - begin;
        longest = took > longest ? took : longest;
    }
    printf("opened %ld refused %ld released %ld failed %ld longest %ld\n", n[0], n[1], n[2], n[3], longest);
    return 0;
}

static int new (const char *times, const char *path)
{
    int opened = 0;
    for (long i = strtol(times, NULL, 10); i > 0; i--) {
        int status;
        pid_t child = fork();
        if (child == 0)
            _exit(open(path, O_RDONLY) < 0);
        if (child < 0 || waitpid(child, &status, 0) < 0)
            return 1;
        opened += status == 0;
    }
    printf("opened %d\n", opened);
    return 0;
}

static int numbered(const char *number, char **command)
{
    pid_t tid = (pid_t)strtol(number, NULL, 10);
    struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (unsigned long)&tid, .set_tid_size = 1};
    int status;
    pid_t child = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (child == 0) {
        execv(command[0], command);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0) {
        fprintf(stderr, "opener: number %s: %s\n", number, strerror(errno));
        return 126;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

static int open_so(const char *how, const char *path)
{
    static const struct {
        const char *how;
        int flags;
        int (*call)(const char *path, int flags);
    } ways[] = {
        {"read", O_RDONLY, NULL},
        {"write", O_WRONLY, NULL},
        {"rdwr", O_RDWR, NULL},
        {"append", O_WRONLY | O_APPEND, NULL},
        {"trunc", O_WRONLY | O_TRUNC, NULL},
        {"rdtrunc", O_RDONLY | O_TRUNC, NULL},
        {"create", O_WRONLY | O_CREAT | O_EXCL, NULL},
        {"list", O_RDONLY | O_DIRECTORY, NULL},
        {"openat2-read", O_RDONLY, by_openat2},
        {"openat2-write", O_WRONLY, by_openat2},
        {"uring-read", O_RDONLY, by_uring},
        {"uring-write", O_WRONLY, by_uring},
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (strcmp(how, ways[i].how) == 0)
            return ways[i].call ? ways[i].call(path, ways[i].flags) : open(path, ways[i].flags, 0644);
    if (strcmp(how, "reopen") == 0)
        return reopen(path);
    if (strcmp(how, "handle") == 0)
        return by_handle(path);
    errno = EINVAL;
    return -1;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "thread") == 0)
        return thread(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "many") == 0)
        return many(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "new") == 0)
        return new (argv[2], argv[3]);
    if (argc > 3 && strcmp(argv[1], "numbered") == 0)
        return numbered(argv[2], argv + 3);
    if (argc != 3)
        return 2;
    if (strcmp(argv[1], "leaderless") == 0)
        return leaderless(argv[2]);
    if (strcmp(argv[1], "lease") == 0)
        return lease(argv[2]);
    return say(open_so(argv[1], argv[2]), argv[2]);
}
