/* Any bytes in a ring: what the herald tells of them is one line of printable ASCII, of at most 16 KiB, that parses. */
#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>

#include "../unit/herald_fixture.h"
#include "base/ring.h"
#include "base/sentence.h"
#include "herald/journal.h"
#include "herald/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct record_text inside(struct record_text t, size_t bytes)
{
    t.at = (uint16_t)(t.at % (bytes + 1));
    t.len = (uint16_t)(t.len % (bytes - t.at + 1));
    return t;
}

/* Makes of the bytes what ring_pop() lets pass. */
static void tame(struct record *r, size_t size)
{
    size_t bytes = size - sizeof *r;
    r->size = (uint32_t)size;
    r->kind %= RECORD_KIND_COUNT;
    r->op %= OP_COUNT + 1;
    r->decision %= 2;
    r->verdict %= 2;
    r->mode %= 3;
    r->reason %= REASON_COUNT;
    r->n_ancestors %= RECORD_ANCESTORS_MAX + 1;
    r->watch = inside(r->watch, bytes);
    r->rule = inside(r->rule, bytes);
    r->path = inside(r->path, bytes);
    r->exe = inside(r->exe, bytes);
    r->comm = inside(r->comm, bytes);
    r->unit = inside(r->unit, bytes);
    r->text = inside(r->text, bytes);
    for (int i = 0; i < r->n_ancestors; i++)
        r->ancestors[i].exe = inside(r->ancestors[i].exe, bytes);
}

static void check(const char *line, size_t n)
{
    size_t size;
    if (n < 2 || n > LINE_BYTES_MAX || line[n - 1] != '\n')
        abort();
    for (size_t i = 0; i + 1 < n; i++)
        if (line[i] < ' ' || line[i] > '~')
            abort();
    json_t *o = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
    if (!o)
        abort();
    json_decref(o);
    char *datagram = journal_datagram(line, n, &size);
    if (!datagram)
        abort();
    free(datagram);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ring ring;
    static _Alignas(8) char in[RECORD_BYTES_MAX], out[RECORD_BYTES_MAX];
    struct record *r = (struct record *)in;
    if (!ring.m && ring_create(&ring, ROLE_JUDGE, 1 << 16) < 0)
        abort();
    memset(in, 0, sizeof in);
    memcpy(in, data, size < sizeof in ? size : sizeof in);
    size_t whole = size < sizeof *r ? sizeof *r : size < sizeof in ? size : sizeof in;
    tame(r, (whole + 7) & ~(size_t)7);
    if (!ring_push(&ring, r) || !ring_pop(&ring, (struct record *)out))
        abort();
    char line[LINE_BYTES_MAX];
    check(line, record_line(line, (struct record *)out, NULL));
    return 0;
}
