#include "fileward/judge.h"

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
#include "base/loop.h"
#include "judge/fold.h"
#include "judge/gate.h"
#include "judge/intent.h"
#include "judge/object.h"
#include "judge/report.h"
#include "judge/subject.h"
#include "policy/decide.h"

struct judge {
    struct judge_setup is;
    struct subjects *subjects;
    struct object_finder finder;
    struct loop loop;
    bool serving;
    struct gate_source {
        struct judge *judge;
        int watch;
        /* What waited in the queue at `backlog_since` and has not been read: none of it can be younger. */
        unsigned backlog;
        int64_t backlog_since;
        uint64_t released; /* not yet told */
        int64_t released_told;
    } source[WATCHES_MAX];
    struct question batch[BATCH];
    /* Questions whose opener has not fallen asleep yet; asked again after the others had their turn. */
    struct question deferred[HELD_MAX];
    int n_deferred;
    /* of the question in hand */
    struct inquiry inquiry;
    struct thing thing;
    struct report report;
    struct fold fold;
};

/* What came of a question. */
struct outcome {
    bool not_yet; /* nothing: look at it again later */
    enum op op;
    struct decision decision;
    enum record_reason reason;
    enum answer answer;
};

/* --- deciding --------------------------------------------------------------------------------------------------- */

/* The keeper's children are never asked: they open guarded files to mark them and to write records, and
 * a question about one of them could wait for itself. The number alone may be another's by now, so the process behind
 * it must be the one that the keeper wrote on the board. */
static bool is_family(const struct judge *j, int32_t tid)
{
    for (int i = 0; i < FAMILY_MAX; i++) {
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

/* Asks the policy once: 0 when each of `ops` is decided, else what it wants to know. */
static unsigned consult(struct judge *j, int watch, unsigned ops, struct decision out[OP_COUNT])
{
    const struct policy *p = j->is.policy;
    return decide(p, &p->watches[watch], &j->inquiry.seen, &j->thing.seen, ops, clock_wall() / NS_PER_S, out);
}

static void gather(struct judge *j, unsigned attributes)
{
    if (attributes & ATTR_PLACE)
        object_place(&j->finder, &j->thing);
    subject_gather(j->subjects, &j->inquiry, attributes & ~(unsigned)(ATTR_PLACE | ATTR_OWNER));
}

/* No decision could be made in time: on_timeout decides. */
static void give_up(struct judge *j, const struct question *q, struct outcome *o)
{
    o->op = OP_ANY;
    o->decision = (struct decision){.action = j->is.policy->watches[q->watch].on_timeout, .rule = RULE_DEFAULT};
    o->reason = REASON_TIMEOUT;
    o->answer = o->decision.action == ACTION_ALLOW ? ANSWER_ALLOW : ANSWER_RELEASE;
}

/* How long a question may be put aside: until then the keeper sees the judge move. */
static bool is_late(const struct judge *j, const struct question *q)
{
    return clock_now() - q->read_ns >= j->is.policy->settings.timeout_ms * NS_PER_MS / 2;
}

/* Finds out whether an open reads or writes. False: not yet. What looks like a read while somebody else may be writing is
 * looked at again, and is a write when its time is over. */
static bool settle_intent(struct judge *j, const struct question *q, unsigned *ops)
{
    enum intent intent = j->inquiry.process ? intent_of(q->fd, j->inquiry.process) : INTENT_WRITE;
    *ops = OP_BIT(intent == INTENT_READ ? OP_READ : OP_WRITE);
    return intent == INTENT_READ || intent == INTENT_WRITE || (intent == INTENT_UNPROVEN && is_late(j, q));
}

/* The rules say the same of reading and of writing: only the record and the count want to know which it is. A refusal is
 * worth a moment's wait for that, but not in a crowd; an open that is allowed anyway is never delayed. */
static void name_alike(const struct judge *j, const struct question *q, const struct decision d[OP_COUNT],
                       struct outcome *o)
{
    enum { FEW = 64 };
    bool same_rule = d[OP_READ].rule == d[OP_WRITE].rule, deny = d[OP_READ].action == ACTION_DENY;
    o->op = OP_ANY;
    o->decision = d[OP_READ];
    if (same_rule && !deny)
        return;
    enum intent intent = j->inquiry.process ? intent_of(q->fd, j->inquiry.process) : INTENT_WRITE;
    bool crowd = is_late(j, q) || j->n_deferred >= FEW || j->source[q->watch].backlog > 0;
    o->not_yet = intent == INTENT_NOT_YET && deny && !crowd;
    if (intent == INTENT_NOT_YET)
        return;
    o->op = intent == INTENT_WRITE ? OP_WRITE : OP_READ;
    o->decision = d[o->op];
}

/* An open that may read or write. Asked what it is only where the rules differ, or before something is gathered that
 * costs more than the asking. */
static void decide_open(struct judge *j, const struct question *q, struct outcome *o)
{
    const unsigned both = OP_BIT(OP_READ) | OP_BIT(OP_WRITE), dear = ATTR_LINEAGE | ATTR_UNIT;
    unsigned ops = both, need;
    struct decision d[OP_COUNT] = {0};
    while ((need = consult(j, q->watch, ops, d))) {
        if (need & dear && ops == both) {
            if ((o->not_yet = !settle_intent(j, q, &ops)))
                return;
        } else {
            gather(j, need);
        }
    }
    if (ops == both && d[OP_READ].action == d[OP_WRITE].action) {
        name_alike(j, q, d, o);
        return;
    }
    if (ops == both && (o->not_yet = !settle_intent(j, q, &ops)))
        return;
    o->op = ops == OP_BIT(OP_READ) ? OP_READ : OP_WRITE;
    o->decision = d[o->op];
}

static uint64_t watch_bit(int watch)
{
    return UINT64_C(1) << watch;
}
_Static_assert(WATCHES_MAX <= 64, "a bit for each watch");

/* Whether the thread asked in `watches` about an exec of this object, and still is in an execve. */
static bool in_exec(const struct judge *j, const struct question *q, uint64_t watches, struct outcome *o)
{
    uint64_t flags;
    const struct last_exec *e = j->inquiry.exec;
    if (!(watches & watch_bit(q->watch)) || !file_id_equal(&e->id, &j->thing.id))
        return false;
    enum proc_call call = process_call(j->inquiry.process, &flags);
    o->not_yet = call == CALL_RUNNING;
    return call == CALL_EXEC;
}

/* The kernel asks twice about an exec: OPEN_EXEC, then OPEN by the same thread in the same call. Then it reads the
 * program's beginning. All of these are the exec. */
static bool part_of_exec(struct judge *j, const struct question *q, struct outcome *o)
{
    struct last_exec *e = j->inquiry.exec;
    if (q->kind == QUESTION_EXEC || !e)
        return q->kind == QUESTION_EXEC;
    if (q->kind == QUESTION_READ)
        return in_exec(j, q, e->asked, o);
    bool exec = in_exec(j, q, e->pending, o);
    if (!o->not_yet)
        e->pending &= ~watch_bit(q->watch);
    return exec;
}

static void remember_exec(struct judge *j, const struct question *q)
{
    struct last_exec *e = j->inquiry.exec;
    if (!e)
        return;
    if (!file_id_equal(&e->id, &j->thing.id))
        *e = (struct last_exec){.id = j->thing.id};
    e->asked |= watch_bit(q->watch);
    e->pending |= watch_bit(q->watch);
}

static void decide_question(struct judge *j, const struct question *q, struct outcome *o)
{
    struct decision d[OP_COUNT];
    bool exec = part_of_exec(j, q, o);
    if (o->not_yet)
        return;
    if (!exec && !j->thing.directory && q->kind == QUESTION_OPEN) {
        decide_open(j, q, o);
        return;
    }
    o->op = exec ? OP_EXEC : j->thing.directory ? OP_LIST : OP_READ;
    unsigned need;
    while ((need = consult(j, q->watch, OP_BIT(o->op), d)))
        gather(j, need);
    o->decision = d[o->op];
    if (q->kind == QUESTION_EXEC)
        remember_exec(j, q);
}

static void judge_question(struct judge *j, const struct question *q, struct outcome *o)
{
    decide_question(j, q, o);
    if (o->not_yet)
        return;
    o->reason = o->decision.rule == RULE_DEFAULT ? REASON_DEFAULT : REASON_RULE;
    o->answer = o->decision.action == ACTION_ALLOW ? ANSWER_ALLOW : ANSWER_DENY;
}

/* --- recording -------------------------------------------------------------------------------------------------- */

static void tell_repeat(void *ctx, const struct fold_key *key, uint64_t first_seq, uint64_t count)
{
    struct judge *j = ctx;
    struct record r = {.size = sizeof r,
                       .kind = RECORD_REPEAT,
                       .time_ns = clock_wall(),
                       .watch = key->watch,
                       .rule = key->rule,
                       .op = key->op,
                       .decision = key->decision,
                       .verdict = key->verdict,
                       .mode = key->mode,
                       .count = count,
                       .of_seq = first_seq};
    ring_push(j->is.ring, &r);
}

static struct fold_key key_of(struct judge *j, const struct question *q, const struct outcome *o, enum action verdict)
{
    bool known = (j->inquiry.seen.known & ATTR_EXE) && !(j->inquiry.seen.failed & ATTR_EXE);
    return (struct fold_key){
        .program = known ? j->inquiry.program.id : (struct file_id){0},
        .object = j->thing.id,
        .uid = j->inquiry.seen.fsuid,
        .ruid = j->inquiry.seen.ruid,
        .gid = j->inquiry.seen.gid,
        .egid = j->inquiry.seen.egid,
        .loginuid_or_tid = known ? j->inquiry.seen.loginuid : (uint32_t)q->tid,
        .watch = q->watch,
        .rule = o->decision.rule,
        .op = (uint8_t)o->op,
        .decision = (uint8_t)o->decision.action,
        .verdict = (uint8_t)verdict,
        .mode = (uint8_t)j->is.gates[q->watch].mode,
    };
}

static bool wants_record(const struct watch *w, const struct outcome *o)
{
    return w->log == LOG_EVERYTHING || o->reason == REASON_TIMEOUT ||
           (w->log == LOG_DENY && o->decision.action == ACTION_DENY);
}

static void finish_record(struct judge *j, const struct question *q, const struct outcome *o, enum action verdict,
                          int64_t latency)
{
    struct record *r = &j->report.record;
    r->kind = o->reason == REASON_TIMEOUT ? RECORD_TIMEOUT : RECORD_ACCESS;
    r->time_ns = clock_wall();
    r->watch = q->watch;
    r->rule = o->decision.rule;
    r->op = (uint8_t)o->op;
    r->decision = (uint8_t)o->decision.action;
    r->verdict = (uint8_t)verdict;
    r->mode = (uint8_t)j->is.gates[q->watch].mode;
    r->reason = (uint8_t)o->reason;
    r->tid = q->tid;
    if (r->pid == 0)
        r->pid = q->tid;
    r->latency_ns = (uint64_t)latency;
    r->count = 1;
    report_finish(&j->report);
    ring_push(j->is.ring, r);
}

static void count(struct judge *j, const struct question *q, const struct outcome *o, enum action verdict,
                  int64_t latency)
{
    struct board *b = j->is.board;
    struct board_slot *slot = board_slot(b, j->is.policy, q->watch, o->decision.rule);
    if (o->reason == REASON_TIMEOUT)
        atomic_fetch_add(&b->watch[q->watch].timeouts, 1);
    else
        atomic_fetch_add_explicit(&slot->n[o->op][verdict], 1, memory_order_relaxed);
    int i = 0;
    while (i < BUCKETS && (uint64_t)latency > board_bucket_ns[i])
        i++;
    atomic_fetch_add_explicit(&b->bucket[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&b->latency_sum_ns, (uint64_t)latency, memory_order_relaxed);
}

/* --- one question ----------------------------------------------------------------------------------------------- */

/* False: nobody waited any more (killed, or released by the keeper), so that no verdict was given. */
static bool answer(struct judge *j, const struct question *q, enum answer a)
{
    if (gate_answer(&j->is.gates[q->watch], j->is.board, q, a) == 0)
        return true;
    atomic_fetch_add_explicit(&j->is.board->answer_errors, 1, memory_order_relaxed);
    return false;
}

/* Gathers what a record needs, answers, then counts and records. */
static void conclude(struct judge *j, const struct question *q, const struct outcome *o)
{
    enum action verdict = answer_verdict(&j->is.gates[q->watch], o->answer);
    struct fold_key key;
    bool record = wants_record(&j->is.policy->watches[q->watch], o);
    if (record) {
        subject_gather(j->subjects, &j->inquiry, ATTR_EXE | ATTR_LOGINUID);
        key = key_of(j, q, o, verdict);
        record = !fold_repeat(&j->fold, &key, q->read_ns);
    }
    if (record)
        report_gather(&j->report, j->subjects, &j->inquiry, &j->finder, &j->thing);

    if (!answer(j, q, o->answer))
        return;
    int64_t latency = clock_now() - q->read_ns;

    count(j, q, o, verdict, latency);
    if (record) {
        finish_record(j, q, o, verdict, latency);
        fold_remember(&j->fold, &key, j->report.record.seq, q->read_ns, tell_repeat, j);
    }
}

/* A machine whose first process cannot open its files is lost. Recorded, never refused by a judge. */
static bool is_init(const struct judge *j, const struct question *q)
{
    return q->tid == 1 || j->inquiry.creds.tgid == 1;
}

/* Answers a question. False: it is too early, it must be asked again. */
static bool handle(struct judge *j, const struct question *q)
{
    if (is_family(j, q->tid)) {
        answer(j, q, ANSWER_ALLOW);
        return true;
    }
    object_find(&j->finder, q->watch, q->fd, &j->thing);
    if (!j->thing.inside) {
        answer(j, q, ANSWER_ALLOW);
        return true;
    }
    struct outcome o = {0};
    subject_find(j->subjects, q->tid, &j->inquiry);
    if (j->inquiry.gone) { /* killed while it waited: there is nobody to answer, and nothing to tell of */
        answer(j, q, ANSWER_RELEASE);
        return true;
    }
    judge_question(j, q, &o);
    if (o.not_yet && !is_late(j, q))
        return false;
    if (o.not_yet)
        give_up(j, q, &o);
    if (o.answer != ANSWER_ALLOW && is_init(j, q)) {
        o.answer = ANSWER_ALLOW;
        o.reason = REASON_INIT;
    }
    conclude(j, q, &o);
    return true;
}

/* --- the loop --------------------------------------------------------------------------------------------------- */

static void beat(struct judge *j)
{
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
        s->backlog = gate_unread(&j->is.gates[s->watch]);
        s->backlog_since = now;
    }
    return late;
}

/* More is asked than can be decided: who has waited for so long is released, so that those behind are not late too. */
static void release(struct judge *j, const struct question *q)
{
    struct board_watch *w = &j->is.board->watch[q->watch];
    enum action on_timeout = j->is.policy->watches[q->watch].on_timeout;
    if (is_family(j, q->tid) || q->tid == 1) {
        answer(j, q, ANSWER_ALLOW);
        return;
    }
    object_find(&j->finder, q->watch, q->fd, &j->thing);
    answer(j, q, !j->thing.inside || on_timeout == ACTION_ALLOW ? ANSWER_ALLOW : ANSWER_RELEASE);
    if (!j->thing.inside)
        return;
    atomic_fetch_add(&w->timeouts, 1);
    j->source[q->watch].released++;
}

/* One record a second says how many were released. */
static void tell_released(struct judge *j, bool final)
{
    for (int i = 0; i < j->is.policy->n_watches; i++) {
        struct gate_source *s = &j->source[i];
        if (!s->released || (!final && clock_now() - s->released_told < NS_PER_S))
            continue;
        enum action on_timeout = j->is.policy->watches[i].on_timeout;
        const struct gate *gate = &j->is.gates[i];
        struct record r = {
            .size = sizeof r,
            .kind = RECORD_TIMEOUT,
            .time_ns = clock_wall(),
            .watch = i,
            .rule = RULE_DEFAULT,
            .op = OP_ANY,
            .decision = (uint8_t)on_timeout,
            .verdict = (uint8_t)answer_verdict(gate, on_timeout == ACTION_ALLOW ? ANSWER_ALLOW : ANSWER_RELEASE),
            .mode = (uint8_t)gate->mode,
            .reason = REASON_TIMEOUT,
            .count = s->released};
        ring_push(j->is.ring, &r);
        s->released = 0;
        s->released_told = clock_now();
    }
}

/* Says when something is to be told. */
static void plan(struct judge *j)
{
    int64_t next = j->fold.next_ns;
    for (int i = 0; i < j->is.policy->n_watches; i++) {
        const struct gate_source *s = &j->source[i];
        if (s->released && (!next || s->released_told + NS_PER_S < next))
            next = s->released_told + NS_PER_S;
    }
    j->loop.deadline = next;
}

static void on_deadline(void *ctx)
{
    struct judge *j = ctx;
    beat(j);
    fold_flush(&j->fold, clock_now(), tell_repeat, j);
    tell_released(j, false);
    plan(j);
}

static void take_batch(struct gate_source *s)
{
    struct judge *j = s->judge;
    int n = gate_read(&j->is.gates[s->watch], s->watch, j->is.board, j->batch);
    bool late = batch_is_late(s, n);
    beat(j);
    for (int i = 0; i < n; i++) {
        if (late)
            release(j, &j->batch[i]);
        else if (!handle(j, &j->batch[i]))
            j->deferred[j->n_deferred++] = j->batch[i];
        beat(j);
    }
}

static void on_questions(void *ctx, int fd, uint32_t events)
{
    (void)fd, (void)events;
    struct gate_source *s = ctx;
    struct judge *j = s->judge;
    if (j->n_deferred > HELD_MAX - BATCH)
        return; /* no room: first those that wait */
    tell_busy(j, true);
    take_batch(s);
    tell_busy(j, false);
    /* Repeats are told even under a load that never lets the loop rest. */
    if (j->loop.deadline && clock_now() >= j->loop.deadline)
        on_deadline(j);
    plan(j);
}

/* Asks some deferred questions again, not so many that new ones wait for long. Returns whether any was answered. */
static bool ask_again(struct judge *j)
{
    struct question turn[BATCH];
    int n = j->n_deferred < BATCH ? j->n_deferred : BATCH, left = 0;
    memcpy(turn, j->deferred, (size_t)n * sizeof *turn);
    j->n_deferred -= n;
    memmove(j->deferred, &j->deferred[n], (size_t)j->n_deferred * sizeof *j->deferred);
    for (int i = 0; i < n; i++) { /* who must wait goes to the end: nobody keeps the others from their turn */
        if (!handle(j, &turn[i])) {
            j->deferred[j->n_deferred++] = turn[i];
            left++;
        }
        beat(j);
    }
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
        if (j->deferred[i].read_ns < oldest)
            oldest = j->deferred[i].read_ns;
    if (now - oldest < long_ns)
        return;
    nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS / 5}, NULL);
    *rested = clock_now();
}

static void run_loop(struct judge *j)
{
    int idle_rounds = 0;
    int64_t rested = 0;
    while (!j->loop.stop || j->n_deferred > 0) {
        loop_once(&j->loop, j->n_deferred > 0 ? 0 : -1);
        if (j->n_deferred == 0 || ask_again(j))
            idle_rounds = 0;
        else
            idle_rounds = give_way(idle_rounds);
        if (j->n_deferred > 0)
            rest_for_the_oldest(j, &rested);
    }
}

static void serve(struct judge *j)
{
    if (j->serving)
        return;
    j->serving = true;
    lock_take(j->is.lock_fd, LOCK_JUDGE); /* whom a later keeper would find; guarding does not depend on it */
    for (int i = 0; i < j->is.policy->n_watches; i++)
        if (loop_add(&j->loop, j->is.gates[i].fd, EPOLLIN, on_questions, &j->source[i]) < 0)
            _exit(EXIT_FAILURE); /* the keeper sees it and rescues */
}

static void on_control(void *ctx, int fd, uint32_t events)
{
    (void)events;
    struct judge *j = ctx;
    char word;
    ssize_t n = read(fd, &word, 1);
    beat(j);
    if (n == 1 && word == 'g') {
        serve(j);
    } else if (n == 1 && word == 'q') {
        for (int i = 0; i < j->is.policy->n_watches; i++)
            loop_remove(&j->loop, j->is.gates[i].fd);
        j->loop.stop = true;
    } else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        loop_remove(&j->loop, fd);
        j->loop.stop = !j->serving;
    }
}

struct judge *judge_prepare(const struct judge_setup *setup)
{
    struct judge *j = calloc(1, sizeof *j);
    if (!j || !(j->subjects = subjects_create(setup->policy, setup->board)) || loop_init(&j->loop) < 0) {
        fprintf(stderr, "fileward: judge: out of memory\n");
        return NULL;
    }
    j->is = *setup;
    j->finder = (struct object_finder){.policy = setup->policy,
                                       .reg = setup->reg,
                                       .board = setup->board,
                                       .self_fd_dir = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (j->finder.self_fd_dir < 0) {
        fprintf(stderr, "fileward: judge: cannot open /proc/self/fd: is /proc mounted?\n");
        return NULL;
    }
    j->loop.on_deadline = on_deadline;
    j->loop.deadline_ctx = j;
    for (int i = 0; i < setup->policy->n_watches; i++)
        j->source[i] = (struct gate_source){.judge = j, .watch = i};
    if (loop_add(&j->loop, setup->control_fd, EPOLLIN, on_control, j) < 0)
        return NULL;
    return j;
}

void judge_run(struct judge *j)
{
    (void)!write(j->is.control_fd, "r", 1);
    run_loop(j);
    fold_flush(&j->fold, INT64_MAX, tell_repeat, j);
    tell_released(j, true);
}
