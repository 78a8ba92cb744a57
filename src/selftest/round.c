/* One round: every route in three arenas, tried without a daemon, by a subject that may, and by one that may not. */
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "cli/daemon.h"
#include "selftest/selftest.h"

/* An arena for each trial; the last trial, of who may not, may be made several times. */
enum { SHARED = 4096, ATTEMPT_SECONDS = 20, ROOMS = 7, TIMES_MAX = 10, ARENAS = TRIALS - 1 + TIMES_MAX };

/* What attempts leave for whoever forked them. */
struct shared {
    char why[160];
    int outcome;
    _Alignas(64) char of_routes[SHARED];
};

struct round {
    const struct plan *plan;
    struct report *report;
    struct shared *shared;
    struct tried *tried; /* of this round */
    struct arena (*arenas)[ARENAS];
    int n;
};

/* --- arenas ------------------------------------------------------------------------------------------------------- */

static bool make_directory(const char *path, uid_t uid)
{
    return (mkdir(path, 0755) == 0 || errno == EEXIST) && chown(path, uid, uid) == 0;
}

static bool make_file(const char *path, const char *text, mode_t mode, uid_t uid)
{
    return write_file(path, text, mode) && chown(path, uid, uid) == 0;
}

static bool make_arena(const struct arena *a)
{
    static const char script[] = "#!/bin/sh\nexit 0\n";
    uid_t u = a->uid;
    return make_directory(a->dir, u) && make_directory(at(a, "g"), u) && make_directory(at(a, "g/sub"), u) &&
           make_directory(at(a, "out"), u) && make_directory(at(a, "one"), u) &&
           make_file(at(a, "g/secret"), SECRET, 0600, u) && make_file(at(a, "g/other"), SECRET, 0600, u) &&
           make_file(at(a, "g/sub/deep"), SECRET, 0600, u) && make_file(at(a, "g/script"), script, 0755, u) &&
           make_directory(at(a, "ro"), u) && make_file(at(a, "ro/file"), SECRET, 0600, u) &&
           make_file(at(a, "one/key"), SECRET, 0600, u) && copy_file("/bin/true", at(a, "g/run"), 0755) &&
           chown(at(a, "g/run"), u, u) == 0;
}

static int count_arenas(const struct round *r)
{
    return TRIAL_REFUSED + r->plan->setting->times;
}

/* Where the arenas number `i` of all routes lie. */
static void trial_directory(const struct round *r, const struct fs *fs, int i, char out[96])
{
    const char *round = r->plan->setting->name;
    if (i < TRIAL_REFUSED)
        snprintf(out, 96, "%s/%s/%s", fs->top, round, i == TRIAL_CONTROL ? "control" : "allowed");
    else
        snprintf(out, 96, "%s/%s/refused-%d", fs->top, round, i - TRIAL_REFUSED);
}

static bool make_parents(const struct round *r, const struct fs *fs)
{
    static const char *const who[] = {"", "/root", "/user"};
    char top[96], path[128];
    snprintf(path, sizeof path, "%s/%s", fs->top, r->plan->setting->name);
    if (!make_directory(path, 0))
        return false;
    for (int i = 0; i < count_arenas(r); i++)
        for (int k = 0; k < 3; k++) {
            trial_directory(r, fs, i, top);
            snprintf(path, sizeof path, "%s%s", top, who[k]);
            if (!make_directory(path, 0))
                return false;
        }
    return true;
}

static bool add_route(struct round *r, const struct route *route, const struct fs *fs, enum who who)
{
    struct tried *t = &r->tried[r->n];
    struct arena *arenas = r->arenas[r->n++];
    *t = (struct tried){
        .route = route, .fs = fs, .setting = r->plan->setting, .who = who, .seen = {CANNOT, CANNOT, CANNOT}};
    for (int i = 0; i < count_arenas(r); i++) {
        struct arena *a = &arenas[i];
        char top[96];
        trial_directory(r, fs, i, top);
        *a = (struct arena){.fs = fs,
                            .top = r->plan->top,
                            .reader = r->plan->reader,
                            .uid = who == BY_USER ? r->plan->uid : 0,
                            .allowed = r->plan->allowed,
                            .readers = r->plan->readers,
                            .trial = i < TRIAL_REFUSED ? (enum trial)i : TRIAL_REFUSED,
                            .fd = -1,
                            .why = r->shared->why,
                            .shared = r->shared->of_routes};
        snprintf(a->dir, sizeof a->dir, "%s/%s/%s", top, who == BY_USER ? "user" : "root", route->name);
        if (!make_arena(a)) {
            fprintf(stderr, "fileward: selftest: %s: %s\n", a->dir, strerror(errno));
            return false;
        }
        r->shared->why[0] = '\0';
        if (route->prepare && !route->prepare(a)) {
            if (!r->shared->why[0])
                cannot(a, "before the daemon starts");
            t->result = RESULT_NOT_TRIED;
            snprintf(t->why, sizeof t->why, "%s", r->shared->why);
            break;
        }
    }
    return true;
}

static const struct routes *all_routes(void)
{
    static struct routes all[ROOMS];
    all[0] = routes_open();
    all[1] = routes_names();
    all[2] = routes_mounts();
    all[3] = routes_exec();
    all[4] = routes_identity();
    all[5] = routes_fds();
    all[6] = routes_intent();
    return all;
}

static bool is_wanted(const struct plan *p, const struct route *route, int kind)
{
    const struct setting *s = p->setting;
    bool can_close = route->known == s->closes && !(s->closes == OPEN_GUARD && kind == FS_TMPFS);
    return (!route->only || route->only & 1u << kind) && (!p->only || strstr(route->name, p->only)) &&
           (s->closes == CLOSED || can_close);
}

static bool add_routes(struct round *r, const struct fs *fs, int kind)
{
    const struct routes *all = all_routes();
    for (int i = 0; i < ROOMS; i++)
        for (size_t k = 0; k < all[i].n; k++) {
            const struct route *route = &all[i].list[k];
            if (!is_wanted(r->plan, route, kind))
                continue;
            if (((route->who & BY_ROOT) && !add_route(r, route, fs, BY_ROOT)) ||
                ((route->who & BY_USER) && !add_route(r, route, fs, BY_USER)))
                return false;
        }
    return true;
}

static bool add_all(struct round *r)
{
    const struct routes *all = all_routes();
    size_t most = 0;
    for (int i = 0; i < ROOMS; i++)
        most += 2 * FS_COUNT * all[i].n;
    struct tried *more = realloc(r->report->tried, ((size_t)r->report->n_tried + most) * sizeof *more);
    if (more)
        r->report->tried = more;
    r->arenas = calloc(most, sizeof *r->arenas);
    if (!more || !r->arenas)
        return false;
    r->tried = more + r->report->n_tried;
    for (int i = 0; i < FS_COUNT; i++) {
        const struct fs *fs = &r->plan->fs[i];
        if (!fs->why[0] && (!make_parents(r, fs) || !add_routes(r, fs, i)))
            return false;
    }
    return true;
}

static void end_arenas(struct round *r)
{
    for (int i = 0; i < r->n; i++)
        for (int k = 0; k < count_arenas(r); k++) {
            struct arena *a = &r->arenas[i][k];
            if (!a->fs) /* not made any more */
                break;
            own_close(&a->fd);
            if (a->helper > 0) {
                kill(a->helper, SIGKILL);
                waitpid(a->helper, NULL, 0);
            }
        }
}

/* --- attempts ----------------------------------------------------------------------------------------------------- */

/* Becomes the subject. */
static bool become(const struct arena *a, const struct route *route)
{
    bool member = a->trial == TRIAL_ALLOWED && !route->genuine, reader = a->trial == TRIAL_REFUSED && route->may_read;
    return setgroups(member || reader ? 1 : 0, member ? &a->allowed : &a->readers) == 0 && become_owner(a);
}

/* Waits for the end of `pid`; false if it did not come in time. */
static bool ended(pid_t pid)
{
    for (int64_t end = clock_now() + ATTEMPT_SECONDS * NS_PER_S, pause = 50000; clock_now() < end; pause *= 2) {
        if (waitpid(pid, NULL, WNOHANG) == pid)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = pause < 20 * NS_PER_MS ? pause : 20 * NS_PER_MS}, NULL);
    }
    return false;
}

static int attempt(const struct round *r, const struct route *route, const struct arena *a)
{
    struct shared *s = r->shared;
    int (*what)(const struct arena *) = a->trial == TRIAL_ALLOWED && route->genuine ? route->genuine : route->attempt;
    s->outcome = CANNOT;
    strcpy(s->why, "it died");
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        s->outcome = become(a, route) ? what(a) : cannot(a, "the subject's user and groups");
        _exit(0);
    }
    if (pid < 0)
        return cannot(a, "fork");
    bool in_time = ended(pid);
    kill(-pid, SIGKILL);
    if (!in_time) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        errno = ETIMEDOUT;
        s->outcome = cannot(a, "it hung");
    }
    while (waitpid(-pid, NULL, 0) > 0)
        ;
    return s->outcome;
}

static void say_wrong(struct tried *t, enum result result, const char *words, int error)
{
    t->result = result;
    snprintf(t->why, sizeof t->why, "%s%s%s", words, error ? ": " : "", error ? strerror(error) : "");
}

static void try_control(const struct round *r, struct tried *t, const struct arena *a)
{
    int seen = t->seen[TRIAL_CONTROL] = attempt(r, t->route, a);
    if (seen == 0)
        return;
    t->result = RESULT_NOT_TRIED;
    if (seen == CANNOT)
        snprintf(t->why, sizeof t->why, "%s", r->shared->why);
    else
        say_wrong(t, RESULT_NOT_TRIED, "not possible here", -seen);
}

static void try_guarded(const struct round *r, struct tried *t, const struct arena arenas[ARENAS])
{
    t->expected_open = t->route->known != CLOSED && t->route->known != r->plan->setting->closes;
    int seen = t->seen[TRIAL_ALLOWED] = attempt(r, t->route, &arenas[TRIAL_ALLOWED]);
    if (seen == CANNOT)
        say_wrong(t, RESULT_WRONG, r->shared->why, 0);
    else if (seen != 0)
        say_wrong(t, RESULT_WRONG, "refused to a subject that may", -seen);
    if (seen != 0)
        return;
    seen = -EPERM;
    for (int i = TRIAL_REFUSED; i < count_arenas(r) && seen == -EPERM; i++)
        seen = t->seen[TRIAL_REFUSED] = attempt(r, t->route, &arenas[i]);
    if (seen == CANNOT)
        say_wrong(t, RESULT_WRONG, r->shared->why, 0);
    else if (seen == 0)
        t->result = t->expected_open ? RESULT_KNOWN : RESULT_OPEN;
    else if (seen != -EPERM)
        say_wrong(t, RESULT_WRONG, "failed, but not because the daemon refused it", -seen);
}

static bool write_watches(const struct round *r, FILE *out)
{
    const struct setting *s = r->plan->setting;
    for (int i = 0; i < FS_COUNT; i++) {
        const struct fs *fs = &r->plan->fs[i];
        char top[96];
        if (fs->why[0])
            continue;
        snprintf(top, sizeof top, "%s/%s", fs->top, s->name);
        fprintf(out,
                "[watch %s]\ndefault = deny\n%s"
                "path = %s/allowed/*/*/g %s/refused-*/*/*/g %s/allowed/*/*/one/key %s/refused-*/*/*/one/key\n"
                "[rule %s/members]\naction = allow\ngid = %u\n"
                "[rule %s/reader]\naction = allow\nexe = %s\n%s",
                fs->name, s->keys, top, top, top, top, fs->name, r->plan->allowed, fs->name, r->plan->reader,
                s->reader);
        fprintf(out,
                "[watch %s-ro]\ndefault = deny\n%spath = %s/allowed/*/*/ro %s/refused-*/*/*/ro\n"
                "[rule %s-ro/members]\naction = allow\ngid = %u\n"
                "[rule %s-ro/readers]\naction = allow\nop = read\ngid = %u\n",
                fs->name, s->keys, top, top, fs->name, r->plan->allowed, fs->name, r->plan->readers);
    }
    return fflush(out) == 0;
}

static pid_t start(const struct round *r)
{
    CLEAN_FREE char *text = NULL;
    size_t size;
    CLEAN_FILE FILE *out = open_memstream(&text, &size);
    if (!out || !write_watches(r, out))
        return -1;
    /* Nothing is measured here, and the machine may be busy. The clerk may have to read all libraries first, and has half
     * of it; some that may not wait for as long. */
    const char *timeout = r->plan->setting->closes == OPEN_CODE ? "10s" : "2s";
    const struct gate_settings settings = {.mode = "enforce", .timeout = timeout, .watches = text};
    return gate_start(r->plan, &settings);
}

static bool run(struct round *r)
{
    if (!add_all(r))
        return false;
    bool is_first = r->plan->setting->closes == CLOSED;
    if (r->n == 0 && !is_first)
        return true;
    for (int i = 0; i < r->n; i++)
        if (r->tried[i].result != RESULT_NOT_TRIED)
            try_control(r, &r->tried[i], &r->arenas[i][TRIAL_CONTROL]);
    pid_t keeper = start(r);
    if (keeper < 0)
        return false;
    if (is_first)
        features_of_daemon(r->plan, r->report);
    for (int i = 0; i < r->n; i++)
        if (r->tried[i].result != RESULT_NOT_TRIED)
            try_guarded(r, &r->tried[i], r->arenas[i]);
    daemon_stop(keeper);
    return true;
}

bool round_run(const struct plan *p, struct report *report)
{
    struct round r = {.plan = p, .report = report};
    r.shared = mmap(NULL, sizeof *r.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (r.shared == MAP_FAILED)
        return false;
    bool ran = run(&r);
    report->n_tried += r.n;
    end_arenas(&r);
    munmap(r.shared, sizeof *r.shared);
    free(r.arenas);
    return ran;
}
