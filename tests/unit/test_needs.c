#include "policy_fixture.h"

#include "policy/decide.h"
#include "policy/needs.h"

static const struct {
    const char *condition;
    unsigned needs;
} cases[] = {
    {"uid = 1", ATTR_CREDS},
    {"uid = owner", ATTR_CREDS | ATTR_OWNER},
    {"gid = 1", ATTR_CREDS | ATTR_GROUPS},
    {"egid = 1", ATTR_CREDS},
    {"loginuid = 1", ATTR_LOGINUID},
    {"exe = /bin/p", ATTR_EXE},
    {"parent = /bin/p", ATTR_PARENT},
    {"ancestor = /bin/p", ATTR_LINEAGE},
    {"unit = a.service", ATTR_UNIT},
    {"exe_sha256 = 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", ATTR_SHA256},
    {"trust = packaged", ATTR_TRUST},
    {"code = intact", ATTR_CODE},
    {"path = /w/a", ATTR_PLACE},
    {"object = public", ATTR_OWNER},
    {"expires = 2100-01-01T00:00Z", 0},
    {"op = read", NEED_INTENT},
    {"op = write exec", NEED_INTENT},
    {"op = read write", 0},
    {"op = exec list", 0},
    {"", 0},
};
enum { CASES = sizeof cases / sizeof *cases };

/* What is said beforehand, and what decide() then asks for when nothing is known. */
static void test_each_condition(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct fixture x;
        char text[256];
        fixture_open(&x);
        snprintf(text, sizeof text, "[watch w]\npath = /w\ndefault = deny\n[rule w/r]\naction = allow\n%s\n",
                 cases[i].condition);
        fixture_text(&x, text);
        fixture_expect_errors(&x, 0);
        assert_int_equal(needs_of_rule(&x.policy->rules[0]), cases[i].needs);
        assert_int_equal(needs_of_watch(x.policy, &x.policy->watches[0]), cases[i].needs);

        struct subject s = {.fsuid = 7, .gid = 7, .rgid = 7, .egid = 7, .sgid = 7, .unit = ""};
        struct object o = {.uid = 8, .place = "/w/b"};
        struct decision d[OP_COUNT];
        unsigned asked = 0, need;
        while ((need = decide(x.policy, &x.policy->watches[0], &s, &o, OPS_ALL, 1000, d))) {
            asked |= need;
            s.known |= need;
            o.known |= need;
        }
        assert_int_equal(asked, cases[i].needs & ~NEED_INTENT);
        fixture_close(&x);
    }
}

static void test_first_rule(void **state)
{
    (void)state;
    struct fixture x;
    fixture_open(&x);
    fixture_text(&x,
                 "[watch w]\npath = /w\ndefault = deny\n[watch v]\npath = /v\ndefault = deny\n"
                 "[rule w/cheap]\naction = allow\nuid = 1\n[rule v/other]\naction = allow\nunit = a.service\n"
                 "[rule w/dear]\naction = allow\nancestor = /bin/p\n[rule w/too]\naction = allow\nancestor = /bin/q\n");
    fixture_expect_errors(&x, 0);
    const struct watch *w = &x.policy->watches[0];
    assert_string_equal(needs_first(x.policy, w, ATTR_LINEAGE)->name, "w/dear");
    assert_string_equal(needs_first(x.policy, w, ATTR_CREDS)->name, "w/cheap");
    assert_null(needs_first(x.policy, w, ATTR_UNIT));
    assert_null(needs_first(x.policy, w, NEED_INTENT));
    fixture_close(&x);
}

/* Each attribute that a condition can rest on has a name. */
static void test_all_are_named(void **state)
{
    (void)state;
    unsigned named = 0;
    for (int i = 0; i < NEEDS; i++)
        named |= needs[i].bit;
    for (size_t i = 0; i < CASES; i++)
        assert_int_equal(cases[i].needs & ~named, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_condition),
        cmocka_unit_test(test_first_rule),
        cmocka_unit_test(test_all_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
