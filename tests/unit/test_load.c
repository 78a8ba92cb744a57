#include "policy_fixture.h"

#include "base/load.h"
#include "base/mounts.h"
#include "cli/lint.h"
#include "policy/glob.h"

static void load(struct fixture *x, const char *text)
{
    fixture_file(x, "main.ini", text);
    fixture_forget(x);
    x->policy = policy_load_from(&x->sources, &x->findings);
}

/* Links that only root can have made are followed, those in a directory of someone else are not. */
static void test_real_paths(void **state)
{
    (void)state;
    struct fixture x;
    char text[512], path[160], expected[160];
    if (geteuid() != 0)
        skip();
    fixture_open(&x);
    snprintf(path, sizeof path, "%s/real[x]", x.dir);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof path, "%s/link", x.dir);
    assert_int_equal(symlink("real[x]", path), 0);
    snprintf(path, sizeof path, "%s/users", x.dir);
    assert_int_equal(mkdir(path, 0755) | chown(path, 1000, 0), 0);
    snprintf(path, sizeof path, "%s/users/link", x.dir);
    assert_int_equal(symlink("/etc", path), 0);
    snprintf(text, sizeof text,
             "[watch w]\npath = %s/link/sub* %s/users/link /etc/not-there/x\nexclude = %s/link/y\ndefault = deny\n"
             "[rule w/r]\naction = allow\npath = %s/link\nexe = %s/link/program\n",
             x.dir, x.dir, x.dir, x.dir, x.dir);
    load(&x, text);
    fixture_expect_errors(&x, 0);
    const struct patterns *paths = &x.policy->watches[0].path;
    snprintf(expected, sizeof expected, "%s/real\\[x]/sub*", x.dir);
    assert_string_equal(paths->v[0].text, expected);
    snprintf(expected, sizeof expected, "%s/users/link", x.dir);
    assert_string_equal(paths->v[1].text, expected);
    assert_string_equal(paths->v[2].text, "/etc/not-there/x");
    snprintf(expected, sizeof expected, "%s/real\\[x]/y", x.dir);
    assert_string_equal(x.policy->watches[0].exclude.v[0].text, expected);
    snprintf(expected, sizeof expected, "%s/real\\[x]", x.dir);
    assert_string_equal(x.policy->rules[0].path.v[0].text, expected);
    snprintf(expected, sizeof expected, "%s/link/program", x.dir);
    assert_string_equal(x.policy->programs[0].text, expected);

    snprintf(path, sizeof path, "%s/all", x.dir);
    assert_int_equal(symlink("/", path), 0);
    snprintf(text, sizeof text, "[watch w]\npath = %s/all\ndefault = deny\n", x.dir);
    load(&x, text);
    fixture_expect_errors(&x, 1);
    assert_true(fixture_has(&x, 2, "leads to `/`"));
    fixture_close(&x);
}

static void test_file_systems(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        bool refused;
    } types[] = {{"ext4", false},    {"xfs", false}, {"tmpfs", false},  {"overlay", false},   {"btrfs", false},
                 {"fusectl", false}, {"fuse", true}, {"fuseblk", true}, {"fuse.sshfs", true}, {"nfs4", true},
                 {"cifs", true},     {"9p", true},   {"autofs", true},  {"proc", true},       {"sysfs", true}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        assert_int_equal(mounts_refusal(types[i].type) != NULL, types[i].refused);

    struct mount v[] = {{(char *)"", (char *)"ext4"},
                        {(char *)"/home", (char *)"xfs"},
                        {(char *)"/home/a", (char *)"fuse.sshfs"},
                        {(char *)"/home", (char *)"btrfs"}};
    struct mounts m = {v, 4};
    assert_string_equal(mounts_type_at(&m, "/etc", 4), "ext4");
    assert_string_equal(mounts_type_at(&m, "/homes", 6), "ext4");
    assert_string_equal(mounts_type_at(&m, "/home/b", 7), "btrfs");
    assert_string_equal(mounts_type_at(&m, "/home/a/x", 9), "fuse.sshfs");
    assert_string_equal(mounts_type_at(&m, "/home/a/x", 6), "btrfs");

    struct fixture x;
    fixture_open(&x);
    load(&x, "[watch w]\npath = /proc/sys /etc\ndefault = deny\n");
    fixture_expect_errors(&x, 1);
    assert_true(fixture_has(&x, 2, "path: `/proc/sys` is on proc, which cannot be guarded"));
    fixture_close(&x);
}

static void test_sha256(void **state)
{
    (void)state;
    struct fixture x;
    fixture_open(&x);
    load(&x, "");
    assert_string_equal(x.policy->sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    fixture_close(&x);
}

/* Each lint, and that it is silent where all is well. */
static void test_lint(void **state)
{
    (void)state;
    static const struct {
        const char *rest; /* line 4 on */
        int line;
        const char *part; /* NULL: nothing to be said */
    } cases[] = {
        {"", 0, NULL},
        {"[rule w/a]\naction = allow\nexe = /bin/cat\n", 0, NULL},
        {"[rule w/a]\naction = deny\nuid = 1-9\n[rule w/b]\naction = allow\nuid = 2\nop = read\n", 7,
         "[rule w/b] is never reached: w/a"},
        {"[rule w/a]\naction = deny\nop = write\n[rule w/b]\naction = allow\nuid = 2\n", 0, NULL},
        {"[rule w/a]\naction = deny\npath = /etc/ssh\n[rule w/b]\naction = allow\npath = /etc/ssh/x\n", 7,
         "never reached"},
        {"[rule w/a]\naction = deny\npath = /etc/ssh/x\n[rule w/b]\naction = allow\npath = /etc/ssh\n", 0, NULL},
        {"[rule w/a]\naction = deny\nexe = /usr/bin/c*\n[rule w/b]\naction = deny\nexe = /usr/bin/cat\n", 7,
         "never reached"},
        {"[rule w/a]\naction = allow\nexpires = 2020-01-01T00:00Z\n", 4, "is past its time"},
        {"[rule w/a]\naction = allow\nexe = /usr/bin/nonesuch\n", 6, "does not exist"},
        {"[rule w/a]\naction = allow\nexe = /usr/bin/nonesuch*\n", 6, "matches nothing"},
        {"[rule w/a]\naction = allow\nexe = /usr/bin\n", 6, "is not a file"},
        {"[rule w/a]\naction = allow\nexe = /bin/sh\n", 4, "allows the interpreter /bin/sh"},
        {"[rule w/a]\naction = allow\nexe = /bin/sh\npath = /etc/x\n", 0, NULL},
        {"[rule w/a]\naction = deny\nexe = /bin/sh\n", 0, NULL},
        {"[rule w/a]\naction = allow\nexe = /usr/bin/d*\n", 4, "allows the interpreter /usr/bin/dash"},
        {"[rule w/a]\naction = allow\nloginuid = 1000\n", 4, "[rule w/a] rests on loginuid"},
        {"[rule w/a]\naction = allow\nloginuid = 1000\nexe = /bin/cat\n", 4, "[rule w/a] rests on loginuid"},
        {"[rule w/a]\naction = allow\nloginuid = 1000\nuid = owner\n", 0, NULL},
        {"[rule w/a]\naction = allow\nloginuid = 1000\nunit = a.service\n", 0, NULL},
        {"[rule w/a]\naction = deny\nloginuid = 1000\n", 0, NULL},
        {"[rule w/a]\naction = allow\nparent = /bin/cat\n", 4, "[rule w/a] rests on parent: whoever"},
        {"[rule w/a]\naction = allow\nancestor = /bin/cat\n", 4, "[rule w/a] rests on ancestor: whoever"},
        {"[rule w/a]\naction = allow\nancestor = /bin/cat\negid = 7\n", 0, NULL},
        {"[rule w/a]\naction = deny\nancestor = /bin/cat\n", 0, NULL},
        {"[set s]\nexe = /bin/cat\n", 4, "[set s] is never used"},
        {"[watch v]\npath = /etc/passwd\ndefault = deny\n", 5, "is a single file"},
        {"[watch v]\npath = /etc/nonesuch\ndefault = deny\n", 5, "does not exist yet"},
        {"[watch v]\npath = /usr\nexclude = /usr/lib\ndefault = deny\n", 6, "no other watch covers it"},
        {"[watch v]\npath = /usr\nexclude = /usr/lib\ndefault = deny\n[watch u]\npath = /usr/lib\ndefault = deny\n", 0,
         NULL},
    };
    struct fixture x;
    fixture_open(&x);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text, "[watch w]\npath = /etc\ndefault = deny\n%s", cases[i].rest);
        load(&x, text);
        fixture_expect_errors(&x, 0);
        findings_free(&x.findings);
        lint(x.policy, 1790000000, &x.findings);
        if (cases[i].part)
            assert_true(fixture_has(&x, cases[i].line, cases[i].part));
        else if (x.findings.n > 0)
            fail_msg("case %zu: %s", i, x.findings.v[0].text);
    }
    fixture_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_real_paths),
        cmocka_unit_test(test_file_systems),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_lint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
