/* fileward selftest. The command makes a process and a mount namespace of its own and works there as its first process:
 * with that process everything goes, whoever is killed. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "cli/cli.h"
#include "cli/daemon.h"
#include "selftest/selftest.h"

/* Numbers without names: the group that may read, the daemon's own user, the group that may, the ordinary user. */
enum { READERS = 65530, SERVICE = 65531, ALLOWED = 65532, NOBODYS = 65533 };

struct options {
    bool json;
    unsigned fs;
    uid_t uid;
    const char *only;
};

static int usage(FILE *out)
{
    fputs(
        "usage: fileward selftest [--json] [--fs NAMES] [--uid N] [--only ROUTE]\n"
        "       fileward selftest --open FILE\n"
        "\n"
        "Proves on this kernel what fileward promises: tries every known way to a guarded file, as root and as an\n"
        "ordinary user, under a daemon of its own that enforces, on file systems that it makes itself and that nobody\n"
        "else sees. No file of the machine is guarded or opened for it. Each way is also tried where nothing is "
        "guarded\n"
        "and by a subject that may: only what succeeds there counts. What a setting is said to close (coverage = "
        "filesystem,\n"
        "guard = open+read and open+write, code = intact) is tried again under it. Needs root.\n"
        "  --fs NAMES    only these file systems: tmpfs,ext4,xfs,btrfs\n"
        "  --uid N       the ordinary user (65533)\n"
        "  --only ROUTE  only routes with this in their name\n"
        "  --json        one JSON object instead of a table\n"
        "  --open FILE   what the test runs as the allowed program: opens FILE, ends with 0 or the number of the "
        "error\n"
        "Exit status: 0 if every way that this kernel can close is closed, under the setting that is said to close "
        "it.\n",
        out);
    return out == stdout ? 0 : EXIT_USAGE;
}

static int failed(const char *what)
{
    fprintf(stderr, "fileward: selftest: %s: %s\n", what, strerror(errno));
    return EXIT_FAILED;
}

static int open_file(const char *path)
{
    CLEAN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? errno : 0;
}

/* --- the place ---------------------------------------------------------------------------------------------------- */

static bool make_place(const char *top)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ||
        mount("fileward-selftest", top, "tmpfs", 0, "mode=0755") < 0)
        return false;
    static const char *const dirs[] = {"run", "log", "policy", "bin"};
    if (chdir(top) < 0)
        return false;
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        if (mkdir(dirs[i], 0755) < 0)
            return false;
    return chdir("/") == 0 && daemon_dirs_cover("fileward-selftest");
}

/* Core dumps are a route; elsewhere they are a nuisance. Where the limit cannot be raised, that route is not tried. */
static void limit_cores(void)
{
    const struct rlimit unlimited = {0, RLIM_INFINITY}, none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &unlimited) < 0)
        setrlimit(RLIMIT_CORE, &none);
}

static bool try_all(struct plan *plan, struct report *r)
{
    /* First what is there by itself; then what a setting is said to close, under it. */
    static const struct setting settings[] = {
        {"inode", "coverage = inode", "", "", CLOSED, 1},
        {"filesystem", "coverage = filesystem", "coverage = filesystem\n", "", OPEN_INODE, 10},
        {"read", "guard = open+read", "guard = open+read\n", "", OPEN_READ, 1},
        {"write", "guard = open+write", "guard = open+write\n", "", OPEN_GUARD, 1},
        {"intact", "code = intact", "", "code = intact\n", OPEN_CODE, 1},
    };
    features_find(plan, r);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        plan->setting = &settings[i];
        if (features_allow(plan, r) && !round_run(plan, r))
            return false;
    }
    return plan->only || deaths_run(plan, r);
}

static int work(const struct options *o, const char *top)
{
    char self[PATH_MAX], reader[128];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0 || !make_place(top))
        return failed("a file system of our own");
    self[n] = '\0';
    snprintf(reader, sizeof reader, "%s/bin/reader", top);
    if (!copy_file(self, reader, 0755))
        return failed(reader);
    limit_cores();
    struct plan plan = {.top = top,
                        .reader = reader,
                        .self = self,
                        .uid = o->uid,
                        .service = SERVICE,
                        .allowed = ALLOWED,
                        .readers = READERS,
                        .only = o->only};
    struct report report = {0};
    place_make(top, plan.fs, o->fs);
    bool ok = try_all(&plan, &report) && report_print(&plan, &report, o->json);
    report_free(&report);
    return ok ? 0 : EXIT_FAILED;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

/* Waits for the first process of the namespace; who interrupts us ends it, and with it all the others. */
static int wait_for(pid_t pid, const sigset_t *signals)
{
    int status;
    for (;;) {
        int signal_number = sigwaitinfo(signals, NULL);
        if (signal_number == SIGCHLD && waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
        if (signal_number > 0 && signal_number != SIGCHLD) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            return 128 + signal_number;
        }
    }
}

static int contained(const struct options *o, const char *top)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (unshare(CLONE_NEWPID) < 0)
        return failed("a process namespace");
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sigprocmask(SIG_UNBLOCK, &signals, NULL);
        int status = work(o, top);
        fflush(stdout);
        _exit(status);
    }
    return pid < 0 ? failed("fork") : wait_for(pid, &signals);
}

static int selftest(const struct options *o)
{
    char top[] = "/run/fileward-selftest.XXXXXX";
    if (!mkdtemp(top))
        return failed("a directory in /run");
    const struct daemon_dirs made = daemon_dirs_make();
    int status = contained(o, top);
    rmdir(top);
    daemon_dirs_remove(&made);
    return status;
}

static bool read_uid(const char *word, uid_t *out)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(word, &end, 10);
    *out = (uid_t)n;
    return *word >= '0' && *word <= '9' && !*end && !errno && n > 0 && n < UINT32_MAX && n != READERS && n != SERVICE &&
           n != ALLOWED;
}

static bool read_fs(char *words, unsigned *out)
{
    *out = 0;
    for (char *rest = words, *word; (word = strsep(&rest, ","));) {
        int i = 0;
        while (i < FS_COUNT && strcmp(word, fs_names[i]) != 0)
            i++;
        if (i == FS_COUNT)
            return false;
        *out |= 1u << i;
    }
    return true;
}

int cmd_selftest(int argc, char **argv)
{
    static const struct option known[] = {{"json", no_argument, NULL, 'j'},
                                          {"fs", required_argument, NULL, 'f'},
                                          {"uid", required_argument, NULL, 'u'},
                                          {"only", required_argument, NULL, 'o'},
                                          {"open", required_argument, NULL, 'O'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    struct options o = {.fs = (1u << FS_COUNT) - 1, .uid = NOBODYS};
    for (int c; (c = getopt_long(argc, argv, "h", known, NULL)) != -1;) {
        if (c == 'h')
            return usage(stdout);
        if (c == 'O')
            return open_file(optarg);
        if (c == '?' || (c == 'u' && !read_uid(optarg, &o.uid)) || (c == 'f' && !read_fs(optarg, &o.fs)))
            return usage(stderr);
        o.json |= c == 'j';
        if (c == 'o')
            o.only = optarg;
    }
    if (optind < argc)
        return usage(stderr);
    if (geteuid() != 0) {
        fputs("fileward: selftest: run it as root: it mounts file systems and guards files there\n", stderr);
        return EXIT_NOT_PERMITTED;
    }
    return selftest(&o);
}
