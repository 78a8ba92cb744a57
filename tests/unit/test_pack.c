/* A policy in one piece of memory: the same for whoever reads it, and nothing of it lies elsewhere. */
#include "policy_fixture.h"

#include "policy/pack.h"

static const char text[] = "[fileward]\nmode = enforce\nlisten = 127.0.0.1:1\nuser = 7\n"
                           "[set tools]\nexe = /usr/bin/ssh /usr/lib/ssh/*\n"
                           "[watch a]\npath = /a ~/.ssh\nexclude = /a/public\ndefault = deny\n"
                           "[watch b]\npath = /b\ndefault = allow\n"
                           "[rule a/r]\naction = allow\nexe = @tools\nuid = 1-5 owner\nunit = x.service y.service\n"
                           "path = /a/x\nreason = \"because\"\nancestor = /usr/bin/bash\n"
                           "[rule b/s]\naction = deny\negid = 9\n"
                           "exe_sha256 = 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";

static bool inside(const void *p, const char *room, size_t size)
{
    return (const char *)p >= room && (const char *)p < room + size;
}

static void expect_inside(const struct policy *p, const char *room, size_t size)
{
    assert_true(inside(p->watches, room, size) && inside(p->rules, room, size) && inside(p->programs, room, size));
    assert_true(inside(p->settings.socket, room, size) && inside(p->settings.log_file, room, size));
    for (size_t i = 0; i < p->n_programs; i++)
        assert_true(inside(p->programs[i].text, room, size));
    for (int i = 0; i < p->n_watches; i++) {
        assert_true(inside(p->watches[i].name, room, size) && inside(p->watches[i].at.file, room, size));
        for (size_t k = 0; k < p->watches[i].path.n; k++)
            assert_true(inside(p->watches[i].path.v[k].text, room, size));
    }
    for (int i = 0; i < p->n_rules; i++)
        assert_true(inside(p->rules[i].name, room, size));
}

static void test_copy(void **state)
{
    static _Alignas(16) char room[1 << 20];
    struct fixture x;
    (void)state;
    fixture_open(&x);
    fixture_file(&x, "main.ini", text);
    struct policy *p = policy_read(&x.sources, &x.findings, NULL, NULL);
    assert_int_equal(x.findings.errors, 0);
    const struct policy *q = policy_pack(p, room, sizeof room);
    assert_non_null(q);
    expect_inside(q, room, sizeof room);
    policy_free(p); /* what the copy still had of it would now be gone */
    assert_int_equal(q->n_watches, 2);
    assert_int_equal(q->n_rules, 2);
    assert_string_equal(q->watches[0].name, "a");
    assert_string_equal(q->watches[0].path.v[0].text, "/a");
    assert_true(q->watches[0].path.v[1].home);
    assert_string_equal(q->watches[0].exclude.v[0].text, "/a/public");
    const struct rule *r = &q->rules[q->watches[0].first_rule];
    assert_string_equal(r->name, "a/r");
    assert_string_equal(r->reason, "because");
    assert_int_equal(r->exe.n, 2);
    assert_string_equal(q->programs[r->exe.v[1]].text, "/usr/lib/ssh/*");
    assert_string_equal(q->programs[r->ancestor.v[0]].text, "/usr/bin/bash");
    assert_true(r->uid.owner && r->uid.v[0].low == 1 && r->uid.v[0].high == 5);
    assert_string_equal(r->unit.v[1], "y.service");
    assert_string_equal(r->path.v[0].text, "/a/x");
    assert_int_equal(q->rules[q->watches[1].first_rule].egid.v[0].low, 9);
    const struct sha256_list *hashes = &q->rules[q->watches[1].first_rule].exe_sha256;
    assert_true(inside((const char *)hashes->v, room, sizeof room));
    assert_int_equal(hashes->v[0].bytes[31], 0xef);
    assert_int_equal(q->settings.uid, 7);
    assert_string_equal(q->settings.listen, "127.0.0.1:1");
    fixture_close(&x);
}

/* Too little room is told, and nothing is written beyond it. */
static void test_room(void **state)
{
    static _Alignas(16) char room[1 << 16];
    struct fixture x;
    (void)state;
    fixture_open(&x);
    fixture_file(&x, "main.ini", text);
    struct policy *p = policy_read(&x.sources, &x.findings, NULL, NULL);
    size_t enough = 0;
    for (size_t size = 0; size < sizeof room - 64 && !enough; size += 8) {
        memset(room, 0x55, sizeof room);
        if (policy_pack(p, room, size))
            enough = size;
        for (size_t i = size; i < size + 64; i++)
            assert_int_equal(room[i], 0x55);
    }
    assert_true(enough > sizeof(struct policy));
    policy_free(p);
    fixture_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_copy), cmocka_unit_test(test_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
