#include "policy_fixture.h"

/* The mistakes of data/thirty.ini, by line. */
static const struct {
    int line;
    const char *part;
} thirty[] = {
    {2, "`timeout` stands before any [section]"},
    {4, "mode: unknown value `enfroce`: did you mean `enforce`?"},
    {5, "timeout: `5ms`: must be 10ms to 10s"},
    {6, "listen: `0.0.0.0:80`: not a loopback address"},
    {7, "socket: `run/fileward.sock`: must be an absolute path"},
    {8, "unknown key `usr`: did you mean `user`?"},
    {9, "user: `nosuchuser`: there is no such name"},
    {12, "exe: a quote is opened and not closed"},
    {14, "unknown section [sett more]: did you mean [set ...]?"},
    {18, "path: `/`: `/` is everything"},
    {20, "unknown key `defualt`: did you mean `default`?"},
    {22, "[watch b] needs `path = PATH...`"},
    {25, "[watch c] needs `default = deny` or `default = allow`"},
    {26, "path: `/c/../d`: `.` and `..` are not followed"},
    {29, "path: `~bob/x`: only `~` alone is known"},
    {31, "coverage: unknown value `filesytem`: did you mean `filesystem`?"},
    {32, "guard: unknown value `open+wirte`: did you mean `open+write`?"},
    {33, "changes = hash is not available in this version; it has: ignore"},
    {35, "[rule e/x]: there is no [watch e]"},
    {38, "[rule d/default]: the name `default` stands for"},
    {43, "op: unknown value `raed`: did you mean `read`?"},
    {44, "uid: `60000-1000`: the range ends before it begins"},
    {45, "expires: `2026-13-01T00:00Z`: no such time"},
    {46, "trust: unknown value `pakaged`: did you mean `packaged`?"},
    {47, "object: unknown value `private`; it is one of: public"},
    {48, "exe: there is no [set tool]: did you mean `@tools`?"},
    {49, "path: `/d/[a`: not a valid glob"},
    {51, "a section header must end in ]"},
    {52, "the line begins with a blank"},
    {53, "neither `[section]` nor `key = value`"},
};

static void test_thirty_mistakes(void **state)
{
    (void)state;
    struct fixture x;
    fixture_open(&x);
    x.sources.main_file = DATA "thirty.ini";
    fixture_read(&x);
    assert_int_equal(sizeof thirty / sizeof thirty[0], 30);
    fixture_expect_errors(&x, 30);
    for (size_t i = 0; i < 30; i++) {
        char where[32];
        snprintf(where, sizeof where, "thirty.ini:%d: ", thirty[i].line);
        assert_int_equal(x.findings.v[i].line, thirty[i].line);
        assert_non_null(strstr(x.findings.v[i].text, where));
        assert_true(fixture_has(&x, thirty[i].line, thirty[i].part));
    }
    fixture_close(&x);
}

#define W         "[watch w]\npath = /w\ndefault = deny\n"
#define R         "[rule w/r]\naction = allow\n"
#define HASH_REST "f0e1d2c3b4a5968778695a4b3c2d1e0f0F1E2D3C4B5A69788796A5B4C3D2E1F"

/* One policy, one error. */
static void test_single_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int line;
        const char *part;
    } cases[] = {
        {"", 0, "the policy has no [watch ...]: there is nothing to guard"},
        {"[fileward]\nmode = audit\n[set s]\nexe = /e\n", 0, "the policy has no [watch ...]"},
        {W R "exe =\n", 6, "exe: a value is missing"},
        {W R "action = allow\n", 6, "`action` stands twice in this section, first on line 5"},
        {W R R, 6, "[rule w/r] stands twice in this file, first on line 4"},
        {W "[watch w]\n", 4, "[watch w] stands twice"},
        {"[fileward x]\n", 1, "[fileward] has no name"},
        {"[fileward]\nlisten = 127.0.0.1\n", 2, "not an address and port"},
        {"[fileward]\nlisten = 127.0.0.1:0\n", 2, "not an address and port"},
        {"[fileward]\nlisten = 127.0.0.1:70000\n", 2, "not an address and port"},
        {"[fileward]\nlisten = localhost:9842\n", 2, "not an address and port"},
        {"[fileward]\nlisten = [::]:9842\n", 2, "not a loopback address"},
        {"[fileward]\ntimeout = 200\n", 2, "not a duration"},
        {"[fileward]\ntimeout = 11s\n", 2, "10ms to 10s"},
        {"[fileward]\nlog_file = /var/log/*.log\n", 2, "plain path"},
        {"[fileward]\nlog_file = /var/log/\n", 2, "path of a file"},
        {"[fileward]\nuser = 1-5\n", 2, "must be one user"},
        {"[fileward]\nmode = audit enforce\n", 2, "has one value"},
        {"[watch]\n", 1, "needs a name"},
        {"[watch a b]\n", 1, "a name has 1 to 64"},
        {"[watch a/b]\n", 1, "a name has 1 to 64"},
        {"[Watch a]\n", 1, "did you mean [watch ...]?"},
        {"[set s]\n", 1, "needs `exe = PROGRAM...`"},
        {"[set s]\nexe = @t\n", 2, "a set cannot hold a set"},
        {W R "reason = two words\n", 6, "put a value that holds blanks in quotes"},
        {W R "exe = ~/bin/x\n", 6, "a program must be an absolute path"},
        {W R "exe = /usr/bin/\n", 6, "a directory is no program"},
        {W R "exe = bin/x\n", 6, "must be an absolute path"},
        {W R "exe = /a\"b\"\n", 6, "a quote in the middle"},
        {W R "exe = \"/a\"/b\n", 6, "a closing quote"},
        {W R "path = /w//x\n", 6, "two slashes"},
        {W R "path = w\n", 6, "must be an absolute path or begin with ~/"},
        {W R "unit = ssh\n", 6, "not the name of a unit"},
        {W R "unit = ssh*.service\n", 6, "no globs"},
        {W R "uid = 4294967295\n", 6, "not a number"},
        {W R "uid = carol\n", 6, "there is no such name"},
        {W R "gid = owner\n", 6, "there is no such name"},
        {W R "code = whole\n", 6, "code: unknown value `whole`; it is one of: intact"},
        {W R "exe_sha256 = 00\n", 6, "not a SHA-256: 64 hexadecimal digits"},
        {W R "exe_sha256 = g" HASH_REST "\n", 6, "not a SHA-256"},
        {W R "exe_sha256 = 0" HASH_REST "0\n", 6, "not a SHA-256"},
        {W R "expires = tomorrow\n", 6, "not a time"},
        {W R "expires = 2026-02-29T00:00Z\n", 6, "no such time"},
        {W R "comm = ssh\n", 6, "unknown key `comm`; a [rule] section has: action"},
        {W "[rule w/x]\nexe = /a\n", 4, "[rule w/x] needs `action = allow`"},
        {W "[rule x/y]\naction = allow\n", 4, "there is no [watch x]"},
        {"[watch w]\npath = /*/x\ndefault = deny\n", 2, "must be plain"},
        {"[watch w]\npath = /**\ndefault = deny\n", 2, "must be plain"},
        {"[watch w]\npath = /w\ndefault = deny\nchanges = record\n", 4, "not available in this version"},
    };
    struct fixture x;
    fixture_open(&x);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_text(&x, cases[i].text);
        fixture_expect_errors(&x, 1);
        assert_true(fixture_has(&x, cases[i].line, cases[i].part));
    }
    fixture_close(&x);
}

static void test_everything_once(void **state)
{
    (void)state;
    struct fixture x;
    fixture_open(&x);
    fixture_text(&x, "# all keys\n"
                     "[fileward]\nmode = enforce ; now\ntimeout=2s\non_timeout = allow\nlisten = [::1]:99\n"
                     "socket = /run/s\nlog_file = /var/log/l\njournal = yes\nuser = daemon\n"
                     "[rule w/r]   # stands before its watch\n"
                     "action = deny\nop = read exec\nop = list\nexe = @s \"/a b\" /c\nparent = /c\nancestor = /d*\n"
                     "uid = owner 5\nuid = 1000-2000\ngid = shadow\negid = 7\nloginuid = alice\nunit = a.service\n"
                     "exe_sha256 = 0" HASH_REST "\ntrust = packaged\ncode = intact\n"
                     "path = ~/x \"/w/y #z\" /w/d/\nobject = public\nexpires = 2026-12-01T00:00Z\n"
                     "reason = \"say \\\"why\\\"; and # too\"\n"
                     "[set s]\nexe = /e\n"
                     "[watch w]\npath = /w ~ ~/\nexclude = /w/not ; here\ndefault = allow\nmode = audit\n"
                     "coverage = inode\nguard = open+read\nchanges = ignore\nlog = all\n");
    fixture_expect_errors(&x, 0);
    const struct policy *p = x.policy;
    const struct settings *s = &p->settings;
    assert_int_equal(s->mode, MODE_ENFORCE);
    assert_int_equal(s->timeout_ms, 2000);
    assert_int_equal(s->on_timeout, ACTION_ALLOW);
    assert_string_equal(s->listen, "[::1]:99");
    assert_string_equal(s->socket, "/run/s");
    assert_string_equal(s->log_file, "/var/log/l");
    assert_true(s->journal);
    assert_int_equal(s->uid, 1);
    assert_int_equal(s->gid, 1);

    assert_int_equal(p->n_watches, 1);
    const struct watch *w = &p->watches[0];
    assert_int_equal(w->path.n, 3);
    assert_true(w->path.v[1].home && w->path.v[2].home);
    assert_string_equal(w->path.v[1].text, "");
    assert_string_equal(w->path.v[2].text, "");
    assert_int_equal(w->exclude.n, 1);
    assert_int_equal(w->default_action, ACTION_ALLOW);
    assert_int_equal(w->mode, MODE_AUDIT);
    assert_int_equal(watch_mode(p, w), MODE_AUDIT);
    assert_int_equal(w->guard, GUARD_OPEN_READ);
    assert_int_equal(w->log, LOG_EVERYTHING);
    assert_int_equal(w->on_timeout, ACTION_ALLOW);

    assert_int_equal(p->n_rules, 1);
    const struct rule *r = &p->rules[0];
    assert_int_equal(r->at.line, 11);
    assert_int_equal(r->ops, OP_BIT(OP_READ) | OP_BIT(OP_EXEC) | OP_BIT(OP_LIST));
    assert_int_equal(r->conditions, (1u << COND_COUNT) - 1);
    assert_int_equal(r->exe.n, 3);
    assert_string_equal(p->programs[r->exe.v[0]].text, "/e");
    assert_string_equal(p->programs[r->exe.v[1]].text, "/a b");
    assert_int_equal(r->parent.v[0], r->exe.v[2]);
    assert_int_equal(p->n_programs, 4);
    assert_true(r->uid.owner);
    assert_int_equal(r->uid.n, 2);
    assert_int_equal(r->gid.v[0].low, 42);
    assert_int_equal(r->loginuid.v[0].high, 1000);
    assert_int_equal(r->exe_sha256.n, 1);
    assert_int_equal(r->exe_sha256.v[0].bytes[0], 0x0f);
    assert_int_equal(r->exe_sha256.v[0].bytes[15], 0xe0);
    assert_int_equal(r->exe_sha256.v[0].bytes[30], 0x2e);
    assert_string_equal(r->unit.v[0], "a.service");
    assert_true(r->path.v[0].home);
    assert_string_equal(r->path.v[1].text, "/w/y #z");
    assert_string_equal(r->path.v[2].text, "/w/d");
    assert_int_equal(r->expires, 1796083200);
    assert_string_equal(r->reason, "say \"why\"; and # too");
    fixture_close(&x);
}

static void test_defaults(void **state)
{
    (void)state;
    struct fixture x;
    fixture_open(&x);
    fixture_text(&x, W R);
    fixture_expect_errors(&x, 0);
    const struct settings *s = &x.policy->settings;
    assert_int_equal(s->mode, MODE_AUDIT);
    assert_int_equal(s->timeout_ms, 200);
    assert_int_equal(s->on_timeout, ACTION_DENY);
    assert_string_equal(s->listen, "127.0.0.1:9842");
    assert_string_equal(s->socket, "/run/fileward/fileward.sock");
    assert_string_equal(s->log_file, "/var/log/fileward/events.jsonl");
    assert_false(s->journal);
    assert_int_equal(s->uid, 200);
    assert_int_equal(s->gid, 201);
    const struct watch *w = &x.policy->watches[0];
    assert_int_equal(w->mode, MODE_UNSET);
    assert_int_equal(w->guard, GUARD_OPEN);
    assert_int_equal(w->changes, CHANGES_IGNORE);
    assert_int_equal(w->log, LOG_DENY);
    assert_int_equal(x.policy->rules[0].ops, OPS_ALL);
    assert_int_equal(x.policy->rules[0].conditions, 0);
    fixture_text(&x, "[fileward]\nlisten = off\n");
    assert_null(x.policy->settings.listen);
    x.sources.passwd = "/dev/null";
    fixture_text(&x, W);
    fixture_expect_errors(&x, 0);
    assert_true(fixture_has(&x, 0, "note: there is no user `fileward`"));
    assert_int_equal(x.policy->settings.uid, UINT32_MAX);
    /* Nothing is said of users when there is nothing to go by. */
    x.sources.main_file = "/nonexistent";
    fixture_read(&x);
    fixture_expect_errors(&x, 1);
    assert_int_equal(x.findings.n, 1);
    assert_true(fixture_has(&x, 0, "/nonexistent: does not exist"));
    fixture_close(&x);
}

/* Later files add to lists and replace single values; temporary rules come first; *.ini only, in name order. */
static void test_several_files(void **state)
{
    (void)state;
    struct fixture x;
    fixture_open(&x);
    fixture_file(&x, "main.ini",
                 "[fileward]\nmode = audit\n" W R "uid = 1\n[watch v]\npath = /v\ndefault = deny\n"
                 "[rule v/first]\naction = allow\n");
    fixture_file(&x, "policy.d/20.ini", "[rule w/s]\naction = allow\n[watch w]\nexclude = /w/y\n");
    fixture_file(&x, "policy.d/10.ini",
                 "[watch w]\npath = /w2\nexclude = /w/x\ndefault = allow\n"
                 "[rule w/r]\nuid = 2\n[fileward]\nmode = enforce\n");
    fixture_file(&x, "policy.d/README", "not a policy");
    fixture_file(&x, "policy.d/.hidden.ini", "not a policy");
    fixture_file(&x, "run/t.ini", "[rule w/t]\naction = allow\n");
    fixture_read(&x);
    fixture_expect_errors(&x, 0);
    assert_int_equal(x.findings.n, 2);
    assert_true(fixture_has(&x, 4, "note: `default = allow` replaces `deny` of "));
    assert_true(fixture_has(&x, 8, "note: `mode = enforce` replaces `audit` of "));
    const struct policy *p = x.policy;
    assert_int_equal(p->n_files, 4);
    assert_int_equal(p->settings.mode, MODE_ENFORCE);
    const struct watch *w = &p->watches[0];
    assert_int_equal(w->default_action, ACTION_ALLOW);
    assert_int_equal(w->path.n, 2);
    assert_string_equal(w->exclude.v[1].text, "/w/y");
    assert_int_equal(w->rules, 3);
    assert_string_equal(p->rules[w->first_rule].name, "w/t");
    assert_string_equal(p->rules[w->first_rule + 1].name, "w/r");
    assert_int_equal(p->rules[w->first_rule + 1].uid.n, 2);
    assert_string_equal(p->rules[w->first_rule + 2].name, "w/s");
    assert_int_equal(p->watches[1].rules, 1);
    assert_string_equal(p->rules[p->watches[1].first_rule].name, "v/first");

    fixture_file(&x, "run/t.ini", "[rule w/r]\naction = allow\n[watch w]\nmode = audit\n[rule w/t]\naction = allow\n");
    fixture_read(&x);
    fixture_expect_errors(&x, 2);
    assert_true(fixture_has(&x, 1, "[rule w/r] exists already"));
    assert_true(fixture_has(&x, 3, "only rules can be temporary"));
    fixture_close(&x);
}

static void test_limits(void **state)
{
    (void)state;
    struct fixture x;
    static char text[1 << 18];
    size_t len = 0;
    fixture_open(&x);
    for (int i = 0; i <= WATCHES_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "[watch w%d]\npath = /w%d\ndefault = deny\n", i, i);
    fixture_text(&x, text);
    fixture_expect_errors(&x, 1);
    assert_true(fixture_has(&x, 3 * WATCHES_MAX + 1, "at most 50 watches"));

    len = (size_t)snprintf(text, sizeof text, "%s", W R);
    for (int i = 0; i < PROGRAMS_MAX + 100; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "exe = /usr/bin/%d\n", i);
    fixture_text(&x, text);
    fixture_expect_errors(&x, 1);
    assert_true(fixture_has(&x, 6 + PROGRAMS_MAX, "too many programs"));
    assert_int_equal(x.policy->n_programs, PROGRAMS_MAX);

    len = (size_t)snprintf(text, sizeof text, "%s", W);
    for (int i = 0; i <= RULES_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "[rule w/r%d]\naction = allow\n", i);
    fixture_text(&x, text);
    fixture_expect_errors(&x, 1);
    assert_true(fixture_has(&x, 4 + 2 * RULES_MAX, "at most 4096 rules"));
    fixture_close(&x);
}

static void test_hostile_names_are_escaped(void **state)
{
    (void)state;
    struct fixture x;
    fixture_open(&x);
    fixture_text(&x, "[watch \xe2\x80\xae\xff]\n");
    fixture_expect_errors(&x, 1);
    assert_true(fixture_has(&x, 1, "\\xe2\\x80\\xae\\xff"));
    fixture_close(&x);
}

static void test_examples(void **state)
{
    (void)state;
    struct fixture x;
    fixture_open(&x);
    for (int i = 1; i <= 4; i++) {
        char path[64], command[256];
        snprintf(path, sizeof path, DATA "example%d.ini", i);
        snprintf(command, sizeof command, "cp %s %s/policy.d/%d.ini", path, x.dir, i);
        assert_int_equal(system(command), 0);
    }
    fixture_text(&x, "[fileward]\n");
    fixture_expect_errors(&x, 0);
    assert_int_equal(x.policy->n_watches, 5);
    assert_int_equal(x.policy->n_rules, 17);
    fixture_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thirty_mistakes),
        cmocka_unit_test(test_single_errors),
        cmocka_unit_test(test_everything_once),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_several_files),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_hostile_names_are_escaped),
        cmocka_unit_test(test_examples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
