#include "cli/daemon.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
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

enum { READY_SECONDS = 60, STOP_SECONDS = 10, KILL_SECONDS = 5, SHOWN_MAX = 8192 };

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

/* The end of it is shown: what went wrong is said last. */
static void show_said(const char *file)
{
    char text[SHOWN_MAX];
    CLEAN_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    ssize_t n = fd < 0 ? 0 : pread(fd, text, sizeof text, size > SHOWN_MAX ? size - SHOWN_MAX : 0);
    if (n > 0)
        fwrite(text, 1, (size_t)n, stderr);
}

/* It may say as much as it likes before. */
static bool is_ready(const char *file)
{
    CLEAN_FILE FILE *said = fopen(file, "re");
    CLEAN_FREE char *line = NULL;
    size_t size = 0;
    bool is = false;
    while (said && !is && getline(&line, &size, said) > 0)
        is = strstr(line, "fileward: ready:");
    return is;
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

/* A process of fileward whose parent we are. The name in the brackets comes before the state and the parent. */
static bool is_orphan(pid_t pid)
{
    char path[32], text[128];
    pid_t parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    CLEAN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    const char *name = strstr(text, "(fileward-"), *end = strrchr(text, ')');
    return name && end && sscanf(end, ") %*c %d", &parent) == 1 && parent == getpid();
}

/* What a keeper that is gone has left; each has a session of its own, and the judge guards on. They have become our
 * children (see daemon_start), none of them forks, and their numbers are theirs until we have waited for them. */
static void end_orphans(void)
{
    CLEAN_DIR DIR *proc = opendir("/proc");
    for (const struct dirent *e; proc && (e = readdir(proc));) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        if (pid <= 0 || !is_orphan(pid))
            continue;
        kill(pid, SIGKILL);
        has_ended(pid, KILL_SECONDS);
    }
}

/* The keeper first, so that it does not replace the others. */
static void end_at_once(pid_t keeper)
{
    kill(keeper, SIGKILL);
    has_ended(keeper, KILL_SECONDS);
}

pid_t daemon_start(const char *command, const char *self, const char *policy, const char *said)
{
    bool ended = false;
    unlink(said); /* of one before */
    fflush(stdout);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* what a keeper leaves behind becomes ours, not init's */
    pid_t pid = fork();
    if (pid == 0)
        become_daemon(self, policy, said);
    for (int64_t end = clock_now() + READY_SECONDS * NS_PER_S; pid > 0 && !ended && clock_now() < end;) {
        if (is_ready(said))
            return pid;
        ended = waitpid(pid, NULL, WNOHANG) == pid;
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    }
    show_said(said);
    fprintf(stderr, "fileward: %s: the daemon does not get ready\n", command);
    if (pid > 0 && !ended)
        end_at_once(pid);
    end_orphans();
    return -1;
}

void daemon_stop(pid_t keeper)
{
    kill(keeper, SIGTERM);
    if (!has_ended(keeper, STOP_SECONDS))
        end_at_once(keeper);
    end_orphans();
}
