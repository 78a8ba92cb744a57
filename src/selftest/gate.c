/* The daemon under test: this same program, with a policy, a socket and a log of its own. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "selftest/selftest.h"

static bool write_policy(const struct plan *p, const struct gate_settings *s, const char *file)
{
    CLEAN_FILE FILE *out = fopen(file, "we");
    if (!out)
        return false;
    fchmod(fileno(out), 0600);
    fprintf(out,
            "[fileward]\nmode = %s\ntimeout = %s\non_timeout = deny\nlisten = off\nsocket = %s/run/fileward.sock\n"
            "log_file = %s/log/events.jsonl\nuser = %u\n\n%s",
            s->mode, s->timeout, p->top, p->top, p->service, s->watches);
    return fflush(out) == 0;
}

static bool says(const char *file, const char *words)
{
    char text[8192];
    CLEAN_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    return strstr(text, words);
}

static void show(const char *file)
{
    char text[8192];
    CLEAN_FD int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (n > 0)
        fwrite(text, 1, (size_t)n, stderr);
}

pid_t gate_start(const struct plan *p, const struct gate_settings *s)
{
    char policy[128], said[128];
    snprintf(policy, sizeof policy, "%s/policy/fileward.ini", p->top);
    snprintf(said, sizeof said, "%s/said", p->top);
    if (s && !write_policy(p, s, policy)) {
        fprintf(stderr, "fileward: selftest: %s: %s\n", policy, strerror(errno));
        return -1;
    }
    unlink(said);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int out = open(said, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        execl(p->self, "fileward", "run", "-c", policy, NULL);
        _exit(127);
    }
    for (int64_t end = clock_now() + 60 * NS_PER_S; pid > 0 && clock_now() < end;) {
        if (says(said, "fileward: ready:"))
            return pid;
        if (waitpid(pid, NULL, WNOHANG) == pid) {
            pid = -1;
            break;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    }
    show(said);
    fputs("fileward: selftest: the daemon does not get ready\n", stderr);
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return -1;
}

void gate_stop(pid_t keeper)
{
    kill(keeper, SIGTERM);
    for (int64_t end = clock_now() + 10 * NS_PER_S; clock_now() < end;) {
        if (waitpid(keeper, NULL, WNOHANG) != 0)
            return;
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    }
    kill(keeper, SIGKILL);
    waitpid(keeper, NULL, 0);
}
