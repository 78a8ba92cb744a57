#include "judge/court.h"

#include "base/clock.h"
#include "judge/intent.h"
#include "policy/needs.h"

/* Asks the policy once: 0 when each of `ops` is decided, else what it wants to know. */
static unsigned consult(struct judge *j, int watch, unsigned ops, struct decision out[OP_COUNT])
{
    const struct verdict_question q = {.watch = watch,
                                       .ops = ops,
                                       .subject = &j->inquiry.seen,
                                       .object = &j->thing.seen,
                                       .place = j->thing.stamp,
                                       .cgroup = j->inquiry.creds.cgroup};
    bool remembered;
    unsigned need = verdicts_decide(j->verdicts, &q, clock_wall() / NS_PER_S, out, &remembered);
    struct board *b = j->is.board;
    atomic_fetch_add_explicit(remembered ? &b->decision_hits : &b->decision_misses, 1, memory_order_relaxed);
    return need;
}

/* False: the clerk has been asked, and has not answered yet. */
static bool gather(struct judge *j, const struct question *q, unsigned attributes)
{
    const struct desk_ticket ticket = {.read_ns = q->read_ns, .fd = q->fd};
    if (attributes & ATTRS_OF_CLERK)
        attributes |= ATTR_EXE | ATTR_CREDS; /* what runs, and in whose turn it is looked at */
    if (attributes & ~(unsigned)(ATTR_CREDS | ATTR_EXE))
        outbox_send(j);
    if (attributes & ATTR_PLACE)
        object_place(&j->finder, &j->thing);
    subject_gather(j->subjects, &j->inquiry, attributes & ~(unsigned)(ATTR_PLACE | ATTR_OWNER | ATTRS_OF_CLERK));
    return !(attributes & ATTRS_OF_CLERK) ||
           desk_gather(j->desk, &j->inquiry, &ticket, attributes & (unsigned)ATTRS_OF_CLERK);
}

static uint64_t watch_bit(int watch)
{
    return UINT64_C(1) << watch;
}
_Static_assert(WATCHES_MAX <= 64, "a bit for each watch");

/* Where one is refused there is no exec any more: the questions that it had before it will not come, and what asks in its
 * clothes (io_uring, before the call returns) is something else. */
void ruling_given(struct judge *j, const struct question *q, enum answer answer)
{
    struct last_exec *e = subject_last_exec(j->subjects, q->tid);
    if (!e)
        return;
    if (answer_verdict(&j->is.gates[q->gate], answer) == ACTION_DENY)
        *e = (struct last_exec){0};
    else if (q->kind == QUESTION_OPEN && q->watch >= 0 && q->watch < WATCHES_MAX)
        e->pending &= ~watch_bit(q->watch);
}

/* An exec that is let through undecided asks once more, as an open, and goes on only if that counts as the exec: its rules
 * decide then, or on_timeout again. Whoever asks in its clothes gains nothing that on_timeout did not give. */
static void let_exec_go_on(struct judge *j, const struct question *q)
{
    struct last_exec *e = subject_begin_exec(j->subjects, &j->inquiry, &j->thing.id);
    if (e)
        e->pending |= watch_bit(q->watch);
}

/* No decision could be made in time: on_timeout decides. */
void ruling_give_up(struct judge *j, const struct question *q, struct outcome *o)
{
    o->op = OP_ANY;
    o->decision = (struct decision){.action = j->is.policy->watches[q->watch].on_timeout, .rule = RULE_DEFAULT};
    o->reason = REASON_TIMEOUT;
    o->answer = o->decision.action == ACTION_ALLOW ? ANSWER_ALLOW : ANSWER_RELEASE;
    if (q->kind == QUESTION_EXEC && o->answer == ANSWER_ALLOW)
        let_exec_go_on(j, q);
    ruling_given(j, q, o->answer);
}

/* How long a question may be put aside: until then the keeper sees the judge move. */
bool ruling_is_late(const struct judge *j, const struct question *q)
{
    return clock_now() - q->read_ns >= j->is.policy->settings.timeout_ms * NS_PER_MS / 2;
}

/* Whoever cannot be looked at writes. */
static enum intent intent_now(struct judge *j, const struct question *q)
{
    const struct process_sight *opener = subject_sight(j->subjects, &j->inquiry);
    outbox_send(j);
    return opener ? intent_of(q->fd, opener, q->kind == QUESTION_ACCESS) : INTENT_WRITE;
}

/* Finds out whether an open reads or writes. False: not yet. What looks like a read while somebody else may be writing is
 * looked at again, and is a write when its time is over. */
static bool settle_intent(struct judge *j, const struct question *q, unsigned *ops)
{
    enum intent intent = intent_now(j, q);
    *ops = OP_BIT(intent == INTENT_READ ? OP_READ : OP_WRITE);
    return intent == INTENT_READ || intent == INTENT_WRITE || (intent == INTENT_UNPROVEN && ruling_is_late(j, q));
}

/* The rules say the same of reading and of writing: only the record and the count want to know which it is. A refusal is
 * worth a moment's wait for that, but not in a crowd; an open that is allowed anyway is never delayed. */
static void name_alike(struct judge *j, const struct question *q, const struct decision d[OP_COUNT], struct outcome *o)
{
    enum { FEW = 64 };
    bool same_rule = d[OP_READ].rule == d[OP_WRITE].rule, deny = d[OP_READ].action == ACTION_DENY;
    o->op = OP_ANY;
    o->decision = d[OP_READ];
    if (same_rule && !deny)
        return;
    enum intent intent = intent_now(j, q);
    bool crowd = ruling_is_late(j, q) || j->n_deferred >= FEW || j->source[q->gate].backlog > 0;
    o->not_yet = intent == INTENT_NOT_YET && deny && !crowd;
    if (intent == INTENT_NOT_YET)
        return;
    o->op = intent == INTENT_WRITE ? OP_WRITE : OP_READ;
    o->decision = d[o->op];
}

/* An open that may read or write. Asked what it is only where the rules differ, or, where some rule tells one from the
 * other, before something is gathered that costs more than the asking. */
static void decide_open(struct judge *j, const struct question *q, struct outcome *o)
{
    const unsigned both = OP_BIT(OP_READ) | OP_BIT(OP_WRITE), dear = ATTR_LINEAGE | ATTR_UNIT | ATTRS_OF_CLERK;
    unsigned ops = both, need;
    struct decision d[OP_COUNT] = {0};
    while ((need = consult(j, q->watch, ops, d))) {
        if (need & dear && ops == both && j->needs[q->watch] & NEED_INTENT) {
            if ((o->not_yet = !settle_intent(j, q, &ops)))
                return;
        } else if (!gather(j, q, need)) {
            o->not_yet = j->inquiry.awaits_clerk = true;
            return;
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

/* The kernel asks twice about an exec: OPEN_EXEC, then OPEN by the same thread in the same call. Then it reads the
 * program's beginning. All of these are the exec; one that is over is forgotten. */
static bool part_of_exec(struct judge *j, const struct question *q, struct outcome *o)
{
    if (q->kind == QUESTION_EXEC)
        return true;
    struct last_exec *e = subject_exec(j->subjects, &j->inquiry);
    if (!e)
        return false;
    const uint64_t expected = q->kind == QUESTION_OPEN ? e->pending : e->asked;
    const bool meant = expected & watch_bit(q->watch) && file_id_equal(&e->id, &j->thing.id);
    uint64_t flags;
    const struct process_sight *opener = subject_sight(j->subjects, &j->inquiry);
    enum proc_call call = opener ? process_sight_call(opener, &flags) : CALL_OTHER;
    o->not_yet = meant && call == CALL_RUNNING;
    if (call != CALL_RUNNING && call != CALL_EXEC)
        *e = (struct last_exec){0};
    return meant && call == CALL_EXEC;
}

/* Only of an exec that is allowed: whoever may not even do that must not gain, by a second question that is put aside
 * until it is late, an answer by on_timeout. */
static void remember_exec(struct judge *j, const struct question *q)
{
    struct last_exec *e = subject_begin_exec(j->subjects, &j->inquiry, &j->thing.id);
    if (!e)
        return;
    /* Nobody asks about the rest of it where only opens are asked about. */
    if (j->is.policy->watches[q->watch].guard != GUARD_OPEN || q->gate != q->watch)
        e->asked |= watch_bit(q->watch);
    e->pending |= watch_bit(q->watch);
}

static void decide_question(struct judge *j, const struct question *q, struct outcome *o)
{
    struct decision d[OP_COUNT];
    bool exec = part_of_exec(j, q, o);
    if (o->not_yet)
        return;
    if (!exec && !j->thing.directory && q->kind != QUESTION_READ) {
        decide_open(j, q, o);
        return;
    }
    o->op = exec ? OP_EXEC : j->thing.directory ? OP_LIST : OP_READ;
    unsigned need;
    while ((need = consult(j, q->watch, OP_BIT(o->op), d))) {
        if (!gather(j, q, need)) {
            o->not_yet = j->inquiry.awaits_clerk = true;
            return;
        }
    }
    o->decision = d[o->op];
    if (q->kind == QUESTION_EXEC && o->decision.action == ACTION_ALLOW)
        remember_exec(j, q);
}

void ruling(struct judge *j, const struct question *q, struct outcome *o)
{
    decide_question(j, q, o);
    if (o->not_yet)
        return;
    o->reason = o->decision.rule == RULE_DEFAULT ? REASON_DEFAULT : REASON_RULE;
    o->answer = o->decision.action == ACTION_ALLOW ? ANSWER_ALLOW : ANSWER_DENY;
    ruling_given(j, q, o->answer);
}
