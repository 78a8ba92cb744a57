/* A policy written again is the same policy, at other places: no condition of the language is lost on the way. */
#include "policy_fixture.h"

#include <limits.h>

#include "cli/copy.h"
#include "policy/parse.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"

/* Every key, with another value than it has where it is missing. */
static const char text[] =
    "[fileward]\nmode = enforce\ntimeout = 300ms\nuser = 7\n"
    "[set tools]\nexe = /usr/bin/ssh \"/usr/lib/with blank/*\"\n"
    "[watch full]\npath = /a ~/.ssh\nexclude = /a/public \"~/.ssh/with blank\"\ndefault = allow\n"
    "mode = audit\ncoverage = filesystem\nguard = open+write\nchanges = ignore\nlog = all\n"
    "on_timeout = allow\n"
    "[watch plain]\npath = /b\ndefault = deny\nguard = open+read\nlog = none\n"
    "[rule full/everything]\naction = deny\nop = read list\nexe = @tools /bin/x\nparent = /usr/bin/bash\n"
    "ancestor = /usr/sbin/sshd /usr/bin/login\nuid = owner 1-5 4294967294\ngid = 5\negid = 9 11\n"
    "loginuid = 1000-60000\nunit = x.service y.service\npath = /a/x ~/.ssh/*\nobject = public\n"
    "exe_sha256 = " HASH "f " HASH "0\ntrust = packaged\ncode = intact\n"
    "expires = 2100-01-01T00:00:01Z\nreason = \"because\"\n"
    "[rule plain/trust]\naction = allow\ntrust = packaged\n"
    "[rule plain/code]\naction = allow\ncode = intact\n"
    "[rule plain/hash]\naction = allow\nexe_sha256 = " HASH "f\n"
    "[rule plain/other-hash]\naction = deny\nexe_sha256 = " HASH "0 " HASH "1\n"
    "[rule plain/none]\naction = allow\n";

static const uint8_t self_hash[SHA256_BYTES] = {0xaa, 0xbb};
/* HASH and an f. */
static const uint8_t exe_hash[SHA256_BYTES] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45,
                                               0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab,
                                               0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

/* The copy of `a` as it is written; it is parsed into `b`. The caller frees the text. */
static char *copied_for(struct fixture *a, struct fixture *b, const char *exe, const uint8_t *hash)
{
    const struct copy c = {.top = "/top", .exe = exe, .self = "/self", .exe_sha256 = hash, .self_sha256 = self_hash};
    char *out = NULL;
    size_t size;
    fixture_open(a);
    fixture_open(b);
    fixture_text(a, text);
    fixture_expect_errors(a, 0);
    FILE *f = open_memstream(&out, &size);
    assert_non_null(f);
    assert_true(copy_policy(a->policy, &c, f));
    assert_int_equal(fclose(f), 0);
    fixture_text(b, out);
    fixture_expect_errors(b, 0);
    return out;
}

static char *copied(struct fixture *a, struct fixture *b, const char *exe)
{
    return copied_for(a, b, exe, exe ? exe_hash : NULL);
}

static void close_both(struct fixture *a, struct fixture *b, char *out)
{
    fixture_close(a);
    fixture_close(b);
    free(out);
}

static void same_patterns(const struct patterns *a, const struct patterns *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        char wanted[PATH_MAX];
        snprintf(wanted, sizeof wanted, "/top%s%s", a->v[i].home ? "/home" : "", a->v[i].text);
        assert_string_equal(b->v[i].text, wanted);
        assert_false(b->v[i].home);
    }
}

static void same_programs(const struct policy *p, const struct program_list *a, const struct policy *q,
                          const struct program_list *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        assert_string_equal(p->programs[a->v[i]].text, q->programs[b->v[i]].text);
}

static void same_ids(const struct ids *a, const struct ids *b)
{
    assert_int_equal(a->owner, b->owner);
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(a->v[i].low, b->v[i].low);
        assert_int_equal(a->v[i].high, b->v[i].high);
    }
}

static void same_rule(const struct policy *p, const struct rule *a, const struct policy *q, const struct rule *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->watch, b->watch);
    assert_int_equal(a->action, b->action);
    assert_int_equal(a->ops, b->ops);
    assert_int_equal(a->conditions, b->conditions);
    assert_int_equal(a->expires, b->expires);
    same_programs(p, &a->exe, q, &b->exe);
    same_programs(p, &a->parent, q, &b->parent);
    same_programs(p, &a->ancestor, q, &b->ancestor);
    same_ids(&a->uid, &b->uid);
    same_ids(&a->gid, &b->gid);
    same_ids(&a->egid, &b->egid);
    same_ids(&a->loginuid, &b->loginuid);
    same_patterns(&a->path, &b->path);
    assert_int_equal(a->exe_sha256.n, b->exe_sha256.n);
    for (size_t i = 0; i < a->exe_sha256.n; i++)
        assert_memory_equal(a->exe_sha256.v[i].bytes, b->exe_sha256.v[i].bytes, SHA256_BYTES);
    assert_int_equal(a->unit.n, b->unit.n);
    for (size_t i = 0; i < a->unit.n; i++)
        assert_string_equal(a->unit.v[i], b->unit.v[i]);
}

static void test_everything(void **state)
{
    struct fixture a, b;
    (void)state;
    char *out = copied(&a, &b, NULL);
    const struct policy *p = a.policy, *q = b.policy;
    assert_int_equal(q->settings.mode, MODE_AUDIT);
    assert_null(q->settings.listen);
    assert_int_equal(q->settings.timeout_ms, 300);
    assert_int_equal(q->settings.uid, 7);
    assert_int_equal(p->n_watches, q->n_watches);
    assert_int_equal(p->n_rules, q->n_rules);
    for (int i = 0; i < p->n_watches; i++) {
        const struct watch *v = &p->watches[i], *w = &q->watches[i];
        assert_string_equal(v->name, w->name);
        assert_int_equal(v->default_action, w->default_action);
        assert_int_equal(v->coverage, w->coverage);
        assert_int_equal(v->guard, w->guard);
        assert_int_equal(v->log, w->log);
        assert_int_equal(v->on_timeout, w->on_timeout);
        assert_int_equal(v->rules, w->rules);
        same_patterns(&v->path, &w->path);
        same_patterns(&v->exclude, &w->exclude);
    }
    unsigned conditions = 0;
    for (int i = 0; i < p->n_rules; i++) {
        same_rule(p, &p->rules[i], q, &q->rules[i]);
        conditions |= p->rules[i].conditions;
    }
    assert_int_equal(conditions, (1u << COND_COUNT) - 1); /* a new condition is to be added to the text above */
    close_both(&a, &b, out);
}

static bool is_left_out(const char *key)
{
    static const char *const names[] = {"mode", "changes", "reason"}; /* audit; there is one choice; for people */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], key) == 0)
            return true;
    return false;
}

/* So that a key to come is not forgotten either. */
static void test_keys(void **state)
{
    static const enum section_kind kinds[] = {SECTION_WATCH, SECTION_RULE};
    struct fixture a, b;
    (void)state;
    char *out = copied(&a, &b, NULL);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const struct target t = target_of(kinds[k], NULL);
        for (size_t i = 0; i < t.n; i++) {
            char line[64];
            snprintf(line, sizeof line, "\n%s =", t.keys[i].name);
            assert_non_null(strstr(text, line));
            if (!is_left_out(t.keys[i].name) && !strstr(out, line))
                fail_msg("`%s` is not copied", t.keys[i].name);
        }
    }
    close_both(&a, &b, out);
}

static const struct rule *rule_named(const struct policy *p, const char *name)
{
    for (int i = 0; i < p->n_rules; i++)
        if (strcmp(p->rules[i].name, name) == 0)
            return &p->rules[i];
    return NULL;
}

/* Where we stand for another program, its hash and package are asked for, and what they are does not matter. */
static void test_exe(void **state)
{
    struct fixture a, b;
    (void)state;
    char *out = copied(&a, &b, "/usr/bin/ssh");
    const struct policy *q = b.policy;
    const struct rule *r = rule_named(q, "full/everything"), *next = r + 1;
    assert_string_equal(q->programs[r->exe.v[0]].text, "/self");
    assert_string_equal(q->programs[r->exe.v[1]].text, "/usr/lib/with blank/*");
    assert_int_equal(r->exe_sha256.n, 3);
    assert_memory_equal(r->exe_sha256.v[1].bytes, self_hash, sizeof self_hash); /* behind the program's own */
    assert_int_equal(r->conditions, (1u << COND_COUNT) - 1);
    assert_int_equal(next->conditions, r->conditions & ~(1u << COND_TRUST));
    assert_int_equal(next->action, r->action);
    assert_int_equal(next->watch, r->watch);
    assert_int_equal(rule_named(q, "plain/trust")[1].conditions, 0);
    assert_string_equal(rule_named(q, "plain/code")[1].name, "plain/hash"); /* nothing between */
    assert_int_equal(rule_named(q, "plain/hash")->exe_sha256.n, 2);
    assert_int_equal(rule_named(q, "plain/other-hash")->exe_sha256.n, 2); /* the program's is not in it */
    assert_int_equal(q->n_rules, a.policy->n_rules + 2);
    close_both(&a, &b, out);
}

/* A program that cannot be read is named by no hash. */
static void test_exe_without_hash(void **state)
{
    struct fixture a, b;
    (void)state;
    char *out = copied_for(&a, &b, "/usr/bin/ssh", NULL);
    const struct rule *p = rule_named(a.policy, "full/everything"), *q = rule_named(b.policy, "full/everything");
    assert_int_equal(q->exe_sha256.n, p->exe_sha256.n);
    assert_int_equal(rule_named(b.policy, "plain/hash")->exe_sha256.n, 1);
    close_both(&a, &b, out);
}

/* A rule that is not meant for the program stays one rule. */
static void test_another_exe(void **state)
{
    struct fixture a, b;
    (void)state;
    char *out = copied(&a, &b, "/usr/bin/other");
    assert_string_equal(b.policy->programs[rule_named(b.policy, "full/everything")->exe.v[0]].text, "/usr/bin/ssh");
    assert_int_equal(b.policy->n_rules, a.policy->n_rules + 1);
    close_both(&a, &b, out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_everything), cmocka_unit_test(test_keys),
                                       cmocka_unit_test(test_exe), cmocka_unit_test(test_exe_without_hash),
                                       cmocka_unit_test(test_another_exe)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
