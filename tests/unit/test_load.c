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

    struct fixture x;
    fixture_open(&x);
    load(&x, "[watch w]\npath = /proc/sys /etc\ndefault = deny\n");
    fixture_expect_errors(&x, 1);
    assert_true(fixture_has(&x, 2, "path: `/proc/sys` is on proc, which cannot be guarded"));
    load(&x, "[watch w]\npath = /etc\ndefault = deny\n[rule w/r]\naction = allow\nexe = /proc/1/exe /bin/sh\n");
    fixture_expect_errors(&x, 0);
    assert_true(fixture_has(&x, 6, "program `/proc/1/exe` is on proc, where no program is known"));
    assert_int_equal(x.findings.n, 1);
    fixture_close(&x);
}

/* ~ is a home only where it is its user's own directory. */
static void test_homes(void **state)
{
    (void)state;
    struct fixture x;
    char path[160], passwd[1024];
    if (geteuid() != 0)
        skip();
    fixture_open(&x);
    static const struct {
        const char *name;
        uint32_t owner;
    } made[] = {{"b", 1001}, {"a", 1000}, {"other", 0}};
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", x.dir, made[i].name);
        assert_int_equal(mkdir(path, 0755), 0);
        assert_int_equal(chown(path, made[i].owner, 0), 0);
    }
    fixture_file(&x, "file", "");
    snprintf(path, sizeof path, "%s/link", x.dir);
    assert_int_equal(symlink("b", path), 0);
    snprintf(passwd, sizeof passwd,
             "b:x:1001:0::%s/b:\na:x:1000:0::%s/a:\nagain:x:1000:0::%s/a/.:\ntwice:x:1000:0::%s//a/:\n"
             "link:x:1001:0::%s/link:\nother:x:1002:0::%s/other:\nnone:x:1003:0::%s/none:\nslash:x:0:0::/:\n"
             "file:x:0:0::%s/file:\nr:x:0:0::%s/other:\np:x:0:0::/proc/sys:\n",
             x.dir, x.dir, x.dir, x.dir, x.dir, x.dir, x.dir, x.dir, x.dir);
    fixture_file(&x, "passwd", passwd);
    snprintf(path, sizeof path, "%s/passwd", x.dir);
    x.sources.passwd = path;
    load(&x, "[watch w]\npath = ~/.ssh\ndefault = deny\n");
    fixture_expect_errors(&x, 0);
    static const char *const expected[] = {"/a", "/b", "/none", "/other"}; /* that may yet be made */
    assert_int_equal(x.policy->n_homes, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(x.policy->homes[i].path + strlen(x.dir), expected[i]);
    assert_int_equal(x.policy->homes[1].uid, 1001);
    assert_true(fixture_has(&x, 2, "the home /proc/sys of uid 0 is not guarded: it holds no files"));
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
        cmocka_unit_test(test_real_paths), cmocka_unit_test(test_file_systems), cmocka_unit_test(test_homes),
        cmocka_unit_test(test_sha256),     cmocka_unit_test(test_lint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
