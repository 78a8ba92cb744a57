/* Each process of the daemon is killed and stopped while three processes open files as fast as they can. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/own.h"
#include "cli/daemon.h"
#include "selftest/selftest.h"

enum {
    TIMEOUT_MS = 200,
    SLACK_MS = 100,
    MACHINE_MS = 1000, /* what of a delay may be the machine's doing; one that is slower proves nothing */
    AFTER_MS = 300,
    BACK_SECONDS = 20,
};

/* Who opens all the time: one who may not, one who may, and one whose file is not guarded: what he waits for is the
 * machine's doing. */
enum opener { FORBIDDEN, ALLOWED, NEIGHBOUR, OPENERS };

struct pulse {
    _Atomic uint64_t opened, refused, failed;
    _Atomic int64_t longest_ns;
    _Atomic int64_t since_ns; /* when the open that is under way began; 0: none is */
    pid_t pid;
};

struct scene {
    const struct plan *plan;
    struct pulse *pulse;
    char guarded[128], neighbour[128];
    pid_t keeper;
    struct report *report;
};

static const struct {
    const char *role, *what;
    int signal;
} ways[] = {
    {"judge", "killed", SIGKILL},   {"judge", "stopped", SIGSTOP},  {"spare", "killed", SIGKILL},
    {"spare", "stopped", SIGSTOP},  {"scout", "killed", SIGKILL},   {"scout", "stopped", SIGSTOP},
    {"clerk", "killed", SIGKILL},   {"clerk", "stopped", SIGSTOP},  {"herald", "killed", SIGKILL},
    {"herald", "stopped", SIGSTOP}, {"keeper", "stopped", SIGSTOP}, {"keeper", "killed", SIGKILL},
};
enum { WAYS = sizeof ways / sizeof *ways };

static void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS}, NULL);
}

/* --- openers ------------------------------------------------------------------------------------------------------ */

static void open_always(struct pulse *p, const char *file)
{
    for (;;) {
        int64_t began = clock_now();
        atomic_store(&p->since_ns, began);
        int fd = open(file, O_RDONLY | O_CLOEXEC), why = errno;
        int64_t took = clock_now() - began;
        atomic_store(&p->since_ns, 0);
        if (took > atomic_load(&p->longest_ns))
            atomic_store(&p->longest_ns, took);
        atomic_fetch_add(fd >= 0 ? &p->opened : why == EPERM || why == EBUSY ? &p->refused : &p->failed, 1);
        own_close(&fd);
        sleep_ms(1);
    }
}

static bool begin_opener(struct scene *s, enum opener who)
{
    struct pulse *p = &s->pulse[who];
    p->pid = fork();
    if (p->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (setgroups(who == ALLOWED ? 1 : 0, &s->plan->allowed) == 0)
            open_always(p, who == NEIGHBOUR ? s->neighbour : s->guarded);
        _exit(1);
    }
    return p->pid > 0;
}

static void forget(struct scene *s)
{
    for (int i = 0; i < OPENERS; i++) {
        struct pulse *p = &s->pulse[i];
        atomic_store(&p->opened, 0);
        atomic_store(&p->refused, 0);
        atomic_store(&p->failed, 0);
        atomic_store(&p->longest_ns, 0);
    }
}

static int64_t longest_of(const struct pulse *p)
{
    int64_t since = atomic_load(&p->since_ns), now = clock_now(), longest = atomic_load(&p->longest_ns);
    return since && now - since > longest ? now - since : longest;
}

/* --- roles -------------------------------------------------------------------------------------------------------- */

/* The judge that serves holds the gate's lock. */
static pid_t serving_judge(const struct scene *s)
{
    char name[128];
    snprintf(name, sizeof name, "%s/run/gate", s->plan->top);
    CLEAN_FD int fd = open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? 0 : lock_holder(fd, LOCK_JUDGE);
}

/* A living process of that name, other than `but`. In our process namespace there is no other daemon. */
static pid_t find_process(const char *name, pid_t but)
{
    CLEAN_DIR DIR *proc = opendir("/proc");
    char wanted[32];
    snprintf(wanted, sizeof wanted, "(fileward-%s) ", name);
    for (struct dirent *e; proc && (e = readdir(proc));) {
        char path[300], text[128];
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        if (pid <= 0 || pid == but)
            continue;
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        CLEAN_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        text[n > 0 ? n : 0] = '\0';
        const char *found = strstr(text, wanted);
        if (found && !strchr("ZX", found[strlen(wanted)]))
            return pid;
    }
    return 0;
}

static pid_t find_role(const struct scene *s, const char *role)
{
    if (strcmp(role, "judge") == 0)
        return serving_judge(s);
    if (strcmp(role, "spare") == 0)
        return find_process("judge", serving_judge(s));
    return find_process(role, 0);
}

/* Waits until another process has the role. */
static bool replaced(const struct scene *s, const char *role, pid_t old)
{
    for (int64_t end = clock_now() + BACK_SECONDS * NS_PER_S; clock_now() < end; sleep_ms(10)) {
        pid_t now = find_role(s, role);
        if (now && now != old)
            return true;
    }
    return false;
}

/* Waits until one who may gets in again, in a daemon that was asked after now. */
static bool serves(const struct scene *s)
{
    uint64_t before = atomic_load(&s->pulse[ALLOWED].opened);
    for (int64_t end = clock_now() + BACK_SECONDS * NS_PER_S; clock_now() < end; sleep_ms(10))
        if (atomic_load(&s->pulse[ALLOWED].opened) > before + 1)
            return true;
    return false;
}

/* --- deaths ------------------------------------------------------------------------------------------------------- */

static const char *let_die(struct scene *s, int way)
{
    const char *role = ways[way].role;
    bool is_keeper = strcmp(role, "keeper") == 0, is_judge = strcmp(role, "judge") == 0;
    pid_t pid = 0;
    for (int tries = 0; tries < 500 && !pid; tries++, sleep_ms(pid ? 0 : 10))
        pid = is_keeper ? s->keeper : find_role(s, role);
    if (!pid || kill(pid, ways[way].signal) < 0)
        return "there is no such process";
    if (ways[way].signal == SIGKILL && is_keeper) {
        waitpid(pid, NULL, 0);
        sleep_ms(AFTER_MS);
        /* As the service manager would. */
        s->keeper = gate_start(s->plan, NULL);
        if (s->keeper < 0)
            return "no other keeper took over";
    } else if (ways[way].signal == SIGKILL || is_judge) {
        if (!replaced(s, role, pid))
            return "it was not replaced";
    } else {
        sleep_ms(AFTER_MS);
        kill(pid, SIGCONT);
    }
    sleep_ms(AFTER_MS);
    return serves(s) ? NULL : "nobody is served any more";
}

/* How long an open may take: what fileward promises, and what the machine made of one that nobody guards. */
static int bound_of(const struct scene *s, const struct death *d)
{
    /* The judge waits for the clerk for half of the timeout. */
    bool without_clerk = strcmp(d->role, "clerk") == 0 && strcmp(d->what, "stopped") == 0;
    int64_t machine = longest_of(&s->pulse[NEIGHBOUR]) / NS_PER_MS;
    return (without_clerk ? TIMEOUT_MS / 2 : TIMEOUT_MS) + SLACK_MS +
           (int)(machine < MACHINE_MS ? machine : MACHINE_MS);
}

static void judge_death(const struct scene *s, struct death *d, const char *trouble)
{
    bool audit = strcmp(d->mode, "audit") == 0;
    const struct pulse *forbidden = &s->pulse[FORBIDDEN], *allowed = &s->pulse[ALLOWED];
    int64_t a = longest_of(forbidden), b = longest_of(allowed);
    d->longest_ms = (int)((a > b ? a : b) / NS_PER_MS);
    d->bound_ms = bound_of(s, d);
    d->opened = audit ? 0 : atomic_load(&forbidden->opened);
    d->refused = audit ? atomic_load(&forbidden->refused) + atomic_load(&allowed->refused) : 0;
    const char *why = trouble      ? trouble
                      : d->opened  ? "one who may not opened the file"
                      : d->refused ? "audit mode refused"
                      : atomic_load(&forbidden->failed) + atomic_load(&allowed->failed) ? "an open failed otherwise"
                      : d->longest_ms > d->bound_ms                                     ? "an open took too long"
                                                                                        : "";
    snprintf(d->why, sizeof d->why, "%s", why);
}

static bool run_mode(struct scene *s, const char *mode)
{
    char text[512], timeout[16];
    /* The last rule changes nothing for anybody, but each open of one who may not asks the clerk. */
    snprintf(text, sizeof text,
             "[watch deaths]\npath = %s\ndefault = deny\n[rule deaths/members]\naction = allow\ngid = %u\n"
             "[rule deaths/others]\naction = deny\ncode = intact\n",
             s->guarded, s->plan->allowed);
    snprintf(timeout, sizeof timeout, "%dms", TIMEOUT_MS);
    s->keeper = gate_start(s->plan, &(struct gate_settings){.mode = mode, .timeout = timeout, .watches = text});
    if (s->keeper < 0)
        return false;
    for (int i = 0; i < WAYS && s->keeper > 0; i++) {
        struct death *d = &s->report->deaths[s->report->n_deaths++];
        *d = (struct death){.mode = mode, .role = ways[i].role, .what = ways[i].what};
        forget(s);
        judge_death(s, d, let_die(s, i));
    }
    if (s->keeper > 0)
        daemon_stop(s->keeper);
    return true;
}

static bool make_files(struct scene *s)
{
    char dir[96];
    int i = 0;
    while (i < FS_COUNT - 1 && s->plan->fs[i].why[0])
        i++;
    snprintf(dir, sizeof dir, "%s/deaths", s->plan->fs[i].top);
    snprintf(s->guarded, sizeof s->guarded, "%s/guarded", dir);
    snprintf(s->neighbour, sizeof s->neighbour, "%s/out/neighbour", s->plan->fs[i].top);
    char out[96];
    snprintf(out, sizeof out, "%s/out", s->plan->fs[i].top);
    return mkdir(dir, 0755) == 0 && mkdir(out, 0755) == 0 && write_file(s->guarded, SECRET, 0644) &&
           write_file(s->neighbour, SECRET, 0644);
}

static bool run(struct scene *s)
{
    if (!make_files(s))
        return false;
    static const char *const modes[] = {"enforce", "audit"};
    for (int m = 0; m < 2; m++) {
        /* Before the daemon starts nobody may count what it opens as forbidden: forget() comes after. */
        bool begun = true;
        for (int i = 0; i < OPENERS && begun; i++)
            begun = begin_opener(s, (enum opener)i);
        bool ran = begun && run_mode(s, modes[m]);
        for (int i = 0; i < OPENERS; i++)
            if (s->pulse[i].pid > 0) {
                kill(s->pulse[i].pid, SIGKILL);
                waitpid(s->pulse[i].pid, NULL, 0);
                s->pulse[i].pid = 0;
            }
        if (!ran)
            return false;
    }
    return true;
}

bool deaths_run(const struct plan *p, struct report *r)
{
    struct scene s = {.plan = p, .report = r};
    s.pulse = mmap(NULL, OPENERS * sizeof *s.pulse, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    r->deaths = calloc(2 * WAYS, sizeof *r->deaths);
    if (!r->deaths || s.pulse == MAP_FAILED)
        return false;
    bool ran = run(&s);
    munmap(s.pulse, OPENERS * sizeof *s.pulse);
    return ran;
}
