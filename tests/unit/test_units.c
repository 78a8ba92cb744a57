#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "judge/units.h"

/* A process as /proc would show it, but for what creds say: a directory with a file `cgroup`. */
struct shown {
    char dir[32];
    struct process p;
};

static void show(struct shown *s, const char *cgroup)
{
    strcpy(s->dir, "/tmp/fileward-test-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    s->p = (struct process){.pidfd = -1, .proc = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .tid = 1};
    int fd = openat(s->p.proc, "cgroup", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, cgroup, strlen(cgroup)), strlen(cgroup));
    close(fd);
    /* process_creds() of a process without pidfd reads this; its control group is then unknown. */
    fd = openat(s->p.proc, "status", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    static const char status[] = "Tgid:\t1\nPPid:\t0\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nGroups:\t\n";
    assert_int_equal(write(fd, status, strlen(status)), strlen(status));
    close(fd);
}

static void hide(struct shown *s)
{
    unlinkat(s->p.proc, "cgroup", 0);
    unlinkat(s->p.proc, "status", 0);
    close(s->p.proc);
    rmdir(s->dir);
}

static struct units table;

/* This very process: the number of its control group before and after is the same. */
static void test_remembered(void **state)
{
    (void)state;
    struct process self;
    struct creds creds, again;
    char unit[UNIT_MAX] = "", expected[UNIT_MAX] = "";
    bool by_cgroup;
    assert_int_equal(process_open(&self, getpid()), 0);
    assert_int_equal(process_creds(&self, &creds), 0);
    if (!creds.cgroup || !process_unit(&self, expected, &by_cgroup)) {
        process_close(&self);
        skip();
    }
    again = creds;
    assert_true(units_of(&table, &self, &creds, unit));
    assert_string_equal(unit, expected);
    assert_int_equal(creds.cgroup, by_cgroup ? again.cgroup : 0);
    process_close(&self);
    if (!by_cgroup)
        skip(); /* several hierarchies: the number does not tell the unit */
#ifndef FILEWARD_NO_CACHE
    /* Whoever is in that group is in that unit: nothing is read. */
    struct process nobody = {.pidfd = -1, .proc = -1, .tid = 1};
    unit[0] = '\0';
    assert_true(units_of(&table, &nobody, &again, unit));
    assert_string_equal(unit, expected);
#endif
}

/* A process that moves while it is looked at has the name of one group and the number of another. */
static void test_not_while_it_moves(void **state)
{
    (void)state;
    struct shown s;
    char unit[UNIT_MAX] = "";
    show(&s, "0::/system.slice/b.service\n");
    for (int i = 0; i < 2; i++) {
        struct creds creds = {.cgroup = 4711};
        assert_true(units_of(&table, &s.p, &creds, unit));
        assert_string_equal(unit, "b.service");
        assert_int_equal(creds.cgroup, 0);
    }
    hide(&s);
    struct creds creds = {.cgroup = 4711};
    struct process nobody = {.pidfd = -1, .proc = -1, .tid = 1};
    assert_false(units_of(&table, &nobody, &creds, unit));
}

static void test_other_hierarchy(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool mixed;
    } cases[] = {
        {"0::/system.slice/a.service\n", false},
        {"1:name=systemd:/system.slice/a.service\n0::/\n", true},
        {"0::/a\n12:name=systemd:/b\n", true},
        {"3:cpu:/x\n0::/a.service\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(procfs_unit_is_mixed(cases[i].text, strlen(cases[i].text)), cases[i].mixed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remembered),
        cmocka_unit_test(test_not_while_it_moves),
        cmocka_unit_test(test_other_hierarchy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
