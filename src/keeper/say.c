#include "keeper/say.h"

#include <string.h>

#include "base/clock.h"

static void say(struct family *f, struct record record, const char *text)
{
    struct {
        struct record r;
        char bytes[256];
    } said = {.r = record};
    size_t n = strnlen(text, sizeof said.bytes);
    memcpy(said.bytes, text, n);
    said.r.text = (struct record_text){.at = 0, .len = (uint16_t)n};
    said.r.size = (uint32_t)(sizeof said.r + n + 7) & ~7u;
    said.r.rule = RULE_DEFAULT;
    said.r.time_ns = clock_wall();
    ring_push(&f->rings[ROLE_KEEPER], &said.r);
}

void say_start(struct family *f, uint64_t marks)
{
    say(f, (struct record){.kind = RECORD_START, .watch = -1, .count = marks}, "");
}

void say_stop(struct family *f, const char *why)
{
    say(f, (struct record){.kind = RECORD_STOP, .watch = -1}, why);
}

void say_rescue(struct family *f, uint64_t released, const char *why)
{
    say(f, (struct record){.kind = RECORD_RESCUE, .watch = -1, .count = released}, why);
}

void say_timeout(struct family *f, int watch, uint64_t n, enum action verdict)
{
    say(f,
        (struct record){.kind = RECORD_TIMEOUT,
                        .watch = watch,
                        .count = n,
                        .op = OP_ANY,
                        .decision = (uint8_t)f->policy->watches[watch].on_timeout,
                        .verdict = (uint8_t)verdict,
                        .mode = (uint8_t)f->gates[watch].mode,
                        .reason = REASON_TIMEOUT},
        "");
}
