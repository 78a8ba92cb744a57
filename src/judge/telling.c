#include "judge/court.h"

#include "base/clock.h"

static void tell_repeat(void *ctx, const struct fold_key *key, uint64_t first_seq, uint64_t count)
{
    struct judge *j = ctx;
    struct record_note n;
    record_begin(&n.record, RECORD_REPEAT, j->is.policy);
    record_name_watch(&n.record, sizeof n, j->is.policy, key->watch);
    record_name_rule(&n.record, sizeof n, j->is.policy, key->watch, key->rule);
    n.record.op = key->op;
    n.record.decision = key->decision;
    n.record.verdict = key->verdict;
    n.record.mode = key->mode;
    n.record.count = count;
    n.record.of_seq = first_seq;
    record_end(&n.record);
    ring_push(j->is.ring, &n.record);
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
        .mode = (uint8_t)j->is.gates[q->gate].mode,
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
    record_name_watch(r, sizeof j->report, j->is.policy, q->watch);
    if (o->reason != REASON_TIMEOUT)
        record_name_rule(r, sizeof j->report, j->is.policy, q->watch, o->decision.rule);
    r->op = (uint8_t)o->op;
    r->decision = (uint8_t)o->decision.action;
    r->verdict = (uint8_t)verdict;
    r->mode = (uint8_t)j->is.gates[q->gate].mode;
    r->reason = (uint8_t)o->reason;
    r->tid = q->tid;
    if (r->pid == 0)
        r->pid = q->tid;
    r->latency_ns = (uint64_t)latency;
    r->count = 1;
    record_end(r);
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

bool telling_prepare(struct judge *j, const struct question *q, const struct outcome *o, struct fold_key *key)
{
    if (!wants_record(&j->is.policy->watches[q->watch], o))
        return false;
    subject_gather(j->subjects, &j->inquiry, ATTR_CREDS | ATTR_EXE | ATTR_LOGINUID);
    *key = key_of(j, q, o, answer_verdict(&j->is.gates[q->gate], o->answer));
    if (fold_repeat(&j->fold, key, q->read_ns))
        return false;
    outbox_send(j);
    report_gather(&j->report, j->subjects, &j->inquiry, &j->finder, &j->thing);
    return true;
}

void telling_finish(struct judge *j, const struct question *q, const struct outcome *o, const struct fold_key *key,
                    bool record, int64_t latency_ns)
{
    enum action verdict = answer_verdict(&j->is.gates[q->gate], o->answer);
    count(j, q, o, verdict, latency_ns);
    if (!record)
        return;
    finish_record(j, q, o, verdict, latency_ns);
    fold_remember(&j->fold, key, j->report.record.seq, q->read_ns, tell_repeat, j);
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
        struct record_note n;
        record_begin(&n.record, RECORD_TIMEOUT, j->is.policy);
        record_name_watch(&n.record, sizeof n, j->is.policy, i);
        n.record.op = OP_ANY;
        n.record.decision = (uint8_t)on_timeout;
        n.record.verdict = (uint8_t)answer_verdict(gate, on_timeout == ACTION_ALLOW ? ANSWER_ALLOW : ANSWER_RELEASE);
        n.record.mode = (uint8_t)gate->mode;
        n.record.reason = REASON_TIMEOUT;
        n.record.count = s->released;
        record_end(&n.record);
        ring_push(j->is.ring, &n.record);
        s->released = 0;
        s->released_told = clock_now();
    }
}

void telling_flush(struct judge *j, bool final)
{
    fold_flush(&j->fold, final ? INT64_MAX : clock_now(), tell_repeat, j);
    tell_released(j, final);
}

int64_t telling_due(const struct judge *j)
{
    int64_t next = j->fold.next_ns;
    for (int i = 0; i < j->is.policy->n_watches; i++) {
        const struct gate_source *s = &j->source[i];
        if (s->released && (!next || s->released_told + NS_PER_S < next))
            next = s->released_told + NS_PER_S;
    }
    return next;
}
