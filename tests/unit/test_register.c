#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/register.h"

static struct reg *new_register(void)
{
    int fd;
    struct reg *r = reg_create(&fd);
    assert_non_null(r);
    close(fd);
    return r;
}

static void expect_place(const struct reg *r, uint32_t entry, const char *place)
{
    char out[PATH_MAX];
    assert_int_equal(reg_place(r, entry, out, sizeof out), strlen(place));
    assert_string_equal(out, place);
}

static void test_places(void **state)
{
    (void)state;
    struct reg *r = new_register();
    const struct file_id dir = {8, 1, 100, 5}, sub = {8, 1, 101, 5}, file = {8, 1, 102, 5}, none = {8, 1, 103, 5};
    assert_int_equal(reg_find(r, 0, &dir), 0);
    uint32_t d = reg_add(r, 0, &dir, 0, "/home/a/.ssh"), s = reg_add(r, 0, &sub, d, "keys"),
             f = reg_add(r, 0, &file, s, "id with blank");
    assert_true(d > 0 && s > d && f > s);
    assert_int_equal(reg_find(r, 0, &dir), d);
    assert_int_equal(reg_find(r, 0, &sub), s);
    assert_int_equal(reg_find(r, 0, &file), f);
    assert_int_equal(reg_find(r, 0, &none), 0);
    expect_place(r, d, "/home/a/.ssh");
    expect_place(r, s, "/home/a/.ssh/keys");
    expect_place(r, f, "/home/a/.ssh/keys/id with blank");

    /* The first name stays, whatever else the inode is called. */
    assert_int_equal(reg_add(r, 0, &file, 0, "/tmp/other"), f);
    expect_place(r, f, "/home/a/.ssh/keys/id with blank");
    reg_close(r);
}

/* Devices that are covered, each of one watch; and a snapshot, which has the numbers of what it was made of. */
static void test_devices(void **state)
{
    (void)state;
    struct reg *r = new_register();
    struct reg_device d;
    const struct file_id file = {0, 40, 257, 77}, copy = {0, 41, 257, 77}, younger = {0, 41, 257, 78},
                         other = {0, 41, 258, 77};
    uint32_t f = reg_add(r, 3, &file, 0, "/data/in/file");
    assert_int_equal(reg_find_copied(r, 3, &copy), 0);
    assert_false(reg_is_covered(r, 3));
    assert_false(reg_device(r, 0, &d));
    assert_true(reg_cover(r, 3, 0, 40, f, false));
    assert_true(reg_cover(r, 3, 0, 40, f, false));
    assert_true(reg_is_covered(r, 3));
    assert_false(reg_is_covered(r, 4));
    assert_true(reg_covers(r, 3, 0, 40));
    assert_false(reg_covers(r, 4, 0, 40));
    assert_false(reg_covers(r, 3, 0, 41));
    assert_true(reg_device(r, 0, &d));
    assert_true(d.major == 0 && d.minor == 40 && d.entry == f && d.watch == 3);
    assert_false(reg_device(r, 1, &d)); /* the same only once */
    assert_false(reg_device(r, -1, &d));

    assert_int_equal(reg_find_copied(r, 3, &copy), f);
    assert_int_equal(reg_find_copied(r, 4, &copy), 0);
    assert_int_equal(reg_find_copied(r, 3, &younger), 0);
    assert_int_equal(reg_find_copied(r, 3, &other), 0);
    /* On a device that is covered itself the same numbers are another file. */
    assert_true(reg_cover(r, 3, 0, 41, f, false));
    assert_int_equal(reg_find_copied(r, 3, &copy), 0);

    for (uint32_t i = 2; i < REGISTER_DEVICES_MAX; i++)
        assert_true(reg_cover(r, 5, 1, i, f, false));
    assert_false(reg_cover(r, 5, 2, 0, f, false));
    assert_true(reg_cover(r, 3, 0, 40, f, false)); /* known as ever */
    reg_close(r);
}

/* What users have made takes half of the room at most. */
static void test_devices_of_users(void **state)
{
    (void)state;
    struct reg *r = new_register();
    for (uint32_t i = 0; i < REGISTER_DEVICES_OF_USERS; i++)
        assert_true(reg_cover(r, 3, 0, i, 0, true));
    assert_false(reg_cover(r, 3, 1, 0, 0, true));
    assert_false(reg_cover(r, 4, 1, 0, 0, true));
    assert_true(reg_cover(r, 4, 1, 0, 0, false));
    assert_true(reg_cover(r, 4, 1, 0, 0, true)); /* known as ever */
    reg_close(r);
}

/* What makes an inode another one: each part of its identity, and the watch. */
static void test_identity(void **state)
{
    (void)state;
    struct reg *r = new_register();
    const struct {
        int watch;
        struct file_id id;
    } keys[] = {
        {0, {8, 1, 4711, 1000}}, {1, {8, 1, 4711, 1000}}, /* in two watches */
        {0, {8, 1, 4711, 2000}},                          /* its number used again */
        {0, {8, 1, 4711, 0}},                             /* no birth time */
        {0, {8, 2, 4711, 1000}}, {0, {9, 1, 4711, 1000}},
        {0, {8, 1, 4712, 1000}}, {REGISTER_NEIGHBOURHOOD, {8, 1, 4711, 1000}}, /* marked, but not guarded */
        {0, {0, 0, 0, 0}},       {0, {UINT32_MAX, UINT32_MAX, UINT64_MAX, INT64_MIN}},
    };
    enum { N = sizeof keys / sizeof keys[0] };
    char place[32];
    uint32_t entry[N];
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(reg_find(r, keys[i].watch, &keys[i].id), 0);
        snprintf(place, sizeof place, "/%zu", i);
        entry[i] = reg_add(r, keys[i].watch, &keys[i].id, 0, place);
        assert_int_equal(entry[i], i + 1);
    }
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(reg_find(r, keys[i].watch, &keys[i].id), entry[i]);
        snprintf(place, sizeof place, "/%zu", i);
        expect_place(r, entry[i], place);
    }
    reg_close(r);
}

/* A buffer that is too short gets nothing, and nothing is written behind it. */
static void test_room(void **state)
{
    (void)state;
    struct reg *r = new_register();
    const struct file_id a = {1, 1, 1, 1}, b = {1, 1, 2, 1};
    uint32_t d = reg_add(r, 0, &a, 0, "/etc/ssh"), f = reg_add(r, 0, &b, d, "key");
    char out[32];
    for (size_t size = 0; size <= sizeof "/etc/ssh/key"; size++) {
        memset(out, 'X', sizeof out);
        size_t n = reg_place(r, f, out, size);
        assert_int_equal(n, size < sizeof "/etc/ssh/key" ? 0 : 12);
        assert_int_equal(out[size], 'X');
    }
    assert_string_equal(out, "/etc/ssh/key");
    assert_int_equal(reg_place(r, 0, out, sizeof out), 0);
    assert_int_equal(reg_place(r, 77, out, sizeof out), 0);
    assert_int_equal(reg_place(r, REGISTER_ENTRIES_MAX, out, sizeof out), 0);
    assert_int_equal(reg_place(r, UINT32_MAX, out, sizeof out), 0);
    reg_close(r);
}

static void test_long_names(void **state)
{
    (void)state;
    struct reg *r = new_register();
    char name[NAME_MAX + 1], whole[PATH_MAX + NAME_MAX + 2] = "";
    memset(name, 'n', NAME_MAX);
    name[NAME_MAX] = '\0';
    uint32_t parent = reg_add(r, 0, &(struct file_id){.ino = 1}, 0, "/d");
    snprintf(whole, sizeof whole, "/d");
    for (uint64_t i = 2; strlen(whole) + 1 + NAME_MAX < PATH_MAX; i++) {
        parent = reg_add(r, 0, &(struct file_id){.ino = i}, parent, name);
        assert_int_equal(parent, i);
        size_t len = strlen(whole);
        whole[len] = '/';
        memcpy(whole + len + 1, name, NAME_MAX + 1);
        expect_place(r, parent, whole);
    }
    char out[PATH_MAX];
    parent = reg_add(r, 0, &(struct file_id){.ino = 99}, parent, name);
    assert_int_equal(reg_place(r, parent, out, sizeof out), 0); /* longer than any path */

    char *huge = malloc(UINT16_MAX + 2);
    assert_non_null(huge);
    memset(huge, 'h', UINT16_MAX + 1);
    huge[UINT16_MAX + 1] = '\0';
    assert_int_equal(reg_add(r, 0, &(struct file_id){.ino = 100}, 0, huge), 0);
    assert_int_equal(reg_find(r, 0, &(struct file_id){.ino = 100}), 0);
    free(huge);
    reg_close(r);
}

/* When it is full it says so, again and again, and what it has stays. */
static void test_full(void **state)
{
    (void)state;
    struct reg *r = new_register();
    struct file_id id = {.major = 8, .minor = 1};
    uint32_t parent = reg_add(r, 3, &id, 0, "/d"), entry = parent;
    uint32_t added = 1;
    while (entry) {
        id.ino++;
        entry = reg_add(r, 3, &id, parent, "f");
        added += entry != 0;
        assert_true(added <= REGISTER_ENTRIES_MAX);
    }
    assert_int_equal(added, REGISTER_ENTRIES_MAX - 1); /* entry 0 means none */
    assert_int_equal(reg_add(r, 3, &id, parent, "f"), 0);
    assert_int_equal(reg_find(r, 3, &id), 0);
    id.ino--;
    expect_place(r, reg_find(r, 3, &id), "/d/f");
    assert_int_equal(reg_add(r, 3, &id, 0, "/x"), reg_find(r, 3, &id));
    reg_close(r);
}

static void test_names_full(void **state)
{
    (void)state;
    struct reg *r = new_register();
    char *name = malloc(UINT16_MAX + 1);
    uint64_t n = 1;
    assert_non_null(name);
    memset(name, 'n', UINT16_MAX);
    name[UINT16_MAX] = '\0';
    while (reg_add(r, 0, &(struct file_id){.ino = n}, 0, name))
        assert_true(n++ < REGISTER_ENTRIES_MAX);
    assert_int_equal(reg_find(r, 0, &(struct file_id){.ino = n}), 0);
    assert_true(reg_add(r, 0, &(struct file_id){.ino = n}, 0, "/short") > 0); /* there is room for that */
    expect_place(r, reg_find(r, 0, &(struct file_id){.ino = n}), "/short");
    free(name);
    reg_close(r);
}

static uint64_t inode_of(uint32_t i)
{
    return (uint64_t)i * UINT64_C(2654435761);
}

/* Bytes that the register takes for each of `files`, with names of `len` letters. */
static double bytes_for_each(uint64_t files, int len)
{
    int fd;
    struct stat st;
    char name[32];
    struct reg *r = reg_create(&fd);
    assert_non_null(r);
    uint32_t dir = reg_add(r, 0, &(struct file_id){.ino = 1}, 0, "/d");
    for (uint64_t i = 2; i <= files; i++) {
        snprintf(name, sizeof name, "%0*d", len, (int)i);
        assert_int_equal(reg_add(r, 0, &(struct file_id){.ino = i, .born_ns = (int64_t)i}, dir, name), i);
        reg_set_note(r, (uint32_t)i, &(struct reg_note){.handle = inode_of((uint32_t)i), .charged = 1000});
    }
    for (uint64_t i = 1; i <= files; i++)
        assert_int_equal(reg_find(r, 0, &(struct file_id){.ino = i, .born_ns = i > 1 ? (int64_t)i : 0}), i);
    assert_int_equal(fstat(fd, &st), 0);
    reg_close(r);
    close(fd);
    return (double)st.st_blocks * 512 / (double)files;
}

/* Memory grows with the files: less than 100 bytes each, name and all, also when the table has just been made larger. */
static void test_memory(void **state)
{
    (void)state;
    const uint64_t just_grown = (1 << 16) + 1;
    assert_true(bytes_for_each(100000, 20) < 100);
    assert_true(bytes_for_each(just_grown, 20) < 100);
    assert_true(bytes_for_each(1000, 20) < 110); /* in whole pages */
}

/* Reads what another process adds meanwhile: whatever can be found is whole, and what was added before can be found. */
static int read_along(const struct reg *r, const _Atomic uint32_t *written, uint32_t all)
{
    unsigned random = 3;
    for (uint32_t n = 0; n < all;) {
        n = atomic_load(written);
        for (int i = 0; i < 20; i++) {
            random = random * 1103515245u + 12345u;
            uint32_t wanted = i == 0 ? n + 1 : 1 + (random >> 4) % (n + 1);
            uint32_t e = reg_find(r, 1, &(struct file_id){.ino = inode_of(wanted), .born_ns = wanted});
            char expected[32], place[32];
            snprintf(expected, sizeof expected, "/dir/file-%u", wanted);
            if (e == 0 && wanted <= n)
                return 1;
            if (e != 0 && (reg_place(r, e, place, sizeof place) == 0 || strcmp(place, expected) != 0))
                return 2;
        }
    }
    return 0;
}

static void test_concurrent_reader(void **state)
{
    (void)state;
    enum { FILES = 100000 };
    struct reg *r = new_register();
    _Atomic uint32_t *written = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(written, MAP_FAILED);
    uint32_t dir = reg_add(r, 1, &(struct file_id){.ino = 1}, 0, "/dir");
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        _exit(read_along(r, written, FILES));
    }
    for (uint32_t i = 1; i <= FILES; i++) {
        char name[32];
        snprintf(name, sizeof name, "file-%u", i);
        assert_int_equal(reg_add(r, 1, &(struct file_id){.ino = inode_of(i), .born_ns = i}, dir, name), i + 1);
        atomic_store(written, i);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    munmap((void *)written, 4096);
    reg_close(r);
}

static void count(void *ctx, int watch, uint32_t entry)
{
    (void)entry;
    ((int *)ctx)[watch]++;
}

/* What one scout wrote the next one finds, in another mapping too; a policy may come to leave a place out. */
static void test_heritage(void **state)
{
    (void)state;
    int fd, n[3] = {0};
    struct reg *r = reg_create(&fd);
    assert_non_null(r);
    struct file_id a = {.ino = 1}, b = {.ino = 2};
    uint32_t entry = reg_add(r, 1, &a, 0, "/a");
    assert_int_equal(reg_add(r, 2, &b, 0, "/b"), entry + 1);
    struct reg *s = reg_attach(fd);
    assert_non_null(s);
    assert_int_equal(reg_find(s, 1, &a), entry);
    expect_place(s, entry, "/a");
    assert_false(reg_is_outside(s, entry));
    reg_set_outside(r, entry, true);
    assert_true(reg_is_outside(s, entry) && !reg_is_outside(s, entry + 1));
    reg_set_outside(r, entry, false);
    assert_false(reg_is_outside(s, entry));
    reg_set_outside(r, 0, true); /* no entry */
    reg_set_outside(r, UINT32_MAX, true);
    assert_false(reg_is_outside(s, UINT32_MAX));
    reg_for_each(s, count, n);
    assert_int_equal(n[1], 1);
    assert_int_equal(n[2], 1);
    reg_close(s);
    reg_close(r);
    /* Anything else is not taken for one. */
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_null(reg_attach(fd));
    close(fd);
    assert_null(reg_attach(-1));
}

static uint32_t add_file(struct reg *r, uint64_t ino, uint32_t parent, const char *name)
{
    uint32_t e = reg_add(r, 1, &(struct file_id){.ino = ino}, parent, name);
    assert_true(e > 0);
    reg_set_note(r, e, &(struct reg_note){.handle = ino << 32, .charged = (uint32_t)ino, .loose = ino & 1});
    return e;
}

/* What is removed is not found, its number is used again; what others lie below keeps their places right. */
static void test_remove(void **state)
{
    (void)state;
    struct reg *r = new_register();
    uint32_t found[4], dir = add_file(r, 10, 0, "/d"), sub = add_file(r, 11, dir, "sub"),
                       file = add_file(r, 12, sub, "f");
    assert_int_equal(reg_with_handle(r, UINT64_C(11) << 32, found, 4), 1);
    assert_int_equal(found[0], sub);
    assert_int_equal(reg_note(r, sub).charged, 11);
    assert_true(reg_note(r, sub).loose && !reg_note(r, dir).loose);

    reg_remove(r, sub);
    reg_remove(r, sub); /* once is enough */
    reg_remove(r, dir);
    assert_int_equal(reg_find(r, 1, &(struct file_id){.ino = 11}), 0);
    assert_int_equal(reg_with_handle(r, UINT64_C(11) << 32, found, 4), 0);
    assert_false(reg_holds(r, sub, 1, &(struct file_id){.ino = 12}));
    expect_place(r, file, "/d/sub/f");
    assert_int_equal(reg_size(r).entries, 3);
    uint32_t again = add_file(r, 11, 0, "/other"); /* its number is another's place by now */
    assert_true(again != sub && again != dir);
    expect_place(r, again, "/other");

    uint64_t stamp = reg_stamp(r, file), other = reg_stamp(r, again);
    reg_set_outside(r, file, true);
    assert_true(stamp != 0 && stamp == reg_stamp(r, file) && stamp != other);
    reg_remove(r, file); /* the last: all three go */
    assert_int_equal(reg_size(r).entries, 1);
    assert_int_equal(reg_stamp(r, file), 0);
    assert_false(reg_holds(r, file, 1, &(struct file_id){.ino = 12}));
    char out[PATH_MAX];
    assert_int_equal(reg_place(r, file, out, sizeof out), 0);
    for (uint32_t n = 1; n <= 3; n++) { /* in whichever of their places they come to stand */
        uint32_t entry = add_file(r, 13 + n, 0, "/new");
        assert_true(entry <= file);
        assert_true(reg_stamp(r, entry) != stamp && reg_stamp(r, entry) != other);
    }
    reg_close(r);
}

/* Several entries of one inode, in several watches. */
static void test_handles(void **state)
{
    (void)state;
    struct reg *r = new_register();
    uint32_t found[8], entry[3];
    const int numbers[3] = {1, 1 + REGISTER_OUTPOST, 2};
    for (int i = 0; i < 3; i++) {
        entry[i] = reg_add(r, numbers[i], &(struct file_id){.ino = 5}, 0, "/d");
        reg_set_note(r, entry[i], &(struct reg_note){.handle = 77});
    }
    assert_int_equal(reg_with_handle(r, 77, found, 8), 3);
    assert_int_equal(reg_with_handle(r, 77, found, 2), 2);
    assert_int_equal(reg_with_handle(r, 78, found, 8), 0);
    assert_int_equal(reg_with_handle(r, 0, found, 8), 0);
    reg_remove(r, entry[1]);
    reg_set_note(r, entry[0], &(struct reg_note){.handle = 78}); /* another handle instead */
    assert_int_equal(reg_with_handle(r, 77, found, 8), 1);
    assert_int_equal(found[0], entry[2]);
    assert_int_equal(reg_with_handle(r, 78, found, 8), 1);
    assert_int_equal(reg_watch(r, entry[2]), 2);
    assert_int_equal(reg_id(r, entry[2]).ino, 5);
    reg_close(r);
}

/* Many come and go, again and again: nothing grows, and what stays keeps its place. */
static void test_memory_returns(void **state)
{
    (void)state;
    enum { FILES = 50000, ROUNDS = 4 };
    int fd;
    struct stat st;
    struct reg *r = reg_create(&fd);
    assert_non_null(r);
    uint32_t dir = add_file(r, 1, 0, "/some/where"), stays = add_file(r, 2, dir, "stays"),
             *entry = calloc(FILES, sizeof *entry);
    assert_non_null(entry);
    assert_int_equal(fstat(fd, &st), 0);
    blkcnt_t before = st.st_blocks, most = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < FILES; i++) {
            char name[64];
            snprintf(name, sizeof name, "file-%d-%u", round, i);
            entry[i] = add_file(r, 10 + i + (uint64_t)round * 1000000, dir, name);
        }
        assert_int_equal(fstat(fd, &st), 0);
        assert_true(round == 0 || st.st_blocks <= most + most / 10);
        most = st.st_blocks > most ? st.st_blocks : most;
        for (uint32_t i = 0; i < FILES; i++)
            reg_remove(r, entry[(i * UINT64_C(7919)) % FILES]);
        assert_int_equal(reg_size(r).entries, 2);
        expect_place(r, stays, "/some/where/stays");
        assert_int_equal(fstat(fd, &st), 0);
        assert_true(st.st_blocks * 512 <= before * 512 + (1 << 18));
    }
    free(entry);
    reg_close(r);
    close(fd);
}

/* Reads while another process adds and removes: what stays is always found and whole, and what is found is what was
 * asked for. */
static int read_through_changes(const struct reg *r, const _Atomic uint32_t *over)
{
    char place[64], expected[64];
    for (unsigned i = 0; !atomic_load(over); i++) {
        const struct file_id stays = {.ino = 2}, passes = {.ino = 10 + i % 3000};
        uint32_t e = reg_find(r, 1, &stays);
        if (!e || reg_place(r, e, place, sizeof place) == 0 || strcmp(place, "/dir/stays") != 0)
            return 1;
        e = reg_find(r, 1, &passes);
        snprintf(expected, sizeof expected, "/dir/passes-%u", (unsigned)passes.ino);
        if (e && reg_place(r, e, place, sizeof place) > 0 && reg_holds(r, e, 1, &passes) &&
            strcmp(place, expected) != 0)
            return 2;
    }
    return 0;
}

static void test_reader_of_changes(void **state)
{
    (void)state;
    struct reg *r = new_register();
    _Atomic uint32_t *over = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(over, MAP_FAILED);
    uint32_t dir = add_file(r, 1, 0, "/dir"), entry[3000];
    add_file(r, 2, dir, "stays");
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit(read_through_changes(r, over));
    }
    for (int round = 0; round < 60; round++) { /* the slots and the names move in each */
        for (uint32_t i = 0; i < 3000; i++) {
            char name[32];
            snprintf(name, sizeof name, "passes-%u", 10 + i);
            entry[i] = add_file(r, 10 + i, dir, name);
        }
        for (uint32_t i = 0; i < 3000; i++)
            reg_remove(r, entry[i]);
    }
    atomic_store(over, 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    munmap((void *)over, 4096);
    reg_close(r);
}

/* A writer that died in the middle leaves nothing that the next one cannot put right. */
static void test_mend(void **state)
{
    (void)state;
    for (int microseconds = 200; microseconds < 20000; microseconds += 1500) {
        struct reg *r = new_register();
        uint32_t dir = add_file(r, 1, 0, "/dir");
        add_file(r, 2, dir, "stays");
        pid_t child = fork();
        for (uint64_t i = 0; child == 0; i++) {
            char name[32];
            uint64_t ino = 10 + i % 2000;
            uint32_t e = reg_find(r, 1, &(struct file_id){.ino = ino});
            snprintf(name, sizeof name, "passes-%u", (unsigned)ino);
            if (e)
                reg_remove(r, e);
            else
                add_file(r, ino, dir, name);
        }
        usleep((useconds_t)microseconds);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        reg_mend(r);
        expect_place(r, reg_find(r, 1, &(struct file_id){.ino = 2}), "/dir/stays");
        for (uint64_t ino = 10; ino < 2010; ino++) {
            char place[32];
            uint32_t e = reg_find(r, 1, &(struct file_id){.ino = ino});
            snprintf(place, sizeof place, "/dir/passes-%u", (unsigned)ino);
            if (e)
                expect_place(r, e, place);
            reg_remove(r, e);
            assert_int_equal(reg_find(r, 1, &(struct file_id){.ino = ino}), 0);
        }
        assert_int_equal(reg_size(r).entries, 2);
        reg_close(r);
    }
}

static int64_t add_many(struct reg *r, bool chosen)
{
    struct timespec from, to;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    for (uint64_t ino = 1; ino <= 20000; ino++) {
        /* Chosen so that a hash that only multiplies and adds up makes the same number of them all. */
        uint64_t born = chosen ? ino * UINT64_C(0x9E3779B97F4A7C15) : ino;
        assert_true(reg_add(r, 0, &(struct file_id){.ino = ino, .born_ns = (int64_t)born}, 0, "/x") > 0);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    return (to.tv_sec - from.tv_sec) * INT64_C(1000000000) + to.tv_nsec - from.tv_nsec;
}

/* Whoever can choose inodes cannot choose where they lie. */
static void test_seed(void **state)
{
    (void)state;
    struct reg *r = new_register();
    int64_t usual = add_many(r, false);
    reg_close(r);
    r = new_register();
    assert_true(add_many(r, true) < 20 * usual);
    reg_close(r);
    unsigned char seed[2][24]; /* behind the number of the layout */
    for (int i = 0; i < 2; i++) {
        int fd;
        reg_close(reg_create(&fd));
        assert_int_equal(pread(fd, seed[i], sizeof seed[i], 0), sizeof seed[i]);
        close(fd);
    }
    assert_memory_equal(seed[0], seed[1], 8);
    assert_memory_not_equal(seed[0] + 8, seed[1] + 8, 8);
    assert_memory_not_equal(seed[0] + 16, seed[1] + 16, 8);
}

/* Writes `value` behind the identity of the entry that has this one, as a writer gone mad would. */
static void scribble(int fd, const struct file_id *id, size_t behind, uint32_t value)
{
    static char page[4096];
    for (off_t at = 0; (at = lseek(fd, at, SEEK_DATA)) >= 0; at += (off_t)sizeof page) {
        assert_int_equal(pread(fd, page, sizeof page, at), sizeof page);
        const char *there = memmem(page, sizeof page, id, sizeof *id);
        if (!there)
            continue;
        off_t where = at + (there - page) + (off_t)(sizeof *id + behind);
        assert_int_equal(pwrite(fd, &value, sizeof value, where), sizeof value);
        return;
    }
    fail();
}

/* Nor does one that wrote nonsense end the next. */
static void test_mend_nonsense(void **state)
{
    (void)state;
    int fd;
    struct reg *r = reg_create(&fd);
    const struct file_id dir = {8, 1, 4711, 1000}, file = {8, 1, 4712, 1001};
    assert_non_null(r);
    uint32_t d = reg_add(r, 0, &dir, 0, "/dir");
    reg_add(r, 0, &file, d, "file");
    scribble(fd, &file, sizeof(uint64_t), UINT32_MAX / 2); /* its parent */
    reg_mend(r);
    reg_remove(r, reg_find(r, 0, &file));
    assert_int_equal(reg_find(r, 0, &file), 0);
    expect_place(r, reg_find(r, 0, &dir), "/dir");
    assert_int_equal(reg_size(r).entries, 1);
    close(fd);
    reg_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_mend_nonsense),
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_devices_of_users),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_names_full),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_concurrent_reader),
        cmocka_unit_test(test_heritage),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_handles),
        cmocka_unit_test(test_memory_returns),
        cmocka_unit_test(test_reader_of_changes),
        cmocka_unit_test(test_mend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
