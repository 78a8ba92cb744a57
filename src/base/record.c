#include "base/record.h"

#include <string.h>

#include "base/clock.h"

enum { REASON_BYTES_MAX = 1024 };

void record_begin(struct record *r, enum record_kind kind, const struct policy *p)
{
    *r = (struct record){.kind = (uint8_t)kind, .size = sizeof *r, .time_ns = clock_wall()};
    memcpy(r->policy, p->sha256, sizeof r->policy);
}

struct record_text record_put(struct record *r, size_t room, const char *text, size_t len)
{
    size_t left = room - r->size, used = r->size - sizeof *r;
    if (len > left)
        len = left;
    memcpy(r->bytes + used, text, len);
    r->size += (uint32_t)len;
    return (struct record_text){.at = (uint16_t)used, .len = (uint16_t)len};
}

void record_name_watch(struct record *r, size_t room, const struct policy *p, int watch)
{
    const char *name = p->watches[watch].name;
    r->watch = record_put(r, room, name, strlen(name));
}

void record_name_rule(struct record *r, size_t room, const struct policy *p, int watch, int rule)
{
    const char *name = rule == RULE_DEFAULT ? p->watches[watch].name : p->rules[rule].name;
    const char *reason = rule == RULE_DEFAULT ? NULL : p->rules[rule].reason;
    r->rule = record_put(r, room, name, strlen(name));
    if (rule == RULE_DEFAULT)
        r->rule.len = (uint16_t)(r->rule.len + record_put(r, room, "/default", strlen("/default")).len);
    if (reason)
        r->text = record_put(r, room, reason, strnlen(reason, REASON_BYTES_MAX));
}

void record_end(struct record *r)
{
    size_t whole = (r->size + 7) & ~(size_t)7;
    memset((char *)r + r->size, 0, whole - r->size);
    r->size = (uint32_t)whole;
}
