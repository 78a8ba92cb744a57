/* The log as people read it: sentences, times, hostile lines, growing and rotated files. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/stamp.h"
#include "cli/cli.h"
#include "cli/events.h"
#include "cli/lines.h"

#define TIME "\"time\":\"2026-11-22T04:00:00.123456Z\","
#define ACCESS                                                                                                         \
    "{" TIME "\"seq\":1,\"role\":\"judge\",\"kind\":\"access\",\"watch\":\"ssh\",\"rule\":\"ssh/default\","            \
    "\"op\":\"read\",\"decision\":\"deny\",\"verdict\":\"allow\",\"mode\":\"audit\",\"reason\":\"default\","           \
    "\"object\":{\"path\":\"/home/a/.ssh/id_ed25519\"},\"subject\":{\"pid\":811,\"exe\":\"/tmp/x\",\"uid\":1000,"      \
    "\"ancestors\":[{\"pid\":800,\"exe\":\"/usr/bin/bash\"},{\"pid\":790,\"exe\":\"/usr/sbin/sshd\"}]},\"count\":3}"

/* What a viewer prints for a line. */
static char *view(struct viewer v, const char *line, size_t *malformed)
{
    static char *text; /* not of the stack: gcc 12 takes what the stream points at for dangling */
    static size_t n;
    v.out = open_memstream(&text, &n);
    viewer_line(&v, line, strlen(line));
    fclose(v.out);
    if (malformed)
        *malformed = v.malformed;
    return text;
}

static void test_sentences(void **state)
{
    static const struct {
        const char *line, *text;
    } table[] = {
        {ACCESS,
         "would deny  read  /home/a/.ssh/id_ed25519  by /tmp/x[811] uid 1000 (bash < sshd)  rule ssh/default  x3"},
        {"{\"kind\":\"access\",\"op\":\"any\",\"decision\":\"deny\",\"verdict\":\"deny\",\"rule\":\"a/b\",\"count\":2}",
         "denied  any  again  rule a/b  x2"},
        {"{\"kind\":\"access\",\"op\":\"read\",\"decision\":\"allow\",\"verdict\":\"allow\",\"rule\":\"a/b\","
         "\"object\":{\"path\":\"/a\\n\\u001b[2J\\u202eb\"},\"subject\":{\"exe\":null,\"pid\":1}}",
         "allowed  read  /a\\n\\x1b[2J\\xe2\\x80\\xaeb  by ?[1] uid ?  rule a/b"},
        {"{\"kind\":\"timeout\",\"op\":\"any\",\"decision\":\"deny\",\"verdict\":\"allow\",\"object\":{},\"subject\":{}"
         "}",
         "no decision in time, would deny  any  ?  by ?[?] uid ?"},
        {"{\"kind\":\"timeout\",\"watch\":\"ssh\",\"op\":\"any\",\"decision\":\"deny\",\"verdict\":\"deny\","
         "\"object\":{\"path\":null},\"subject\":{\"pid\":null},\"count\":2}",
         "no decision in time, denied  any  watch ssh  x2"},
        {"{\"kind\":\"gap\",\"role\":\"judge\",\"lost\":5}", "5 records of the judge were lost"},
        {"{\"kind\":\"gap\",\"role\":\"judge\",\"lost\":1}", "1 record of the judge was lost"},
        {"{\"kind\":\"gap\",\"role\":\"herald\",\"lost\":5,\"reason\":\"x\\u001b\"}",
         "5 records of the herald were lost: x\\x1b"},
        {"{\"kind\":\"rescue\",\"watch\":\"ssh\",\"count\":2,\"reason\":\"hung\"}",
         "2 waiting opens were released without a decision, watch ssh: hung"},
        {"{\"kind\":\"rescue\",\"count\":1,\"reason\":\"hung\"}",
         "1 waiting open was released without a decision: hung"},
        {"{\"kind\":\"start\",\"version\":\"1\",\"marks\":1,\"watches\":1,\"mode\":\"audit\"}",
         "fileward 1 guards 1 file or directory in 1 watch, mode audit"},
        {"{\"kind\":\"start\",\"version\":\"1\",\"marks\":7,\"watches\":2,\"mode\":\"audit\"}",
         "fileward 1 guards 7 files and directories in 2 watches, mode audit"},
        {"{\"kind\":\"stop\",\"reason\":\"SIGTERM\"}", "fileward stopped: SIGTERM"},
        {"{\"kind\":\"unguarded\",\"watch\":\"ssh\",\"path\":\"/p\",\"reason\":\"link\"}",
         "not guarded: /p, watch ssh: link"},
        {"{\"kind\":\"open\",\"watch\":\"ssh\",\"by\":[\"read\"],\"object\":{\"path\":\"/p\"},"
         "\"subject\":{\"exe\":\"/x\",\"pid\":7,\"uid\":0}}",
         "open before it was guarded: /p by /x[7] uid 0, watch ssh"},
        {"{\"kind\":\"rescan\",\"marks\":7,\"reason\":\"x\"}",
         "everything was looked at again, because changes were missed: x"},
        {"{\"kind\":\"\\u001bnew\"}", "a record of kind \\x1bnew"},
        {"{}", "a record of kind ?"},
        {"{\"kind\":[],\"subject\":7}", "a record of kind ?"},
        {"{\"kind\":\"access\",\"decision\":7,\"subject\":7,\"object\":[],\"count\":\"9\"}",
         "allowed  ?  ?  by ?[?] uid ?  rule ?"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char *text = view((struct viewer){0}, table[i].line, NULL);
        text[strlen(text) - 1] = '\0';
        assert_string_equal(strchr(text, '\n') + 1 + 9, table[i].text); /* behind the date's line and the time */
        free(text);
    }
}

static void test_times_and_colour(void **state)
{
    (void)state;
    CLEAN_FREE char *text = view((struct viewer){.colour = true}, ACCESS, NULL);
    assert_true(strstr(text, "2026-11-22 (UTC)\n04:00:00 \033[33mwould deny\033[0m  read") == text);
    CLEAN_FREE char *same_day = view((struct viewer){.day = "2026-11-22"}, ACCESS, NULL);
    assert_int_equal(strncmp(same_day, "04:00:00 would deny", 19), 0);
    CLEAN_FREE char *json = view((struct viewer){.json = true, .colour = true}, ACCESS, NULL);
    assert_string_equal(json, ACCESS "\n");
}

static void test_choice(void **state)
{
    int64_t then;
    (void)state;
    assert_true(stamp_parse("2026-11-22T04:00:01Z", 0, &then));
    CLEAN_FREE char *late = view((struct viewer){.since_ns = then}, ACCESS, NULL);
    assert_string_equal(late, "");
    CLEAN_FREE char *gap = view((struct viewer){.denied = true}, "{\"kind\":\"gap\"}", NULL);
    assert_string_equal(gap, "");
    CLEAN_FREE char *denied = view((struct viewer){.denied = true, .since_ns = then - NS_PER_S}, ACCESS, NULL);
    assert_true(strlen(denied) > 0);
}

static void test_malformed_lines(void **state)
{
    static const char *const table[] = {"x", "[1]", "{\"a\":1", "{\"a\":\"\x1b\"}", "{\"a\":\"\xc3\xa4\"}",
                                        "7", "{}{}"};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t malformed;
        CLEAN_FREE char *text = view((struct viewer){.json = true}, table[i], &malformed);
        assert_string_equal(text, "");
        assert_int_equal(malformed, 1);
    }
}

static void test_stamps(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: no time */
    } table[] = {
        {"2026-11-22T04:00Z", 1795320000},
        {"2026-11-22T04:00:00.5Z", 1795320000},
        {"1970-01-01T00:00Z", 0},
        {"2000-02-29T23:59:59Z", 951868799},
        {"30s", 1795319970},
        {"10m", 1795319400},
        {"2h", 1795312800},
        {"3d", 1795060800},
        {"05:30", 1795325400},
        {"05:30:15", 1795325415},
        {"", -1},
        {"10", -1},
        {"m", -1},
        {"10mm", -1},
        {"9999999d", -1},
        {"25:00", -1},
        {"5:00", -1},
        {"2026-13-01T00:00Z", -1},
        {"2026-11-22T04:00", -1},
        {"2026-11-22", -1},
        {"2026-11-22T04:00Zx", -1},
    };
    (void)state;
    int64_t now = INT64_C(1795320000) * NS_PER_S;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int64_t ns = 0;
        bool ok = stamp_parse(table[i].text, now, &ns);
        if (ok != (table[i].seconds >= 0) || (ok && ns / NS_PER_S != table[i].seconds))
            fail_msg("%s: %d %lld", table[i].text, ok, (long long)ns);
    }
    for (int64_t s = 0; s < INT64_C(4000000000); s += 86399 * 7) {
        char text[STAMP_BYTES];
        int64_t back;
        stamp_text(text, s * NS_PER_S + 1000);
        assert_true(stamp_parse(text, 0, &back));
        assert_int_equal(back, s * NS_PER_S + 1000);
    }
}

static void append(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void assert_next(struct lines *l, const char *want)
{
    const char *line;
    size_t len;
    assert_true(lines_next(l, &line, &len));
    assert_int_equal(len, strlen(want));
    assert_memory_equal(line, want, len);
}

static bool at_end(struct lines *l)
{
    const char *line;
    size_t len;
    return !lines_next(l, &line, &len);
}

static struct lines lines;

static void test_following(void **state)
{
    char dir[] = "/tmp/fileward-events.XXXXXX", path[64], old[64];
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/log", dir);
    snprintf(old, sizeof old, "%s/log.1", dir);
    assert_int_equal(lines_open(&lines, path), -1);
    assert_false(lines_follow(&lines));
    append(path, "one\ntw");
    assert_true(lines_follow(&lines));
    assert_next(&lines, "one");
    assert_true(at_end(&lines));
    append(path, "o\n");
    assert_true(lines_follow(&lines));
    assert_next(&lines, "two");
    /* Rotated; the old file is still written to for a moment. */
    assert_int_equal(rename(path, old), 0);
    assert_false(lines_follow(&lines));
    append(old, "moved\n");
    assert_true(lines_follow(&lines));
    assert_next(&lines, "moved");
    append(path, "four\n");
    assert_false(lines_follow(&lines));
    append(old, "three\n");
    assert_true(lines_follow(&lines));
    assert_next(&lines, "three");
    usleep(1600000);
    assert_true(lines_follow(&lines));
    assert_next(&lines, "four");
    /* Truncated. */
    assert_int_equal(truncate(path, 0), 0);
    append(path, "5\n");
    assert_true(lines_follow(&lines));
    assert_next(&lines, "5");
    assert_int_equal(lines.malformed, 0);
    lines_close(&lines);
    unlink(path);
    unlink(old);
    rmdir(dir);
}

static void test_long_lines_are_passed_over(void **state)
{
    char path[] = "/tmp/fileward-events.XXXXXX";
    static char megabyte[1 << 20];
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    memset(megabyte, 'x', sizeof megabyte - 1);
    append(path, "a\n");
    append(path, megabyte);
    append(path, "\nb\n");
    megabyte[LINES_LONGEST] = '\0';
    append(path, megabyte);
    append(path, "\n");
    megabyte[LINES_LONGEST - 1] = '\0';
    append(path, megabyte);
    append(path, "\nc\n");
    assert_int_equal(lines_open(&lines, path), 0);
    assert_next(&lines, "a");
    assert_next(&lines, "b");
    assert_next(&lines, megabyte);
    assert_next(&lines, "c");
    assert_true(at_end(&lines));
    assert_int_equal(lines.malformed, 2);
    lines_close(&lines);
    /* From the end: a whole line at the edge is whole. */
    assert_int_equal(lines_open(&lines, path), 0);
    lines_seek_tail(&lines, 2);
    assert_next(&lines, "c");
    lines_close(&lines);
    assert_int_equal(lines_open(&lines, path), 0);
    lines_seek_tail(&lines, 3);
    assert_next(&lines, "c");
    assert_int_equal(lines.malformed, 0);
    lines_close(&lines);
    unlink(path);
}

static int events(char *a, char *b, char *c)
{
    char *argv[] = {(char[]){"events"}, a, b, c, NULL};
    return cmd_events(1 + !!a + !!b + !!c, argv);
}

static void test_usage(void **state)
{
    (void)state;
    assert_int_equal(events((char[]){"--since"}, (char[]){"yesterday"}, NULL), EXIT_USAGE);
    assert_int_equal(events((char[]){"--help"}, NULL, NULL), EXIT_SUCCESS);
    assert_int_equal(events((char[]){"--what"}, NULL, NULL), EXIT_USAGE);
    assert_int_equal(events((char[]){"extra"}, NULL, NULL), EXIT_USAGE);
    assert_int_equal(events((char[]){"--log"}, NULL, NULL), EXIT_USAGE);
    assert_int_equal(events((char[]){"-c"}, (char[]){"/nowhere/policy"}, NULL), EXIT_POLICY);
    assert_int_equal(events((char[]){"-c"}, (char[]){"/dev/null"}, NULL), EXIT_POLICY);
    assert_int_equal(events((char[]){"--log"}, (char[]){"/nowhere/log"}, NULL), EXIT_FAILED);
    assert_int_equal(events((char[]){"--log"}, (char[]){"/dev/null"}, NULL), EXIT_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_times_and_colour),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_malformed_lines),
        cmocka_unit_test(test_stamps),
        cmocka_unit_test(test_following),
        cmocka_unit_test(test_long_lines_are_passed_over),
        cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
