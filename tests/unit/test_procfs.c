#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/procfs.h"

/* A copy that ends where its memory ends, so that the sanitizers see who reads on. */
static char *exact(const char *text, size_t len)
{
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    return copy;
}

#define HEAD "Name:\tsshd\nUmask:\t0022\nState:\tS (sleeping)\n"
#define IDS                                                                                                            \
    "Tgid:\t811\nNgid:\t0\nPid:\t812\nPPid:\t800\nTracerPid:\t7\n"                                                     \
    "Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nFDSize:\t64\n"
#define TAIL "NStgid:\t811\nVmPeak:\t   1 kB\n"

static bool status_of(const char *text, size_t len, struct proc_status *out)
{
    char *copy = exact(text, len);
    bool ok = procfs_status(copy, len, out);
    free(copy);
    return ok;
}

static void test_status(void **state)
{
    (void)state;
    static const char text[] = HEAD IDS "Groups:\t4 24 4294967295 \n" TAIL;
    struct proc_status s;
    assert_true(status_of(text, sizeof text - 1, &s));
    assert_int_equal(s.tgid, 811);
    assert_int_equal(s.ppid, 800);
    assert_int_equal(s.tracer, 7);
    const uint32_t ids[] = {s.ruid, s.euid, s.suid, s.fsuid, s.rgid, s.egid, s.sgid, s.fsgid};
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(ids[i], i + 1);
    assert_int_equal(s.n_groups, 3);
    assert_int_equal(s.groups[0], 4);
    assert_int_equal(s.groups[1], 24);
    assert_int_equal(s.groups[2], UINT32_MAX);
    assert_false(s.more_groups);

    /* Cut anywhere before the last line that is needed, it is not half an answer. */
    size_t whole = sizeof(HEAD IDS) - 1;
    for (size_t len = 0; len < whole; len++)
        assert_false(status_of(text, len, &s));
}

static void test_status_cases(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
    } cases[] = {
        {"", false},
        {"\n\n\n", false},
        {IDS "Groups:\t\n", true},
        {IDS "Groups:", true},
        {IDS, false}, /* no Groups */
        {"Groups:\n" IDS, true},
        {"Name:\tTgid:\t1\n" IDS "Groups:\n", true},
        {"Name:\tx\\nUid:\t0\t0\t0\t0\n" IDS "Groups:\n", true}, /* as the kernel escapes a name */
        {"Tgid:\t1\nPPid:\t1\nTracerPid:\t0\nUid:\t1 2 3\nGid:\t1 2 3 4\nGroups:\n", false},
        {"Tgid:\t1\nPPid:\t1\nTracerPid:\t0\nUid:\t1 2 3 4294967296\nGid:\t1 2 3 4\nGroups:\n", false},
        {"Tgid:\t1\nPPid:\t1\nTracerPid:\t0\nUid:\t1 2 3 99999999999999999999999\nGid:\t1 2 3 4\nGroups:\n", false},
        {"Tgid:\t2147483648\nPPid:\t1\nTracerPid:\t0\nUid:\t1 2 3 4\nGid:\t1 2 3 4\nGroups:\n", false},
        {"Tgid:\t-1\nPPid:\t1\nTracerPid:\t0\nUid:\t1 2 3 4\nGid:\t1 2 3 4\nGroups:\n", false},
        {"Tgid:\t1\nPPid:\t1\nTracerPid:\t0\nUid:\t1 2 3 -1\nGid:\t1 2 3 4\nGroups:\n", false},
        {"Tgid:\t1\nPPid:\t1\nTracerPid:\t0\nUid:\t1 2 3 4\nGid:\t1 2 3 4\nGroups:\t4294967296\n", false},
        {"Tgid:\t\nPPid:\t1\nTracerPid:\t0\nUid:\t1 2 3 4\nGid:\t1 2 3 4\nGroups:\n", false},
        {"Tgid:\t1\nPPid:\t1\nTracerPid:\t0\nUid:\t1 2 3\n4\nGid:\t1 2 3 4\nGroups:\n", false},
        {"XTgid:\t1\nPPid:\t1\nTracerPid:\t0\nUid:\t1 2 3 4\nGid:\t1 2 3 4\nGroups:\n", false},
        {"Tgid\t1\nPPid:\t1\nTracerPid:\t0\nUid:\t1 2 3 4\nGid:\t1 2 3 4\nGroups:\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct proc_status s;
        if (status_of(cases[i].text, strlen(cases[i].text), &s) != cases[i].ok)
            fail_msg("case %zu", i);
        if (cases[i].ok) {
            assert_int_equal(s.tgid, 811);
            assert_int_equal(s.ruid, 1);
        }
    }
}

static void test_status_groups(void **state)
{
    (void)state;
    for (uint32_t n = GROUPS_MAX - 1; n <= GROUPS_MAX + 1; n++) {
        char text[8192] = IDS "Groups:\t";
        size_t len = strlen(text);
        for (uint32_t i = 0; i < n; i++)
            len += (size_t)snprintf(text + len, sizeof text - len, "%u ", UINT32_MAX - i);
        struct proc_status s;
        assert_true(status_of(text, len, &s));
        assert_int_equal(s.n_groups, n < GROUPS_MAX ? n : GROUPS_MAX);
        assert_int_equal(s.more_groups, n > GROUPS_MAX);
        assert_int_equal(s.groups[s.n_groups - 1], UINT32_MAX - (uint32_t)s.n_groups + 1);
    }
}

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *unit; /* NULL: cannot be determined */
    } cases[] = {
        {"0::/system.slice/ssh.service\n", "ssh.service"},
        {"0::/system.slice/ssh.service", "ssh.service"},
        {"0::/\n", ""},
        {"0::\n", ""},
        {"0::/init.scope\n", "init.scope"},
        {"0::/system.slice\n", ""},
        {"0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope"},
        {"0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service"},
        /* what a user's own manager calls its units is below the system manager's name */
        {"0::/user.slice/user-1000.slice/user@1000.service/app.slice/ssh.service\n", "user@1000.service"},
        {"0::/user.slice/user-1000.slice/user@1000.service/ssh.service\n", "user@1000.service"},
        {"0::/system.slice/ssh.service/ssh.slice/x.service\n", "ssh.service"},
        {"0::/system.slice/gone.service (deleted)\n", "gone.service (deleted)"},
        {"0::/../../system.slice/ssh.service\n", ".."}, /* outside of our control group namespace: never a unit */
        {"0::/..\n", ".."},
        {"0:://system.slice//ssh.service\n", "ssh.service"},
        {"0::/.slice\n", ".slice"}, /* no name before it */
        {"0::/a.slicex\n", "a.slicex"},
        {"0::/system.slice/a b:c.service\n", "a b:c.service"},
        /* both hierarchies: the manager's names are in name=systemd */
        {"1:name=systemd:/system.slice/a.service\n0::/system.slice/b.service\n", "a.service"},
        {"0::/system.slice/b.service\n1:name=systemd:/system.slice/a.service\n", "a.service"},
        {"12:pids:/x\n1:name=systemd:/system.slice/a.service\n3:cpu,cpuacct:/y\n0::/\n", "a.service"},
        {"0::/b.service\n1:name=systemd:/\n", ""},
        {"12:pids:/x.service\n0::/system.slice/b.service\n", "b.service"},
        /* no hierarchy that tells */
        {"", NULL},
        {"\n", NULL},
        {"12:pids:/x.service\n", NULL},
        {"1:name=other:/x.service\n", NULL},
        {"1:name=systemdx:/x.service\n", NULL},
        {"0:/x.service\n", NULL},
        {"/x.service\n", NULL},
        /* names that do not fit are none, never a part that could be another unit's name */
        {"0::/" A64 A63 "\n", A64 A63},
        {"0::/" A64 A64 "\n", ""},
        {"0::/" A64 A64 A64 ".slice/x.service\n", "x.service"},
        {"0::/system.slice/" A64 A64 "/x.service\n", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char unit[UNIT_MAX] = "unset";
        char *text = exact(cases[i].text, strlen(cases[i].text));
        bool ok = procfs_unit(text, strlen(cases[i].text), unit);
        free(text);
        if (ok != (cases[i].unit != NULL) || strcmp(unit, ok ? cases[i].unit : "") != 0)
            fail_msg("case %zu: %s", i, unit);
    }
}

static void test_number(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint32_t value;
    } cases[] = {
        {"0", true, 0},         {"1000", true, 1000},     {"4294967295", true, UINT32_MAX},
        {"1000\n", true, 1000}, {"4294967296", false, 0}, {"", false, 0},
        {"x", false, 0},        {"-1", false, 0},         {"99999999999999999999999999", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t value = 0;
        char *text = exact(cases[i].text, strlen(cases[i].text));
        assert_int_equal(procfs_number(text, strlen(cases[i].text), &value), cases[i].ok);
        free(text);
        if (cases[i].ok)
            assert_int_equal(value, cases[i].value);
    }
}

#define REST " 0x0 0x0 0x0 0x7ffd1c5f0d48 0x7f3fbd0e4a31\n"
enum { NEW_FILE = O_WRONLY | O_CREAT | O_TRUNC };

static void test_syscall(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum proc_call call;
        uint64_t flags;
    } cases[] = {
#if defined(__x86_64__)
        {"2 0x7ffd 0x241 0x1b6" REST, CALL_OPEN, 0x241},            /* open */
        {"257 0xffffff9c 0x7ffd 0x80000" REST, CALL_OPEN, 0x80000}, /* openat */
        {"257 0xffffffffffffff9c 0x7ffd 0x200" REST, CALL_OPEN, O_TRUNC},
        {"85 0x7ffd 0x1b6 0x0" REST, CALL_OPEN, NEW_FILE}, /* creat: its second argument is a mode */
        {"59 0x7ffd 0x7ffe 0x7fff" REST, CALL_EXEC, 0},
        {"322 0x3 0x7ffe 0x7fff" REST, CALL_EXEC, 0},
        {"0 0x3 0x7ffd 0x100" REST, CALL_READ, 0},                    /* read */
        {"17 0x3 0x7ffd 0x100" REST, CALL_READ, 0},                   /* pread64 */
        {"9 0x0 0x1000 0x1" REST, CALL_READ, 0},                      /* mmap */
        {"1 0x3 0x7ffd 0x100" REST, CALL_OTHER, 0},                   /* write */
        {"18 0x3 0x7ffd 0x100" REST, CALL_OTHER, 0},                  /* pwrite64 */
        {"76 0x7ffd 0x0 0x0" REST, CALL_OTHER, 0},                    /* truncate */
        {"77 0x3 0x0 0x0" REST, CALL_OTHER, 0},                       /* ftruncate */
        {"0 0x3 0x7ffd 0x100 0x0 0x0 0x64 0x0 0x0\n", CALL_OTHER, 0}, /* an io_uring worker */
        /* of a 32-bit program */
        {"3 0x3 0xffd 0x100" REST, CALL_READ, 0},
        {"4 0x3 0xffd 0x100" REST, CALL_OTHER, 0}, /* write */
        {"5 0xffd 0x241 0x1b6" REST, CALL_OPEN, 0x241},
        {"295 0xffffff9c 0xffd 0x8000" REST, CALL_OPEN, 0x8000},
        {"8 0xffd 0x1b6 0x0" REST, CALL_OPEN, NEW_FILE},
        {"11 0xffd 0xffe 0xfff" REST, CALL_EXEC, 0},
        {"358 0x3 0xffe 0xfff" REST, CALL_EXEC, 0},
        {"1073742081 0xffffff9c 0x7ffd 0x80000" REST, CALL_OTHER, 0}, /* x32 */
        {"257", CALL_OTHER, 0},
        /* an io_uring worker, made while its owner was in an open that only reads */
        {"257 0xffffff9c 0x7ffd 0x80000 0x0 0x0 0x64 0x0 0x0\n", CALL_OTHER, 0},
        {"59 0x7ffd 0x7ffe 0x7fff 0x0 0x0 0x64 0x0 0x0\n", CALL_OTHER, 0},
        {"257 0xffffff9c 0x7ffd 0x80000 0x0 0x0 0x64 0x7ffd 0x0\n", CALL_OTHER, 0},
        {"257 0xffffff9c 0x7ffd 0x80000 0x0 0x0 0x64 0x0 0x7ffd\n", CALL_OTHER, 0},
        /* cut: half a number must not hide O_TRUNC */
        {"257 0xffffff9c 0x7ffd 0x8000", CALL_OTHER, 0},
        {"257 0xffffff9c 0x7ffd 0x80000 0x0 0x0 0x64 0x7ffd", CALL_OTHER, 0},
        {"257 0x1 0x2 0x", CALL_OTHER, 0},
        {"257 0x1 0x2", CALL_OTHER, 0},
        {"257 0x1 0x2 ", CALL_OTHER, 0},
        {"257 0x1 0x2 0x11111111111111111" REST, CALL_OTHER, 0},
        {"257 -1 0x2 0x0" REST, CALL_OTHER, 0},
#elif defined(__aarch64__)
        {"56 0xffffff9c 0x7ffd 0x80000" REST, CALL_OPEN, 0x80000}, /* openat */
        {"221 0x7ffd 0x7ffe 0x7fff" REST, CALL_EXEC, 0},
        {"281 0x3 0x7ffe 0x7fff" REST, CALL_EXEC, 0},
        {"322 0xffffff9c 0xffd 0x8000" REST, CALL_OPEN, 0x8000},
        {"5 0xffd 0x241 0x1b6" REST, CALL_OPEN, 0x241},
#endif
        {"437 0xffffff9c 0x7ffd 0x7ffe" REST, CALL_OTHER, 0}, /* openat2: flags behind a pointer */
        {"426 0x3 0x1 0x1" REST, CALL_OTHER, 0},              /* io_uring_enter */
        {"running\n", CALL_RUNNING, 0},
        {"running", CALL_RUNNING, 0},
        {"runnin", CALL_OTHER, 0},
        {"-1 0x7ffd1c5f0d48 0x7f3fbd0e4a31\n", CALL_OTHER, 0},
        {"", CALL_OTHER, 0},
        {"\n", CALL_OTHER, 0},
        {"garbage", CALL_OTHER, 0},
        {"0x", CALL_OTHER, 0},
        {"99999999999999999999999 0x1 0x2 0x3" REST, CALL_OTHER, 0},
        {"18446744073709551615 0x1 0x2 0x3" REST, CALL_OTHER, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t flags = 99;
        size_t len = strlen(cases[i].text);
        char *text = exact(cases[i].text, len);
        if (procfs_syscall(text, len, &flags) != cases[i].call || flags != cases[i].flags)
            fail_msg("case %zu: flags %#lx", i, (unsigned long)flags);
        free(text);
    }
}

#define FIELDS " S 1 2 3 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1 0 "

static void test_start_time(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t start;
    } cases[] = {
        {"811 (sshd)" FIELDS "4711 1 2\n", true, 4711},
        {"811 (sshd)" FIELDS "4711", true, 4711},
        {"811 (a b c)" FIELDS "4711 1\n", true, 4711},
        {"811 (a) S 1 (b)" FIELDS "4711 1\n", true, 4711},
        {"811 ())))" FIELDS "4711 1\n", true, 4711},
        {"811 (x\n)" FIELDS "4711 1\n", true, 4711},
        {"811 ()" FIELDS "18446744073709551615 1\n", true, UINT64_MAX},
        {"811 ()" FIELDS "18446744073709551616 1\n", false, 0},
        {"811 (sshd)" FIELDS, false, 0},
        {"811 (sshd)" FIELDS "x", false, 0},
        {"811 (sshd)" FIELDS "-1", false, 0},
        {"811 (sshd) S 1 2 3 0 -1 4194560 5 6 7 8 9 10 11 12 20 0 1", false, 0},
        {"811 sshd" FIELDS "4711 1\n", false, 0},
        {"811 (sshd)", false, 0},
        {")", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t start = 0;
        char *text = exact(cases[i].text, strlen(cases[i].text));
        if (procfs_start_time(text, strlen(cases[i].text), &start) != cases[i].ok ||
            (cases[i].ok && start != cases[i].start))
            fail_msg("case %zu", i);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),     cmocka_unit_test(test_status_cases), cmocka_unit_test(test_status_groups),
        cmocka_unit_test(test_unit),       cmocka_unit_test(test_number),       cmocka_unit_test(test_syscall),
        cmocka_unit_test(test_start_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
