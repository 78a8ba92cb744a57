#include "herald/stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "herald/json.h"

static void tell_gap(struct stream *s, const struct ring *r, uint64_t first, uint64_t last)
{
    char line[LINE_BYTES_MAX];
    s->write(s->ctx, line, gap_line(line, clock_wall(), r->role, first, last));
}

static void remember(struct stream *s, const struct record *r)
{
    struct record **place = &s->remembered[r->seq % REMEMBERED];
    free(*place);
    *place = malloc(r->size);
    if (*place)
        memcpy(*place, r, r->size);
}

static const struct record *original_of(const struct stream *s, const struct record *r)
{
    const struct record *o = s->remembered[r->of_seq % REMEMBERED];
    return o && o->seq == r->of_seq ? o : NULL;
}

static void tell(struct stream *s, const struct record *r)
{
    char line[LINE_BYTES_MAX];
    const struct record *original = r->kind == RECORD_REPEAT ? original_of(s, r) : NULL;
    size_t n = original ? record_line(line, original, r) : record_line(line, r, NULL);
    if (n)
        s->write(s->ctx, line, n);
    if (r->kind == RECORD_ACCESS && r->role == ROLE_JUDGE)
        remember(s, r);
}

size_t stream_take(struct stream *s, struct ring *r, size_t max)
{
    static _Alignas(8) char buffer[RECORD_BYTES_MAX];
    struct record *record = (struct record *)buffer;
    size_t n = 0;
    for (; n < max && ring_pop(r, record); n++) {
        uint64_t *seen = ring_seen(r);
        record->role = (uint8_t)r->role;
        if (record->seq > *seen + 1)
            tell_gap(s, r, *seen + 1, record->seq - 1);
        tell(s, record);
        /* Only now: should the herald die before this, its successor tells a hole. */
        if (record->seq > *seen)
            *seen = record->seq;
    }
    return n;
}

void stream_tell_tail(struct stream *s, struct ring *r, bool final)
{
    uint64_t *seen = ring_seen(r);
    uint64_t last = ring_last_seq(r);
    /* A producer takes its number before it publishes the record: only a hole that stays is one. */
    if (last > *seen && (final || s->hole[r->role] == last)) {
        tell_gap(s, r, *seen + 1, last);
        *seen = last;
    }
    s->hole[r->role] = last;
}
