/* What routes are made of. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "selftest/selftest.h"

enum { WHY_MAX = 160 };

const char *at(const struct arena *a, const char *name)
{
    static char names[8][PATH_MAX];
    static unsigned next;
    char *out = names[next++ % 8];
    snprintf(out, PATH_MAX, "%s/%s", a->dir, name);
    return out;
}

int cannot(const struct arena *a, const char *step)
{
    snprintf(a->why, WHY_MAX, "%s: %s", step, strerror(errno));
    return CANNOT;
}

int got(const struct arena *a, int fd)
{
    if (fd < 0)
        return -errno;
    CLEAN_FD int held = fd;
    char text[sizeof SECRET] = "";
    struct stat st;
    if (fstat(held, &st) < 0)
        return cannot(a, "fstat");
    if (!S_ISREG(st.st_mode) || (fcntl(held, F_GETFL) & O_ACCMODE) == O_WRONLY)
        return 0;
    if (read(held, text, sizeof text - 1) < 0)
        return -errno;
    errno = ENODATA;
    return strcmp(text, SECRET) == 0 ? 0 : cannot(a, "it opens another file");
}

int try_open(const struct arena *a, const char *path, int flags)
{
    return got(a, open(path, flags | O_CLOEXEC, 0600));
}

int run_program(const struct arena *a, const char *program, char *const argv[])
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execv(program, argv);
        _exit(errno);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return cannot(a, "fork");
    errno = ECHILD;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : cannot(a, "the program did not end by itself");
}

int run_and_read(const struct arena *a, const char *program, char *const argv[])
{
    char text[4096];
    int ends[2], status;
    if (pipe(ends) < 0)
        return cannot(a, "pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        setenv("LC_ALL", "C", 1);
        execv(program, argv);
        _exit(126);
    }
    close(ends[1]);
    size_t n = 0;
    for (ssize_t got_now; n < sizeof text - 1 && (got_now = read(ends[0], text + n, sizeof text - 1 - n)) > 0;)
        n += (size_t)got_now;
    text[n] = '\0';
    close(ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return cannot(a, "fork");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    errno = ECHILD;
    return strstr(text, "Operation not permitted") ? -EPERM : cannot(a, "the program failed otherwise");
}

bool write_file(const char *path, const char *text, mode_t mode)
{
    CLEAN_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    size_t n = strlen(text);
    return fd >= 0 && write(fd, text, n) == (ssize_t)n && fchmod(fd, mode) == 0;
}

bool copy_file(const char *from, const char *to, mode_t mode)
{
    struct stat st;
    CLEAN_FD int in = open(from, O_RDONLY | O_CLOEXEC);
    CLEAN_FD int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (in < 0 || out < 0 || fstat(in, &st) < 0)
        return false;
    for (off_t left = st.st_size; left > 0;) {
        ssize_t n = sendfile(out, in, NULL, (size_t)left);
        if (n <= 0)
            return false;
        left -= n;
    }
    return fchmod(out, mode) == 0;
}

bool own_namespaces(void)
{
    char map[32];
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return false;
    snprintf(map, sizeof map, "0 %u 1", uid);
    CLEAN_FD int uids = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
    if (uids < 0 || write(uids, map, strlen(map)) < 0)
        return false;
    CLEAN_FD int deny = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
    if (deny < 0 || write(deny, "deny", 4) < 0)
        return false;
    snprintf(map, sizeof map, "0 %u 1", gid);
    CLEAN_FD int gids = open("/proc/self/gid_map", O_WRONLY | O_CLOEXEC);
    return gids >= 0 && write(gids, map, strlen(map)) > 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

bool become_owner(const struct arena *a)
{
    return (!a->uid || (setresgid(a->uid, a->uid, a->uid) == 0 && setresuid(a->uid, a->uid, a->uid) == 0)) &&
           prctl(PR_SET_DUMPABLE, 1) == 0;
}

pid_t keep_process(struct arena *a, bool (*run)(struct arena *a))
{
    int ends[2];
    char byte;
    if (pipe(ends) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (run && !run(a))
            _exit(1);
        if (write(ends[1], "y", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    close(ends[1]);
    bool ran = pid > 0 && read(ends[0], &byte, 1) == 1;
    close(ends[0]);
    if (!ran && pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return ran ? pid : -1;
}
