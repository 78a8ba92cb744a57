#include "policy_fixture.h"

#include "judge/verdicts.h"
#include "policy/decide.h"

/* A question of which everything is known, and the numbers of what it holds as text. */
struct asked {
    struct subject s;
    struct object o;
    struct program_set exe, parent, ancestors;
    uint32_t groups[4];
    struct verdict_question q;
    int64_t now;
};

static void asked_init(struct asked *a)
{
    *a = (struct asked){
        .s = {.known = ATTR_CREDS | ATTR_EXE | ATTR_LOGINUID | ATTR_UNIT | ATTR_PARENT | ATTR_LINEAGE | ATTRS_OF_CLERK,
              .fsuid = 1,
              .gid = 1,
              .rgid = 1,
              .egid = 1,
              .sgid = 1,
              .loginuid = 1,
              .unit = "a.service"},
        .o = {.known = ATTR_OWNER | ATTR_PLACE, .uid = 1, .gid = 1, .mode = 0100644, .place = "/w/a"},
        .now = 1000};
    a->s.exe = &a->exe;
    a->s.parent = &a->parent;
    a->s.ancestors = &a->ancestors;
    a->s.groups = a->groups;
    a->q =
        (struct verdict_question){.ops = OP_BIT(OP_READ), .subject = &a->s, .object = &a->o, .place = 7, .cgroup = 70};
}

/* Asks the memory, and expects what decide() says. Returns whether it was remembered. */
static bool ask(struct verdicts *v, const struct policy *p, struct asked *a, struct decision out[OP_COUNT])
{
    bool remembered;
    struct decision fresh[OP_COUNT] = {0};
    memset(out, 0, OP_COUNT * sizeof *out);
    unsigned need = verdicts_decide(v, &a->q, a->now, out, &remembered);
    assert_int_equal(need, decide(p, &p->watches[a->q.watch], &a->s, &a->o, a->q.ops, a->now, fresh));
    for (int op = 0; need == 0 && op < OP_COUNT; op++) {
        if (!(a->q.ops & OP_BIT(op)))
            continue;
        assert_int_equal(out[op].rule, fresh[op].rule);
        assert_int_equal(out[op].action, fresh[op].action);
    }
#ifdef FILEWARD_NO_CACHE
    assert_false(remembered);
#endif
    return remembered;
}

static void assert_remembered(bool remembered)
{
#ifdef FILEWARD_NO_CACHE
    (void)remembered;
#else
    assert_true(remembered);
#endif
}

/* --- what changes between two questions ------------------------------------------------------------------------- */

static void exec(struct asked *a)
{
    program_set_add(&a->exe, 0);
}
static void parent_exec(struct asked *a)
{
    program_set_add(&a->parent, 0);
    program_set_add(&a->ancestors, 0);
}
static void ancestor_exec(struct asked *a)
{
    program_set_add(&a->ancestors, 0);
}
static void no_parent(struct asked *a)
{
    a->s.parent = NULL;
}
static void fsuid(struct asked *a)
{
    a->s.fsuid = 2;
}
static void fsgid(struct asked *a)
{
    a->s.gid = 2;
}
static void rgid(struct asked *a)
{
    a->s.rgid = 2;
}
static void egid(struct asked *a)
{
    a->s.egid = 2;
}
static void sgid(struct asked *a)
{
    a->s.sgid = 2;
}
static void groups(struct asked *a)
{
    a->groups[0] = 2;
}
static void loginuid(struct asked *a)
{
    a->s.loginuid = 2;
}
static void unit(struct asked *a)
{
    a->s.unit = "b.service";
    a->q.cgroup = 71;
}
static void unit_of_unknown_group(struct asked *a)
{
    a->s.unit = "b.service";
}
static void another_content(struct asked *a)
{
    a->s.sha256.bytes[31] = 1;
}
static void is_packaged(struct asked *a)
{
    a->s.packaged = true;
}
static void is_intact(struct asked *a)
{
    a->s.intact = true;
}
static void chown_object(struct asked *a)
{
    a->o.uid = 2;
}
static void chown_to_root(struct asked *a)
{
    a->o.uid = 0;
}
static void chmod_object(struct asked *a)
{
    a->o.mode = 0100666;
}
static void another_place(struct asked *a)
{
    a->o.place = "/w/b";
    a->q.place = 8;
}
static void renamed(struct asked *a)
{
    a->o.place = "/w/b";
}
static void another_op(struct asked *a)
{
    a->q.ops = OP_BIT(OP_WRITE);
}
static void another_watch(struct asked *a)
{
    a->q.watch = 1;
}
static void time_passes(struct asked *a)
{
    a->now = 2000;
}
static void clock_set_back(struct asked *a)
{
    a->now = 500;
}
static void unknown_subject(struct asked *a)
{
    a->s.failed = ATTR_CREDS;
}
static void unknown_object(struct asked *a)
{
    a->o.failed = ATTR_OWNER;
}
static void not_gathered(struct asked *a)
{
    a->s.known &= ~(unsigned)ATTR_LOGINUID;
}
static void owner_not_gathered(struct asked *a)
{
    a->o.known &= ~(unsigned)ATTR_OWNER;
}
static void with_groups(struct asked *a)
{
    a->s.known |= ATTR_GROUPS;
    a->s.n_groups = 1;
}
static void without_cgroup(struct asked *a)
{
    a->q.cgroup = 0;
}
static void without_entry(struct asked *a)
{
    a->q.place = 0;
}
static void of_root(struct asked *a)
{
    a->o.uid = 0;
}

/* Each of these changes alone makes another decision, or none: what was remembered before must not come back. */
static void test_each_input_alone(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        void (*before)(struct asked *); /* NULL: nothing */
        void (*change)(struct asked *);
    } cases[] = {
        {"exe = /bin/p", NULL, exec},
        {"parent = /bin/p", NULL, parent_exec},
        {"ancestor = /bin/p", NULL, ancestor_exec},
        {"parent = /bin/p", parent_exec, no_parent},
        {"uid = 2", NULL, fsuid},
        {"uid = owner", NULL, fsuid},
        {"gid = 2", with_groups, fsgid},
        {"egid = 2", NULL, egid},
        {"gid = 2", with_groups, groups},
        {"loginuid = 2", NULL, loginuid},
        {"unit = b.service", NULL, unit},
        {"unit = b.service", without_cgroup, unit_of_unknown_group},
        {"exe_sha256 = 0000000000000000000000000000000000000000000000000000000000000001", NULL, another_content},
        {"trust = packaged", NULL, is_packaged},
        {"code = intact", NULL, is_intact},
        {"uid = owner", NULL, chown_object},
        {"object = public", NULL, chown_to_root},
        {"object = public", of_root, chmod_object},
        {"path = /w/b", NULL, another_place},
        {"path = /w/b", without_entry, renamed},
        {"op = write", NULL, another_op},
        {"", NULL, another_watch},
        {"expires = 1970-01-01T00:25Z", NULL, time_passes},
        {"expires = 1970-01-01T00:15Z", NULL, clock_set_back},
        {"uid = 1", NULL, unknown_subject},
        {"uid = owner", NULL, unknown_object},
        {"loginuid = 2", NULL, not_gathered},
        {"uid = owner", fsuid, owner_not_gathered},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture x;
        struct asked a;
        struct decision before[OP_COUNT], after[OP_COUNT];
        char text[512];
        bool remembered = false;
        fixture_open(&x);
        snprintf(text, sizeof text,
                 "[watch w]\npath = /w\ndefault = deny\n[watch v]\npath = /v\ndefault = deny\n"
                 "[rule w/r]\naction = allow\n%s\n",
                 cases[i].rule);
        fixture_text(&x, text);
        fixture_expect_errors(&x, 0);
        struct verdicts *v = verdicts_create(x.policy);
        asked_init(&a);
        if (cases[i].before)
            cases[i].before(&a);
        for (int n = 0; n < 3; n++)
            remembered = ask(v, x.policy, &a, before);
        if (!(a.s.known & ATTR_GROUPS) && a.q.cgroup && a.q.place)
            assert_remembered(remembered);
        else
            assert_false(remembered);
        cases[i].change(&a);
        ask(v, x.policy, &a, after);
        verdicts_free(v);
        fixture_close(&x);
    }
}

/* The ids of a process are one by one in the key: those that a rule on `gid` looks at before it asks for groups. */
static void test_each_group_id(void **state)
{
    (void)state;
    static void (*const changes[])(struct asked *) = {fsgid, rgid, egid, sgid};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct fixture x;
        struct asked a;
        struct decision d[OP_COUNT];
        fixture_open(&x);
        fixture_text(&x, "[watch w]\npath = /w\ndefault = deny\n[rule w/r]\naction = allow\ngid = 2\n");
        fixture_expect_errors(&x, 0);
        struct verdicts *v = verdicts_create(x.policy);
        asked_init(&a);
        ask(v, x.policy, &a, d); /* it needs the groups */
        assert_remembered(ask(v, x.policy, &a, d));
        changes[i](&a);
        assert_false(ask(v, x.policy, &a, d));
        assert_int_equal(d[OP_READ].action, ACTION_ALLOW);
        verdicts_free(v);
        fixture_close(&x);
    }
}

/* A chain of parents that is too long to be seen whole: a parent that is none of the policy's is not one that is unknown. */
static void test_unknown_parent(void **state)
{
    (void)state;
    struct fixture x;
    struct asked a;
    struct decision d[OP_COUNT];
    fixture_open(&x);
    fixture_text(&x, "[watch w]\npath = /w\ndefault = allow\n[rule w/r]\naction = deny\nparent = /bin/p\n");
    fixture_expect_errors(&x, 0);
    struct verdicts *v = verdicts_create(x.policy);
    asked_init(&a);
    a.s.failed = ATTR_LINEAGE;
    ask(v, x.policy, &a, d);
    assert_remembered(ask(v, x.policy, &a, d));
    assert_int_equal(d[OP_READ].action, ACTION_ALLOW);
    a.s.failed = ATTR_LINEAGE | ATTR_PARENT;
    ask(v, x.policy, &a, d);
    assert_int_equal(d[OP_READ].action, ACTION_DENY);
    verdicts_free(v);
    fixture_close(&x);
}

/* Forgotten at the second in which a rule's time ends, not before. */
static void test_expires(void **state)
{
    (void)state;
    struct fixture x;
    struct asked a;
    struct decision d[OP_COUNT];
    fixture_open(&x);
    fixture_text(&x, "[watch w]\npath = /w\ndefault = deny\n"
                     "[rule w/first]\naction = allow\nexpires = 1970-01-01T00:20Z\n"
                     "[rule w/second]\naction = deny\nexpires = 1970-01-01T00:30Z\n");
    fixture_expect_errors(&x, 0);
    struct verdicts *v = verdicts_create(x.policy);
    asked_init(&a);
    for (a.now = 1100; a.now < 1900; a.now++) {
        bool remembered = ask(v, x.policy, &a, d);
        if (a.now != 1100 && a.now != 1200 && a.now != 1800)
            assert_remembered(remembered);
        else
            assert_false(remembered);
    }
    verdicts_free(v);
    fixture_close(&x);
}

/* Whatever comes, in whatever order and number, the memory says what decide() says. */
static void test_like_decide(void **state)
{
    (void)state;
    struct fixture x;
    struct decision d[OP_COUNT];
    char text[4096] = "[watch w]\npath = /w\ndefault = deny\n[watch v]\npath = /v\ndefault = allow\n";
    static const char *const conditions[] = {
        "uid = 3",
        "uid = owner",
        "gid = 2",
        "egid = 4",
        "exe = /bin/p /bin/q",
        "parent = /bin/p",
        "ancestor = /bin/q",
        "loginuid = 5",
        "unit = b.service",
        "path = /w/b",
        "object = public",
        "expires = 1970-01-01T00:20Z",
        "uid = 1-4",
        "op = read",
        "trust = packaged",
        "code = intact",
        "exe_sha256 = 0000000000000000000000000000000000000000000000000000000000000001"};
    enum { CONDITIONS = sizeof conditions / sizeof *conditions, PLACES = 50 };
    unsigned seed = 1, hits = 0;
    fixture_open(&x);
    for (int i = 0; i < 24; i++) {
        size_t n = strlen(text);
        int one = rand_r(&seed) % CONDITIONS, other = rand_r(&seed) % CONDITIONS;
        snprintf(text + n, sizeof text - n, "[rule %c/r%d]\naction = %s\n%s\n", i % 3 ? 'w' : 'v', i,
                 rand_r(&seed) % 2 ? "allow" : "deny", conditions[one]);
        if (conditions[one][0] != conditions[other][0]) {
            n = strlen(text);
            snprintf(text + n, sizeof text - n, "%s\n", conditions[other]);
        }
    }
    fixture_text(&x, text);
    fixture_expect_errors(&x, 0);
    struct verdicts *v = verdicts_create(x.policy);
    for (int i = 0; i < 300000; i++) {
        struct asked a;
        char unit_name[] = "a.service", place[] = "/w/a";
        asked_init(&a);
        uint32_t *ids[] = {&a.s.fsuid, &a.s.gid, &a.s.rgid, &a.s.egid, &a.s.sgid, &a.s.loginuid, &a.o.uid};
        for (size_t k = 0; k < sizeof ids / sizeof *ids; k++)
            *ids[k] = rand_r(&seed) % 8 ? 1 : (uint32_t)rand_r(&seed) % 6;
        for (size_t k = 0; k < x.policy->n_programs; k++) {
            if (rand_r(&seed) % 4 == 0)
                program_set_add(&a.exe, k);
            if (rand_r(&seed) % 8 == 0)
                program_set_add(&a.parent, k);
            if (rand_r(&seed) % 8 == 0)
                program_set_add(&a.ancestors, k);
        }
        unit_name[0] = (char)('a' + (a.q.cgroup = 1 + (uint64_t)rand_r(&seed) % 2) - 1);
        place[3] = (char)('a' + (a.q.place = 1 + (uint32_t)rand_r(&seed) % PLACES) - 1);
        a.s.unit = unit_name;
        a.o.place = place;
        a.o.mode = rand_r(&seed) % 4 ? 0100644 : 0100600;
        a.s.packaged = rand_r(&seed) % 16 == 0;
        a.s.intact = rand_r(&seed) % 16 == 0;
        a.s.sha256.bytes[31] = rand_r(&seed) % 16 == 0;
        a.q.watch = rand_r(&seed) % 2;
        a.q.ops = rand_r(&seed) % 2 ? OP_BIT(OP_READ) | OP_BIT(OP_WRITE) : OP_BIT(rand_r(&seed) % OP_COUNT);
        a.now = 1000 + rand_r(&seed) % 400;
        if (rand_r(&seed) % 2)
            a.s.known = ATTR_CREDS | ((unsigned)rand_r(&seed) & a.s.known);
        if (rand_r(&seed) % 4)
            a.s.known |= ATTRS_OF_CLERK;
        if (rand_r(&seed) % 16 == 0)
            a.s.failed = (unsigned)rand_r(&seed) & a.s.known;
        if (rand_r(&seed) % 2)
            a.o.known &= (unsigned)rand_r(&seed);
        if (rand_r(&seed) % 8 == 0)
            a.s.known |= ATTR_GROUPS;
        hits += ask(v, x.policy, &a, d);
    }
#ifndef FILEWARD_NO_CACHE
    assert_in_range(hits, 5000, 295000); /* else it has not been tried */
#endif
    verdicts_free(v);
    fixture_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_input_alone), cmocka_unit_test(test_each_group_id),
        cmocka_unit_test(test_unknown_parent),   cmocka_unit_test(test_expires),
        cmocka_unit_test(test_like_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
