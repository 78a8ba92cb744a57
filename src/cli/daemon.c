#include "cli/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"

#define RUN   "/run/fileward"
#define STATE "/var/lib/fileward"

enum { READY_SECONDS = 60, STOP_SECONDS = 10, SAID_MAX = 8192 };

/* --- its directories ---------------------------------------------------------------------------------------------- */

struct daemon_dirs daemon_dirs_make(void)
{
    return (struct daemon_dirs){.made_run = mkdir(RUN, 0755) == 0, .made_state = mkdir(STATE, 0700) == 0};
}

static bool cover(const char *name, const char *dir)
{
    return mount(name, dir, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") == 0;
}

bool daemon_dirs_cover(const char *name)
{
    return cover(name, RUN) && cover(name, STATE);
}

void daemon_dirs_remove(const struct daemon_dirs *made)
{
    if (made->made_run)
        rmdir(RUN);
    if (made->made_state)
        rmdir(STATE);
}

/* --- its life ----------------------------------------------------------------------------------------------------- */

static size_t read_said(const char *file, char text[SAID_MAX])
{
    CLEAN_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, SAID_MAX - 1);
    size_t len = n > 0 ? (size_t)n : 0;
    text[len] = '\0';
    return len;
}

static bool is_ready(const char *file)
{
    char text[SAID_MAX];
    read_said(file, text);
    return strstr(text, "fileward: ready:");
}

static void become_daemon(const char *self, const char *policy, const char *said)
{
    int out = open(said, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execl(self, "fileward", "run", "-c", policy, NULL);
    _exit(127);
}

/* Waits until it has ended, at most so long. */
static bool has_ended(pid_t pid, int seconds)
{
    for (int64_t end = clock_now() + seconds * NS_PER_S; clock_now() < end;) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    }
    return false;
}

static void end_at_once(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

pid_t daemon_start(const char *command, const char *self, const char *policy, const char *said)
{
    char text[SAID_MAX];
    bool ended = false;
    unlink(said); /* of one before */
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        become_daemon(self, policy, said);
    for (int64_t end = clock_now() + READY_SECONDS * NS_PER_S; pid > 0 && !ended && clock_now() < end;) {
        if (is_ready(said))
            return pid;
        ended = waitpid(pid, NULL, WNOHANG) == pid;
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    }
    fwrite(text, 1, read_said(said, text), stderr);
    fprintf(stderr, "fileward: %s: the daemon does not get ready\n", command);
    if (pid > 0 && !ended)
        end_at_once(pid);
    return -1;
}

void daemon_stop(pid_t keeper)
{
    kill(keeper, SIGTERM);
    if (!has_ended(keeper, STOP_SECONDS))
        end_at_once(keeper);
}
