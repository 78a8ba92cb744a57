/* calls: what each system call of the cached way costs here, outside the judge's confinement: one JSON object, name to
 * nanoseconds. Of a question's read, its answer and its close only fileward in its place can tell: they wake somebody. */
#include <err.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"

enum { TIMES = 20000, ROUNDS = 9 };

struct scene {
    int epoll, file, loadavg;
    struct process child;
    struct process_sight sight;
};

static void wait_for_none(struct scene *s)
{
    struct epoll_event e;
    epoll_wait(s->epoll, &e, 1, 0);
}
static void stat_object(struct scene *s)
{
    struct statx st;
    stat_identity(s->file, "", AT_EMPTY_PATH, &st);
}
static void stat_program(struct scene *s)
{
    struct program p;
    process_program(&s->child, &p);
}
static void credentials(struct scene *s)
{
    struct creds c;
    process_creds(&s->child, &c);
}
static void lease(struct scene *s)
{
    fcntl(s->file, F_SETLEASE, F_RDLCK);
    fcntl(s->file, F_SETLEASE, F_UNLCK);
}
static void see_call(struct scene *s)
{
    uint64_t flags;
    process_sight_call(&s->sight, &flags);
}
static void load(struct scene *s)
{
    char text[64];
    if (pread(s->loadavg, text, sizeof text, 0) < 0)
        err(1, "/proc/loadavg");
}
static void groups(struct scene *s)
{
    struct proc_status st;
    process_status(&s->child, &st);
}
static void loginuid(struct scene *s)
{
    uint32_t id;
    process_loginuid(&s->child, &id);
}
static void unit(struct scene *s)
{
    char name[UNIT_MAX];
    process_unit(&s->child, name, NULL);
}
static void first_ids(struct scene *s)
{
    struct process p = process_named(s->child.tid);
    struct creds c;
    bool told;
    if (process_reach(&p, PROCESS_PIDFD, &c, &told) < 0 || process_creds(&p, &c) < 0)
        err(1, "process %d", s->child.tid);
    process_close(&p);
}
static void first_program(struct scene *s)
{
    struct process p = process_named(s->child.tid);
    struct creds c;
    struct program program;
    bool told;
    if (process_reach(&p, PROCESS_PROC, &c, &told) < 0 || process_program(&p, &program) < 0)
        err(1, "/proc/%d", s->child.tid);
    process_close(&p);
}

static const struct {
    const char *name;
    void (*call)(struct scene *s);
} calls[] = {
    {"epoll_wait: nothing waits", wait_for_none},
    {"statx of the event's descriptor: the object", stat_object},
    {"ioctl PIDFD_GET_INFO: ids, parent, control group", credentials},
    {"statx of /proc/TID/exe: the program", stat_program},
    {"fcntl F_SETLEASE twice: no writer is pending", lease},
    {"pread of wchan and syscall: the call of the opener", see_call},
    {"open, read, close of loginuid", loginuid},
    {"open, read, close of cgroup: the unit", unit},
    {"open, read, close of status: the groups", groups},
    {"pidfd_open, ids, close: the ids of a process not yet known", first_ids},
    {"open of /proc/TID, program, close: the program of one not yet known", first_program},
    {"pread of loadavg: does anybody need the processor", load},
};

static double once(struct scene *s, void (*call)(struct scene *))
{
    int64_t began = clock_now();
    for (int i = 0; i < TIMES; i++)
        call(s);
    return (double)(clock_now() - began) / TIMES;
}

int main(void)
{
    struct scene s = {.epoll = epoll_create1(EPOLL_CLOEXEC), .loadavg = open("/proc/loadavg", O_RDONLY | O_CLOEXEC)};
    char name[] = "/tmp/fileward-bench-XXXXXX";
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    close(mkstemp(name));
    s.file = open(name, O_RDONLY | O_CLOEXEC);
    unlink(name);
    epoll_ctl(s.epoll, EPOLL_CTL_ADD, event, &(struct epoll_event){.events = EPOLLIN});
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    if (child < 0 || s.file < 0 || process_open(&s.child, child) < 0)
        err(1, "a child to look at");
    process_sight_open(&s.sight, &s.child);
    signal(SIGIO, SIG_IGN);
    json_t *all = json_object();
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        double best = 1e18;
        for (int r = 0; r < ROUNDS; r++) {
            double ns = once(&s, calls[i].call);
            best = ns < best ? ns : best;
        }
        json_object_set_new(all, calls[i].name, json_real(best));
    }
    json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(5));
    putchar('\n');
    json_decref(all);
    kill(child, SIGKILL);
    return 0;
}
