#include "policy_fixture.h"

#include <time.h>

#include "policy/glob.h"

static void test_match(void **state)
{
    (void)state;
    static const struct {
        const char *glob, *path;
        bool matches;
    } cases[] = {
        {"/a", "/a", true},
        {"/a", "/ab", false},
        {"/a", "/a/b", false},
        {"/a*", "/a", true},
        {"/a*", "/abc", true},
        {"/a*", "/a/b", false},
        {"/*/b", "/a/b", true},
        {"/*/b", "/a/a/b", false},
        {"/a?", "/ab", true},
        {"/a?", "/a", false},
        {"/a?b", "/a/b", false},
        {"/a[bc]", "/ab", true},
        {"/a[bc]", "/ad", false},
        {"/a[!bc]", "/ad", true},
        {"/a[^bc]", "/ab", false},
        {"/a[!b]c", "/a/c", false},
        {"/a[a-c]", "/ab", true},
        {"/a[c-a]", "/ab", false},
        {"/a[]x]", "/a]", true},
        {"/a[a-]", "/a-", true},
        {"/a[\\]]", "/a]", true},
        {"/a[b", "/ab", false},
        {"/a[b/c]", "/ab", false},
        {"/a\\*", "/a*", true},
        {"/a\\*", "/ab", false},
        {"/a\\[b]", "/a[b]", true},
        {"/a\\", "/a\\", false},
        {"/**", "/a/b/c", true},
        {"/a/**", "/a/b", true},
        {"/a/**", "/a", false},
        {"/a/**/b", "/a/b", true},
        {"/a/**/b", "/a/x/y/b", true},
        {"/a/**/b", "/ab", false},
        {"/a/**/b", "/a/xb", false},
        {"/a**b", "/a/x/b", true},
        {"/a**b", "/ab", true},
        {"/**/*.pub", "/home/x/.ssh/k.pub", true},
        {"/**/*.pub", "/k.pub", true},
        {"/***", "/a/b", true},
        {"/*", "/.hidden", true},
        {"/a*c*e", "/abcde", true},
        {"/a*c*e", "/abcdef", false},
        {"/*\n*", "/x\ny", true},
        {"/\xff*", "/\xff\xfe", true},
        {"/?", "/\xff", true},
        {"/[\x80-\xff]", "/\xc3", true},
        {"", "", true},
        {"*", "", true},
        {"", "/", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (glob_match(cases[i].glob, cases[i].path) != cases[i].matches)
            fail_msg("%s and %s", cases[i].glob, cases[i].path);
    }
}

static void test_covers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool home;
        const char *path;
        bool covers;
    } cases[] = {
        {"/etc", false, "/etc", true},
        {"/etc", false, "/etc/a/b", true},
        {"/etc", false, "/etcetera", false},
        {"/etc", false, "/et", false},
        {"/etc/shadow*", false, "/etc/shadow-", true},
        {"/etc/ss?", false, "/etc/ssh/keys/x", true},
        {"/etc/ss?", false, "/etc/ssl2/x", false},
        {"/etc/\\*", false, "/etc/*/a", true},
        {"/.ssh", true, "/home/a/.ssh", true},
        {"/.ssh", true, "/home/a/.ssh/id", true},
        {"/.ssh", true, "/home/b/.ssh/id", true},
        {"/.ssh", true, "/home/ab/.ssh/id", false},
        {"/.ssh", true, "/home/a/x/.ssh/id", false},
        {"/.ssh", true, "/home/a", false},
        {"/.ssh", true, "/root/.ssh", true},
        {"/.ssh", true, "/root/inner/.ssh/id", true},
        {"", true, "/home/a", true},
        {"", true, "/home/a/b", true},
        {"", true, "/home", false},
        {"/.ssh/*.pub", true, "/home/b/.ssh/k.pub", true},
        {"/**/x", true, "/home/b/x", true},
    };
    struct home homes[] = {
        {1, (char *)"/home/a"}, {2, (char *)"/home/b"}, {0, (char *)"/root"}, {3, (char *)"/root/inner"}};
    struct policy p = {.homes = homes, .n_homes = 4};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pattern pattern = {(char *)cases[i].text, cases[i].home, {"x", 1}};
        if (pattern_covers(&p, &pattern, cases[i].path) != cases[i].covers)
            fail_msg("%s and %s", cases[i].text, cases[i].path);
    }
}

static void test_thousands_of_homes(void **state)
{
    (void)state;
    enum { N = 5000 };
    static struct home homes[N];
    for (int i = 0; i < N; i++) {
        homes[i].uid = 1000;
        assert_true(asprintf(&homes[i].path, "/home/user%05d", i) > 0);
    }
    struct policy p = {.homes = homes, .n_homes = N};
    struct pattern pattern = {(char *)"/.ssh", true, {"x", 1}};
    for (int i = 0; i < N; i++) {
        char path[64];
        snprintf(path, sizeof path, "/home/user%05d/.ssh/id", i);
        assert_true(pattern_covers(&p, &pattern, path));
        snprintf(path, sizeof path, "/home/user%05dx/.ssh/id", i);
        assert_false(pattern_covers(&p, &pattern, path));
    }
    for (int i = 0; i < N; i++)
        free(homes[i].path);
}

/* What makes a matcher that tries again need longer than the universe lasts. */
static void test_hostile_is_bounded(void **state)
{
    (void)state;
    char glob[1024] = "/", path[4096] = "/";
    for (size_t i = 1; i + 8 < sizeof glob; i += 4)
        memcpy(glob + i, "**a*", 5);
    strcat(glob, "b");
    memset(path + 1, 'a', sizeof path - 2);
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_false(glob_match(glob, path));
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true(to.tv_sec - from.tv_sec < 2);
}

static void test_prefix(void **state)
{
    (void)state;
    static const struct {
        const char *glob;
        size_t prefix;
        bool literal, valid;
    } cases[] = {
        {"/a/b", 4, true, true},        {"/a/b*", 2, false, true},   {"/a*", 0, false, true},
        {"/a/\\*", 2, false, true},     {"/a/[b", 2, false, false},  {"/a/b\\", 2, false, false},
        {"/a/**/b", 2, false, true},    {"", 0, true, true},         {"/a/\\\\[b]", 2, false, true},
        {"/a/\\\\[b", 2, false, false}, {"/a[x/]", 0, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(glob_literal_prefix(cases[i].glob), cases[i].prefix);
        assert_int_equal(glob_is_literal(cases[i].glob), cases[i].literal);
        assert_int_equal(glob_is_valid(cases[i].glob), cases[i].valid);
    }
}

static void test_escape(void **state)
{
    (void)state;
    static const char *const paths[] = {"/a*b", "/[x]", "/a\\b", "/a?", "/plain", "/\n"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char *glob = glob_escape(paths[i], strlen(paths[i]));
        assert_non_null(glob);
        assert_true(glob_match(glob, paths[i]));
        assert_true(glob_is_valid(glob));
        free(glob);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_covers),
        cmocka_unit_test(test_thousands_of_homes),
        cmocka_unit_test(test_hostile_is_bounded),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_escape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
