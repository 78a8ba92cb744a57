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

static struct account user(const char *name, uint32_t uid, const char *home)
{
    return (struct account){strdup(name), uid, uid, strdup(home)};
}

/* What ~ may mean: as written, without what can be no home. */
static void test_homes(void **state)
{
    (void)state;
    struct account v[] = {
        user("b", 1001, "//b/"), user("a", 1000, "/a"), user("again", 1000, "/a/."), user("twice", 1000, "/a"),
        user("low", 500, "/l"),  user("slash", 0, "/"), user("up", 0, "/../tmp"),    user("relative", 0, "tmp"),
        user("empty", 0, ""),    user("root", 0, "/a"), user("last", 60000, "/a b"),
    };
    struct accounts users = {v, sizeof v / sizeof v[0]};
    static const struct home expected[] = {
        {0, (char *)"/a"}, {1000, (char *)"/a"}, {60000, (char *)"/a b"}, {1001, (char *)"/b"}};
    struct home *homes;
    size_t n;
    homes_find(&users, 1000, 60000, &homes, &n);
    assert_int_equal(n, 4);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(homes[i].path, expected[i].path);
        assert_int_equal(homes[i].uid, expected[i].uid);
    }
    homes_free(homes, n);
    for (size_t i = 0; i < users.n; i++) {
        free(v[i].name);
        free(v[i].home);
    }
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
