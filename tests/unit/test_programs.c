#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/lookup.h"
#include "base/programs.h"

/* Time passes when a test says so, or with each look at the clock. */
static int64_t later_ns, tick_ns;

int clock_gettime(clockid_t id, struct timespec *t)
{
    long rc = syscall(SYS_clock_gettime, id, t);
    later_ns += tick_ns;
    int64_t ns = (int64_t)t->tv_sec * NS_PER_S + t->tv_nsec + later_ns;
    *t = (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    return (int)rc;
}

/* A directory with programs, and a policy that names some of them. */
struct house {
    char dir[32];
    char names[8][PATH_MAX];
    struct pattern patterns[8];
    struct policy policy;
    struct lookup *lookup;
    struct programs *programs;
    struct once once;
};

enum { SSH, LINK, GLOB, MISSING, ANY, N_PATTERNS };

static void path_in(const struct house *h, const char *name, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/%s", h->dir, name);
}

static void make(const struct house *h, const char *name)
{
    char path[PATH_MAX];
    path_in(h, name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    close(fd);
}

static void rename_in(const struct house *h, const char *from, const char *to)
{
    char a[PATH_MAX], b[PATH_MAX];
    path_in(h, from, a);
    path_in(h, to, b);
    assert_int_equal(rename(a, b), 0);
}

static struct house *new_house(void)
{
    static const char *const texts[N_PATTERNS] = {"ssh", "link", "lib/*-tool", "missing", "lib/**"};
    struct house *h = calloc(1, sizeof *h);
    char path[PATH_MAX];
    assert_non_null(h);
    strcpy(h->dir, "/tmp/fileward-test-XXXXXX");
    assert_non_null(mkdtemp(h->dir));
    for (int i = 0; i < N_PATTERNS; i++) {
        path_in(h, texts[i], h->names[i]);
        h->patterns[i].text = h->names[i];
    }
    path_in(h, "lib", path);
    assert_int_equal(mkdir(path, 0755), 0);
    make(h, "ssh");
    make(h, "other");
    make(h, "lib/a-tool");
    path_in(h, "link", path);
    assert_int_equal(symlink("other", path), 0);
    h->policy = (struct policy){.programs = h->patterns, .n_programs = N_PATTERNS};
    h->lookup = lookup_create();
    assert_non_null(h->lookup);
    h->programs = programs_create(&h->policy, h->lookup, &h->once);
    assert_non_null(h->programs);
    return h;
}

static void close_house(struct house *h)
{
    char command[64];
    programs_free(h->programs);
    lookup_free(h->lookup);
    snprintf(command, sizeof command, "rm -rf %s", h->dir);
    assert_int_equal(system(command), 0);
    free(h);
}

static struct program program_at(const struct house *h, const char *name)
{
    char path[PATH_MAX];
    struct statx st;
    path_in(h, name, path);
    assert_int_equal(stat_identity(AT_FDCWD, path, 0, &st), 0);
    return (struct program){.id = file_id_of(&st),
                            .changed_ns = st.stx_ctime.tv_sec * NS_PER_S + st.stx_ctime.tv_nsec,
                            .links = st.stx_nlink};
}

/* What the kernel says of the name; NULL: it cannot be told. */
static ssize_t told(const void *ctx, char *out, size_t size)
{
    return ctx ? snprintf(out, size, "%s", (const char *)ctx) : -1;
}

static unsigned ask(struct house *h, const struct program *p, const char *name, bool *impostor)
{
    struct program_set set;
    char path[PATH_MAX];
    unsigned bits = 0;
    if (name && name[0] != '!')
        path_in(h, name, path);
    else if (name)
        snprintf(path, sizeof path, "%s", name + 1); /* as it is */
    memset(&set, 0xff, sizeof set);
    programs_of(h->programs, p, told, name ? path : NULL, &set);
    *impostor = name && programs_impostor(h->programs, path, &set);
    for (size_t i = 0; i < PROGRAMS_MAX; i++)
        if (program_set_has(&set, i))
            bits |= i < N_PATTERNS ? 1u << i : 1u << 31;
    return bits;
}

static void expect(struct house *h, const struct program *p, const char *name, unsigned bits, bool impostor)
{
    bool is_impostor = !impostor;
    unsigned got = ask(h, p, name, &is_impostor);
    if (got != bits || is_impostor != impostor)
        fail_msg("%s: %#x, impostor %d", name ? name : "(no name)", got, is_impostor);
}

#define BIT(i) (1u << (i))

static void test_by_inode(void **state)
{
    (void)state;
    struct house *h = new_house();
    struct program ssh = program_at(h, "ssh"), other = program_at(h, "other"), tool = program_at(h, "lib/a-tool");
    expect(h, &ssh, "ssh", BIT(SSH), false);
    expect(h, &other, "other", BIT(LINK), false); /* what the symbolic link leads to */
    expect(h, &tool, "lib/a-tool", BIT(GLOB) | BIT(ANY), false);
    close_house(h);

    /* A hard link is the same program under a literal, whatever name the kernel tells, or none. */
    h = new_house();
    char from[PATH_MAX], to[PATH_MAX];
    path_in(h, "ssh", from);
    path_in(h, "hard", to);
    assert_int_equal(link(from, to), 0);
    struct program hard = program_at(h, "hard");
    expect(h, &hard, "hard", BIT(SSH), false);
    later_ns += 2 * NS_PER_S;
    expect(h, &hard, NULL, BIT(SSH), false);
    later_ns += 2 * NS_PER_S;
    expect(h, &hard, "!", BIT(SSH), false);
    later_ns += 2 * NS_PER_S;
    expect(h, &hard, "!(unreachable)/ssh", BIT(SSH), false);
    close_house(h);
}

/* A name alone never counts: in its own mount tree a process can have any. */
static void test_impostor(void **state)
{
    (void)state;
    struct house *h = new_house();
    make(h, "evil");
    struct program evil = program_at(h, "evil");
    static const struct {
        const char *name;
        bool impostor;
    } cases[] = {
        {"ssh", true},         {"lib/a-tool", true},
        {"lib/b-tool", true},  {"lib/sub/x", true},
        {"link", true},        {"missing", true},
        {"evil", false},       {"other", false},
        {"ssh/x", false},      {"ss", false},
        {"!ssh", false},       {"!", false},
        {"!memfd:ssh", false}, {"!/memfd:ssh (deleted)", false},
        {NULL, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        later_ns += 2 * NS_PER_S;
        expect(h, &evil, cases[i].name, 0, cases[i].impostor);
    }
    close_house(h);
}

static void test_deleted(void **state)
{
    (void)state;
    struct house *h = new_house();
    char path[PATH_MAX];
    struct program ssh = program_at(h, "ssh"), unseen = program_at(h, "other");
    expect(h, &ssh, "ssh", BIT(SSH), false);
    path_in(h, "ssh", path);
    assert_int_equal(unlink(path), 0);
    ssh.links = unseen.links = 0;
    ssh.changed_ns++;
    for (int i = 0; i < 3; i++) { /* it is what it was, however long */
        expect(h, &ssh, "ssh (deleted)", BIT(SSH), false);
        later_ns += 5 * NS_PER_S;
    }
    path_in(h, "other", path);
    assert_int_equal(unlink(path), 0);
    expect(h, &unseen, "other (deleted)", BIT(LINK),
           false); /* nobody ran it, and it was looked at as what a name leads to */
    struct program glob = program_at(h, "lib/a-tool");
    glob.links = 0;
    expect(h, &glob, "lib/a-tool (deleted)", 0, true); /* what a glob matches is known once it was run */

    /* Of the same number and another birth, it is another program. */
    struct program reused = ssh;
    reused.id.born_ns++;
    reused.links = 1;
    expect(h, &reused, "elsewhere", 0, false);
    close_house(h);
}

/* Another judge, that comes after the upgrade or after a reload, knows it too; it was that of one policy text only. */
static void test_deleted_before(void **state)
{
    (void)state;
    struct house *h = new_house();
    char path[PATH_MAX];
    struct program ssh = program_at(h, "ssh"), tool = program_at(h, "lib/a-tool");
    expect(h, &ssh, "ssh", BIT(SSH), false);
    expect(h, &tool, "lib/a-tool", BIT(GLOB) | BIT(ANY), false);
    path_in(h, "ssh", path);
    assert_int_equal(unlink(path), 0);
    ssh.links = tool.links = 0;

    programs_free(h->programs);
    h->programs = programs_create(&h->policy, h->lookup, NULL);
    expect(h, &ssh, "ssh (deleted)", 0, false);
    programs_free(h->programs);
    h->programs = programs_create(&h->policy, h->lookup, &h->once);
    expect(h, &ssh, "ssh (deleted)", BIT(SSH), false);
    expect(h, &ssh, "link", BIT(SSH), true); /* whatever it is called */
    expect(h, &tool, NULL, BIT(GLOB) | BIT(ANY), false);
    struct program other = ssh;
    other.id.born_ns++;
    expect(h, &other, "ssh (deleted)", 0, false);

    programs_free(h->programs);
    strcat(h->names[SSH], "-add");
    h->programs = programs_create(&h->policy, h->lookup, &h->once);
    expect(h, &ssh, "ssh (deleted)", 0, false);
    /* With a name it is what it is, not what it was. */
    ssh.links = 1;
    expect(h, &ssh, "elsewhere", 0, false);
    close_house(h);
}

static void count_patterns(void *ctx, uint64_t pattern)
{
    *(uint64_t *)ctx += pattern;
}

static uint64_t recalled(const struct once *o, uint64_t ino, int64_t born_ns)
{
    uint64_t sum = 0;
    once_find(o, &(struct file_id){8, 1, ino, born_ns}, count_patterns, &sum);
    return sum;
}

static void test_once(void **state)
{
    (void)state;
    static struct once o;
    for (uint64_t i = 1; i <= ONCE_MAX + 1; i++) {
        once_add(&o, 7, &(struct file_id){8, 1, i, 1});
        once_add(&o, 7, &(struct file_id){8, 1, i, 1}); /* is there already */
    }
    assert_int_equal(recalled(&o, 1, 1), 0); /* gave way */
    assert_int_equal(recalled(&o, 2, 1), 7);
    assert_int_equal(recalled(&o, ONCE_MAX + 1, 1), 7);
    once_add(&o, 8, &(struct file_id){8, 1, 100, 1});
    assert_int_equal(recalled(&o, 100, 1), 15); /* two patterns may name one program */
    assert_int_equal(recalled(&o, 100, 2), 0);
    once_add(&o, 7, &(struct file_id){8, 1, 5000, 0});
    assert_int_equal(recalled(&o, 5000, 0), 0); /* who was born then nobody knows */
}

/* A program that changed since the last look at the names is looked at anew: a rename is such a change. */
static void test_at_once(void **state)
{
    (void)state;
    struct house *h = new_house();
    struct program ssh = program_at(h, "ssh");
    expect(h, &ssh, "ssh", BIT(SSH), false);
    later_ns += 50 * NS_PER_MS;
    make(h, "new");
    rename_in(h, "new", "other");
    struct program other = program_at(h, "other");
    other.changed_ns = clock_wall();
    expect(h, &other, "!/by/another/name", BIT(LINK), false);
    later_ns += 50 * NS_PER_MS;
    rename_in(h, "ssh", "was-ssh");
    ssh.changed_ns = clock_wall();
    expect(h, &ssh, "was-ssh", 0, false);
    later_ns += 50 * NS_PER_MS;
    rename_in(h, "was-ssh", "ssh");
    ssh.changed_ns = clock_wall();
    expect(h, &ssh, "!", BIT(SSH), false);
    close_house(h);
}

/* Who runs a program under a name of his own choice does not take it away from those who run it under its own. */
static void test_other_name(void **state)
{
    (void)state;
#ifdef FILEWARD_NO_CACHE
    skip(); /* it is of what is remembered */
#endif
    struct house *h = new_house();
    struct program tool = program_at(h, "lib/a-tool");
    expect(h, &tool, "other", 0, false);
    expect(h, &tool, "lib/a-tool", BIT(GLOB) | BIT(ANY), false);
    expect(h, &tool, "other", BIT(GLOB) | BIT(ANY), false);
    close_house(h);
}

/* An upgrade puts a new inode under the name. */
static void test_replaced(void **state)
{
    (void)state;
#ifdef FILEWARD_NO_CACHE
    skip(); /* it is of what is remembered */
#endif
    struct house *h = new_house();
    struct program before = program_at(h, "ssh");
    expect(h, &before, "ssh", BIT(SSH), false);
    make(h, "new");
    rename_in(h, "new", "ssh");
    struct program after = program_at(h, "ssh");
    assert_false(file_id_equal(&before.id, &after.id));
    expect(h, &after, "ssh", BIT(SSH), false); /* at once by its name */

    make(h, "newer");
    rename_in(h, "newer", "ssh");
    struct program newer = program_at(h, "ssh");
    expect(h, &newer, "!/elsewhere/ssh", 0, false);
    later_ns += NS_PER_S; /* at the latest, by any name */
    expect(h, &newer, "!/elsewhere/ssh", BIT(SSH), false);

    /* What had the name and has lost it is no longer that program, at most a second later. */
    rename_in(h, "ssh", "ssh.old");
    struct program old = program_at(h, "ssh.old");
    expect(h, &old, "ssh.old", BIT(SSH), false);
    later_ns += NS_PER_S;
    expect(h, &old, "ssh.old", 0, false);
    close_house(h);
}

/* Who changes programs all the time does not make us look at names all the time; the slow look of a busy machine is not the
 * last one for long. */
static void test_share(void **state)
{
    (void)state;
#ifdef FILEWARD_NO_CACHE
    skip(); /* it looks each time */
#endif
    struct house *h = new_house();
    int found = 0;
    tick_ns = 4 * NS_PER_MS; /* so long each look takes at least */
    for (int i = 0; i < 50; i++) {
        char name[16];
        struct program_set set;
        snprintf(name, sizeof name, "n%d", i);
        make(h, name);
        rename_in(h, name, "other");
        struct program p = program_at(h, "other");
        p.changed_ns = clock_wall();
        assert_true(programs_of(h->programs, &p, told, "/by/another/name", &set));
        assert_true(i > 2 || program_set_has(&set, LINK));
        found += program_set_has(&set, LINK);
    }
    assert_in_range(found, 3, 25);
    struct program p = program_at(h, "other");
    tick_ns = 0;
    later_ns += 900 * NS_PER_MS; /* less than after which it looks in any case */
    p.changed_ns = clock_wall();
    expect(h, &p, "!/by/another/name", BIT(LINK), false);
    close_house(h);
}

static void test_appears(void **state)
{
    (void)state;
    struct house *h = new_house();
    struct program ssh = program_at(h, "ssh");
    expect(h, &ssh, "ssh", BIT(SSH), false);
    make(h, "missing");
    struct program p = program_at(h, "missing");
    expect(h, &p, "missing", BIT(MISSING), false);

    /* A change of mode or links is looked at at once: the name may be another. */
    make(h, "lib/plain");
    struct program q = program_at(h, "lib/plain");
    expect(h, &q, "lib/plain", BIT(ANY), false);
    rename_in(h, "lib/plain", "plain");
    q.changed_ns++;
    expect(h, &q, "plain", 0, false);
    close_house(h);
}

/* More programs than it keeps: each is still told right. */
static void test_many(void **state)
{
    (void)state;
    struct house *h = new_house();
    struct program ssh = program_at(h, "ssh"), p = ssh;
    for (uint64_t i = 1; i < 3000; i++) {
        p.id.ino = ssh.id.ino + i * 7919;
        later_ns++;
        expect(h, &p, i % 2 ? "ssh" : "nothing", 0, i % 2);
        if (i % 100 == 0)
            expect(h, &ssh, "ssh", BIT(SSH), false);
    }
    close_house(h);
}

static void test_empty(void **state)
{
    (void)state;
    const struct policy p = {.n_programs = 0};
    struct lookup *names = lookup_create();
    struct programs *t = programs_create(&p, names, NULL);
    struct program_set set, none = {0};
    assert_non_null(t);
    assert_true(programs_of(t, &(struct program){.id = {8, 1, 5, 5}, .links = 1}, told, "/usr/bin/x", &set));
    assert_memory_equal(&set, &none, sizeof set);
    assert_false(programs_impostor(t, "/usr/bin/x", &set));
    programs_free(t);
    programs_free(NULL);
    lookup_free(names);
}

/* On a file system where nothing is looked up, /proc for one, a program is unknown. */
static void test_refused(void **state)
{
    (void)state;
    struct house *h = new_house();
    struct statx st;
    struct program_set set;
    assert_int_equal(stat_identity(AT_FDCWD, "/proc/version", 0, &st), 0);
    struct program p = {.id = file_id_of(&st), .links = 1};
    for (int i = 0; i < 3; i++) {
        assert_false(programs_of(h->programs, &p, told, "/proc/version", &set));
        later_ns += i * NS_PER_S;
    }
    struct program ssh = program_at(h, "ssh");
    assert_true(programs_of(h->programs, &ssh, told, "x", &set));
    close_house(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_inode), cmocka_unit_test(test_impostor),       cmocka_unit_test(test_deleted),
        cmocka_unit_test(test_replaced), cmocka_unit_test(test_share),          cmocka_unit_test(test_appears),
        cmocka_unit_test(test_many),     cmocka_unit_test(test_empty),          cmocka_unit_test(test_other_name),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_deleted_before), cmocka_unit_test(test_once),
        cmocka_unit_test(test_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
