#include "keeper/say.h"

#include <string.h>

#include "base/record.h"
#include "policy/policy.h"

static void begin(const struct family *f, struct record_note *n, enum record_kind kind)
{
    record_begin(&n->record, kind, f->policy);
    n->record.mode = (uint8_t)(f->policy->settings.mode == MODE_ENFORCE ? MODE_ENFORCE : MODE_AUDIT);
    n->record.watches = (uint32_t)f->policy->n_watches;
    n->record.rules = (uint32_t)f->policy->n_rules;
}

static void say(struct family *f, struct record_note *n, const char *text)
{
    n->record.text = record_put(&n->record, sizeof *n, text, strlen(text));
    record_end(&n->record);
    ring_push(&f->estate->rings[ROLE_KEEPER], &n->record);
}

void say_start(struct family *f, uint64_t marks, const char *how)
{
    struct record_note n;
    begin(f, &n, RECORD_START);
    n.record.count = marks;
    say(f, &n, how);
}

void say_reload(struct family *f, bool successful, uint64_t marks, const char *why)
{
    struct record_note n;
    begin(f, &n, RECORD_RELOAD);
    n.record.decision = successful ? ACTION_ALLOW : ACTION_DENY;
    n.record.count = marks;
    say(f, &n, why);
}

void say_stop(struct family *f, const char *why)
{
    struct record_note n;
    begin(f, &n, RECORD_STOP);
    say(f, &n, why);
}

void say_rescue(struct family *f, uint64_t released, const char *why)
{
    struct record_note n;
    begin(f, &n, RECORD_RESCUE);
    n.record.count = released;
    say(f, &n, why);
}

void say_timeout(struct family *f, int watch, uint64_t count)
{
    const struct gate *g = &f->gates[watch];
    struct record_note n;
    begin(f, &n, RECORD_TIMEOUT);
    record_name_watch(&n.record, sizeof n, f->policy, watch);
    n.record.count = count;
    n.record.op = OP_ANY;
    n.record.decision = (uint8_t)g->on_timeout;
    n.record.verdict = (uint8_t)answer_verdict(g, answer_fallback(g));
    n.record.mode = (uint8_t)g->mode;
    n.record.reason = REASON_TIMEOUT;
    say(f, &n, "");
}
