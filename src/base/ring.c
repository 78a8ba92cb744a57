#include "base/ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"

/* Positions grow for ever; an offset is position & (size - 1). Producer's and consumer's words are on lines of their
 * own. `head` is published last, so a producer that dies halfway leaves a hole in `seq` and nothing else. */
struct ring_memory {
    _Alignas(64) _Atomic uint64_t head; /* producer */
    _Atomic uint64_t seq;
    _Atomic uint64_t dropped;
    uint64_t layout;                    /* RING_LAYOUT: a later program's records may look different */
    _Alignas(64) _Atomic uint64_t tail; /* consumer */
    uint64_t seen;
    _Alignas(64) char data[];
};

/* Fills the end of the data when a record does not fit before it. */
enum { WRAP_MARK = UINT32_MAX };

/* Changes with the size of a record's fixed part; what else changes its meaning changes the number in front. */
#define RING_LAYOUT (UINT64_C(1) << 32 | sizeof(struct record))

int ring_create(struct ring *r, enum role role, size_t size)
{
    CLEAN_FD int memory = memfd_create("fileward-ring", MFD_CLOEXEC);
    CLEAN_FD int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    size_t bytes = sizeof(struct ring_memory) + size;
    if (memory < 0 || wake < 0 || ftruncate(memory, (off_t)bytes) < 0)
        return -1;
    void *m = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (m == MAP_FAILED)
        return -1;
    *r = (struct ring){.m = m, .size = size, .role = role, .memory_fd = STEAL_FD(memory), .wake_fd = STEAL_FD(wake)};
    r->m->layout = RING_LAYOUT;
    return 0;
}

int ring_attach(struct ring *r, enum role role, int memory_fd, int wake_fd)
{
    struct stat st;
    if (fstat(memory_fd, &st) < 0)
        return -1;
    size_t bytes = (size_t)st.st_size, size = bytes - sizeof(struct ring_memory);
    errno = EINVAL;
    if (bytes <= sizeof(struct ring_memory) || size < RECORD_BYTES_MAX || (size & (size - 1)))
        return -1;
    struct ring_memory *m = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    if (m == MAP_FAILED)
        return -1;
    if (m->layout != RING_LAYOUT) {
        munmap(m, bytes);
        errno = EINVAL;
        return -1;
    }
    *r = (struct ring){.m = m, .size = size, .role = role, .memory_fd = memory_fd, .wake_fd = wake_fd};
    return 0;
}

void ring_hide(struct ring *r)
{
    munmap(r->m, sizeof(struct ring_memory) + r->size);
}

void ring_close(struct ring *r)
{
    ring_hide(r);
    close(r->memory_fd);
    close(r->wake_fd);
}

/* Bytes in use. A reader's index outside of the window is a lie or a bit flip: count the ring as full. */
static uint64_t used(const struct ring *r, uint64_t head, uint64_t tail)
{
    uint64_t n = head - tail;
    return n > r->size ? r->size : n;
}

bool ring_push(struct ring *r, struct record *record)
{
    struct ring_memory *m = r->m;
    record->seq = atomic_fetch_add(&m->seq, 1) + 1;
    record->role = (uint8_t)r->role;

    uint64_t head = atomic_load_explicit(&m->head, memory_order_relaxed) & ~UINT64_C(7);
    uint64_t tail = atomic_load_explicit(&m->tail, memory_order_acquire);
    uint64_t offset = head & (r->size - 1);
    uint64_t skip = offset + record->size > r->size ? r->size - offset : 0;
    if (record->size > RECORD_BYTES_MAX || used(r, head, tail) + skip + record->size > r->size) {
        atomic_fetch_add(&m->dropped, 1);
        return false;
    }
    if (skip) {
        memcpy(m->data + offset, &(uint32_t){WRAP_MARK}, sizeof(uint32_t));
        head += skip;
        offset = 0;
    }
    memcpy(m->data + offset, record, record->size);
    atomic_store_explicit(&m->head, head + record->size, memory_order_release);
    /* Never blocks, and when it fails (at its limit) the eventfd is readable anyway. */
    (void)!write(r->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    return true;
}

static bool text_inside(const struct record *r, struct record_text t)
{
    return t.len == 0 || sizeof *r + t.at + t.len <= r->size;
}

static bool well_formed(const struct record *r)
{
    if (r->kind >= RECORD_KIND_COUNT || r->op > OP_COUNT || r->decision > ACTION_DENY || r->verdict > ACTION_DENY ||
        r->mode > MODE_ENFORCE || r->reason >= REASON_COUNT || r->role >= ROLE_COUNT ||
        r->n_ancestors > RECORD_ANCESTORS_MAX)
        return false;
    for (int i = 0; i < r->n_ancestors; i++)
        if (!text_inside(r, r->ancestors[i].exe))
            return false;
    return text_inside(r, r->watch) && text_inside(r, r->rule) && text_inside(r, r->path) && text_inside(r, r->exe) &&
           text_inside(r, r->comm) && text_inside(r, r->unit) && text_inside(r, r->text);
}

size_t ring_pop(struct ring *r, struct record *out)
{
    struct ring_memory *m = r->m;
    /* As ring_push() reads it: were tail set to anything else, the ring would count as full for ever. */
    uint64_t head = atomic_load_explicit(&m->head, memory_order_acquire) & ~UINT64_C(7);
    uint64_t tail = atomic_load_explicit(&m->tail, memory_order_relaxed);
    uint32_t size = 0;

    while (tail != head) {
        uint64_t offset = tail & (r->size - 1);
        if (head - tail > r->size || offset % 8 != 0)
            break;
        memcpy(&size, m->data + offset, sizeof size);
        if (size == (uint32_t)WRAP_MARK) {
            tail += r->size - offset;
            continue;
        }
        if (size % 8 != 0 || size < sizeof *out || size > RECORD_BYTES_MAX || offset + size > r->size ||
            size > head - tail)
            break;
        memcpy(out, m->data + offset, size);
        out->size = size; /* the shared copy may have changed since it was checked */
        tail += size;
        atomic_store_explicit(&m->tail, tail, memory_order_release);
        if (well_formed(out))
            return size;
    }
    atomic_store_explicit(&m->tail, head, memory_order_release);
    return 0;
}

uint64_t ring_dropped(const struct ring *r)
{
    return atomic_load(&r->m->dropped);
}

uint64_t ring_last_seq(const struct ring *r)
{
    return atomic_load(&r->m->seq);
}

uint64_t *ring_seen(struct ring *r)
{
    return &r->m->seen;
}
