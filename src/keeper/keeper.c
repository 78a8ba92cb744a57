#include "keeper/keeper.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit.h"
#include "base/load.h"
#include "base/loop.h"
#include "base/notify.h"
#include "base/process.h"
#include "base/sandbox.h"
#include "keeper/groups.h"
#include "keeper/rescue.h"
#include "keeper/say.h"

enum {
    READY_MS = 5000,
    STOP_MS = 2000,
    RETRY_FIRST_MS = 100,
    RETRY_MAX_MS = 10000,
    LIVED_MS = 5000, /* a child that lived this long may come back at once */
};

struct keeper {
    struct family family;
    struct loop loop;
    struct rescue rescue;
    sigset_t signals;
    int signal_fd, notify_fd;
    bool announced;
};

static const char *seat_name(enum seat s)
{
    return s == SEAT_SPARE ? "spare judge"
                           : role_name(s == SEAT_HERALD  ? ROLE_HERALD
                                       : s == SEAT_SCOUT ? ROLE_SCOUT
                                                         : ROLE_JUDGE);
}

/* --- children that end ------------------------------------------------------------------------------------------ */

static void describe_end(int how, char *out, size_t size)
{
    if (WIFSIGNALED(how))
        snprintf(out, size, "was ended by signal %d (%s)", WTERMSIG(how), strsignal(WTERMSIG(how)));
    else
        snprintf(out, size, "ended with status %d", WEXITSTATUS(how));
}

/* Says what happened, if somebody listens: whoever reads our standard error may himself wait for a verdict. */
static bool somebody_listens(void)
{
    struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 && p.revents & POLLOUT;
}

static void complain(const char *why)
{
    if (somebody_listens())
        fprintf(stderr, "fileward: %s; it is replaced\n", why);
}

static void schedule_return(struct child *c, int64_t now)
{
    bool lived = now - c->born_ns >= LIVED_MS * NS_PER_MS;
    c->delay_ns = lived || !c->delay_ns ? RETRY_FIRST_MS * NS_PER_MS : c->delay_ns * 2;
    if (c->delay_ns > RETRY_MAX_MS * NS_PER_MS)
        c->delay_ns = RETRY_MAX_MS * NS_PER_MS;
    c->retry_ns = now + (lived ? 0 : c->delay_ns);
}

static void look_after_child(struct keeper *k, enum seat seat, int64_t now)
{
    struct family *f = &k->family;
    struct child *c = &f->seat[seat];
    int how = 0;
    if (c->pid)
        family_hear(f, seat);
    bool was_ready = c->ready;
    if (c->pid && family_reap(f, seat, 0, &how)) {
        char end[128], why[160];
        describe_end(how, end, sizeof end);
        snprintf(why, sizeof why, "the %s %s", seat_name(seat), end);
        /* A judge that never got ready has read nothing: on_tick() stands in for it, and the seat waits its turn. */
        if (seat == SEAT_JUDGE && was_ready)
            rescue_replace_judge(f, why);
        else
            atomic_fetch_add(&f->board->restarts[c->role], 1);
        complain(why);
        if (!c->pid)
            schedule_return(c, now);
    }
    if (c->pid || now < c->retry_ns)
        return;
    if (!family_fork(f, seat))
        schedule_return(c, now);
    else if (seat == SEAT_JUDGE)
        family_say(f, seat, 'g');
}

static void look_after_children(struct keeper *k)
{
    int64_t now = clock_now();
    for (int seat = 0; seat < SEAT_COUNT; seat++)
        look_after_child(k, seat, now);
    family_reap_strays(&k->family);
}

/* --- the loop --------------------------------------------------------------------------------------------------- */

static void on_signal(void *ctx, int fd, uint32_t events)
{
    (void)events;
    struct keeper *k = ctx;
    struct signalfd_siginfo s;
    if (read(fd, &s, sizeof s) != (ssize_t)sizeof s)
        return;
    if (s.ssi_signo == SIGCHLD) {
        look_after_children(k);
    } else if (s.ssi_signo == SIGHUP) {
        family_say(&k->family, SEAT_HERALD, 'r');
    } else {
        say_stop(&k->family, s.ssi_signo == SIGINT ? "interrupted from the terminal" : "told to stop (SIGTERM)");
        k->loop.stop = true;
    }
}

/* Once, when the scout has marked everything. */
static void announce(struct keeper *k)
{
    struct family *f = &k->family;
    const struct policy *p = f->policy;
    uint64_t marks = 0;
    if (k->announced || !atomic_load(&f->board->scanned))
        return;
    k->announced = true;
    for (int i = 0; i < p->n_watches; i++)
        marks += atomic_load(&f->board->watch[i].marks);
    atomic_store(&f->board->state, BOARD_SERVING);
    say_start(f, marks);
    if (somebody_listens())
        fprintf(stderr, "fileward: ready: %d watches, %d rules, %lu marks, mode %s\n", p->n_watches, p->n_rules,
                (unsigned long)marks, mode_name(p->settings.mode == MODE_ENFORCE ? MODE_ENFORCE : MODE_AUDIT));
    notify_send(k->notify_fd, "READY=1");
}

static void on_tick(void *ctx)
{
    struct keeper *k = ctx;
    struct family *f = &k->family;
    int64_t now = clock_now();
    announce(k); /* should the first scout have died before it said so */
    if (!f->seat[SEAT_JUDGE].pid) {
        rescue_stand_in(f);
        family_promote(f);
    }
    if (rescue_is_due(&k->rescue, f, now)) {
        char why[128];
        snprintf(why, sizeof why, "the judge did not move for %d ms while questions waited",
                 f->policy->settings.timeout_ms / 2);
        rescue_replace_judge(f, why);
        k->rescue = (struct rescue){0};
        complain(why);
    }
    look_after_children(k); /* two that end together send one signal */
    k->loop.deadline = now + f->policy->settings.timeout_ms * NS_PER_MS / 4;
}

/* --- start ------------------------------------------------------------------------------------------------------ */

/* The libraries open the time zone when time is first formatted; with /etc guarded that would be a question to
 * ourselves. "UTC0" names no file. */
static void settle_libraries(void)
{
    setenv("TZ", "UTC0", 1);
    tzset();
}

static int prepare_signals(struct keeper *k)
{
    sigemptyset(&k->signals);
    sigaddset(&k->signals, SIGTERM);
    sigaddset(&k->signals, SIGINT);
    sigaddset(&k->signals, SIGHUP);
    sigaddset(&k->signals, SIGCHLD);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGIO, SIG_IGN); /* somebody writes to a file while the judge holds its lease for an instant */
    /* Blocked in the children too: Ctrl-C is for the keeper to order. */
    sigprocmask(SIG_BLOCK, &k->signals, NULL);
    k->signal_fd = signalfd(-1, &k->signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return k->signal_fd < 0 ? -1 : 0;
}

static int start_roles(struct keeper *k)
{
    struct family *f = &k->family;
    static const enum seat order[] = {SEAT_HERALD, SEAT_JUDGE, SEAT_SPARE, SEAT_SCOUT};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        enum seat s = order[i];
        if (!family_fork(f, s)) {
            fprintf(stderr, "fileward: cannot fork: %s\n", strerror(errno));
            return -1;
        }
        if (s == SEAT_SCOUT)
            return 0; /* it is ready when everything is marked */
        if (!family_wait_ready(f, s, READY_MS)) {
            int how = 0;
            char end[128] = "did not get ready in time";
            if (family_reap(f, s, 100, &how))
                describe_end(how, end, sizeof end);
            fprintf(stderr, "fileward: not started: the %s %s\n", seat_name(s), end);
            return -1;
        }
        if (s == SEAT_JUDGE)
            family_say(f, s, 'g');
    }
    return 0;
}

static void on_scout(void *ctx, int fd, uint32_t events)
{
    (void)events;
    struct keeper *k = ctx;
    loop_remove(&k->loop, fd);
    announce(k);
}

static int prepare_loop(struct keeper *k)
{
    if (loop_init(&k->loop) < 0 || loop_add(&k->loop, k->signal_fd, EPOLLIN, on_signal, k) < 0 ||
        loop_add(&k->loop, k->family.seat[SEAT_SCOUT].control, EPOLLIN, on_scout, k) < 0)
        return -1;
    k->loop.on_deadline = on_tick;
    k->loop.deadline_ctx = k;
    k->loop.deadline = clock_now();
    return 0;
}

/* --- stop ------------------------------------------------------------------------------------------------------- */

/* The judge answers what it holds, then the scout lets go of the groups, then we do: what still waits is let through by
 * the kernel. The herald comes last, so that it can tell. */
static void stop_roles(struct keeper *k)
{
    struct family *f = &k->family;
    static const enum seat order[] = {SEAT_SPARE, SEAT_JUDGE, SEAT_SCOUT};
    const int half = f->policy->settings.timeout_ms / 2, patience_ms = half < STOP_MS / 3 ? half : STOP_MS / 3;
    atomic_store(&f->board->state, BOARD_STOPPING);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        family_say(f, order[i], 'q');
        if (family_reap(f, order[i], patience_ms, NULL))
            continue;
        family_kill(f, order[i]);
        if (order[i] == SEAT_JUDGE)
            rescue_sweep(f); /* what it held is answered by on_timeout, not let through when the groups close */
    }
    for (int i = 0; i < f->policy->n_watches; i++)
        close(f->gates[i].fd);
    family_say(f, SEAT_HERALD, 'q');
    if (!family_reap(f, SEAT_HERALD, STOP_MS, NULL))
        family_kill(f, SEAT_HERALD);
    /* Whoever starts fileward next should not find a judge that is still about to end. */
    for (int64_t until = clock_now() + STOP_MS * NS_PER_MS; family_reap_strays(f) > 0 && clock_now() < until;)
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    files_remove(&f->files);
}

/* --- run -------------------------------------------------------------------------------------------------------- */

static int usage(FILE *out)
{
    fputs("usage: fileward run [-c FILE]\n"
          "Guards the files that the policy names, in the foreground, until SIGTERM or Ctrl-C.\n"
          "  -c FILE   the policy (default /etc/fileward/fileward.ini, then policy.d/*.ini beside it)\n",
          out);
    return out == stdout ? 0 : EXIT_USAGE;
}

static int run(struct keeper *k, const struct policy *p)
{
    struct family *f = &k->family;
    uint32_t features = process_features() | (sandbox_has_landlock() ? FEATURE_LANDLOCK : 0u);
    f->policy = p;
    if (p->settings.uid == UINT32_MAX) {
        fprintf(stderr,
                "fileward: there is no user `%s`: make it (useradd --system --no-create-home --shell "
                "/usr/sbin/nologin %s), or set `user` in [fileward] to a number that nobody has\n",
                p->settings.user, p->settings.user);
        return EXIT_POLICY;
    }
    setpriority(PRIO_PROCESS, 0, -10); /* whoever opens a file waits for us; scout and herald give it back */
    if (groups_create(p, f->gates, &features) < 0 || files_open(p, &f->files) < 0 || family_prepare(f) < 0 ||
        prepare_signals(k) < 0)
        return EXIT_FAILED;
    f->board->features = features;
    prctl(PR_SET_NAME, "fileward-keeper");
    if (sandbox_enter(ROLE_KEEPER, 0, 0, -1) < 0)
        return EXIT_FAILED;
    if (start_roles(k) < 0 || prepare_loop(k) < 0) {
        stop_roles(k);
        return EXIT_FAILED;
    }
    loop_run(&k->loop);
    notify_send(k->notify_fd, "STOPPING=1");
    stop_roles(k);
    if (somebody_listens())
        fprintf(stderr, "fileward: stopped\n");
    return 0;
}

int cmd_run(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *file = NULL;
    for (int c; (c = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
        if (c == 'h')
            return usage(stdout);
        if (c != 'c')
            return usage(stderr);
        file = optarg;
    }
    if (optind < argc)
        return usage(stderr);
    if (sandbox_check_root() < 0)
        return EXIT_NOT_PERMITTED;
    settle_libraries();

    struct findings findings = {0};
    struct policy *p = policy_load(file, &findings);
    findings_print(&findings, stderr);
    int rc = EXIT_POLICY;
    if (findings.errors) {
        fprintf(stderr, "fileward: not started: %zu error%s in the policy\n", findings.errors,
                findings.errors == 1 ? "" : "s");
    } else {
        struct keeper *k = calloc(1, sizeof *k);
        if (k) {
            k->notify_fd = notify_open();
            rc = run(k, p);
        }
        free(k);
    }
    policy_free(p);
    findings_free(&findings);
    return rc;
}
