/* reaper SECONDS COMMAND...: runs COMMAND in a session of its own and ends with its status (128 + signal; 124 when the
 * time ran out). When we are told to end, COMMAND is told too, and has some seconds to clean up. Whatever it left behind,
 * however often it forked, is killed before: orphans become our children, because we are their subreaper. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TIMED_OUT = 124, GIVE_UP_SECONDS = 20, CLEAN_UP_SECONDS = 3 };

/* Kills each process whose parent we are. Their children become ours when they die. */
static void kill_children(void)
{
    DIR *proc = opendir("/proc");
    if (!proc)
        return;
    for (struct dirent *e; (e = readdir(proc));) {
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        char path[300];
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        FILE *f = fopen(path, "re");
        if (!f)
            continue;
        int pid = 0, parent = 0;
        /* The name between the brackets may hold brackets and blanks, so look for the last one. */
        char line[512];
        size_t n = fread(line, 1, sizeof line - 1, f);
        fclose(f);
        line[n] = '\0';
        while (n > 0 && line[n - 1] != ')')
            n--;
        if (sscanf(line, "%d", &pid) == 1 && sscanf(line + n, " %*c %d", &parent) == 1 && parent == getpid())
            kill(pid, SIGKILL);
    }
    closedir(proc);
}

/* Returns whether nothing is left. A process deep in the kernel may not die; then give up and say so. */
static bool kill_descendants(void)
{
    time_t deadline = time(NULL) + GIVE_UP_SECONDS;
    for (;;) {
        kill_children();
        pid_t pid;
        while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
            ;
        if (pid < 0 && errno == ECHILD)
            return true;
        if (time(NULL) > deadline)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

static pid_t run(char **command, const sigset_t *mask)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    setsid();
    signal(SIGINT, SIG_DFL); /* a shell's background job begins with SIGINT and SIGQUIT ignored */
    signal(SIGQUIT, SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(command[0], command);
    perror(command[0]);
    _exit(127);
}

/* Waits for the command itself; other children that come to us are reaped on the way. */
static int wait_for(pid_t command, const sigset_t *signals, int seconds)
{
    time_t deadline = time(NULL) + seconds;
    int interrupted = 0;
    for (;;) {
        int status;
        pid_t pid;
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
            if (pid == command && !interrupted)
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            if (pid == command)
                return interrupted;
        }
        time_t left = deadline - time(NULL);
        if (left <= 0)
            return interrupted ? interrupted : TIMED_OUT;
        int sig = sigtimedwait(signals, NULL, &(struct timespec){.tv_sec = left});
        if (sig > 0 && sig != SIGCHLD && !interrupted) {
            interrupted = 128 + sig;
            kill(command, SIGTERM);
            deadline = time(NULL) + CLEAN_UP_SECONDS;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: reaper SECONDS COMMAND...\n");
        return 2;
    }
    sigset_t signals, before;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    signal(SIGINT, SIG_DFL); /* an ignored signal would not wake us */
    sigprocmask(SIG_BLOCK, &signals, &before);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* when the test runner is killed */
    pid_t command = run(argv + 2, &before);
    if (command < 0) {
        perror("fork");
        return 1;
    }
    int status = wait_for(command, &signals, atoi(argv[1]));
    if (!kill_descendants()) {
        fprintf(stderr, "reaper: a process of this test cannot be killed\n");
        return status ? status : 1;
    }
    return status;
}
