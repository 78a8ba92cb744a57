/* A ring between two that lie: records, and between them anything written anywhere into the memory. What comes out is
 * well formed, nothing is written behind the ring, and an honest record that follows gets through. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE = 1 << 15, ROUNDS_MAX = 100 };

static struct ring ring;
static char *memory; /* the same, as whoever holds the descriptor sees it, and to the end of its last page */
static size_t used, whole;

static void require(bool b)
{
    if (!b)
        abort();
}

static void open_ring(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    require(ring_create(&ring, ROLE_JUDGE, SIZE) == 0);
    used = (size_t)lseek(ring.memory_fd, 0, SEEK_END);
    whole = (used + page - 1) & ~(page - 1);
    memory = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_SHARED, ring.memory_fd, 0);
    require(memory != MAP_FAILED && whole > used);
}

static bool inside(const struct record *r, struct record_text t)
{
    return t.len == 0 || sizeof *r + t.at + t.len <= r->size;
}

static void push(const uint8_t *text, size_t len)
{
    static _Alignas(8) char bytes[RECORD_BYTES_MAX + 256];
    struct record *r = (struct record *)bytes;
    memset(bytes, 0, sizeof *r);
    size_t size = sizeof *r + (len ? text[0] * 64u + len : 0);
    r->size = (uint32_t)(size + 7) & ~7u;
    if (len)
        memcpy(r->bytes, text, len);
    uint64_t seq = ring_last_seq(&ring), dropped = ring_dropped(&ring);
    bool pushed = ring_push(&ring, r);
    require(ring_last_seq(&ring) == seq + 1 && ring_dropped(&ring) == dropped + !pushed);
}

static size_t pop(void)
{
    struct record *r = malloc(RECORD_BYTES_MAX); /* so that the sanitizers see its end */
    require(r != NULL);
    size_t n = ring_pop(&ring, r);
    if (n) {
        require(n == r->size && n >= sizeof *r && n <= RECORD_BYTES_MAX && n % 8 == 0);
        require(r->kind < RECORD_KIND_COUNT && r->role < ROLE_COUNT && r->op <= OP_COUNT);
        require(r->reason < REASON_COUNT && r->mode <= MODE_ENFORCE && r->n_ancestors <= RECORD_ANCESTORS_MAX);
        require(inside(r, r->path) && inside(r, r->exe) && inside(r, r->comm) && inside(r, r->unit));
        require(inside(r, r->text));
        for (int i = 0; i < r->n_ancestors; i++)
            require(inside(r, r->ancestors[i].exe));
    }
    free(r);
    return n;
}

/* One step: 0-3 push, 4-6 pop, else write up to 8 bytes, half of the time into the counters. Returns bytes used. */
static size_t step(const uint8_t *data, size_t size)
{
    size_t len = size - 1 < 8 ? size - 1 : 8;
    if (data[0] % 16 < 4) {
        push(data + 1, len);
        return len + 1;
    }
    if (data[0] % 16 < 7) {
        pop();
        return 1;
    }
    if (size < 4)
        return size;
    size_t room = data[0] & 16 ? 160 : used, at = (size_t)(data[1] | data[2] << 8) * 8 % room;
    len = size - 3 < 8 ? size - 3 : 8;
    memcpy(memory + at, data + 3, at + len <= used ? len : used - at);
    return len + 3;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!memory)
        open_ring();
    memset(memory, 0, used);
    for (int i = 0; size > 0 && i < ROUNDS_MAX; i++) {
        size_t n = step(data, size);
        data += n;
        size -= n;
    }
    for (int i = 0; pop(); i++)
        require(i < SIZE / 8);
    push(NULL, 0);
    require(pop() == sizeof(struct record) && pop() == 0);
    for (size_t i = used; i < whole; i++)
        require(memory[i] == 0);
    return 0;
}
