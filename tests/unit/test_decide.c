#include "policy_fixture.h"

#include "policy/decide.h"

/* A subject and an object of which all is known, or what is left out of `known`. */
struct question {
    struct subject s;
    struct object o;
    struct program_set exe, parent, ancestors;
};

static const unsigned subject_all =
    ATTR_CREDS | ATTR_EXE | ATTR_GROUPS | ATTR_LOGINUID | ATTR_UNIT | ATTR_PARENT | ATTR_LINEAGE | ATTRS_OF_CLERK;
static const unsigned object_all = ATTR_OWNER | ATTR_PLACE;

static void question_init(struct question *q)
{
    static const uint32_t groups[] = {42, 1000};
    *q = (struct question){.s = {.known = subject_all, .loginuid = UINT32_MAX, .unit = ""},
                           .o = {.known = object_all, .mode = 0100600, .place = "/w/file"}};
    q->s.groups = groups;
    q->s.n_groups = 2;
    q->s.exe = &q->exe;
    q->s.parent = &q->parent;
    q->s.ancestors = &q->ancestors;
}

static size_t program(const struct policy *p, const char *path)
{
    for (size_t i = 0; i < p->n_programs; i++) {
        if (strcmp(p->programs[i].text, path) == 0)
            return i;
    }
    fail_msg("no program %s", path);
    return 0;
}

#define HASH  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define WATCH "[watch w]\npath = /w\ndefault = deny\n"

static const struct policy *with_rules(struct fixture *x, const char *rules)
{
    char text[4096];
    snprintf(text, sizeof text, WATCH "%s", rules);
    fixture_text(x, text);
    fixture_expect_errors(x, 0);
    return x->policy;
}

/* The trial of the only rule, which has these conditions. */
static enum trial try(struct fixture *x, const char *action, const char *conditions, const struct question *q,
                      unsigned *why)
{
    char text[1024];
    snprintf(text, sizeof text, "[rule w/r]\naction = %s\n%s\n", action, conditions);
    with_rules(x, text);
    return rule_try(x->policy, &x->policy->rules[0], &q->s, &q->o, 1000000, why);
}

static void set_public(struct question *q)
{
    q->o.mode = 0100644;
}
static void set_user(struct question *q)
{
    q->s.fsuid = 1000;
    q->s.egid = q->s.gid = 7;
    q->o.uid = 1000;
    q->s.loginuid = 1000;
    q->s.unit = "ssh.service";
}
static void set_group_writable(struct question *q)
{
    q->o.mode = 0100664;
}

static void test_each_condition(void **state)
{
    (void)state;
    static const struct {
        const char *condition;
        void (*change)(struct question *);
        enum trial trial;
        enum condition why;
    } cases[] = {
        {"", NULL, TRIAL_HOLDS, 0},
        {"uid = root", NULL, TRIAL_HOLDS, 0},
        {"uid = root", set_user, TRIAL_FAILS, COND_UID},
        {"uid = 5 900-1000", set_user, TRIAL_HOLDS, 0},
        {"uid = owner", set_user, TRIAL_HOLDS, 0},
        {"uid = alice", set_user, TRIAL_HOLDS, 0},
        {"uid = bob", set_user, TRIAL_FAILS, COND_UID},
        {"gid = shadow", set_user, TRIAL_HOLDS, 0},
        {"gid = 7", set_user, TRIAL_HOLDS, 0},
        {"gid = 8", set_user, TRIAL_FAILS, COND_GID},
        {"egid = 7", set_user, TRIAL_HOLDS, 0},
        {"egid = shadow", set_user, TRIAL_FAILS, COND_EGID},
        {"loginuid = 1000-60000", set_user, TRIAL_HOLDS, 0},
        {"loginuid = 0-4294967294", NULL, TRIAL_FAILS, COND_LOGINUID},
        {"unit = cron.service ssh.service", set_user, TRIAL_HOLDS, 0},
        {"unit = ssh.service", NULL, TRIAL_FAILS, COND_UNIT},
        {"object = public", set_public, TRIAL_HOLDS, 0},
        {"object = public", NULL, TRIAL_FAILS, COND_OBJECT},
        {"object = public", set_group_writable, TRIAL_FAILS, COND_OBJECT},
        {"object = public", set_user, TRIAL_FAILS, COND_OBJECT},
        {"path = /w/f*", NULL, TRIAL_HOLDS, 0},
        {"path = /w/g*", NULL, TRIAL_FAILS, COND_PATH},
        {"expires = 1970-01-12T13:46:41Z", NULL, TRIAL_HOLDS, 0},
        {"expires = 1970-01-12T13:46:40Z", NULL, TRIAL_FAILS, COND_EXPIRES},
        {"uid = root\nunit = ssh.service", NULL, TRIAL_FAILS, COND_UNIT},
    };
    struct fixture x;
    fixture_open(&x);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct question q;
        unsigned why = 99;
        question_init(&q);
        if (cases[i].change)
            cases[i].change(&q);
        enum trial t = try(&x, "allow", cases[i].condition, &q, &why);
        if (t != cases[i].trial || (t == TRIAL_FAILS && why != cases[i].why))
            fail_msg("case %zu: %s: %d, why %u", i, cases[i].condition, t, why);
    }
    fixture_close(&x);
}

static void test_programs(void **state)
{
    (void)state;
    struct fixture x;
    struct question q;
    unsigned why;
    fixture_open(&x);
    question_init(&q);
    const struct policy *p = with_rules(&x, "[set s]\nexe = /bin/b /bin/c\n"
                                            "[rule w/r]\naction = allow\nexe = /bin/a @s\n"
                                            "parent = /bin/p\nancestor = /bin/q @s\n");
    const struct rule *r = &p->rules[0];
    assert_int_equal(p->n_programs, 5);
    assert_int_equal(rule_try(p, r, &q.s, &q.o, 0, &why), TRIAL_FAILS);
    assert_int_equal(why, COND_EXE);
    program_set_add(&q.exe, program(p, "/bin/c"));
    assert_int_equal(rule_try(p, r, &q.s, &q.o, 0, &why), TRIAL_FAILS);
    assert_int_equal(why, COND_PARENT);
    program_set_add(&q.parent, program(p, "/bin/p"));
    assert_int_equal(rule_try(p, r, &q.s, &q.o, 0, &why), TRIAL_FAILS);
    assert_int_equal(why, COND_ANCESTOR);
    program_set_add(&q.ancestors, program(p, "/bin/b"));
    assert_int_equal(rule_try(p, r, &q.s, &q.o, 0, &why), TRIAL_HOLDS);
    q.s.parent = NULL;
    assert_int_equal(rule_try(p, r, &q.s, &q.o, 0, &why), TRIAL_FAILS);
    fixture_close(&x);
}

/* A chain too long to be walked to its end: who was seen counts, and nobody can be said not to be in it. */
static void test_long_lineage(void **state)
{
    (void)state;
    struct fixture x;
    struct question q;
    unsigned why;
    fixture_open(&x);
    question_init(&q);
    q.s.failed = ATTR_LINEAGE;
    assert_int_equal(try(&x, "allow", "parent = /bin/a", &q, &why), TRIAL_FAILS);
    assert_int_equal(try(&x, "deny", "parent = /bin/a", &q, &why), TRIAL_FAILS);
    assert_int_equal(try(&x, "allow", "ancestor = /bin/a", &q, &why), TRIAL_FAILS);
    assert_int_equal(try(&x, "deny", "ancestor = /bin/a", &q, &why), TRIAL_HOLDS);
    fixture_close(&x);
}

static void test_content(void **state)
{
    (void)state;
    struct fixture x;
    struct question q;
    unsigned why;
    fixture_open(&x);
    question_init(&q);
    assert_int_equal(try(&x, "allow", "trust = packaged", &q, &why), TRIAL_FAILS);
    assert_int_equal(why, COND_TRUST);
    assert_int_equal(try(&x, "allow", "code = intact", &q, &why), TRIAL_FAILS);
    assert_int_equal(why, COND_CODE);
    q.s.packaged = true;
    assert_int_equal(try(&x, "allow", "trust = packaged", &q, &why), TRIAL_HOLDS);
    assert_int_equal(try(&x, "allow", "trust = packaged\ncode = intact", &q, &why), TRIAL_FAILS);
    q.s.intact = true;
    assert_int_equal(try(&x, "allow", "trust = packaged\ncode = intact", &q, &why), TRIAL_HOLDS);
    assert_int_equal(try(&x, "allow", "exe_sha256 = " HASH, &q, &why), TRIAL_FAILS);
    assert_int_equal(why, COND_EXE_SHA256);
    for (size_t i = 0; i < sizeof q.s.sha256.bytes; i++)
        q.s.sha256.bytes[i] = (uint8_t)(i % 8 * 0x22 + 1);
    assert_int_equal(try(&x, "allow", "exe_sha256 = " HASH, &q, &why), TRIAL_HOLDS);
    q.s.sha256.bytes[31]++;
    assert_int_equal(try(&x, "allow", "exe_sha256 = " HASH, &q, &why), TRIAL_FAILS);
    fixture_close(&x);
}

/* Each condition with its attributes not yet looked for, and looked for in vain. */
static void test_unknown_and_failed(void **state)
{
    (void)state;
    static const struct {
        const char *condition;
        unsigned attributes;
    } cases[] = {
        {"uid = 5", ATTR_CREDS},          {"uid = owner", ATTR_OWNER},         {"gid = 5", ATTR_GROUPS},
        {"egid = 5", ATTR_CREDS},         {"exe = /bin/a", ATTR_EXE},          {"loginuid = 5", ATTR_LOGINUID},
        {"unit = a.service", ATTR_UNIT},  {"path = /w/x", ATTR_PLACE},         {"object = public", ATTR_OWNER},
        {"parent = /bin/a", ATTR_PARENT}, {"ancestor = /bin/a", ATTR_LINEAGE}, {"trust = packaged", ATTR_TRUST},
        {"code = intact", ATTR_CODE},     {"exe_sha256 = " HASH, ATTR_SHA256},
    };
    struct fixture x;
    fixture_open(&x);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct question q;
        unsigned why;
        question_init(&q);
        q.s.fsuid = 1;
        q.s.known &= ~cases[i].attributes;
        q.o.known &= ~cases[i].attributes;
        assert_int_equal(try(&x, "allow", cases[i].condition, &q, &why), TRIAL_NEEDS);
        assert_int_equal(why, cases[i].attributes);
        q.s.known = subject_all;
        q.o.known = object_all;
        q.s.failed = q.o.failed = cases[i].attributes;
        q.s.parent = NULL;
        assert_int_equal(try(&x, "allow", cases[i].condition, &q, &why), TRIAL_FAILS);
        assert_int_equal(try(&x, "deny", cases[i].condition, &q, &why), TRIAL_HOLDS);
    }
    fixture_close(&x);
}

static void test_asks_only_for_what_matters(void **state)
{
    (void)state;
    struct fixture x;
    struct question q;
    unsigned why;
    fixture_open(&x);
    question_init(&q);
    q.s.known = ATTR_LOGINUID;
    q.o.known = 0;
    /* A later condition that is known to fail spares asking for the earlier ones. */
    assert_int_equal(try(&x, "allow", "uid = owner\nexe = /bin/a\nloginuid = 5", &q, &why), TRIAL_FAILS);
    assert_int_equal(why, COND_LOGINUID);
    /* The owner is wanted only when no number of the list fits. */
    q.s.known = ATTR_CREDS;
    assert_int_equal(try(&x, "allow", "uid = 0 owner", &q, &why), TRIAL_HOLDS);
    assert_int_equal(try(&x, "allow", "uid = 1 owner", &q, &why), TRIAL_NEEDS);
    assert_int_equal(why, ATTR_OWNER);
    /* The first of several only. */
    assert_int_equal(try(&x, "allow", "uid = 0\nunit = a.service\nexe = /bin/a", &q, &why), TRIAL_NEEDS);
    assert_int_equal(why, ATTR_EXE);
    /* A group list cut short still says yes, never no. */
    q.s.known = ATTR_CREDS | ATTR_GROUPS;
    q.s.failed = ATTR_GROUPS;
    assert_int_equal(try(&x, "allow", "gid = 42", &q, &why), TRIAL_HOLDS);
    assert_int_equal(try(&x, "allow", "gid = 43", &q, &why), TRIAL_FAILS);
    assert_int_equal(try(&x, "deny", "gid = 43", &q, &why), TRIAL_HOLDS);
    fixture_close(&x);
}

static void test_first_match_by_operation(void **state)
{
    (void)state;
    struct fixture x;
    struct question q;
    struct decision d[OP_COUNT];
    fixture_open(&x);
    question_init(&q);
    const struct policy *p = with_rules(&x, "[rule w/read]\naction = allow\nop = read list\nuid = root\n"
                                            "[rule w/never]\naction = allow\nuid = 5\n"
                                            "[rule w/no-read]\naction = deny\nop = read write\n"
                                            "[rule w/exec]\naction = allow\nop = exec\nunit = a.service\n");
    assert_int_equal(decide(p, &p->watches[0], &q.s, &q.o, OPS_ALL, 0, d), 0);
    assert_int_equal(d[OP_READ].action, ACTION_ALLOW);
    assert_int_equal(d[OP_READ].rule, 0);
    assert_int_equal(d[OP_LIST].rule, 0);
    assert_int_equal(d[OP_WRITE].action, ACTION_DENY);
    assert_int_equal(d[OP_WRITE].rule, 2);
    assert_int_equal(d[OP_EXEC].action, ACTION_DENY);
    assert_int_equal(d[OP_EXEC].rule, RULE_DEFAULT);
    assert_string_equal(rule_name(p, 0, d[OP_EXEC].rule), "w/default");
    assert_string_equal(rule_name(p, 0, d[OP_READ].rule), "w/read");

    /* A rule that does not name an asked operation asks for nothing. */
    q.s.known &= ~(unsigned)ATTR_UNIT;
    assert_int_equal(decide(p, &p->watches[0], &q.s, &q.o, OP_BIT(OP_READ) | OP_BIT(OP_WRITE), 0, d), 0);
    assert_int_equal(decide(p, &p->watches[0], &q.s, &q.o, OPS_ALL, 0, d), ATTR_UNIT);
    fixture_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_condition),
        cmocka_unit_test(test_programs),
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_unknown_and_failed),
        cmocka_unit_test(test_long_lineage),
        cmocka_unit_test(test_asks_only_for_what_matters),
        cmocka_unit_test(test_first_match_by_operation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
