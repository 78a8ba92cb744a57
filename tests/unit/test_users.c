#include "policy_fixture.h"

#include "policy/users.h"

static void test_accounts(void **state)
{
    (void)state;
    struct accounts users, groups;
    assert_true(accounts_read_users(DATA "passwd", &users));
    assert_true(accounts_read_groups(DATA "group", &groups));
    assert_int_equal(users.n, 5); /* "+" is no user */
    assert_int_equal(accounts_by_name(&users, "alice")->id, 1000);
    assert_int_equal(accounts_by_id(&users, 200)->gid, 201);
    assert_int_equal(accounts_by_name(&groups, "shadow")->id, 42);
    assert_null(accounts_by_name(&users, "+"));
    assert_null(accounts_by_id(&users, 12345));
    accounts_free(&users);
    accounts_free(&groups);
    assert_false(accounts_read_users("/nonexistent", &users));
}

static void test_range(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t low, high;
    } cases[] = {
        {"", 1000, 60000},
        {"# UID_MIN 5\nSYS_UID_MIN 7\n", 1000, 60000},
        {"UID_MIN\t\t\t 500\nUID_MAX 2000 # c\n", 500, 2000},
    };
    char path[] = "/tmp/fileward-test-XXXXXX";
    close(mkstemp(path));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t low, high;
        fixture_write(path, cases[i].text, strlen(cases[i].text));
        users_range(path, &low, &high);
        assert_int_equal(low, cases[i].low);
        assert_int_equal(high, cases[i].high);
    }
    unlink(path);
}

static struct account user(const char *name, uint32_t uid, const char *dir, const char *home)
{
    struct account a = {strdup(name), uid, uid, NULL};
    assert_true(asprintf(&a.home, "%s%s", dir, home) >= 0);
    return a;
}

/* ~ is a home only where it is its user's own directory. */
static void test_homes(void **state)
{
    (void)state;
    char dir[] = "/tmp/fileward-test-XXXXXX", path[64], command[64];
    if (geteuid() != 0)
        skip();
    assert_non_null(mkdtemp(dir));
    static const struct {
        const char *name;
        uint32_t owner;
    } made[] = {{"b", 1001}, {"a", 1000}, {"other", 0}, {"low", 500}};
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, made[i].name);
        assert_int_equal(mkdir(path, 0755), 0);
        assert_int_equal(chown(path, made[i].owner, 0), 0);
    }
    snprintf(path, sizeof path, "%s/file", dir);
    fixture_write(path, "", 0);
    struct account v[] = {
        user("b", 1001, dir, "//b/"),     user("a", 1000, dir, "/a"),         user("again", 1000, dir, "/a/."),
        user("twice", 1000, dir, "/a"),   user("other", 1002, dir, "/other"), user("low", 500, dir, "/low"),
        user("none", 1003, dir, "/none"), user("slash", 0, "", "/"),          user("file", 0, dir, "/file"),
        user("up", 0, dir, "/../tmp"),    user("relative", 0, "", "tmp"),     user("empty", 0, "", ""),
        user("r", 0, dir, "/other"),
    };
    struct accounts users = {v, sizeof v / sizeof v[0]};
    struct home *homes;
    size_t n;
    homes_find(&users, 1000, 60000, &homes, &n);
    assert_int_equal(n, 3);
    static const char *const expected[] = {"/a", "/b", "/other"};
    for (size_t i = 0; i < n; i++)
        assert_string_equal(homes[i].path + strlen(dir), expected[i]);
    assert_int_equal(homes[1].uid, 1001);
    homes_free(homes, n);
    for (size_t i = 0; i < users.n; i++) {
        free(v[i].name);
        free(v[i].home);
    }
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accounts),
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_homes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
