/* Records as JSON: golden lines, hostile names, and the limit of a line. REGOLD=1 writes the golden files anew. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/holdings.h"
#include "base/own.h"
#include "herald/json.h"
#include "herald/status.h"
#include "herald/window.h"
#include "herald_fixture.h"

static const char *golden_path(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "tests/unit/golden/%s.json", name);
    return path;
}

static void assert_golden(const char *name, const char *text, size_t len)
{
    static char want[65536];
    if (getenv("REGOLD")) {
        CLEAN_FILE FILE *out = fopen(golden_path(name), "we");
        assert_non_null(out);
        assert_int_equal(fwrite(text, 1, len, out), len);
        return;
    }
    CLEAN_FILE FILE *f = fopen(golden_path(name), "re");
    assert_non_null(f);
    size_t n = fread(want, 1, sizeof want, f);
    if (n != len || memcmp(want, text, n) != 0)
        fail_msg("%s differs; now it is\n%.*s", golden_path(name), (int)len, text);
}

static void assert_golden_record(const char *name, const struct record *r, const struct record *repeat)
{
    char line[LINE_BYTES_MAX];
    assert_golden(name, line, record_line(line, r, repeat));
}

static void test_golden_questions(void **state)
{
    struct fixture_record f, g;
    (void)state;
    struct record *r = FIXTURE_ACCESS(&f);
    assert_golden_record("access", r, NULL);
    struct record *repeat = fixture_kind(&g, RECORD_REPEAT);
    repeat->seq = 920;
    repeat->time_ns += 1000000000;
    repeat->count = 3;
    repeat->of_seq = 912;
    repeat->op = OP_READ;
    repeat->decision = ACTION_DENY;
    assert_golden_record("repeat", r, repeat);
    assert_golden_record("repeat_forgotten", repeat, NULL);
    r->rule = fixture_text(&f, "ssh/tools", 9);
    r->text = fixture_text(&f, "only OpenSSH reads keys", 23);
    r->reason = REASON_RULE;
    r->decision = ACTION_ALLOW;
    r->loginuid = UINT32_MAX;
    r->exe.len = 0;
    r->exe_ino = 0;
    r->flags = FLAG_UNKNOWN | FLAG_FOREIGN;
    assert_golden_record("access_rule", r, NULL);
    r = fixture_kind(&f, RECORD_TIMEOUT);
    r->reason = REASON_TIMEOUT;
    r->op = OP_ANY;
    r->decision = ACTION_DENY;
    r->count = 2;
    assert_golden_record("timeout", r, NULL);
}

static void test_golden_news(void **state)
{
    struct fixture_record f;
    char line[LINE_BYTES_MAX];
    (void)state;
    struct record *r = fixture_kind(&f, RECORD_RESCUE);
    r->role = ROLE_KEEPER;
    r->count = 2;
    r->text = fixture_text(&f, "the judge did not answer", 24);
    assert_golden_record("rescue", r, NULL);
    r = fixture_kind(&f, RECORD_START);
    r->role = ROLE_KEEPER;
    r->count = 1234;
    r->mode = MODE_ENFORCE;
    r->watches = 2;
    r->rules = 3;
    assert_golden_record("start", r, NULL);
    r = fixture_kind(&f, RECORD_RELOAD);
    r->role = ROLE_KEEPER;
    r->count = 1234;
    r->mode = MODE_ENFORCE;
    r->watches = 2;
    r->rules = 3;
    r->decision = ACTION_DENY;
    r->text = fixture_text(&f, "/etc/fileward/fileward.ini:7: unknown key `defalt`", 50);
    assert_golden_record("reload", r, NULL);
    r = fixture_kind(&f, RECORD_STOP);
    r->role = ROLE_KEEPER;
    r->text = fixture_text(&f, "SIGTERM", 7);
    assert_golden_record("stop", r, NULL);
    r = fixture_kind(&f, RECORD_UNGUARDED);
    r->role = ROLE_SCOUT;
    r->path = fixture_text(&f, "/home/a/.ssh", 12);
    r->text = fixture_text(&f, "a symbolic link", 15);
    assert_golden_record("unguarded", r, NULL);
    r = FIXTURE_ACCESS(&f);
    r->kind = RECORD_OPEN;
    r->role = ROLE_KEEPER;
    r->held_by = HOLDING_READ | HOLDING_MAPPING;
    r->flags = 0;
    r->n_ancestors = 0;
    assert_golden_record("open", r, NULL);
    r = fixture_kind(&f, RECORD_RESCAN);
    r->role = ROLE_SCOUT;
    r->count = 1234;
    r->text = fixture_text(&f, "the scout was replaced", 22);
    assert_golden_record("rescan", r, NULL);
    assert_golden("gap", line, gap_line(line, r->time_ns, ROLE_JUDGE, 10, 14));
    assert_golden("gap_herald", line, lost_line(line, r->time_ns, 3, "the log could not be written: No space left"));
    assert_golden("stop_herald", line, stop_line(line, r->time_ns, "keeper and judge are gone"));
}

static void test_golden_status(void **state)
{
    static _Alignas(struct board) char memory[65536];
    struct board *b = (struct board *)memory;
    (void)state;
    assert_true(board_size(&fixture_policy) <= sizeof memory);
    b->started_ns = INT64_C(1795320000000000000);
    b->state = BOARD_SERVING;
    b->keeper_tick_ns = 5;
    b->features = FEATURE_FD_ERROR | FEATURE_LANDLOCK | FEATURE_OVERLAY;
    b->watch[0].marks = 12;
    b->reloads = 2;
    b->loaded_ns = INT64_C(1795320060000000000);
    b->gap_from_ns = INT64_C(1795319998750000000);
    b->gap_until_ns = b->started_ns;
    struct state s = {.policy = &fixture_policy,
                      .board = b,
                      .kernel = "6.1.0",
                      .now_ns = 10,
                      .wall_ns = b->started_ns + INT64_C(90000000000),
                      .dropped = {0, 7, 0, 1}};
    b->opened.state = OPENED_COMPLETE;
    b->opened.processes = 1;
    b->opened.files = b->opened.told = 2;
    for (int i = 0; i < 2; i++) {
        b->opened.first[i].pid = 811;
        memcpy(b->opened.first[i].watch, "ssh", 4);
        memcpy(b->opened.first[i].exe, "/usr/bin/ssh-agent", 19);
        memcpy(b->opened.first[i].path, i ? "/root/.ssh/\xff\033" : "/root/.ssh/id", 14);
    }
    CLEAN_FREE char *text = status_json(&s);
    assert_golden("status", text, strlen(text));
    assert_null(strstr(text, "/root"));
    s.names = true;
    CLEAN_FREE char *named = status_json(&s);
    assert_non_null(strstr(named, "\"pid\": 811"));
    assert_non_null(strstr(named, "\"path\": \"/root/.ssh/id\""));
    assert_non_null(strstr(named, "\"path\": \"/root/.ssh/\\uFFFD\\u001B\""));
    assert_null(strstr(named, "first\": null"));
    s.names = false;
    assert_null(status_trouble(&s));
    snprintf(b->reload_text, sizeof b->reload_text, "%s", "/etc/fileward/fileward.ini:7: unknown key `defalt`\n");
    b->reload_failed = 1;
    CLEAN_FREE char *reload = reload_json(&s);
    assert_golden("api_reload", reload, strlen(reload));
    s.now_ns = INT64_C(3000000000);
    assert_non_null(status_trouble(&s));
}

static void test_golden_window(void **state)
{
    static struct window w;
    (void)state;
    for (int i = 0; i < 1030; i++) {
        char line[32];
        window_add(&w, line, (size_t)snprintf(line, sizeof line, "{\"n\":%d}\n", i));
    }
    size_t n;
    CLEAN_FREE char *text = window_json(&w, 1028, 100, &n);
    assert_golden("events", text, n);
    CLEAN_FREE char *from_start = window_json(&w, 0, 1, &n);
    assert_string_equal(from_start, "{\"events\":[{\"n\":6}],\"next\":7}\n");
    CLEAN_FREE char *from_future = window_json(&w, 5000, 1, &n);
    assert_string_equal(from_future, from_start);
    CLEAN_FREE char *nothing_new = window_json(&w, 1030, 1, &n);
    assert_string_equal(nothing_new, "{\"events\":[],\"next\":1030}\n");
    /* Bounded in bytes as well. */
    static char big[LINE_BYTES_MAX];
    memset(big, 'x', sizeof big);
    for (int i = 0; i < 2000; i++)
        window_add(&w, big, sizeof big);
    assert_true(w.bytes <= WINDOW_BYTES && w.next - w.first <= WINDOW_LINES);
    while (w.first < w.next)
        free(w.lines[w.first++ % WINDOW_LINES].text);
}

/* A file without its white space, in `out`. */
static size_t read_squeezed(const char *path, char *out, size_t size)
{
    CLEAN_FILE FILE *f = fopen(path, "re");
    size_t n = 0;
    assert_non_null(f);
    for (int c; n + 1 < size && (c = getc(f)) != EOF;)
        if (c != ' ' && c != '\n')
            out[n++] = (char)c;
    out[n] = '\0';
    return n;
}

static void test_manual_shows_them_all(void **state)
{
    static const char *const names[] = {
        "access", "repeat", "repeat_forgotten", "timeout", "rescue", "start",   "stop",   "stop_herald", "unguarded",
        "gap",    "events", "gap_herald",       "status",  "check",  "explain", "reload", "api_reload",  "open",
        "rescan"};
    static char manual[65536], golden[65536];
    (void)state;
    read_squeezed("docs/json.md", manual, sizeof manual);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        read_squeezed(golden_path(names[i]), golden, sizeof golden);
        if (!strstr(manual, golden))
            fail_msg("docs/json.md does not show %s", golden_path(names[i]));
    }
}

/* One line of printable ASCII that parses; returns it. */
static json_t *line_of(const struct record *r)
{
    char line[LINE_BYTES_MAX];
    size_t n = record_line(line, r, NULL);
    assert_in_range(n, 2, LINE_BYTES_MAX);
    for (size_t i = 0; i + 1 < n; i++)
        assert_in_range(line[i], ' ', '~');
    assert_int_equal(line[n - 1], '\n');
    json_t *o = json_loadb(line, n, 0, NULL);
    assert_non_null(o);
    return o;
}

static const char *text_in(const json_t *o, const char *part, const char *key)
{
    return json_string_value(json_object_get(json_object_get(o, part), key));
}

static void test_hostile_names(void **state)
{
    static const struct {
        const char *raw, *json, *hex;
    } table[] = {
        {"/a\nDENY forged", "/a\nDENY forged", NULL},
        {"/a\033[2J\x7f", "/a\033[2J\x7f", NULL},
        {"/a\xff"
         "b",
         "/a\xef\xbf\xbd"
         "b",
         "2f61ff62"},
        {"/\xed\xa0\x80", "/\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "2feda080"},
        {"/\xe2\x80\xaetxt.exe", "/\xe2\x80\xaetxt.exe", NULL},
        {"/\xc2\x9b", "/\xc2\x9b", NULL},
        {"/\xf0\x9f\x98\x80", "/\xf0\x9f\x98\x80", NULL},
        {"/\"\\", "/\"\\", NULL},
    };
    struct fixture_record f;
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t n = strlen(table[i].raw);
        json_t *o = line_of(fixture_access(&f, table[i].raw, n, table[i].raw, n));
        assert_string_equal(text_in(o, "object", "path"), table[i].json);
        assert_string_equal(text_in(o, "subject", "exe"), table[i].json);
        const char *hex = text_in(o, "object", "path_hex");
        assert_true(table[i].hex ? hex && strcmp(hex, table[i].hex) == 0 : hex == NULL);
        assert_null(json_object_get(o, "cut"));
        json_decref(o);
    }
}

static bool was_cut(const json_t *o, const char *what)
{
    const json_t *word;
    size_t i;
    json_array_foreach(json_object_get(o, "cut"), i, word) if (strcmp(json_string_value(word), what) == 0) return true;
    return false;
}

static void test_long_names_are_cut(void **state)
{
    char name[RECORD_NAME_MAX];
    struct fixture_record f;
    (void)state;
    memset(name, 'a', sizeof name);
    json_t *o = line_of(fixture_access(&f, name, sizeof name, name, sizeof name));
    assert_null(json_object_get(o, "cut"));
    json_decref(o);

    memset(name, 0xff, sizeof name);
    o = line_of(fixture_access(&f, name, sizeof name, "/x", 2));
    assert_true(was_cut(o, "hex"));
    json_decref(o);

    memset(name, 1, sizeof name);
    struct record *r = fixture_access(&f, name, sizeof name, name, sizeof name);
    for (r->n_ancestors = 0; r->n_ancestors < RECORD_ANCESTORS_MAX; r->n_ancestors++)
        r->ancestors[r->n_ancestors].exe = fixture_text(&f, name, RECORD_ANCESTOR_MAX);
    r->cut = CUT_EXE;
    o = line_of(r);
    assert_true(was_cut(o, "path") && was_cut(o, "exe") && was_cut(o, "ancestors"));
    /* Who started it is never lost to a long name. */
    assert_int_equal(json_array_size(json_object_get(json_object_get(o, "subject"), "ancestors")), 4);
    json_decref(o);

    /* A character is not cut in two. */
    for (size_t i = 0; i + 2 < sizeof name; i += 3)
        memcpy(name + i, "\xe2\x82\xac", 3);
    o = line_of(fixture_access(&f, name, 4095, name, 4095));
    assert_null(strstr(text_in(o, "object", "path"), "\xef\xbf\xbd"));
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_questions),      cmocka_unit_test(test_golden_news),
        cmocka_unit_test(test_golden_status),         cmocka_unit_test(test_golden_window),
        cmocka_unit_test(test_manual_shows_them_all), cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_long_names_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
