/* Guarded programs, and what runs them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "selftest/loader.h"
#include "selftest/selftest.h"

static char *const as_true[] = {"true", NULL};

static int exec(const struct arena *a)
{
    return run_program(a, at(a, "g/run"), as_true);
}

static int exec_o_path(const struct arena *a)
{
    int status;
    CLEAN_FD int fd = open(at(a, "g/run"), O_PATH);
    pid_t pid = fd < 0 ? -1 : fork();
    if (pid == 0) {
        syscall(SYS_execveat, fd, "", as_true, (char *const[]){NULL}, AT_EMPTY_PATH);
        _exit(errno);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
        return cannot(a, "execveat");
    return -WEXITSTATUS(status);
}

static int exec_proc_fd(const struct arena *a)
{
    char name[40];
    CLEAN_FD int fd = open(at(a, "g/run"), O_PATH);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return fd < 0 ? cannot(a, "O_PATH") : run_program(a, name, as_true);
}

static int exec_link(const struct arena *a)
{
    return link(at(a, "g/run"), at(a, "out/run")) < 0 ? cannot(a, "link") : run_program(a, at(a, "out/run"), as_true);
}

static int exec_script(const struct arena *a)
{
    return run_program(a, at(a, "g/script"), (char *[]){"script", NULL});
}

/* The shell says in words what its open came to. */
static int shell_script(const struct arena *a)
{
    return run_and_read(a, "/bin/sh", (char *[]){"sh", (char *)at(a, "g/script"), NULL});
}

static int guarded_interpreter(const struct arena *a)
{
    char text[PATH_MAX + 8];
    snprintf(text, sizeof text, "#!%s\n", at(a, "g/run"));
    return write_file(at(a, "out/script"), text, 0755) ? run_program(a, at(a, "out/script"), as_true)
                                                       : cannot(a, "out/script");
}

/* A program of the attacker's that names a guarded file as its loader. */
static bool copy_loader(struct arena *a)
{
    const char *loader = loader_path();
    if (!loader) {
        errno = ENOTSUP;
        cannot(a, "no dynamic loader");
        return false;
    }
    return copy_file(loader, at(a, "g/l"), 0755) && chown(at(a, "g/l"), a->uid, a->uid) == 0 &&
           loader_replaced("/bin/true", at(a, "out/run"), "g/l");
}

static int guarded_loader(const struct arena *a)
{
    return chdir(a->dir) < 0 ? cannot(a, "chdir") : run_program(a, at(a, "out/run"), as_true);
}

static int loader_runs(const struct arena *a)
{
    const char *loader = loader_path();
    errno = ENOTSUP;
    return loader ? run_and_read(a, loader, (char *[]){"ld.so", (char *)at(a, "g/run"), NULL})
                  : cannot(a, "no dynamic loader");
}

static const struct route list_of[] = {
    {"exec", "execve(2) of a guarded program", BY_BOTH, .attempt = exec},
    {"exec-o-path", "execveat(2) of an O_PATH descriptor", BY_BOTH, .attempt = exec_o_path},
    {"exec-proc-fd", "execve(2) of /proc/self/fd", BY_BOTH, .attempt = exec_proc_fd},
    {"exec-hard-link", "execve(2) of a hard link", BY_BOTH, .attempt = exec_link},
    {"exec-script", "execve(2) of a guarded script", BY_BOTH, .attempt = exec_script},
    {"exec-sh-script", "a guarded script given to the shell", BY_BOTH, .attempt = shell_script},
    {"exec-interpreter", "a guarded program as a script's interpreter", BY_BOTH, .attempt = guarded_interpreter},
    {"exec-elf-loader", "a guarded program as another's dynamic loader", BY_BOTH, .prepare = copy_loader,
     .attempt = guarded_loader},
    {"exec-by-loader", "a guarded program given to the dynamic loader", BY_BOTH, .attempt = loader_runs},
};

struct routes routes_exec(void)
{
    return (struct routes){list_of, sizeof list_of / sizeof *list_of};
}
