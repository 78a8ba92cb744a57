#include "base/register.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/once.h"
#include "base/own.h"

enum {
    SLOTS_FEWEST = 1024,
    SLOTS_MOST = REGISTER_ENTRIES_MAX * 2,
    NAME_BYTES = REGISTER_ENTRIES_MAX * 64,
};

struct entry {
    struct file_id id;
    uint32_t parent;
    uint32_t name; /* offset into names */
    uint16_t name_len;
    uint16_t watch;
    _Atomic uint8_t outside;
};

/* A slot is published after its entry is complete; readers go from slot to entry only. The file is sparse: only the
 * pages that hold something take memory. So that few entries touch few pages, the table begins small: one of N slots is
 * slot[N] to slot[2 N - 1], and when it is half full a table of twice as many is filled behind it, then made known. A
 * reader who is still in the one before finds all that was there when he began. */
struct reg {
    uint64_t layout;
    _Atomic uint32_t entries;
    _Atomic uint32_t name_bytes;
    _Atomic uint32_t slots; /* of the table in use */
    _Atomic uint32_t slot[2 * SLOTS_MOST];
    struct entry entry[REGISTER_ENTRIES_MAX];
    char names[NAME_BYTES];
    struct once once;
};

#define LAYOUT (UINT64_C(3) << 32 | sizeof(struct entry))

static struct reg *map(int fd)
{
    struct reg *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return r == MAP_FAILED ? NULL : r;
}

struct reg *reg_create(int *fd)
{
    CLEAN_FD int memory = memfd_create("fileward-register", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, sizeof(struct reg)) < 0)
        return NULL;
    struct reg *r = map(memory);
    if (!r)
        return NULL;
    r->layout = LAYOUT;
    atomic_store(&r->entries, 1); /* entry 0 means none */
    atomic_store(&r->slots, SLOTS_FEWEST);
    *fd = STEAL_FD(memory);
    return r;
}

struct reg *reg_attach(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return NULL;
    struct reg *r = st.st_size == (off_t)sizeof *r ? map(fd) : NULL;
    if (r && r->layout == LAYOUT)
        return r;
    if (r)
        reg_close(r);
    errno = EINVAL;
    return NULL;
}

void reg_close(struct reg *r)
{
    munmap(r, sizeof *r);
}

struct once *reg_once(struct reg *r)
{
    return &r->once;
}

static uint32_t hash(int watch, const struct file_id *id)
{
    uint64_t h = id->ino * UINT64_C(0x9E3779B97F4A7C15);
    h ^= ((uint64_t)id->major << 40 ^ (uint64_t)id->minor << 8 ^ (uint64_t)watch) * UINT64_C(0xC2B2AE3D27D4EB4F);
    h ^= (uint64_t)id->born_ns;
    h *= UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(h >> 32);
}

static bool is(const struct entry *e, int watch, const struct file_id *id)
{
    return e->watch == watch && file_id_equal(&e->id, id);
}

/* A power of two within bounds, whatever the memory says. */
static uint32_t slots_of(const struct reg *r)
{
    uint32_t slots = atomic_load_explicit(&r->slots, memory_order_acquire);
    return slots >= SLOTS_FEWEST && slots <= SLOTS_MOST && !(slots & (slots - 1)) ? slots : SLOTS_FEWEST;
}

uint32_t reg_find(const struct reg *r, int watch, const struct file_id *id)
{
    const uint32_t slots = slots_of(r);
    uint32_t s = hash(watch, id);
    for (uint32_t tries = 0; tries < slots; tries++, s++) {
        uint32_t n = atomic_load_explicit(&r->slot[slots + (s & (slots - 1))], memory_order_acquire);
        if (n == 0 || n >= REGISTER_ENTRIES_MAX)
            return 0;
        if (is(&r->entry[n], watch, id))
            return n;
    }
    return 0;
}

/* Shows entry `n` in the table of `slots`, which has room. It may be there already: of a scout who died while he filled it. */
static void show(struct reg *r, uint32_t slots, uint32_t n)
{
    uint32_t s = hash(r->entry[n].watch, &r->entry[n].id), other;
    while ((other = atomic_load_explicit(&r->slot[slots + (s & (slots - 1))], memory_order_relaxed)) && other != n)
        s++;
    atomic_store_explicit(&r->slot[slots + (s & (slots - 1))], n, memory_order_release);
}

/* A table with room for one more entry than `n`. */
static uint32_t room_for(struct reg *r, uint32_t n)
{
    uint32_t slots = slots_of(r);
    if (n < slots / 2 || slots == SLOTS_MOST)
        return slots;
    slots *= 2;
    for (uint32_t i = 1; i < n; i++)
        show(r, slots, i);
    atomic_store_explicit(&r->slots, slots, memory_order_release);
    return slots;
}

uint32_t reg_add(struct reg *r, int watch, const struct file_id *id, uint32_t parent, const char *name)
{
    uint32_t known = reg_find(r, watch, id);
    if (known)
        return known;
    uint32_t n = atomic_load(&r->entries);
    uint32_t at = atomic_load(&r->name_bytes);
    size_t len = strlen(name);
    if (n >= REGISTER_ENTRIES_MAX || len > NAME_BYTES - at || len > UINT16_MAX)
        return 0;
    memcpy(r->names + at, name, len);
    r->entry[n] =
        (struct entry){.id = *id, .parent = parent, .name = at, .name_len = (uint16_t)len, .watch = (uint16_t)watch};
    atomic_store(&r->name_bytes, at + (uint32_t)len);
    atomic_store(&r->entries, n + 1);
    show(r, room_for(r, n), n);
    return n;
}

bool reg_id(const struct reg *r, uint32_t entry, struct file_id *out)
{
    if (entry == 0 || entry >= REGISTER_ENTRIES_MAX || entry >= atomic_load(&r->entries))
        return false;
    *out = r->entry[entry].id;
    return true;
}

bool reg_is_outside(const struct reg *r, uint32_t entry)
{
    return entry < REGISTER_ENTRIES_MAX && atomic_load_explicit(&r->entry[entry].outside, memory_order_relaxed);
}

void reg_set_outside(struct reg *r, uint32_t entry, bool outside)
{
    if (entry > 0 && entry < REGISTER_ENTRIES_MAX)
        atomic_store(&r->entry[entry].outside, outside);
}

void reg_for_each(const struct reg *r, reg_each *each, void *ctx)
{
    uint32_t n = atomic_load(&r->entries);
    for (uint32_t i = 1; i < n && i < REGISTER_ENTRIES_MAX; i++)
        each(ctx, r->entry[i].watch, i);
}

size_t reg_place(const struct reg *r, uint32_t entry, char *out, size_t size)
{
    /* Backwards from the end of `out`, then moved to its start. */
    size_t at = size;
    if (size == 0)
        return 0;
    out[--at] = '\0';
    while (entry > 0 && entry < REGISTER_ENTRIES_MAX) {
        const struct entry *e = &r->entry[entry];
        size_t need = e->name_len + (e->parent ? 1u : 0u);
        if (need > at || (size_t)e->name + e->name_len > NAME_BYTES)
            return 0;
        at -= e->name_len;
        memcpy(out + at, r->names + e->name, e->name_len);
        if (e->parent)
            out[--at] = '/';
        if (e->parent >= entry) /* parents come first: anything else is not ours */
            break;
        entry = e->parent;
    }
    size_t len = size - 1 - at;
    memmove(out, out + at, len + 1);
    return len;
}
