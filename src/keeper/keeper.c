#include "keeper/keeper.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit.h"
#include "base/loop.h"
#include "base/notify.h"
#include "base/rank.h"
#include "base/sandbox.h"
#include "keeper/aloud.h"
#include "keeper/change.h"
#include "keeper/rescue.h"
#include "keeper/say.h"

enum {
    RETRY_FIRST_MS = 100,
    RETRY_MAX_MS = 10000,
    LIVED_MS = 5000, /* a child that lived this long may come back at once */
    HANGS_MS =
        5000, /* one that says nothing for so long is stuck; a disk may keep clerk and scout waiting for longer */
    CLERK_HANGS_MS = 10000,
    SCOUT_HANGS_MS = 30000,
    PAUSE_MS = 1000, /* a tick that comes so late was kept from its processor, and so was everybody else */
};

struct keeper {
    struct change change;
    struct loop loop;
    sigset_t signals;
    int signal_fd;
    int64_t due_ns;              /* when the next tick should come */
    int64_t watchdog_ns, fed_ns; /* how often the service manager wants to hear of us (0: never); when it last did */
    bool clerks_stuck;           /* it has been said */
    bool leaving;                /* without ending anybody else, as soon as no change is under way */
};

static struct family *serving(const struct keeper *k)
{
    struct generation *g = k->change.serving;
    return g && g->family.board ? &g->family : NULL;
}

static const char *seat_name(enum seat s)
{
    static const char *const names[SEAT_COUNT] = {
        [SEAT_HERALD] = "herald", [SEAT_JUDGE] = "judge", [SEAT_SPARE] = "spare judge",
        [SEAT_SCOUT] = "scout",   [SEAT_CLERK] = "clerk", [SEAT_READER] = "reader"};
    return names[s];
}

/* --- children that end ------------------------------------------------------------------------------------------ */

static void describe_end(int how, char *out, size_t size)
{
    if (WIFSIGNALED(how))
        snprintf(out, size, "was ended by signal %d (%s)", WTERMSIG(how), strsignal(WTERMSIG(how)));
    else
        snprintf(out, size, "ended with status %d", WEXITSTATUS(how));
}

static void complain(const char *why)
{
    aloud("fileward: %s; it is replaced", why);
}

static void schedule_return(struct child *c, int64_t now)
{
    bool lived = now - c->born_ns >= LIVED_MS * NS_PER_MS;
    c->delay_ns = lived || !c->delay_ns ? RETRY_FIRST_MS * NS_PER_MS : c->delay_ns * 2;
    if (c->delay_ns > RETRY_MAX_MS * NS_PER_MS)
        c->delay_ns = RETRY_MAX_MS * NS_PER_MS;
    c->retry_ns = now + (lived ? 0 : c->delay_ns);
}

/* The first family is not complete, and one of it could not even begin: there is no use in trying again and again. */
static bool give_up(struct keeper *k, const char *why)
{
    if (k->change.announced || k->change.inherited)
        return false;
    aloud("fileward: not started: %s", why);
    k->change.failed = true;
    return true;
}

static void on_death(struct keeper *k, struct family *f, enum seat seat, const char *why, bool was_ready, int64_t now)
{
    struct child *c = &f->seat[seat];
    if (!was_ready && give_up(k, why))
        return;
    /* A judge that never got ready has read nothing: on_tick() stands in for it, and the seat waits its turn. */
    if (seat == SEAT_JUDGE && was_ready)
        rescue_replace_judge(&k->change.rescue, f, why);
    else
        atomic_fetch_add(&f->board->restarts[c->role], 1);
    complain(why);
    if (!c->pid && c->retry_ns <= now)
        schedule_return(c, now);
}

/* All but the judge that serves, whose heartbeat is on the board and is watched by rescue_is_due(). */
static bool hangs(const struct child *c, enum seat seat, int64_t now)
{
    int64_t most = (seat == SEAT_SCOUT ? SCOUT_HANGS_MS : seat == SEAT_CLERK ? CLERK_HANGS_MS : HANGS_MS) * NS_PER_MS;
    return seat != SEAT_JUDGE && now - c->heard_ns > most;
}

/* Herald and scout of the family before write into the same log and register: only when they have left. */
static bool may_sit(const struct keeper *k, const struct family *f, enum seat seat)
{
    const struct generation *before = k->change.leaving;
    if (seat == SEAT_CLERK)
        return f->desk[1] >= 0 && estate_has_room_for_clerk(&k->change.estate);
    return !before || !before->family.seat[seat].pid;
}

/* For whatever the clerk looked at when it began to hang, or died. */
static void blame(struct keeper *k, const char *what, int64_t now)
{
    uint32_t user;
    if (shun_blame(k->change.estate.shun, now, &user))
        aloud(
            "fileward: the clerk %s a look at what uid %u runs: that is left alone for a while, and on_timeout decides "
            "for that user where rules ask the clerk",
            what, user);
}

/* Not by somebody who ends processes, or the kernel when memory is out. */
static bool died_by_itself(int how)
{
    return WIFSIGNALED(how) && WTERMSIG(how) != SIGKILL;
}

static void look_after_child(struct keeper *k, struct family *f, enum seat seat, int64_t now)
{
    struct child *c = &f->seat[seat];
    int how = 0;
    char end[128], why[192];
    if (c->pid)
        family_hear(f, seat);
    bool was_ready = c->ready;
    if (c->pid && family_reap(f, seat, 0, &how)) {
        describe_end(how, end, sizeof end);
        snprintf(why, sizeof why, "the %s %s", seat_name(seat), end);
        if (seat == SEAT_CLERK && died_by_itself(how))
            blame(k, "died in", now);
        on_death(k, f, seat, why, was_ready, now);
    } else if (c->pid && hangs(c, seat, now)) {
        snprintf(why, sizeof why, "the %s did not say anything for %d s", seat_name(seat),
                 (int)((now - c->heard_ns) / NS_PER_S));
        if (seat == SEAT_CLERK)
            blame(k, "hangs in", now);
        family_kill(f, seat);
        on_death(k, f, seat, why, was_ready, now);
    }
    if (c->pid || now < c->retry_ns || !may_sit(k, f, seat) || k->change.failed)
        return;
    if (!family_fork(f, seat))
        schedule_return(c, now);
    else if (seat == SEAT_JUDGE)
        family_say(f, seat, 'g');
}

/* Says once that there is no clerk, and why, and once that there can be one again. */
static void tell_of_clerks(struct keeper *k)
{
    bool stuck = !estate_has_room_for_clerk(&k->change.estate);
    if (stuck && !k->clerks_stuck)
        aloud("fileward: %d clerks that were killed are still inside the kernel, where something does not answer them: "
              "there is no other until one of them has ended, and on_timeout decides where rules ask it",
              CLERK_STRAYS_MAX);
    if (!stuck && k->clerks_stuck)
        aloud("fileward: a clerk that was killed has ended: there is one again");
    k->clerks_stuck = stuck;
}

static void look_after_children(struct keeper *k)
{
    int64_t now = clock_now();
    struct family *f = serving(k);
    for (int seat = 0; f && seat < SEAT_READER; seat++)
        look_after_child(k, f, (enum seat)seat, now);
    estate_reap_strays(&k->change.estate);
    tell_of_clerks(k);
}

/* --- the loop --------------------------------------------------------------------------------------------------- */

static void end_with(struct keeper *k, const char *why)
{
    if (serving(k))
        say_stop(serving(k), why);
    k->loop.stop = true;
}

static void on_signal(void *ctx, int fd, uint32_t events)
{
    (void)events;
    struct keeper *k = ctx;
    struct signalfd_siginfo s;
    if (read(fd, &s, sizeof s) != (ssize_t)sizeof s)
        return;
    switch (s.ssi_signo) {
    case SIGCHLD: /* the tick looks after them */
        break;
    case SIGHUP:
        change_ask(&k->change);
        break;
    case SIGUSR1:
        if (serving(k))
            family_say(serving(k), SEAT_HERALD, 'r');
        break;
    case SIGUSR2:
        k->leaving = true;
        break;
    default:
        k->leaving = false;
        end_with(k, s.ssi_signo == SIGINT ? "interrupted from the terminal" : "told to stop (SIGTERM)");
    }
    k->loop.deadline = clock_now(); /* look at once; signals that follow each other closely do not put off the look */
}

/* The service manager hears of us only while verdicts are being given. */
static void feed_watchdog(struct keeper *k, int64_t now)
{
    struct family *f = serving(k);
    if (!k->watchdog_ns || now - k->fed_ns < k->watchdog_ns / 4 || !f || atomic_load(&f->board->judge_stalled))
        return;
    k->fed_ns = now;
    notify_send(k->change.notify_fd, "WATCHDOG=1");
}

static void watch_over_judge(struct keeper *k, struct family *f, int64_t now)
{
    const struct child *seat = &f->seat[SEAT_JUDGE];
    if (!seat->pid) {
        rescue_stand_in(f);
        if (now >= seat->retry_ns)
            family_promote(f);
    }
    if (rescue_is_due(&k->change.rescue, f, now)) {
        char why[128];
        snprintf(why, sizeof why, "the judge did not move for %d ms while questions waited",
                 f->policy->settings.timeout_ms / 2);
        rescue_replace_judge(&k->change.rescue, f, why);
        complain(why);
    }
}

/* A virtual machine that was stopped and goes on, or a keeper that was: what nobody could do meanwhile is held against
 * nobody. */
static void forgive_a_pause(struct keeper *k, int64_t now)
{
    int64_t late = k->due_ns ? now - k->due_ns : 0;
    if (late < PAUSE_MS * NS_PER_MS)
        return;
    k->change.since_ns += late;
    if (k->change.rescue.waiting_since)
        k->change.rescue.waiting_since += late;
    for (size_t i = 0; i < sizeof k->change.slot / sizeof *k->change.slot; i++)
        for (int seat = 0; seat < SEAT_COUNT; seat++)
            k->change.slot[i].family.seat[seat].heard_ns += late;
}

static void on_tick(void *ctx)
{
    struct keeper *k = ctx;
    int64_t now = clock_now();
    struct family *f = serving(k);
    forgive_a_pause(k, now);
    if (f)
        watch_over_judge(k, f, now);
    change_tick(&k->change, now);
    look_after_children(k); /* two that end together send one signal */
    feed_watchdog(k, now);
    if (k->leaving && k->change.announced && k->change.phase == PHASE_QUIET && f && f->seat[SEAT_JUDGE].pid)
        end_with(k, "the keeper left (SIGUSR2); its judge guards until the next one comes");
    k->loop.stop |= k->change.failed;
    k->loop.deadline = k->due_ns = change_deadline(&k->change, now);
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
    static const int heard[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD};
    sigemptyset(&k->signals);
    for (size_t i = 0; i < sizeof heard / sizeof *heard; i++)
        sigaddset(&k->signals, heard[i]);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGIO, SIG_IGN); /* somebody writes to a file while the judge holds its lease for an instant */
    /* Blocked in the children too: Ctrl-C is for the keeper to order. */
    sigprocmask(SIG_BLOCK, &k->signals, NULL);
    k->signal_fd = signalfd(-1, &k->signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return k->signal_fd < 0 ? -1 : 0;
}

static int prepare_loop(struct keeper *k)
{
    if (loop_init(&k->loop) < 0 || loop_add(&k->loop, k->signal_fd, EPOLLIN, on_signal, k) < 0)
        return -1;
    k->loop.on_deadline = on_tick;
    k->loop.deadline_ctx = k;
    k->loop.deadline = clock_now();
    return 0;
}

static int64_t watchdog_interval(void)
{
    const char *text = getenv("WATCHDOG_USEC");
    return text ? strtoll(text, NULL, 10) * 1000 : 0;
}

static int usage(FILE *out)
{
    fputs("usage: fileward run [-c FILE]\n"
          "Guards the files that the policy names, in the foreground, until SIGTERM or Ctrl-C. Takes over from the "
          "judge of a\n"
          "keeper that is gone. Signals: SIGHUP read the policy again, SIGUSR1 open the log again (after a rotation),\n"
          "SIGUSR2 leave, but let the judge guard until fileward is started again (for an upgrade without a gap).\n"
          "  -c FILE   the policy (default /etc/fileward/fileward.ini, then policy.d/*.ini beside it)\n",
          out);
    return out == stdout ? 0 : EXIT_USAGE;
}

static int run(struct keeper *k)
{
    struct change *c = &k->change;
    rank_first(); /* scout, clerk and herald give it back */
    int rc = change_prepare(c);
    if (rc)
        return rc;
    if (prepare_signals(k) < 0 || prepare_loop(k) < 0) {
        perror("fileward");
        return EXIT_FAILED;
    }
    prctl(PR_SET_NAME, "fileward-keeper");
    if (sandbox_enter(ROLE_KEEPER, 0, 0, -1) < 0)
        return EXIT_FAILED;
    c->failed = !change_begin(c);
    if (c->failed)
        fprintf(stderr, "fileward: not started: cannot fork: %s\n", strerror(errno));
    else
        loop_run(&k->loop);
    if (k->leaving && !c->failed)
        return 0;
    notify_send(c->notify_fd, "STOPPING=1");
    if (c->failed && c->inherited && !serving(k))
        c->serving = NULL; /* the judge of the dead keeper guards as before */
    change_end(c);
    if (!c->failed)
        aloud("fileward: stopped");
    return c->failed ? EXIT_FAILED : 0;
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
    struct keeper *k = calloc(1, sizeof *k);
    if (!k) {
        perror("fileward");
        return EXIT_FAILED;
    }
    k->change.main_file = file;
    k->watchdog_ns = watchdog_interval();
    k->change.notify_fd = notify_open();
    int rc = run(k);
    free(k);
    return rc;
}
