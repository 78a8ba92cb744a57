#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/lookup.h"
#include "base/mounts.h"
#include "judge/court.h"
#include "judge/crowd.h"
#include "policy/needs.h"

/* --- one question ----------------------------------------------------------------------------------------------- */

/* The keeper's children are never asked: they open guarded files to mark them and to write records, and
 * a question about one of them could wait for itself. The number alone may be another's by now, so the process behind
 * it must be the one that the keeper wrote on the board. */
static bool is_family(const struct judge *j, int32_t tid)
{
    for (int i = 0; i < KIN_MAX; i++) {
        struct board_kin *kin = &j->is.board->family[i];
        if (atomic_load_explicit(&kin->pid, memory_order_acquire) != tid)
            continue;
        struct process p;
        if (process_open(&p, tid) < 0)
            return false;
        uint64_t id = process_identity(p.pidfd, tid);
        bool same = id != 0 && id == atomic_load(&kin->id);
        process_close(&p);
        return same;
    }
    return false;
}

/* Who is about to take over from our dead keeper: it holds the keeper's lock, on a file that only root can open. It and
 * its reader must get at the policy, which may be guarded. */
static bool is_heir(const struct judge *j, int32_t tid)
{
    pid_t heir = lock_holder(j->is.lock_fd, LOCK_KEEPER);
    struct process p;
    struct creds creds;
    if (heir <= 0 || process_open(&p, tid) < 0)
        return false;
    bool is = process_creds(&p, &creds) == 0 && (creds.tgid == heir || creds.ppid == heir);
    process_close(&p);
    return is;
}

static bool is_one_of_us(const struct judge *j, int32_t tid)
{
    return is_family(j, tid) || (j->orphan && is_heir(j, tid));
}

/* Nobody waited any more (killed, or released by the keeper), so that no verdict was given. */
static void nobody_waited(struct judge *j)
{
    if (errno != ENOENT)
        _exit(EXIT_FAILURE); /* who cannot answer is no judge: the keeper releases who waits, and another one serves */
    atomic_fetch_add_explicit(&j->is.board->answer_errors, 1, memory_order_relaxed);
}

static bool answer(struct judge *j, const struct question *q, enum answer a)
{
    if (gate_answer(j->is.gates, j->is.board, q, a) == 0)
        return true;
    nobody_waited(j);
    return false;
}

/* What lies outside of the watch. */
static void let_pass(struct judge *j, const struct question *q)
{
    atomic_fetch_add_explicit(&j->is.board->watch[q->watch].outside, 1, memory_order_relaxed);
    if (gate_say(j->is.gates, q, ANSWER_ALLOW) < 0)
        nobody_waited(j);
    if (j->thing.settled)
        gate_leave_out(j->is.gates, q, j->thing.directory, &j->leaving_out);
    gate_close(j->is.board, q);
}

/* Gathers what a record needs, answers, then counts and records. */
static void conclude(struct judge *j, const struct question *q, const struct outcome *o)
{
    struct fold_key key;
    bool record = !j->inquiry.gone && telling_prepare(j, q, o, &key);
    if (j->inquiry.gone) { /* killed while it waited: there is nobody to answer and nothing to tell of */
        answer(j, q, ANSWER_RELEASE);
        return;
    }
    if (!record) {
        outbox_put(j, q, o);
        return;
    }
    if (answer(j, q, o->answer))
        telling_finish(j, q, o, &key, record, clock_now() - q->read_ns);
}

/* A machine whose first process cannot open its files is lost. Recorded, never refused by a judge. */
static bool is_init(struct judge *j, const struct question *q)
{
    if (q->tid != 1)
        subject_gather(j->subjects, &j->inquiry, ATTR_CREDS);
    return q->tid == 1 || j->inquiry.creds.tgid == 1;
}

/* What the rules of q->watch say of the subject and the object in hand. False: it is too early. */
static bool rule_on(struct judge *j, const struct question *q, struct outcome *o)
{
    *o = (struct outcome){0};
    ruling(j, q, o);
    if (o->not_yet && !ruling_is_late(j, q))
        return false;
    if (o->not_yet)
        ruling_give_up(j, q, o);
    if (o->answer != ANSWER_ALLOW && is_init(j, q)) {
        o->answer = ANSWER_ALLOW;
        o->reason = REASON_INIT;
    }
    return true;
}

/* A question through the marks of a watch that a reload has dropped. The watches that guard the object's place now may
 * not have marked it yet: their rules decide, and any of them may refuse. Where the dropped watch was in audit the earlier
 * policy holds, and nobody is refused, until the marks of those that enforce are there: through the group of a watch in
 * audit nothing but ALLOW is ever written (base/answer.h), whatever its successor wants. */
static bool handle_dropped(struct judge *j, const struct question *q)
{
    struct question asked = *q;
    struct last_exec *exec, before = {0};
    object_find_dropped(&j->finder, j->is.gates[q->gate].number, q->fd, &j->thing);
    if (!j->thing.seen.place) {
        answer(j, q, answer_fallback(&j->is.gates[q->gate]));
        return true;
    }
    subject_find(j->subjects, q->tid, 0, &j->inquiry);
    if ((exec = subject_exec(j->subjects, &j->inquiry)))
        before = *exec;
    for (int w = 0; w < j->is.policy->n_watches; w++) {
        struct outcome o;
        if (!object_is_guarded(&j->finder, &j->thing, w))
            continue;
        j->thing.watch = asked.watch = w;
        if (!rule_on(j, &asked, &o)) {
            if (exec) /* those before have answered, and will be asked again as if they had not */
                *exec = before;
            return false;
        }
        if (answer_verdict(&j->is.gates[w], o.answer) == ACTION_DENY) {
            conclude(j, &asked, &o);
            return true;
        }
    }
    answer(j, q, ANSWER_ALLOW); /* its own marks, if it is to have some, ask again */
    return true;
}

static bool is_dropped(const struct judge *j, int gate)
{
    return gate >= j->is.policy->n_watches;
}

/* A user, or a thread that cannot be looked at. Whoever starts a setuid program makes his own crowd, not its owner's;
 * what root's works for others is theirs. */
static uint64_t whose(struct judge *j, const struct question *q)
{
    const struct subject *seen = &j->inquiry.seen;
    if (j->inquiry.tid != q->tid)
        subject_find(j->subjects, q->tid, 0, &j->inquiry);
    subject_gather(j->subjects, &j->inquiry, ATTR_CREDS);
    return seen->failed & ATTR_CREDS ? UINT64_C(1) << 63 | (uint32_t)q->tid
                                     : UINT64_C(1) << 62 | (seen->ruid ? seen->ruid : seen->fsuid);
}

/* Puts a question aside. */
static void defer(struct judge *j, const struct question *q)
{
    struct question *d = &j->deferred[j->n_deferred++];
    *d = *q;
    d->awaits_clerk = j->inquiry.awaits_clerk;
    d->ticket = j->ticket;
    if (!d->whom)
        d->whom = whose(j, q);
}

static bool scout_has_settled(const struct judge *j, uint32_t ticket)
{
    return (int32_t)(atomic_load(&j->is.board->scout_settled) - ticket) >= 0;
}

/* Whether the object in hand, of which another name may have come to lie inside, must wait for the scout, who would know.
 * If it does not say so in time it counts as inside. The register was looked at after still_awaits() had seen an answer. */
static bool awaits_scout(struct judge *j, const struct question *q)
{
    const uint64_t one = 1;
    if (j->thing.inside || !j->thing.disputed)
        return false;
    if (ruling_is_late(j, q))
        j->thing.inside = true;
    if (q->ticket || j->thing.inside)
        return false;
    j->inquiry.awaits_clerk = false;
    j->ticket = atomic_fetch_add(&j->is.board->scout_asked, 1) + 1;
    (void)!write(j->is.bell_fd, &one, sizeof one);
    return true;
}

/* Nothing new can be said of it. */
static bool still_awaits(const struct judge *j, const struct question *q)
{
    const struct desk_ticket ticket = {.read_ns = q->read_ns, .fd = q->fd};
    if (ruling_is_late(j, q))
        return false;
    return (q->awaits_clerk && !desk_is_settled(j->desk, &ticket)) || (q->ticket && !scout_has_settled(j, q->ticket));
}

/* Reads and writes are asked about through marks that an earlier policy wanted so. */
static bool is_unwanted(const struct judge *j, const struct question *q)
{
    if (q->kind == QUESTION_OPEN || q->kind == QUESTION_EXEC || is_dropped(j, q->gate))
        return false;
    enum guard guard = j->is.policy->watches[q->gate].guard;
    return guard != (q->kind == QUESTION_READ ? GUARD_OPEN_READ : GUARD_OPEN_WRITE);
}

/* Answers a question. False: it is too early, it must be asked again. */
static bool handle(struct judge *j, const struct question *q)
{
    struct outcome o;
    j->ticket = 0; /* of the question before */
    if (is_one_of_us(j, q->tid) || is_unwanted(j, q)) {
        answer(j, q, ANSWER_ALLOW);
        return true;
    }
    if (is_dropped(j, q->gate))
        return handle_dropped(j, q);
    object_find(&j->finder, q->watch, j->is.gates[q->gate].number, q->fd, &j->thing);
    if (awaits_scout(j, q))
        return false;
    if (!j->thing.inside) {
        let_pass(j, q);
        return true;
    }
    subject_find(j->subjects, q->tid, j->needs[q->watch], &j->inquiry);
    if (!rule_on(j, q, &o))
        return false;
    conclude(j, q, &o);
    return true;
}

/* --- the loop --------------------------------------------------------------------------------------------------- */

/* Only of the judge that reads: one that waits must not hide that the other is stuck. */
static void beat(struct judge *j)
{
    if (j->serving)
        atomic_fetch_add_explicit(&j->is.board->beat, 1, memory_order_release);
}

static void tell_busy(struct judge *j, bool busy)
{
    atomic_store(&j->is.board->busy, busy || j->n_deferred > 0);
}

/* Notes how much waits behind a full batch, so that its age is known when its turn comes: events carry no time. Returns
 * whether the batch just read has waited for half the timeout already. */
static bool batch_is_late(struct gate_source *s, int n)
{
    struct judge *j = s->judge;
    int64_t now = clock_now();
    bool late = s->backlog > 0 && now - s->backlog_since >= j->is.policy->settings.timeout_ms * NS_PER_MS / 2;
    s->backlog = n < BATCH || s->backlog <= (unsigned)n ? 0 : s->backlog - (unsigned)n;
    if (n == BATCH && s->backlog == 0) {
        s->backlog = gate_unread(&j->is.gates[s->gate]);
        s->backlog_since = now;
    }
    return late;
}

/* More is asked than can be decided: who has waited for so long, or has most put aside, is released, so that others are
 * not late too. */
static void release(struct judge *j, const struct question *q)
{
    const struct gate *gate = &j->is.gates[q->gate];
    bool dropped = is_dropped(j, q->gate);
    if (is_one_of_us(j, q->tid) || q->tid == 1) {
        answer(j, q, ANSWER_ALLOW);
        return;
    }
    if (!dropped)
        object_find(&j->finder, q->watch, gate->number, q->fd, &j->thing);
    if (!dropped && !j->thing.inside && !j->thing.disputed) {
        let_pass(j, q);
        return;
    }
    ruling_given(j, q, answer_fallback(gate));
    answer(j, q, answer_fallback(gate));
    if (dropped)
        return;
    atomic_fetch_add(&j->is.board->watch[q->watch].timeouts, 1);
    j->source[q->gate].released++;
}

/* Whom `stop` and a later keeper find; guarding does not depend on it. A judge before us that was killed, and is still
 * inside the kernel, holds it until it has ended: try again. */
static void take_lock(struct judge *j)
{
    if (j->serving && !j->locked)
        j->locked = lock_take(j->is.lock_fd, LOCK_JUDGE);
}

static void plan(struct judge *j)
{
    j->loop.deadline = telling_due(j);
    if (!j->serving) {
        j->loop.deadline = clock_now() + NS_PER_S;
        return;
    }
    /* The keeper said that somebody guards; now it is for us to say. */
    int64_t alive = clock_now() + (j->locked ? NS_PER_S : NS_PER_S / 10);
    if ((j->orphan || !j->locked) && (!j->loop.deadline || alive < j->loop.deadline))
        j->loop.deadline = alive;
}

static void on_deadline(void *ctx)
{
    struct judge *j = ctx;
    telling_flush(j, false);
    take_lock(j);
    if (j->orphan)
        ledger_alive(j->is.ledger);
    if (!j->serving) /* so that a spare that is stuck is known before it is needed */
        (void)!write(j->is.control_fd, "b", 1);
    plan(j);
}

/* Reads no more; leaves when what it holds is answered. */
static void step_down(struct judge *j)
{
    for (int i = 0; i < j->n_gates; i++)
        loop_remove(&j->loop, j->is.gates[i].fd);
    j->loop.stop = true;
}

/* All that a judge ever has open: what it holds, whom it knows, the groups, and a handful besides. For whom there is no
 * descriptor left the kernel refuses by itself, in audit mode too: before that comes near, by whatever mistake, this
 * judge is done, and another with an empty table takes its place. Numbers are given lowest first. */
enum { BESIDES = 64, FILES_ENOUGH = FILES_MAX - 2 * BATCH - BESIDES };
_Static_assert(HELD_MAX + SUBJECTS_MAX * SUBJECT_FILES + SIGHTS_MAX * SIGHT_FILES + GATES_MAX + BESIDES < FILES_ENOUGH,
               "room for all of them");

/* Who fills the room makes it: a crowd of one user's must not keep the others from being heard. */
static void make_room(struct judge *j)
{
    while (j->n_deferred > ASIDE_MAX) {
        int i = crowd_oldest(j->deferred, j->n_deferred);
        struct question q = j->deferred[i];
        memmove(&j->deferred[i], &j->deferred[i + 1], sizeof q * (size_t)(--j->n_deferred - i));
        release(j, &q);
    }
}

static void take_batch(struct gate_source *s)
{
    struct judge *j = s->judge;
    unsigned refused;
    int n = gate_read(j->is.gates, s->gate, j->is.board, j->batch, &refused);
    if (refused && !is_dropped(j, s->gate))
        atomic_fetch_add(&j->is.board->watch[s->gate].kernel_refused, refused);
    bool late = batch_is_late(s, n < 0 ? 0 : n);
    if (n < 0)
        return; /* without a beat: if questions wait all the same, the keeper shall see that nothing comes of it */
    beat(j);
    for (int i = 0; i < n; i++) {
        if (j->batch[i].fd >= FILES_ENOUGH)
            step_down(j);
        if (late || ruling_is_late(j, &j->batch[i])) /* or those before it took that long */
            release(j, &j->batch[i]);
        else if (!handle(j, &j->batch[i]))
            defer(j, &j->batch[i]);
        beat(j);
    }
    outbox_send(j);
    make_room(j);
}

static void on_questions(void *ctx, int fd, uint32_t events)
{
    (void)fd, (void)events;
    struct gate_source *s = ctx;
    struct judge *j = s->judge;
    pace_woken(&j->pace, clock_now());
    tell_busy(j, true);
    take_batch(s);
    tell_busy(j, false);
    /* Repeats are told even under a load that never lets the loop rest. */
    if (j->loop.deadline && clock_now() >= j->loop.deadline)
        on_deadline(j);
    plan(j);
    pace_done(&j->pace, clock_now());
}

/* Asks some deferred questions again, not so many that new ones wait for long. Returns whether any was answered. */
static bool ask_again(struct judge *j)
{
    struct question turn[BATCH];
    int n = 0, kept = 0, left = 0;
    for (int i = 0; i < j->n_deferred; i++) {
        if (n < BATCH && !still_awaits(j, &j->deferred[i]))
            turn[n++] = j->deferred[i];
        else
            j->deferred[kept++] = j->deferred[i];
    }
    j->n_deferred = kept;
    beat(j);
    for (int i = 0; i < n; i++) { /* who must wait goes to the end: nobody keeps the others from their turn */
        if (!handle(j, &turn[i])) {
            defer(j, &turn[i]);
            left++;
        }
        beat(j);
    }
    outbox_send(j);
    tell_busy(j, false);
    plan(j);
    return left < n;
}

/* An opener shows its call when it sleeps. It may be us who keeps it from its processor: give way, at first to whoever is
 * ready to run, then for longer and longer while nothing comes of it (32 us ... 2 ms). */
static int give_way(int idle_rounds)
{
    enum { YIELDS = 4, LONGEST = 10 };
    if (idle_rounds < YIELDS)
        sched_yield();
    else
        nanosleep(&(struct timespec){.tv_nsec = 2000L << (idle_rounds < LONGEST ? idle_rounds : LONGEST)}, NULL);
    return idle_rounds + 1;
}

/* Under a load that never lets us rest it is we, before all others in line for the processor, who keep an opener from
 * falling asleep: rest a little while one has waited for long. */
static void rest_for_the_oldest(struct judge *j, int64_t *rested)
{
    const int64_t long_ns = 5 * NS_PER_MS, every_ns = NS_PER_MS;
    int64_t now = clock_now(), oldest = now;
    if (now - *rested < every_ns)
        return;
    for (int i = 0; i < j->n_deferred; i++)
        if (!j->deferred[i].awaits_clerk && j->deferred[i].read_ns < oldest)
            oldest = j->deferred[i].read_ns;
    if (now - oldest < long_ns)
        return;
    nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS / 5}, NULL);
    *rested = clock_now();
}

/* Whether all who are put aside wait for the clerk: its answer wakes us. */
static bool all_await_clerk(const struct judge *j)
{
    for (int i = 0; i < j->n_deferred; i++)
        if (!j->deferred[i].awaits_clerk)
            return false;
    return j->n_deferred > 0;
}

static void run_loop(struct judge *j)
{
    enum { AWAIT_MS = 4 }; /* then it is looked who is late */
    int idle_rounds = 0;
    int64_t rested = 0;
    while (!j->loop.stop || j->n_deferred > 0) {
        /* After a rest and before new answers: each of those wakes all who wait, and who was just woken does not sleep. */
        bool stuck = j->n_deferred > 0 && !ask_again(j);
        /* Nor when told to leave: with the last of them answered nothing would wake us. */
        bool look = j->loop.stop || j->n_deferred > 0 || pace_look_again(&j->pace, clock_now());
        bool await = stuck && all_await_clerk(j);
        loop_once(&j->loop, await ? AWAIT_MS : look ? 0 : -1);
        idle_rounds = stuck && !await ? give_way(idle_rounds) : 0;
        if (j->n_deferred > 0)
            rest_for_the_oldest(j, &rested);
    }
}

static void on_answers(void *ctx, int fd, uint32_t events)
{
    struct judge *j = ctx;
    if (events & EPOLLIN)
        desk_receive(j->desk);
    else
        loop_remove(&j->loop, fd);
}

static void serve(struct judge *j)
{
    if (j->serving)
        return;
    j->serving = true;
    take_lock(j);
    plan(j);
    if (j->is.desk_fd >= 0 && loop_add(&j->loop, j->is.desk_fd, EPOLLIN, on_answers, j) < 0)
        _exit(EXIT_FAILURE);
    for (int i = 0; i < j->n_gates; i++)
        if (loop_add(&j->loop, j->is.gates[i].fd, EPOLLIN, on_questions, &j->source[i]) < 0)
            _exit(EXIT_FAILURE); /* the keeper sees it and rescues */
}

/* What dropped watches guarded has marks of others, or none: their groups can end. */
static void let_go(struct judge *j)
{
    int kept = 0;
    /* Who still waits there is answered: were he left to the end of the group, the kernel would let him through. */
    for (int i = 0; i < j->n_deferred; i++) {
        if (is_dropped(j, j->deferred[i].gate))
            release(j, &j->deferred[i]);
        else
            j->deferred[kept++] = j->deferred[i];
    }
    j->n_deferred = kept;
    for (int gate = j->is.policy->n_watches; j->serving && gate < j->n_gates; gate++) {
        unsigned refused;
        int n;
        while ((n = gate_read(j->is.gates, gate, j->is.board, j->batch, &refused)) > 0)
            for (int i = 0; i < n; i++)
                release(j, &j->batch[i]);
    }
    for (; j->n_gates > j->is.policy->n_watches; j->n_gates--) {
        int fd = j->is.gates[j->n_gates - 1].fd;
        loop_remove(&j->loop, fd);
        close(fd);
    }
}

static void on_end(void *ctx, int fd, uint32_t events)
{
    (void)fd, (void)events;
    struct judge *j = ctx;
    step_down(j);
    loop_remove(&j->loop, j->end_fd);
}

static void on_control(void *ctx, int fd, uint32_t events)
{
    (void)events;
    struct judge *j = ctx;
    char word;
    ssize_t n = read(fd, &word, 1);
    if (n == 1 && word == 'g') {
        serve(j);
    } else if (n == 1 && word == 'd') {
        let_go(j);
    } else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        loop_remove(&j->loop, fd);
        j->loop.stop = !j->serving;
        j->orphan = true;
        plan(j);
    }
}

/* What deciding, and recording what is recorded always, may ask for. */
static unsigned needs_of_judging(const struct policy *p, const struct watch *w)
{
    return needs_of_watch(p, w) | (w->log == LOG_EVERYTHING ? ATTR_CREDS | ATTR_EXE | ATTR_LOGINUID : 0u);
}

struct judge *judge_prepare(const struct judge_setup *setup)
{
    struct judge *j = calloc(1, sizeof *j);
    struct lookup *names = lookup_create();
    if (!names)
        fprintf(stderr, "fileward: judge: cannot read " MOUNTS_TABLE ": is /proc mounted?\n");
    if (!j || !names || !(j->subjects = subjects_create(setup->policy, setup->board, names, setup->once)) ||
        !(j->verdicts = verdicts_create(setup->policy)) ||
        !(j->desk = desk_create(setup->desk_fd, setup->policy->settings.timeout_ms)) || loop_init(&j->loop) < 0) {
        fprintf(stderr, "fileward: judge: out of memory\n");
        return NULL;
    }
    j->is = *setup;
    j->finder = (struct object_finder){.policy = setup->policy,
                                       .reg = setup->reg,
                                       .board = setup->board,
                                       .names = names,
                                       .self_fd_dir = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC),
                                       .root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (j->finder.self_fd_dir < 0 || j->finder.root < 0 || fchdir(j->finder.root) < 0) {
        fprintf(stderr, "fileward: judge: cannot open /proc/self/fd: is /proc mounted?\n");
        return NULL;
    }
    pace_init(&j->pace);
    for (int i = 0; i < setup->policy->n_watches; i++)
        j->needs[i] = needs_of_judging(setup->policy, &setup->policy->watches[i]);
    j->loop.on_deadline = on_deadline;
    j->loop.deadline_ctx = j;
    j->n_gates = setup->n_gates;
    for (int i = 0; i < setup->n_gates; i++)
        j->source[i] = (struct gate_source){.judge = j, .gate = i};
    j->end_fd = loop_end_fd();
    if (loop_add(&j->loop, setup->control_fd, EPOLLIN, on_control, j) < 0 ||
        loop_add(&j->loop, j->end_fd, EPOLLIN, on_end, j) < 0)
        return NULL;
    return j;
}

void judge_run(struct judge *j)
{
    (void)!write(j->is.control_fd, "r", 1);
    plan(j);
    run_loop(j);
    telling_flush(j, true);
}
