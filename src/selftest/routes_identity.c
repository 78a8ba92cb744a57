/* Impostors: who tries to pass for the program that the policy allows. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/prctl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "selftest/loader.h"
#include "selftest/selftest.h"

int prctl(int what, ...);

/* For all of these the subject that may is the program itself. */
static int genuine(const struct arena *a)
{
    return run_program(a, a->reader, OPENS(at(a, "g/secret")));
}

static bool copy_reader(const struct arena *a)
{
    return copy_file(a->reader, at(a, "out/reader"), 0755);
}

static int false_name(const struct arena *a)
{
    char *const argv[] = {(char *)a->reader, "selftest", "--open", (char *)at(a, "g/secret"), NULL};
    return run_program(a, "/proc/self/exe", argv);
}

static int copy(const struct arena *a)
{
    return copy_reader(a) ? run_program(a, at(a, "out/reader"), OPENS(at(a, "g/secret"))) : cannot(a, "a copy");
}

static int bound_over(const struct arena *a)
{
    if (!copy_reader(a))
        return cannot(a, "a copy");
    if (!(a->uid ? own_namespaces() : unshare(CLONE_NEWNS) == 0) ||
        mount(at(a, "out/reader"), a->reader, NULL, MS_BIND, NULL) < 0)
        return cannot(a, "a bind mount");
    return run_program(a, a->reader, OPENS(at(a, "g/secret")));
}

static int in_memory(const struct arena *a)
{
    char name[40];
    CLEAN_FD int fd = memfd_create("reader", 0);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    if (fd < 0 || !copy_file(a->reader, name, 0755))
        return cannot(a, "memfd_create");
    return run_program(a, name, OPENS(at(a, "g/secret")));
}

static int deleted(const struct arena *a)
{
    char name[40];
    if (!copy_reader(a))
        return cannot(a, "a copy");
    CLEAN_FD int fd = open(at(a, "out/reader"), O_PATH);
    if (fd < 0 || unlink(at(a, "out/reader")) < 0)
        return cannot(a, "unlink");
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return run_program(a, name, OPENS(at(a, "g/secret")));
}

static int by_loader(const struct arena *a)
{
    const char *loader = loader_path();
    char *const argv[] = {"ld.so", (char *)a->reader, "selftest", "--open", (char *)at(a, "g/secret"), NULL};
    errno = ENOTSUP;
    return loader ? run_program(a, loader, argv) : cannot(a, "no dynamic loader");
}

static int preloaded(const struct arena *a)
{
    char variable[PATH_MAX + 16];
    size_t size;
    const void *library = loader_library(&size);
    errno = ENOTSUP;
    if (!library)
        return cannot(a, "no library for this processor");
    CLEAN_FD int fd = open(at(a, "out/lib.so"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    if (fd < 0 || write(fd, library, size) != (ssize_t)size)
        return cannot(a, "a library");
    snprintf(variable, sizeof variable, "FWOPENS=%s", at(a, "g/secret"));
    if (putenv(variable) != 0 || setenv("LD_PRELOAD", at(a, "out/lib.so"), 1) != 0)
        return cannot(a, "putenv");
    /* Without the library it ends otherwise. */
    int seen = run_program(a, a->reader, OPENS(at(a, "out/no-such-file")));
    errno = ENOENT;
    return seen == -ENOENT ? cannot(a, "LD_PRELOAD has no effect") : seen;
}

/* --- code put into it by ptrace ----------------------------------------------------------------------------------- */

/* Makes the stopped thread, which is about to make a system call, open what lies at `path` in its memory instead. */
static bool change_call(pid_t pid, unsigned long path)
{
#if defined __x86_64__
    struct user_regs_struct r;
    struct iovec v = {&r, sizeof r};
    if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v) < 0)
        return false;
    r.orig_rax = SYS_openat;
    r.rdi = (unsigned long)AT_FDCWD;
    r.rsi = path;
    r.rdx = O_RDONLY;
    return ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v) == 0;
#elif defined __aarch64__
    struct user_regs_struct r;
    struct iovec v = {&r, sizeof r};
    int number = SYS_openat;
    struct iovec n = {&number, sizeof number};
    if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v) < 0)
        return false;
    r.regs[0] = (unsigned long)AT_FDCWD;
    r.regs[1] = path;
    r.regs[2] = O_RDONLY;
    return ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v) == 0 &&
           ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &n) == 0;
#else
    (void)pid, (void)path;
    return false;
#endif
}

static bool call_result(pid_t pid, long *out)
{
    struct user_regs_struct r;
    struct iovec v = {&r, sizeof r};
    if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v) < 0)
        return false;
#if defined __x86_64__
    *out = (long)r.rax;
    return true;
#elif defined __aarch64__
    *out = (long)r.regs[0];
    return true;
#else
    return false;
#endif
}

/* Where its first argument of execve lies. */
static unsigned long argument_of(pid_t pid)
{
    char name[40], text[1024];
    snprintf(name, sizeof name, "/proc/%d/stat", pid);
    CLEAN_FD int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    const char *p = strrchr(text, ')');
    for (int field = 2; p && field < 48; field++) { /* 48: arg_start */
        p = strchr(p + 1, ' ');
    }
    return p ? strtoul(p, NULL, 10) : 0;
}

static bool stops(pid_t pid)
{
    int status;
    return waitpid(pid, &status, 0) == pid && WIFSTOPPED(status);
}

static int injected(const struct arena *a)
{
    long result;
    pid_t pid = fork();
    if (pid == 0) {
        /* Its first argument is the name that we shall make it open. */
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        execv(a->reader, (char *[]){(char *)at(a, "g/secret"), "version", NULL});
        _exit(1);
    }
    unsigned long path = pid > 0 && stops(pid) ? argument_of(pid) : 0;
    if (!path || ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0 || !stops(pid) || !change_call(pid, path) ||
        ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0 || !stops(pid) || !call_result(pid, &result))
        return cannot(a, "ptrace");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return result >= 0 ? 0 : (int)result;
}

/* --- a forged exe link -------------------------------------------------------------------------------------------- */

/* Puts a copy without a file in the place of each mapping of our own program: the kernel changes the link only then. */
static bool leave_program(void)
{
    char exe[PATH_MAX], line[PATH_MAX + 128];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    CLEAN_FILE FILE *maps = fopen("/proc/self/maps", "re");
    if (n < 0 || !maps)
        return false;
    exe[n] = '\0';
    struct {
        unsigned long from, to;
        char mode[5];
    } map[64];
    int count = 0;
    while (fgets(line, sizeof line, maps) && count < 64)
        if (strstr(line, exe) && sscanf(line, "%lx-%lx %4s", &map[count].from, &map[count].to, map[count].mode) == 3)
            count++;
    for (int i = 0; i < count; i++) {
        size_t size = map[i].to - map[i].from;
        char *new = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (new == MAP_FAILED)
            return false;
        if (map[i].mode[0] == 'r')
            memcpy(new, (void *)map[i].from, size);
        int prot = (map[i].mode[0] == 'r' ? PROT_READ : 0) | (map[i].mode[1] == 'w' ? PROT_WRITE : 0) |
                   (map[i].mode[2] == 'x' ? PROT_EXEC : 0);
        if (mprotect(new, size, prot) < 0 ||
            mremap(new, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)map[i].from) == MAP_FAILED)
            return false;
    }
    return count > 0;
}

static int set_link(void *reader)
{
    CLEAN_FD int fd = open(reader, O_RDONLY | O_CLOEXEC);
    unsigned long page = (unsigned long)&errno & ~4095UL;
    struct prctl_mm_map map = {.start_code = page,
                               .end_code = page + 1,
                               .start_data = page,
                               .end_data = page + 1,
                               .start_brk = (unsigned long)sbrk(0),
                               .brk = (unsigned long)sbrk(0),
                               .start_stack = page,
                               .arg_start = page,
                               .arg_end = page + 1,
                               .env_start = page,
                               .env_end = page + 1,
                               .exe_fd = (unsigned)fd};
    return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) == 0 ? 0 : errno;
}

/* A child with our memory, in a user namespace of its own, does it for us: nothing shows it afterwards. */
static int forged_link(const struct arena *a)
{
    enum { STACK = 1 << 18 };
    int status;
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED || !leave_program())
        return cannot(a, "mremap");
    pid_t pid = clone(set_link, stack + STACK, CLONE_VM | (a->uid ? CLONE_NEWUSER : 0) | SIGCHLD, (void *)a->reader);
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return cannot(a, "clone");
    errno = WEXITSTATUS(status);
    return errno ? cannot(a, "PR_SET_MM_MAP") : try_open(a, at(a, "g/secret"), O_RDONLY);
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

static void *open_in_thread(void *arg)
{
    const struct arena *a = arg;
    int *said = a->shared;
    /* The raw call changes this thread alone. */
    if (a->trial == TRIAL_REFUSED && syscall(SYS_setgroups, 0, NULL) < 0)
        *said = cannot(a, "setgroups");
    else
        *said = try_open(a, at(a, "g/secret"), O_RDONLY);
    return NULL;
}

/* The process may, the thread that opens may not. */
static int other_thread(const struct arena *a)
{
    pthread_t t;
    if (setgroups(1, &a->allowed) < 0 || pthread_create(&t, NULL, open_in_thread, (void *)a) != 0)
        return cannot(a, "a thread");
    pthread_join(t, NULL);
    return *(int *)a->shared;
}

static void *open_alone(void *arg)
{
    char name[40], text[512];
    const struct arena *a = arg;
    snprintf(name, sizeof name, "/proc/self/task/%d/stat", getpid());
    for (const char *end = NULL; !end || end[2] != 'Z'; usleep(1000)) {
        CLEAN_FD int fd = open(name, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        text[n > 0 ? n : 0] = '\0';
        end = strrchr(text, ')');
        if (n <= 0)
            break;
    }
    *(int *)a->shared = try_open(a, at(a, "g/secret"), O_RDONLY);
    _exit(0);
}

/* The first thread has ended: what /proc shows of the process shows nothing. */
static int leaderless(const struct arena *a)
{
    int status;
    *(int *)a->shared = CANNOT;
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t t;
        if (pthread_create(&t, NULL, open_alone, (void *)a) == 0)
            syscall(SYS_exit, 0);
        _exit(1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return cannot(a, "fork");
    return *(int *)a->shared;
}

/* One thread asks, and while it waits for the answer another turns the process into the allowed program. */
static void *ask(void *arg)
{
    const struct arena *a = arg;
    *(int *)a->shared = try_open(a, at(a, "g/secret"), O_RDONLY);
    return NULL;
}

static int exec_meanwhile(const struct arena *a)
{
    int *said = a->shared;
    for (int i = 0; i < 100; i++) {
        *said = CANNOT;
        pid_t pid = fork();
        if (pid == 0) {
            pthread_t t;
            /* Sooner or later, so that the exec meets every moment of the question. */
            if (pthread_create(&t, NULL, ask, (void *)a) == 0 &&
                nanosleep(&(struct timespec){.tv_nsec = i * 20000L}, NULL) == 0)
                execv(a->reader, OPENS("/dev/null"));
            _exit(1);
        }
        if (pid < 0 || waitpid(pid, NULL, 0) < 0)
            return cannot(a, "fork");
        if (*said == 0)
            return 0;
    }
    return -EPERM;
}

/* A child that shares our memory, and so our program. */
static int ask_as_child(void *arg)
{
    ask(arg);
    return 0;
}

static int shared_memory(const struct arena *a)
{
    enum { STACK = 1 << 18 };
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(int *)a->shared = CANNOT;
    pid_t pid = stack == MAP_FAILED ? -1 : clone(ask_as_child, stack + STACK, CLONE_VM | SIGCHLD, (void *)a);
    if (pid < 0 || waitpid(pid, NULL, 0) < 0)
        return cannot(a, "clone");
    return *(int *)a->shared;
}

#define CODE_LIMIT  "code that the same user puts into an allowed program acts as that program"
#define CODE_CLOSES "code = intact, or egid with a setgid program"

static const struct route list_of[] = {
    {"false-name", "another program, with its name as argument 0", BY_BOTH, .genuine = genuine, .attempt = false_name},
    {"copy", "a copy with the same name", BY_BOTH, .genuine = genuine, .attempt = copy},
    {"bound-over", "a copy bound over it in another mount tree", BY_BOTH, .genuine = genuine, .attempt = bound_over},
    {"memfd", "a copy in memory", BY_BOTH, .genuine = genuine, .attempt = in_memory},
    {"deleted-copy", "a copy that is deleted", BY_BOTH, .genuine = genuine, .attempt = deleted},
    {"run-by-loader", "the program given to the dynamic loader", BY_BOTH, .genuine = genuine, .attempt = by_loader},
    {"thread-leaderless", "a thread whose process's first thread has ended", BY_BOTH, .attempt = leaderless},
    {"thread-other-groups", "a thread that may not, of a process that may", BY_ROOT, .attempt = other_thread},
    {"shared-memory", "a child that shares its parent's memory", BY_BOTH, .attempt = shared_memory},
    {"exec-meanwhile", "the process becomes the allowed program while it waits for the answer", BY_BOTH,
     .genuine = genuine, .attempt = exec_meanwhile},
    {"preload", "LD_PRELOAD", BY_BOTH, .known = OPEN_CODE, .limit = CODE_LIMIT, .closes = CODE_CLOSES,
     .genuine = genuine, .attempt = preloaded},
    {"ptrace", "a system call put into it by ptrace(2)", BY_BOTH, .known = OPEN_CODE, .limit = CODE_LIMIT,
     .closes = CODE_CLOSES ", or Yama's ptrace_scope = 3", .genuine = genuine, .attempt = injected},
    {"forged-exe", "a forged exe link (PR_SET_MM_MAP)", BY_BOTH, .known = OPEN_CODE, .limit = CODE_LIMIT,
     .closes = CODE_CLOSES, .genuine = genuine, .attempt = forged_link},
};

struct routes routes_identity(void)
{
    return (struct routes){list_of, sizeof list_of / sizeof *list_of};
}
