/* violate PID: makes that process attempt execve(2), which no role of fileward's may: its next system call is turned into
 * that one before its filter sees it. Ends with 0 when the filter has killed the process for it. */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { IN_CALL = SIGTRAP | 0x80 /* PTRACE_O_TRACESYSGOOD: stopped where a system call begins or ends */ };

static int failed(const char *what)
{
    fprintf(stderr, "violate: %s: %s\n", what, strerror(errno));
    return 1;
}

/* The number of the call at whose entry the process stands. */
static bool set_call(pid_t pid, long number)
{
#if defined(__x86_64__)
    struct user_regs_struct regs;
    struct iovec v = {&regs, sizeof regs};
    if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v) < 0)
        return false;
    regs.orig_rax = (unsigned long)number;
    return ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v) == 0;
#elif defined(__aarch64__)
    int call = (int)number;
    struct iovec v = {&call, sizeof call};
    return ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &v) == 0;
#else
    (void)pid, (void)number;
    errno = ENOSYS;
    return false;
#endif
}

/* Lets it go on, with this signal, to its next stop. False if it ended: then `how` is its wait status. */
static bool go_on(pid_t pid, int request, long signal, int *how)
{
    return ptrace(request, pid, NULL, signal) == 0 && waitpid(pid, how, __WALL) == pid && WIFSTOPPED(*how);
}

int main(int argc, char **argv)
{
    pid_t pid = argc == 2 ? atoi(argv[1]) : 0;
    int how = 0;
    if (pid <= 0) {
        fprintf(stderr, "usage: violate PID\n");
        return 2;
    }
    if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD) < 0)
        return failed("cannot trace");
    if (!go_on(pid, PTRACE_INTERRUPT, 0, &how))
        return failed("it did not stop");
    do
        if (!go_on(pid, PTRACE_SYSCALL, 0, &how))
            return failed("it made no call");
    while (WSTOPSIG(how) != IN_CALL);
    if (!set_call(pid, SYS_execve))
        return failed("cannot change its call");
    /* It may stop once more at the end of that call, and to show us the signal; whoever stops a third time lives. */
    for (int stops = 0; stops < 3 && go_on(pid, PTRACE_SYSCALL, WSTOPSIG(how) == SIGSYS ? SIGSYS : 0, &how);)
        stops++;
    if (!WIFSIGNALED(how) || WTERMSIG(how) != SIGSYS) {
        fprintf(stderr, "violate: it may make that call\n");
        return 1;
    }
    return 0;
}
