/* disguise HOW ...: runs a program that is not what it seems.
 *   memfd NAME PROGRAM ARGS...    a copy of PROGRAM in a memfd called NAME
 *   handed PROGRAM ARGS...        PROGRAM by a descriptor that only holds its name (execveat): it is what it seems
 *   traced PROGRAM ARGS...        traced by its parent from its first instruction on */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void run(int fd, char **argv)
{
    syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
    perror("disguise: execveat");
    exit(2);
}

static void in_memory(const char *name, char **argv)
{
    struct stat st;
    int from = open(argv[0], O_RDONLY), fd = memfd_create(name, 0);
    if (from < 0 || fd < 0 || fstat(from, &st) < 0 || sendfile(fd, from, NULL, (size_t)st.st_size) != st.st_size) {
        perror("disguise: memfd");
        exit(2);
    }
    close(from);
    run(fd, argv);
}

/* Every stop is let go on, with its signal if it has one. */
static int trace(char **argv)
{
    int status, first = 1;
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        execv(argv[0], argv);
        _exit(2);
    }
    while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
        int signal = WSTOPSIG(status);
        ptrace(PTRACE_CONT, child, NULL, (void *)(long)(first ? 0 : signal));
        first = 0;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

int main(int argc, char **argv)
{
    if (argc > 3 && strcmp(argv[1], "memfd") == 0)
        in_memory(argv[2], argv + 3);
    if (argc > 2 && strcmp(argv[1], "handed") == 0)
        run(open(argv[2], O_PATH), argv + 2);
    return argc > 2 && strcmp(argv[1], "traced") == 0 ? trace(argv + 2) : 2;
}
