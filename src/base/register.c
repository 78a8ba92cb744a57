#include "base/register.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/once.h"
#include "base/own.h"
#include "base/sip.h"

enum {
    SLOTS_MAX_LOG = 22, /* two for each entry, half of them free */
    SLOTS_MIN_LOG = 10,
    SLOTS_MAX = 1 << SLOTS_MAX_LOG,
    NAME_BYTES = REGISTER_ENTRIES_MAX * 64,
    NAMES_WORTH_IT = 1 << 16, /* unused bytes below this are not worth moving the others */
    DEEPEST = 4096,
    LOOKS = 16, /* of a reader, before it gives up on a writer that is always quicker */
};

/* In a slot: an entry's number, 0, or: */
#define TAKEN_AWAY UINT32_MAX

/* In an entry's state. The rest of it is a number that no other entry has had there lately. */
enum { HOLDS = 1, OUTSIDE = 2, LOOSE = 4, HIDDEN = 8, STATE_STEP = 16, STATE_FLAGS = OUTSIDE | LOOSE | HIDDEN };

struct entry {
    struct file_id id;
    uint64_t handle;
    uint32_t parent;
    _Atomic uint32_t name; /* offset into names */
    uint32_t children;
    uint32_t charged;
    _Atomic uint32_t state; /* 0, as memory that was never used: no entry */
    uint16_t name_len;
    uint16_t watch;
};

/* So many fill whole pages. */
enum { GROUP = 512, GROUP_BYTES = GROUP * sizeof(struct entry) };
_Static_assert(GROUP_BYTES % 4096 == 0 && GROUP * sizeof(struct reg_handle) % 4096 == 0,
               "memory is given back by the page");

/* Readers go from slot to entry; a slot is set after its entry is complete, and taken away before its entry changes. What
 * moves, the slots when they become too few or too many and the names when most are unused, moves to the other half, and
 * readers who saw nothing look whether it did. The file is sparse: only pages that hold something take memory. */
struct reg {
    uint64_t layout;
    uint64_t seed[2]; /* of the hashes, so that nobody can choose inodes that all meet in one slot */
    _Atomic uint32_t devices;
    struct reg_device device[REGISTER_DEVICES_MAX];
    _Atomic uint32_t top; /* entries below this have been used */
    uint32_t live;        /* entries in use */
    uint32_t serial;      /* of the last entry's state */
    uint32_t hint;        /* no entry below 64 times this is free */
    _Atomic uint32_t
        table;       /* times that the slots moved (odd: they are in the second half) << 8 | log2 of their number */
    uint32_t filled; /* slots that are not 0 */
    uint32_t keys;   /* slots that lead to an entry */
    _Atomic uint32_t names_half; /* times that the names moved */
    uint32_t name_end[2];        /* in each half */
    uint32_t name_waste;         /* bytes there that nobody uses */
    struct once once;
    uint64_t used[REGISTER_ENTRIES_MAX / 64];
    _Alignas(4096) _Atomic uint32_t slot[2][SLOTS_MAX];
    _Alignas(4096) struct entry entry[REGISTER_ENTRIES_MAX];
    _Alignas(4096) char names[2 * NAME_BYTES];
    _Alignas(
        4096) struct reg_handle handle[REGISTER_ENTRIES_MAX]; /* of an earlier entry if its key is not the entry's */
};

#define LAYOUT (UINT64_C(8) << 32 | sizeof(struct entry))

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
    if (getrandom(r->seed, sizeof r->seed, 0) != (ssize_t)sizeof r->seed) {
        reg_close(r);
        return NULL;
    }
    r->layout = LAYOUT;
    r->used[0] = 1; /* entry 0 means none */
    atomic_store(&r->top, 1);
    atomic_store(&r->table, SLOTS_MIN_LOG);
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

/* --- finding ---------------------------------------------------------------------------------------------------- */

static uint32_t hash_of_id(const struct reg *r, int watch, const struct file_id *id)
{
    const uint64_t words[] = {(uint64_t)watch, (uint64_t)id->major << 32 | id->minor, id->ino, (uint64_t)id->born_ns};
    return sip_words(r->seed, words, sizeof words / sizeof *words);
}

static uint32_t hash_of_handle(const struct reg *r, uint64_t handle)
{
    return sip_words(r->seed, &handle, 1);
}

/* Where a search goes on. */
struct probe {
    const _Atomic uint32_t *slot;
    uint32_t mask, at, left;
};

static struct probe probe_begin(const struct reg *r, uint32_t table, uint32_t hash)
{
    uint32_t log = table & 0xff, mask = log <= SLOTS_MAX_LOG ? (1u << log) - 1 : 0;
    return (struct probe){.slot = r->slot[table >> 8 & 1], .mask = mask, .at = hash & mask, .left = mask + 1};
}

/* The next entry that may be meant; 0: none. */
static uint32_t probe_next(struct probe *p)
{
    while (p->left > 0) {
        uint32_t n = atomic_load_explicit(&p->slot[p->at], memory_order_acquire);
        p->at = (p->at + 1) & p->mask;
        p->left--;
        if (n == 0)
            return 0;
        if (n < REGISTER_ENTRIES_MAX)
            return n;
    }
    return 0;
}

/* Whether the entry is still the one that it was; what has been read of it in between is of one piece then. */
static bool still(const struct entry *e, uint32_t state)
{
    atomic_thread_fence(memory_order_acquire);
    return ((atomic_load_explicit(&e->state, memory_order_relaxed) ^ state) & ~(uint32_t)STATE_FLAGS) == 0;
}

bool reg_holds(const struct reg *r, uint32_t entry, int watch, const struct file_id *id)
{
    if (entry == 0 || entry >= REGISTER_ENTRIES_MAX)
        return false;
    const struct entry *e = &r->entry[entry];
    uint32_t state = atomic_load_explicit(&e->state, memory_order_acquire);
    return state & HOLDS && e->watch == watch && file_id_equal(&e->id, id) && still(e, state);
}

uint64_t reg_stamp(const struct reg *r, uint32_t entry)
{
    uint32_t state =
        entry < REGISTER_ENTRIES_MAX ? atomic_load_explicit(&r->entry[entry].state, memory_order_acquire) : 0;
    return state & HOLDS ? (uint64_t)(state & ~(uint32_t)STATE_FLAGS) << 32 | entry : 0;
}

uint32_t reg_find(const struct reg *r, int watch, const struct file_id *id)
{
    uint32_t hash = hash_of_id(r, watch, id);
    for (int looks = 0; looks < LOOKS; looks++) {
        uint32_t table = atomic_load_explicit(&r->table, memory_order_acquire), n;
        struct probe p = probe_begin(r, table, hash);
        while ((n = probe_next(&p)))
            if (reg_holds(r, n, watch, id))
                return n;
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&r->table, memory_order_relaxed) == table)
            return 0;
    }
    return 0;
}

size_t reg_with_handle(const struct reg *r, uint64_t handle, uint32_t *out, size_t max)
{
    size_t found = 0;
    struct probe p = probe_begin(r, atomic_load(&r->table), hash_of_handle(r, handle));
    for (uint32_t n; found < max && handle && (n = probe_next(&p));) {
        const struct entry *e = &r->entry[n];
        bool known = e->handle != handle || !(atomic_load(&e->state) & HOLDS);
        for (size_t i = 0; i < found && !known; i++) /* its other slot may lie on the way */
            known = out[i] == n;
        if (!known)
            out[found++] = n;
    }
    return found;
}

/* --- slots ------------------------------------------------------------------------------------------------------ */

static bool is_used(const struct reg *r, uint32_t n)
{
    return r->used[n / 64] >> (n % 64) & 1;
}

/* The first entry in use from `n` on; 0: none. Entries that are not used are not looked at: that would take memory. */
static uint32_t used_from(const struct reg *r, uint32_t n)
{
    uint32_t top = atomic_load(&r->top);
    while (n < top && n < REGISTER_ENTRIES_MAX) {
        uint64_t rest = r->used[n / 64] >> (n % 64);
        if (rest)
            return n + (uint32_t)__builtin_ctzll(rest);
        n = (n / 64 + 1) * 64;
    }
    return 0;
}

static void put_in_slot(struct reg *r, uint32_t hash, uint32_t n)
{
    uint32_t table = atomic_load(&r->table), mask = (1u << (table & 0xff)) - 1;
    _Atomic uint32_t *slot = r->slot[table >> 8 & 1];
    uint32_t at = hash & mask, there;
    while ((there = atomic_load_explicit(&slot[at], memory_order_relaxed)) != 0 && there != TAKEN_AWAY)
        at = (at + 1) & mask;
    r->filled += there == 0;
    r->keys++;
    atomic_store_explicit(&slot[at], n, memory_order_release);
}

static void take_from_slot(struct reg *r, uint32_t hash, uint32_t n)
{
    uint32_t table = atomic_load(&r->table), mask = (1u << (table & 0xff)) - 1;
    _Atomic uint32_t *slot = r->slot[table >> 8 & 1];
    uint32_t at = hash & mask, there;
    while ((there = atomic_load_explicit(&slot[at], memory_order_relaxed)) != n) {
        if (there == 0)
            return;
        at = (at + 1) & mask;
    }
    atomic_store_explicit(&slot[at], TAKEN_AWAY, memory_order_release);
    r->keys--;
    /* At the end of a run nobody needs to go on past it. */
    while (atomic_load(&slot[(at + 1) & mask]) == 0 && atomic_load(&slot[at]) == TAKEN_AWAY) {
        atomic_store(&slot[at], 0);
        r->filled--;
        at = (at - 1) & mask;
    }
}

static void give_back(void *from, size_t bytes)
{
    if (bytes > 0)
        madvise(from, bytes, MADV_REMOVE);
}

static bool is_findable(const struct entry *e)
{
    return (atomic_load(&e->state) & (HOLDS | HIDDEN)) == HOLDS;
}

/* Into the other half, with room for at least as many again. */
static void move_slots(struct reg *r)
{
    uint32_t old = atomic_load(&r->table), log = SLOTS_MIN_LOG, half = ~(old >> 8) & 1;
    while (log < SLOTS_MAX_LOG && 1u << log < r->keys * 2)
        log++;
    _Atomic uint32_t *slot = r->slot[half];
    uint32_t mask = (1u << log) - 1, keys = 0;
    give_back(slot, sizeof r->slot[0]);
    for (uint32_t n = 1; (n = used_from(r, n)); n++) {
        const struct entry *e = &r->entry[n];
        if (!is_findable(e))
            continue;
        uint32_t hash[2] = {hash_of_id(r, e->watch, &e->id), hash_of_handle(r, e->handle)};
        for (int i = 0; i < (e->handle ? 2 : 1); i++) {
            uint32_t at = hash[i] & mask;
            while (atomic_load_explicit(&slot[at], memory_order_relaxed))
                at = (at + 1) & mask;
            atomic_store_explicit(&slot[at], n, memory_order_relaxed);
            keys++;
        }
    }
    r->keys = r->filled = keys;
    atomic_store(&r->table, ((old >> 8) + 1) << 8 | log);
    give_back(r->slot[old >> 8 & 1], sizeof r->slot[0]);
}

static void mind_the_slots(struct reg *r)
{
    uint32_t log = atomic_load(&r->table) & 0xff, slots = 1u << log;
    if (r->filled >= slots / 4 * 3 || (log > SLOTS_MIN_LOG && r->keys < slots / 16))
        move_slots(r);
}

/* --- names ------------------------------------------------------------------------------------------------------ */

/* Where `len` bytes are free in a half; UINT32_MAX: nowhere. */
static uint32_t reserve_name(struct reg *r, uint32_t half, size_t len)
{
    uint32_t end = r->name_end[half];
    if (len > NAME_BYTES - end)
        return UINT32_MAX;
    r->name_end[half] = end + (uint32_t)len;
    return half * NAME_BYTES + end;
}

/* Into the other half, without what nobody uses. A writer that died in the middle has left some of them there: they
 * stay. */
static void move_names(struct reg *r)
{
    uint32_t from = atomic_load(&r->names_half) & 1, to = !from;
    for (uint32_t n = 1; (n = used_from(r, n)); n++) {
        struct entry *e = &r->entry[n];
        uint32_t old = atomic_load(&e->name), at;
        if (!(atomic_load(&e->state) & HOLDS) || old / NAME_BYTES == to || e->name_len == 0)
            continue;
        if ((at = reserve_name(r, to, e->name_len)) == UINT32_MAX)
            return;
        memcpy(r->names + at, r->names + old, e->name_len);
        atomic_store_explicit(&e->name, at, memory_order_release);
    }
    atomic_fetch_add(&r->names_half, 1);
    give_back(r->names + (size_t)from * NAME_BYTES, NAME_BYTES);
    r->name_end[from] = 0;
    r->name_waste = 0;
}

static uint32_t put_name(struct reg *r, const char *name, size_t len)
{
    uint32_t at = reserve_name(r, atomic_load(&r->names_half) & 1, len);
    if (at == UINT32_MAX && r->name_waste > NAME_BYTES / 8) {
        move_names(r);
        at = reserve_name(r, atomic_load(&r->names_half) & 1, len);
    }
    if (at != UINT32_MAX)
        memcpy(r->names + at, name, len);
    return at;
}

/* --- entries ---------------------------------------------------------------------------------------------------- */

static uint32_t take_entry(struct reg *r)
{
    for (uint32_t word = r->hint; word < REGISTER_ENTRIES_MAX / 64; word++) {
        if (!~r->used[word])
            continue;
        uint32_t n = word * 64 + (uint32_t)__builtin_ctzll(~r->used[word]);
        r->hint = word;
        r->used[word] |= UINT64_C(1) << (n % 64);
        r->live++;
        if (n >= atomic_load(&r->top))
            atomic_store(&r->top, n + 1);
        return n;
    }
    r->hint = REGISTER_ENTRIES_MAX / 64;
    return 0;
}

static void drop_entry(struct reg *r, uint32_t n)
{
    uint32_t word = n / 64;
    r->used[word] &= ~(UINT64_C(1) << (n % 64));
    r->live--;
    if (word < r->hint)
        r->hint = word;
    uint64_t others = 0;
    for (uint32_t i = n / GROUP * (GROUP / 64); i < (n / GROUP + 1) * (GROUP / 64); i++)
        others |= r->used[i];
    if (!others)
        give_back(&r->entry[n / GROUP * GROUP], GROUP_BYTES);
    if (!others)
        give_back(&r->handle[n / GROUP * GROUP], GROUP * sizeof *r->handle);
    uint32_t top = atomic_load(&r->top);
    while (top > 1 && !is_used(r, top - 1))
        top--;
    atomic_store(&r->top, top);
}

uint32_t reg_add(struct reg *r, int watch, const struct file_id *id, uint32_t parent, const char *name)
{
    uint32_t known = reg_find(r, watch, id);
    if (known)
        return known;
    size_t len = strlen(name);
    uint32_t at = len > UINT16_MAX ? UINT32_MAX : put_name(r, name, len);
    uint32_t n = at == UINT32_MAX ? 0 : take_entry(r);
    if (!n) {
        r->name_waste += at == UINT32_MAX ? 0 : (uint32_t)len;
        return 0;
    }
    struct entry *e = &r->entry[n];
    e->id = *id;
    e->handle = 0;
    e->parent = parent < REGISTER_ENTRIES_MAX ? parent : 0;
    atomic_store(&e->name, at);
    e->children = 0;
    e->charged = REGISTER_NOBODY;
    e->name_len = (uint16_t)len;
    e->watch = (uint16_t)watch;
    if (e->parent)
        r->entry[e->parent].children++;
    r->serial += STATE_STEP;
    atomic_store_explicit(&e->state, r->serial | HOLDS, memory_order_release);
    put_in_slot(r, hash_of_id(r, watch, id), n);
    mind_the_slots(r);
    return n;
}

static uint32_t devices(const struct reg *r)
{
    uint32_t n = atomic_load_explicit(&r->devices, memory_order_acquire);
    return n < REGISTER_DEVICES_MAX ? n : REGISTER_DEVICES_MAX;
}

/* Its row, or REGISTER_DEVICES_MAX. */
static uint32_t row_of(const struct reg *r, int watch, uint32_t major, uint32_t minor)
{
    for (uint32_t i = 0; i < devices(r); i++) {
        const struct reg_device *d = &r->device[i];
        if (d->watch == watch && d->minor == minor && d->major == major)
            return i;
    }
    return REGISTER_DEVICES_MAX;
}

bool reg_covers(const struct reg *r, int watch, uint32_t major, uint32_t minor)
{
    return row_of(r, watch, major, minor) < REGISTER_DEVICES_MAX;
}

static bool has_room(const struct reg *r, bool of_user)
{
    uint32_t of_users = 0, n = devices(r);
    for (uint32_t i = 0; of_user && i < n; i++)
        of_users += r->device[i].of_user;
    return n < REGISTER_DEVICES_MAX && of_users < REGISTER_DEVICES_OF_USERS;
}

bool reg_cover(struct reg *r, int watch, uint32_t major, uint32_t minor, uint32_t entry, bool of_user)
{
    uint32_t n = devices(r), i = row_of(r, watch, major, minor);
    if (i < REGISTER_DEVICES_MAX) {
        __atomic_store_n(&r->device[i].entry, entry, __ATOMIC_RELAXED); /* the one before may have gone */
        return true;
    }
    if (!has_room(r, of_user))
        return false;
    r->device[n] =
        (struct reg_device){.major = major, .minor = minor, .entry = entry, .watch = watch, .of_user = of_user};
    atomic_store_explicit(&r->devices, n + 1, memory_order_release);
    return true;
}

/* In a row: not blind, blind, or it was so before everything was looked at again. */
enum { SEES, BLIND, WAS_BLIND };

bool reg_set_blind(struct reg *r, int watch, uint32_t major, uint32_t minor)
{
    uint32_t i = row_of(r, watch, major, minor);
    if (i == REGISTER_DEVICES_MAX)
        return false;
    __atomic_store_n(&r->device[i].blind, BLIND, __ATOMIC_RELEASE);
    return true;
}

static void turn_blindness(struct reg *r, int watch, uint8_t from, uint8_t to)
{
    for (uint32_t i = 0; i < devices(r); i++)
        if (r->device[i].watch == watch && r->device[i].blind == from)
            __atomic_store_n(&r->device[i].blind, to, __ATOMIC_RELEASE);
}

void reg_review_blind(struct reg *r, int watch)
{
    turn_blindness(r, watch, BLIND, WAS_BLIND);
}

void reg_settle_blind(struct reg *r, int watch)
{
    turn_blindness(r, watch, WAS_BLIND, SEES);
}

bool reg_is_blind(const struct reg *r, int watch, uint32_t major, uint32_t minor)
{
    uint32_t i = row_of(r, watch, major, minor);
    return i < REGISTER_DEVICES_MAX && __atomic_load_n(&r->device[i].blind, __ATOMIC_ACQUIRE) != SEES;
}

bool reg_is_covered(const struct reg *r, int watch)
{
    for (uint32_t i = 0; i < devices(r); i++)
        if (r->device[i].watch == watch)
            return true;
    return false;
}

bool reg_device(const struct reg *r, int i, struct reg_device *out)
{
    if (i < 0 || (uint32_t)i >= devices(r))
        return false;
    *out = r->device[i];
    return true;
}

uint32_t reg_find_copied(const struct reg *r, int watch, const struct file_id *id)
{
    if (reg_covers(r, watch, id->major, id->minor))
        return 0;
    for (uint32_t i = 0; i < devices(r); i++) {
        const struct reg_device *d = &r->device[i];
        struct file_id original = *id;
        original.major = d->major;
        original.minor = d->minor;
        uint32_t entry = d->watch == watch ? reg_find(r, watch, &original) : 0;
        if (entry)
            return entry;
    }
    return 0;
}

/* An entry that nobody can find and below which there is nothing; then perhaps the one above it. */
static void bury(struct reg *r, uint32_t n)
{
    while (n) {
        struct entry *e = &r->entry[n];
        uint32_t parent = e->parent;
        if (!(atomic_load(&e->state) & HIDDEN) || e->children > 0)
            return;
        atomic_store(&e->state, 0);
        r->name_waste += e->name_len;
        drop_entry(r, n);
        if (parent)
            r->entry[parent].children--;
        n = parent;
    }
}

void reg_remove(struct reg *r, uint32_t n)
{
    if (n == 0 || n >= REGISTER_ENTRIES_MAX || !is_findable(&r->entry[n]))
        return;
    struct entry *e = &r->entry[n];
    take_from_slot(r, hash_of_id(r, e->watch, &e->id), n);
    if (e->handle)
        take_from_slot(r, hash_of_handle(r, e->handle), n);
    atomic_fetch_or(&e->state, HIDDEN);
    bury(r, n);
    mind_the_slots(r);
    uint32_t half = atomic_load(&r->names_half) & 1;
    if (r->name_waste > NAMES_WORTH_IT && r->name_waste > r->name_end[half] / 2)
        move_names(r);
}

void reg_mend(struct reg *r)
{
    r->live = r->keys = r->hint = 0;
    for (uint32_t n = 1; (n = used_from(r, n)); n++) {
        if (atomic_load(&r->entry[n].state) & HOLDS) {
            r->entry[n].children = 0;
            r->live++;
            r->keys += 2;
        } else {
            r->used[n / 64] &= ~(UINT64_C(1) << (n % 64));
        }
    }
    for (uint32_t n = 1; (n = used_from(r, n)); n++) {
        struct entry *e = &r->entry[n];
        if (e->parent >= REGISTER_ENTRIES_MAX || !is_used(r, e->parent))
            e->parent = 0; /* nonsense */
        if (e->parent)
            r->entry[e->parent].children++;
    }
    move_slots(r);
    for (uint32_t n = 1; (n = used_from(r, n)); n++)
        bury(r, n);
}

static void set_flag(struct entry *e, uint32_t flag, bool on)
{
    if (on)
        atomic_fetch_or(&e->state, flag);
    else
        atomic_fetch_and(&e->state, ~flag);
}

void reg_set_note(struct reg *r, uint32_t entry, const struct reg_note *note)
{
    if (entry == 0 || entry >= REGISTER_ENTRIES_MAX || !is_findable(&r->entry[entry]))
        return;
    struct entry *e = &r->entry[entry];
    if (e->handle != note->handle) {
        if (e->handle)
            take_from_slot(r, hash_of_handle(r, e->handle), entry);
        e->handle = note->handle;
        if (note->handle)
            put_in_slot(r, hash_of_handle(r, note->handle), entry);
        mind_the_slots(r);
    }
    e->charged = note->charged;
    set_flag(e, LOOSE, note->loose);
}

void reg_set_handle(struct reg *r, uint32_t entry, const struct reg_handle *handle)
{
    if (entry > 0 && entry < REGISTER_ENTRIES_MAX && is_findable(&r->entry[entry]))
        r->handle[entry] = *handle;
}

/* --- what stands in one ----------------------------------------------------------------------------------------- */

struct reg_note reg_note(const struct reg *r, uint32_t entry)
{
    if (entry >= REGISTER_ENTRIES_MAX)
        entry = 0;
    const struct entry *e = &r->entry[entry];
    return (struct reg_note){e->handle, e->charged, atomic_load(&e->state) & LOOSE};
}

struct reg_handle reg_handle(const struct reg *r, uint32_t entry)
{
    uint64_t key = reg_note(r, entry).handle;
    if (!key || r->handle[entry].key != key || r->handle[entry].bytes > sizeof r->handle[entry].data)
        return (struct reg_handle){0};
    return r->handle[entry];
}

int reg_watch(const struct reg *r, uint32_t entry)
{
    return entry < REGISTER_ENTRIES_MAX ? r->entry[entry].watch : 0;
}

struct file_id reg_id(const struct reg *r, uint32_t entry)
{
    return r->entry[entry < REGISTER_ENTRIES_MAX ? entry : 0].id;
}

bool reg_is_outside(const struct reg *r, uint32_t entry)
{
    return entry < REGISTER_ENTRIES_MAX && atomic_load_explicit(&r->entry[entry].state, memory_order_relaxed) & OUTSIDE;
}

void reg_set_outside(struct reg *r, uint32_t entry, bool outside)
{
    if (entry > 0 && entry < REGISTER_ENTRIES_MAX && is_findable(&r->entry[entry]))
        set_flag(&r->entry[entry], OUTSIDE, outside);
}

void reg_for_each(const struct reg *r, reg_each *each, void *ctx)
{
    for (uint32_t n = 1; (n = used_from(r, n)); n++)
        if (is_findable(&r->entry[n]))
            each(ctx, r->entry[n].watch, n);
}

struct reg_size reg_size(const struct reg *r)
{
    uint32_t half = atomic_load(&r->names_half) & 1;
    return (struct reg_size){.entries = r->live,
                             .bytes = (uint64_t)r->live * sizeof(struct entry) + r->name_end[half] +
                                      sizeof(uint32_t) * (UINT64_C(1) << (atomic_load(&r->table) & 0xff))};
}

/* Backwards from the end of `out`; returns where it begins, or `size` if it does not fit. */
static size_t spell(const struct reg *r, uint32_t n, char *out, size_t size)
{
    size_t at = size;
    out[--at] = '\0';
    for (int depth = 0; n > 0 && n < REGISTER_ENTRIES_MAX; depth++) {
        const struct entry *e = &r->entry[n];
        uint32_t name = atomic_load_explicit(&e->name, memory_order_acquire), parent = e->parent;
        size_t len = e->name_len, need = len + (parent ? 1u : 0u);
        if (depth == DEEPEST || need > at || (size_t)name + len > sizeof r->names)
            return size;
        at -= len;
        memcpy(out + at, r->names + name, len);
        if (parent)
            out[--at] = '/';
        n = parent;
    }
    return at;
}

size_t reg_place(const struct reg *r, uint32_t entry, char *out, size_t size)
{
    if (size == 0)
        return 0;
    out[0] = '\0';
    if (entry == 0 || entry >= REGISTER_ENTRIES_MAX)
        return 0;
    const struct entry *e = &r->entry[entry];
    for (int looks = 0; looks < LOOKS; looks++) {
        uint32_t half = atomic_load_explicit(&r->names_half, memory_order_acquire),
                 state = atomic_load_explicit(&e->state, memory_order_acquire);
        size_t at = state & HOLDS ? spell(r, entry, out, size) : size;
        /* What is above an entry stays while that does, so that its state speaks for the whole way. */
        if (!still(e, state) || atomic_load_explicit(&r->names_half, memory_order_relaxed) != half)
            continue;
        if (at == size)
            break;
        memmove(out, out + at, size - at);
        return size - 1 - at;
    }
    out[0] = '\0';
    return 0;
}
