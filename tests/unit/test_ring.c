#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ring.h"

enum { SIZE = 1 << 15, NAME = 40 };

/* The memory as whoever holds the descriptor may scribble on it: struct ring_memory of ring.c. */
struct shared {
    _Alignas(64) _Atomic uint64_t head;
    _Atomic uint64_t seq, dropped;
    _Alignas(64) _Atomic uint64_t tail;
    uint64_t seen;
    _Alignas(64) char data[];
};

static struct shared *shared_of(const struct ring *r)
{
    struct shared *s = mmap(NULL, sizeof(struct shared) + r->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->memory_fd, 0);
    assert_ptr_not_equal(s, MAP_FAILED);
    return s;
}

static void unshare_memory(const struct ring *r, struct shared *s)
{
    assert_int_equal(munmap(s, sizeof(struct shared) + r->size), 0);
}

union buffer {
    struct record r;
    char bytes[RECORD_BYTES_MAX];
};

/* A record of `size` bytes whose text is made of `letter`. */
static void fill(union buffer *b, size_t size, char letter)
{
    assert_true(size >= sizeof b->r && size % 8 == 0);
    memset(b, 0, sizeof b->r);
    memset(b->r.bytes, letter, size - sizeof b->r);
    b->r.size = (uint32_t)size;
    b->r.kind = RECORD_ACCESS;
    b->r.path = (struct record_text){.at = 0, .len = (uint16_t)(size - sizeof b->r)};
}

static bool push(struct ring *r, char letter)
{
    union buffer b;
    fill(&b, sizeof b.r + NAME, letter);
    return ring_push(r, &b.r);
}

/* The next record's letter, '\0' if there is none. */
static char pop(struct ring *r)
{
    union buffer b;
    size_t n = ring_pop(r, &b.r);
    if (n == 0)
        return '\0';
    assert_int_equal(n, b.r.size);
    assert_int_equal(n, sizeof b.r + NAME);
    return b.r.bytes[0];
}

static struct ring new_ring(void)
{
    struct ring r;
    assert_int_equal(ring_create(&r, ROLE_SCOUT, SIZE), 0);
    return r;
}

static void test_order(void **state)
{
    (void)state;
    struct ring r = new_ring();
    union buffer in, out;
    assert_int_equal(ring_pop(&r, &out.r), 0);
    for (char c = 'a'; c <= 'z'; c++) {
        fill(&in, sizeof in.r + NAME, c);
        in.r.seq = 4711; /* filled by ring_push() */
        in.r.role = ROLE_COUNT;
        assert_true(ring_push(&r, &in.r));
        assert_int_equal(in.r.seq, c - 'a' + 1);
        assert_int_equal(in.r.role, ROLE_SCOUT);
    }
    for (char c = 'a'; c <= 'z'; c++) {
        fill(&in, sizeof in.r + NAME, c);
        in.r.seq = (uint64_t)(c - 'a' + 1);
        in.r.role = ROLE_SCOUT;
        assert_int_equal(ring_pop(&r, &out.r), in.r.size);
        assert_memory_equal(&out, &in, in.r.size);
    }
    assert_int_equal(ring_pop(&r, &out.r), 0);
    assert_int_equal(ring_last_seq(&r), 26);
    assert_int_equal(ring_dropped(&r), 0);
    ring_close(&r);
}

static void test_wake(void **state)
{
    (void)state;
    struct ring r = new_ring();
    struct pollfd p = {.fd = r.wake_fd, .events = POLLIN};
    uint64_t n;
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_true(push(&r, 'a') && push(&r, 'b'));
    assert_int_equal(poll(&p, 1, 0), 1);
    assert_int_equal(read(r.wake_fd, &n, sizeof n), sizeof n);
    assert_int_equal(poll(&p, 1, 0), 0);
    /* A consumer that does not look must not make the producer wait. */
    assert_int_equal(write(r.wake_fd, &(uint64_t){UINT64_MAX - 1}, sizeof n), sizeof n);
    assert_true(push(&r, 'c'));
    assert_int_equal(poll(&p, 1, 0), 1);
    ring_close(&r);
}

/* Every size, at every offset that comes up in some thousand rounds. */
static void test_wrap(void **state)
{
    (void)state;
    struct ring r = new_ring();
    union buffer in, out;
    unsigned random = 1;
    uint64_t seq = 0;
    for (int i = 0; i < 3000; i++) {
        random = random * 1103515245u + 12345u;
        size_t room = i % 10 == 0 ? RECORD_BYTES_MAX : sizeof in.r + 512;
        size_t size = (sizeof in.r + (random >> 8) % (room - sizeof in.r + 1)) & ~(size_t)7;
        fill(&in, size, (char)('a' + i % 26));
        assert_true(ring_push(&r, &in.r));
        assert_int_equal(in.r.seq, ++seq);
        assert_int_equal(ring_pop(&r, &out.r), size);
        assert_memory_equal(&out, &in, size);
    }
    assert_int_equal(ring_dropped(&r), 0);
    ring_close(&r);
}

static void test_full(void **state)
{
    (void)state;
    struct ring r = new_ring();
    union buffer out;
    uint64_t kept = 0;
    while (push(&r, 'a'))
        kept++;
    assert_in_range(kept, (SIZE - 1024) / (sizeof out.r + NAME), SIZE / (sizeof out.r + NAME));
    for (int i = 0; i < 9; i++)
        assert_false(push(&r, 'b'));
    assert_int_equal(ring_dropped(&r), 10);
    assert_int_equal(ring_last_seq(&r), kept + 10);

    /* One place is free again; what was dropped shows as a hole. */
    assert_int_equal(pop(&r), 'a');
    assert_int_equal(pop(&r), 'a');
    assert_true(push(&r, 'c'));
    for (uint64_t i = 3; i <= kept; i++) {
        assert_true(ring_pop(&r, &out.r) > 0);
        assert_int_equal(out.r.seq, i);
        assert_int_equal(out.r.bytes[0], 'a');
    }
    assert_true(ring_pop(&r, &out.r) > 0);
    assert_int_equal(out.r.bytes[0], 'c');
    assert_int_equal(out.r.seq, kept + 11);
    assert_int_equal(pop(&r), '\0');
    ring_close(&r);
}

static void test_too_long(void **state)
{
    (void)state;
    struct ring r = new_ring();
    union buffer b;
    fill(&b, RECORD_BYTES_MAX, 'a');
    b.r.size = RECORD_BYTES_MAX + 8;
    assert_false(ring_push(&r, &b.r));
    assert_int_equal(ring_dropped(&r), 1);
    assert_int_equal(ring_last_seq(&r), 1);
    assert_int_equal(pop(&r), '\0');
    ring_close(&r);
}

/* The herald is the one that talks to strangers: whatever it writes, the producer neither waits nor leaves the ring,
 * and an honest herald that follows is served. */
static void test_hostile_consumer(void **state)
{
    (void)state;
    struct ring r = new_ring();
    struct shared *s = shared_of(&r);
    for (int i = 0; i < 60; i++) /* past the first wrap */
        assert_true(push(&r, 'x') && pop(&r) == 'x');
    uint64_t head = s->head;
    const uint64_t lies[] = {0,        1,        7,         UINT64_MAX,      UINT64_MAX - 7,  head + 1,
                             head + 8, head - 8, head - 12, head + SIZE,     head - SIZE,     head - SIZE - 8,
                             head ^ 1, ~head,    head - 80, 1ull << 63,      head - SIZE + 8, head - SIZE + 3,
                             SIZE,     SIZE - 8, SIZE + 1,  head + SIZE - 8, head / 2};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        union buffer out;
        s->tail = lies[i];
        uint64_t before = ring_last_seq(&r);
        for (int n = 0; n < 200; n++)
            push(&r, 'y');
        assert_int_equal(ring_last_seq(&r), before + 200);
        for (int n = 0; ring_pop(&r, &out.r) > 0; n++)
            assert_true(n < 1000);
        assert_true(push(&r, 'z'));
        assert_int_equal(pop(&r), 'z');
        assert_int_equal(pop(&r), '\0');
    }
    unshare_memory(&r, s);
    ring_close(&r);
}

#define AT(member) offsetof(struct record, member)

/* A record that a broken producer wrote. Of a wrong size, nothing behind it can be trusted; of wrong content, it alone
 * is left out. */
static void test_malformed(void **state)
{
    (void)state;
    const uint16_t size = sizeof(struct record) + NAME;
    const struct {
        size_t at;
        int bytes;
        uint32_t value;
        bool all; /* of the ring is lost */
    } cases[] = {
        {AT(size), 4, 0, true},
        {AT(size), 4, 8, true},
        {AT(size), 4, sizeof(struct record) - 8, true},
        {AT(size), 4, size + 4u, true},
        {AT(size), 4, 4 * size, true}, /* beyond what was pushed */
        {AT(size), 4, RECORD_BYTES_MAX + 8, true},
        {AT(size), 4, UINT32_MAX - 7, true},
        {AT(size), 4, UINT32_MAX, true}, /* a wrap where there is none */
        {AT(kind), 1, RECORD_KIND_COUNT, false},
        {AT(role), 1, ROLE_COUNT, false},
        {AT(op), 1, OP_COUNT + 1, false},
        {AT(decision), 1, ACTION_DENY + 1, false},
        {AT(verdict), 1, ACTION_DENY + 1, false},
        {AT(mode), 1, MODE_ENFORCE + 1, false},
        {AT(reason), 1, REASON_COUNT, false},
        {AT(n_ancestors), 1, RECORD_ANCESTORS_MAX + 1, false},
        {AT(n_ancestors), 1, 255, false},
        {AT(path.len), 2, NAME + 1, false},
        {AT(path.len), 2, UINT16_MAX, false},
        {AT(path.at), 2, 1, false},
        {AT(path.at), 2, UINT16_MAX, false},
        {AT(exe), 4, (uint32_t)NAME | 1u << 16, false},
        {AT(comm), 4, UINT32_MAX, false},
        {AT(unit), 4, 1u << 31, false},
        {AT(text), 4, 0xfffffff0, false},
        {AT(ancestors[0].exe), 4, UINT32_MAX, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ring r = new_ring();
        struct shared *s = shared_of(&r);
        union buffer b;
        assert_true(push(&r, 'a'));
        fill(&b, size, 'b');
        b.r.n_ancestors = 1;
        assert_true(ring_push(&r, &b.r) && push(&r, 'c'));
        memcpy(s->data + size + cases[i].at, &cases[i].value, (size_t)cases[i].bytes);
        assert_int_equal(pop(&r), 'a');
        if (pop(&r) != (cases[i].all ? '\0' : 'c'))
            fail_msg("case %zu", i);
        assert_int_equal(pop(&r), '\0');
        assert_true(push(&r, 'd'));
        assert_int_equal(pop(&r), 'd');
        unshare_memory(&r, s);
        ring_close(&r);
    }
    /* A text without length may be anywhere, and the last byte of a record belongs to it. */
    struct ring r = new_ring();
    union buffer b;
    fill(&b, size, 'a');
    b.r.exe = (struct record_text){.at = UINT16_MAX, .len = 0};
    b.r.comm = (struct record_text){.at = NAME - 1, .len = 1};
    assert_true(ring_push(&r, &b.r));
    assert_int_equal(pop(&r), 'a');
    ring_close(&r);
}

/* What is in the memory may be anything at all: what comes out is well formed, and it ends. */
static void test_noise(void **state)
{
    (void)state;
    struct ring r = new_ring();
    struct shared *s = shared_of(&r);
    unsigned random = 7;
    for (int i = 0; i < 2000; i++) {
        union buffer out;
        for (int n = 0; n < 40; n++) {
            random = random * 1103515245u + 12345u;
            uint32_t value = n % 4 == 0 ? UINT32_MAX : n % 4 == 1 ? random >> 18 & ~7u : random;
            memcpy(s->data + (random >> 7) % (SIZE - 4), &value, sizeof value);
        }
        s->tail = s->head + random % 64 - (random >> 8) % (2 * SIZE);
        s->head += random % 3 * 8 + (i % 5 == 0 ? random >> 9 & 7 : 0);
        for (int n = 0; ring_pop(&r, &out.r) > 0; n++) {
            assert_true(n < 1000);
            assert_in_range(out.r.size, sizeof out.r, RECORD_BYTES_MAX);
            assert_true(out.r.path.len == 0 || sizeof out.r + out.r.path.at + out.r.path.len <= out.r.size);
        }
        assert_true(push(&r, 'a'));
        assert_int_equal(pop(&r), 'a');
    }
    unshare_memory(&r, s);
    ring_close(&r);
}

static void wait_for(pid_t child, int expected)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, expected);
}

static void test_seen(void **state)
{
    (void)state;
    struct ring r = new_ring();
    assert_int_equal(*ring_seen(&r), 0);
    pid_t child = fork();
    if (child == 0) {
        *ring_seen(&r) = 77;
        raise(SIGKILL);
    }
    wait_for(child, SIGKILL);
    assert_int_equal(*ring_seen(&r), 77);
    assert_true(push(&r, 'a'));
    assert_int_equal(pop(&r), 'a');
    assert_int_equal(*ring_seen(&r), 77);
    ring_close(&r);
}

/* A producer that dies while it copies: its record ends where there is no memory. */
static void test_dying_producer(void **state)
{
    (void)state;
    struct ring r = new_ring();
    long page = sysconf(_SC_PAGESIZE);
    union buffer out;
    assert_true(push(&r, 'a'));
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        char *m = mmap(NULL, (size_t)page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (m == MAP_FAILED || munmap(m + page, (size_t)page) < 0)
            _exit(1);
        struct record *half = (struct record *)(m + page - sizeof *half);
        half->size = sizeof *half + 4096;
        ring_push(&r, half);
        _exit(2);
    }
    wait_for(child, SIGSEGV);
    assert_int_equal(ring_last_seq(&r), 2);
    assert_true(push(&r, 'c'));
    assert_int_equal(pop(&r), 'a');
    assert_true(ring_pop(&r, &out.r) > 0);
    assert_int_equal(out.r.seq, 3);
    assert_int_equal(out.r.bytes[0], 'c');
    assert_int_equal(pop(&r), '\0');
    ring_close(&r);
}

/* Both ends at once: in order, whole, and what is missing was counted. */
static void test_two_processes(void **state)
{
    (void)state;
    enum { RECORDS = 20000 };
    struct ring r = new_ring();
    union buffer b;
    uint64_t last = 0, got = 0;
    pid_t child = fork();
    if (child == 0) {
        for (uint64_t i = 1; i <= RECORDS; i++) {
            memset(&b, 0, sizeof b.r);
            size_t texts = i % 16 * 8;
            memset(b.r.bytes, (int)('a' + i % 26), texts);
            b.r.size = (uint32_t)(sizeof b.r + texts);
            b.r.path.len = (uint16_t)texts;
            if (!ring_push(&r, &b.r))
                sched_yield();
        }
        _exit(0);
    }
    while (last < RECORDS) {
        bool over = ring_last_seq(&r) == RECORDS && waitpid(child, NULL, WNOHANG) != 0;
        if (ring_pop(&r, &b.r) == 0) {
            if (over)
                break;
            continue;
        }
        assert_true(b.r.seq > last);
        last = b.r.seq;
        got++;
        assert_int_equal(b.r.size, sizeof b.r + last % 16 * 8);
        for (int i = 0; i < b.r.path.len; i++)
            assert_int_equal(b.r.bytes[i], 'a' + last % 26);
    }
    assert_int_equal(got + ring_dropped(&r), RECORDS);
    waitpid(child, NULL, 0);
    ring_close(&r);
}

/* Another process goes on where the first left off: numbers, what waits, what was dropped. */
static void test_attached(void **state)
{
    (void)state;
    struct ring r = new_ring(), s;
    union buffer out;
    assert_true(push(&r, 'a'));
    int memory = dup(r.memory_fd), wake = dup(r.wake_fd);
    assert_int_equal(ring_attach(&s, ROLE_SCOUT, memory, wake), 0);
    assert_int_equal(s.size, r.size);
    assert_true(push(&s, 'b'));
    assert_int_equal(pop(&s), 'a');
    assert_true(ring_pop(&r, &out.r) > 0);
    assert_int_equal(out.r.seq, 2);
    ring_close(&s);
    ring_close(&r);
    int fd = memfd_create("no ring", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, 1 << 16), 0);
    assert_int_equal(ring_attach(&s, ROLE_SCOUT, fd, -1), -1);
    assert_int_equal(ftruncate(fd, 16), 0);
    assert_int_equal(ring_attach(&s, ROLE_SCOUT, fd, -1), -1);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),         cmocka_unit_test(test_wake),
        cmocka_unit_test(test_wrap),          cmocka_unit_test(test_full),
        cmocka_unit_test(test_too_long),      cmocka_unit_test(test_hostile_consumer),
        cmocka_unit_test(test_malformed),     cmocka_unit_test(test_noise),
        cmocka_unit_test(test_seen),          cmocka_unit_test(test_dying_producer),
        cmocka_unit_test(test_two_processes), cmocka_unit_test(test_attached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
