/* Who holds what, by a /proc that the test makes: descriptors, mappings, threads, and what is not even looked at. */
#include <errno.h>
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
#include <unistd.h>

#include <cmocka.h>

#include "base/holdings.h"
#include "base/own.h"

enum { WATCH = 3, OTHER = 4, FIRST = 99990001 /* no process has such a number */ };

struct world {
    char dir[32];
    struct reg *reg;
    int proc;
    char said[16][128];
    int n;
    int begun;
};

static void path_in(const struct world *w, char out[PATH_MAX], const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void path_in(const struct world *w, char out[PATH_MAX], const char *format, ...)
{
    va_list list;
    int n = snprintf(out, PATH_MAX, "%s/", w->dir);
    va_start(list, format);
    vsnprintf(out + n, PATH_MAX - (size_t)n, format, list);
    va_end(list);
}

static void put_file(const char *path, const char *text)
{
    CLEAN_FILE FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
}

static struct file_id id_of(const struct world *w, const char *name)
{
    char path[PATH_MAX];
    struct statx st;
    path_in(w, path, "%s", name);
    assert_int_equal(stat_identity(AT_FDCWD, path, 0, &st), 0);
    return file_id_of(&st);
}

static void make_dir(const char *path)
{
    assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
}

static void add_process(const struct world *w, int pid, int tid)
{
    char path[PATH_MAX];
    path_in(w, path, "proc/%d", pid);
    make_dir(path);
    path_in(w, path, "proc/%d/map_files", pid);
    make_dir(path);
    path_in(w, path, "proc/%d/task", pid);
    make_dir(path);
    path_in(w, path, "proc/%d/task/%d", pid, tid);
    make_dir(path);
    path_in(w, path, "proc/%d/task/%d/fd", pid, tid);
    make_dir(path);
    path_in(w, path, "proc/%d/task/%d/fdinfo", pid, tid);
    make_dir(path);
}

static void add_fd(const struct world *w, int pid, int tid, int fd, const char *name, const char *info)
{
    char path[PATH_MAX], target[PATH_MAX];
    path_in(w, target, "%s", name);
    path_in(w, path, "proc/%d/task/%d/fd/%d", pid, tid, fd);
    assert_int_equal(symlink(name[0] == ':' ? name + 1 : target, path), 0);
    path_in(w, path, "proc/%d/task/%d/fdinfo/%d", pid, tid, fd);
    put_file(path, info);
}

/* `number`: what maps says of its inode. */
static void add_mapping(const struct world *w, int pid, int tid, const char *range, const char *name, uint64_t number)
{
    char path[PATH_MAX], target[PATH_MAX];
    path_in(w, target, "%s", name);
    path_in(w, path, "proc/%d/map_files/%s", pid, range);
    assert_int_equal(symlink(target, path), 0);
    path_in(w, path, "proc/%d/task/%d/maps", pid, tid);
    CLEAN_FILE FILE *f = fopen(path, "ae");
    assert_non_null(f);
    fprintf(f, "00%s r--p 00000000 08:01 %lu                  %s\n", range, (unsigned long)number, target);
}

static void on_holding(void *ctx, const struct holding *h)
{
    struct world *w = ctx;
    char place[64];
    reg_place(w->reg, h->entry, place, sizeof place);
    assert_true(w->n < 16);
    snprintf(w->said[w->n++], 128, "%d %s %u %d", h->process->tid - FIRST, place, h->by, h->watch);
}

static void on_begin(void *ctx, int32_t pid)
{
    (void)pid;
    ((struct world *)ctx)->begun++;
}

static void look(struct world *w, const int32_t *left_out, int32_t after)
{
    const int numbers[] = {OTHER, WATCH};
    w->n = w->begun = 0;
    assert_true(holdings_find(&(struct holdings_search){.proc = w->proc,
                                                        .reg = w->reg,
                                                        .numbers = numbers,
                                                        .n = 2,
                                                        .left_out = left_out,
                                                        .after = after,
                                                        .each = on_holding,
                                                        .begin = on_begin,
                                                        .ctx = w}));
}

static bool has(const struct world *w, const char *line)
{
    for (int i = 0; i < w->n; i++)
        if (strcmp(w->said[i], line) == 0)
            return true;
    return false;
}

static const char *info_of(const struct world *w, const char *flags, const char *name)
{
    static char text[128];
    snprintf(text, sizeof text, "pos:\t0\nflags:\t%s\nmnt_id:\t29\nino:\t%lu\n", flags,
             (unsigned long)id_of(w, name).ino);
    return text;
}

static struct world *new_world(void)
{
    static const char *const names[] = {"key", "other", "free", "left"};
    struct world *w = calloc(1, sizeof *w);
    char path[PATH_MAX];
    int fd;
    assert_non_null(w);
    strcpy(w->dir, "/tmp/fileward-test-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        path_in(w, path, "%s", names[i]);
        put_file(path, "x");
    }
    path_in(w, path, "proc");
    assert_int_equal(mkdir(path, 0755), 0);
    w->proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    w->reg = reg_create(&fd);
    assert_non_null(w->reg);
    close(fd);
    struct file_id key = id_of(w, "key"), other = id_of(w, "other"), left = id_of(w, "left");
    assert_int_not_equal(reg_add(w->reg, WATCH, &key, 0, "/k"), 0);
    assert_int_not_equal(reg_add(w->reg, OTHER, &other, 0, "/o"), 0);
    assert_int_not_equal(reg_add(w->reg, 7, &key, 0, "/not-asked-for"), 0);
    reg_set_outside(w->reg, reg_add(w->reg, WATCH, &left, 0, "/l"), true);
    return w;
}

static void end_world(struct world *w)
{
    char command[64];
    close(w->proc);
    reg_close(w->reg);
    snprintf(command, sizeof command, "rm -rf %s", w->dir);
    assert_int_equal(system(command), 0);
    free(w);
}

static const int32_t nobody[] = {0};

static void test_descriptors(void **state)
{
    (void)state;
    struct world *w = new_world();
    int p = FIRST;
    add_process(w, p, p);
    add_fd(w, p, p, 3, "key", info_of(w, "0100000", "key"));
    add_fd(w, p, p, 4, "key", info_of(w, "0100001", "key"));
    add_fd(w, p, p, 5, "other", info_of(w, "012100000", "other")); /* O_PATH */
    add_fd(w, p, p, 6, "free", info_of(w, "0100002", "free"));
    add_fd(w, p, p, 7, ":pipe:[123]", "flags:\t00\nino:\t1\n");
    add_fd(w, p, p, 8, "left", info_of(w, "0100000", "left"));
    look(w, nobody, 0);
    assert_int_equal(w->n, 2);
    assert_true(has(w, "0 /k 3 1"));
    assert_true(has(w, "0 /o 4 0"));

    /* An older kernel does not say the number: it is looked at all the same. */
    add_process(w, p + 1, p + 1);
    add_fd(w, p + 1, p + 1, 3, "key", "pos:\t0\nflags:\t0100002\n");
    /* What has another number is not: it may lie on a server that does not answer. */
    add_process(w, p + 2, p + 2);
    add_fd(w, p + 2, p + 2, 3, "key", info_of(w, "0100000", "free"));
    look(w, nobody, p);
    assert_int_equal(w->n, 1);
    assert_true(has(w, "1 /k 3 1"));
    look(w, (const int32_t[]){p, p + 1, 0}, 0);
    assert_int_equal(w->n, 0);
    assert_int_equal(w->begun, 1);
    end_world(w);
}

static void test_mappings(void **state)
{
    (void)state;
    struct world *w = new_world();
    int p = FIRST;
    uint64_t key = id_of(w, "key").ino;
    add_process(w, p, p);
    for (int i = 0; i < 300; i++) { /* longer than is read at once */
        char range[32];
        snprintf(range, sizeof range, "%d000-%d100", 1000 + i, 1000 + i);
        add_mapping(w, p, p, range, "free", id_of(w, "free").ino);
    }
    add_mapping(w, p, p, "7000000-7001000", "key", key);
    add_mapping(w, p, p, "7001000-7002000", "key", key);
    look(w, nobody, 0);
    assert_int_equal(w->n, 1);
    assert_true(has(w, "0 /k 8 1"));

    /* Of the same number on another file system: not it. */
    add_process(w, p + 1, p + 1);
    add_mapping(w, p + 1, p + 1, "7000000-7001000", "free", key);
    /* Both at once are one finding. */
    add_process(w, p + 2, p + 2);
    add_mapping(w, p + 2, p + 2, "7000000-7001000", "key", key);
    add_fd(w, p + 2, p + 2, 3, "key", info_of(w, "0100000", "key"));
    look(w, nobody, p);
    assert_int_equal(w->n, 1);
    assert_true(has(w, "2 /k 9 1"));
    end_world(w);
}

/* The first thread has ended, or another has descriptors of its own. */
static void test_threads(void **state)
{
    (void)state;
    struct world *w = new_world();
    int p = FIRST;
    add_process(w, p, p);
    add_process(w, p, p + 1);
    add_mapping(w, p, p + 1, "7000000-7001000", "free", id_of(w, "free").ino);
    add_fd(w, p, p + 1, 3, "key", info_of(w, "0100000", "key"));
    look(w, nobody, 0);
    assert_int_equal(w->n, 1);
    assert_true(has(w, "0 /k 1 1"));
    end_world(w);
}

/* What a process can have that is not as expected. */
static void test_strange(void **state)
{
    (void)state;
    struct world *w = new_world();
    char path[PATH_MAX];
    int p = FIRST;
    add_process(w, p, p);
    add_fd(w, p, p, 3, "nothing", "");
    add_fd(w, p, p, 4, "key", "\nino:\tx\nflags:\tz\n");
    path_in(w, path, "proc/%d/task/%d/maps", p, p);
    CLEAN_FREE char *text = calloc(1, 20001);
    memset(text, 'a', 20000);
    put_file(path, text);
    path_in(w, path, "proc/%d", p + 1);
    assert_int_equal(mkdir(path, 0755), 0);
    path_in(w, path, "proc/self");
    assert_int_equal(mkdir(path, 0755), 0);
    look(w, nobody, 0);
    assert_int_equal(w->n, 0);
    assert_int_equal(w->begun, 2);
    assert_false(holdings_find(&(struct holdings_search){.proc = -1, .reg = w->reg, .left_out = nobody}));
    end_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_descriptors), cmocka_unit_test(test_mappings),
                                       cmocka_unit_test(test_threads), cmocka_unit_test(test_strange)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
