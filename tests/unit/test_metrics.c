/* The Prometheus text: series, numbers, and the labels that can occur. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "herald/metrics.h"
#include "herald_fixture.h"

static _Alignas(struct board) char memory[65536];
static struct board *const board = (struct board *)memory;

static char *metrics_text(void)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    struct state s = {.policy = &fixture_policy,
                      .board = board,
                      .kernel = "6.1.0-\"quoted\"",
                      .dropped = {[ROLE_JUDGE] = 4},
                      .usage = {.cpu_ns = 1230000000, .open_fds = 17}};
    metrics_write(f, &s);
    fclose(f);
    return text;
}

static void assert_line(const char *text, const char *line)
{
    char whole[256];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    if (!strstr(text, whole))
        fail_msg("missing: %s", line);
}

static size_t count_of(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = strstr(text, what); at; at = strstr(at + 1, what))
        n++;
    return n;
}

static void test_seconds(void **state)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } table[] = {
        {0, "0"},
        {1, "1e-09"},
        {1000, "1e-06"},
        {2500, "2.5e-06"},
        {25000, "2.5e-05"},
        {100000, "0.0001"},
        {1000000, "0.001"},
        {250000000, "0.25"},
        {1000000000, "1"},
        {1500000000, "1.5"},
        {UINT64_C(1795320000123456789), "1795320000.123456789"},
        {UINT64_C(1795320000000000000), "1795320000"},
        {UINT64_MAX, "18446744073.709551615"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char out[SECONDS_BYTES];
        seconds_text(out, table[i].ns);
        assert_string_equal(out, table[i].text);
    }
}

static void test_series_that_can_occur(void **state)
{
    (void)state;
    memset(memory, 0, sizeof memory);
    CLEAN_FREE char *text = metrics_text();
#define DECISION "fileward_decisions_total{watch="
    /* Enforcing, deny: both verdicts, since process 1 is never refused. */
    assert_line(text, DECISION "\"ssh\",rule=\"ssh/default\",op=\"read\",decision=\"deny\",verdict=\"deny\"} 0");
    assert_line(text, DECISION "\"ssh\",rule=\"ssh/default\",op=\"any\",decision=\"deny\",verdict=\"allow\"} 0");
    assert_line(text, DECISION "\"ssh\",rule=\"ssh/tools\",op=\"write\",decision=\"allow\",verdict=\"allow\"} 0");
    assert_null(strstr(text, "rule=\"ssh/tools\",op=\"exec\""));
    assert_null(strstr(text, "decision=\"allow\",verdict=\"deny\""));
    /* Audit: never a refusal. */
    assert_line(text, DECISION "\"etc\",rule=\"etc/vim\",op=\"write\",decision=\"deny\",verdict=\"allow\"} 0");
    assert_null(strstr(text, "rule=\"etc/vim\",op=\"write\",decision=\"deny\",verdict=\"deny\""));
    assert_null(strstr(text, "rule=\"etc/vim\",op=\"any\""));
    /* tools: read, write, any. curl and ssh/default: five operations twice. vim: one. etc/default: five. */
    assert_int_equal(count_of(text, DECISION), 3 + 10 + 1 + 10 + 5);
    assert_line(text, "fileward_mode{watch=\"etc\",mode=\"audit\"} 1");
    assert_line(text, "fileward_mode{watch=\"etc\",mode=\"enforce\"} 0");
    assert_line(text, "fileward_build_info{version=\"" FILEWARD_VERSION "\",kernel=\"6.1.0-\\\"quoted\\\"\"} 1");
    assert_line(text, "process_cpu_seconds_total 1.23");
    assert_line(text, "fileward_records_dropped_total{role=\"judge\"} 4");
}

static void test_what_cannot_be_is_shown_when_it_is(void **state)
{
    (void)state;
    memset(memory, 0, sizeof memory);
    board_slot(board, &fixture_policy, 1, 2)->n[OP_WRITE][ACTION_DENY] = 1;
    CLEAN_FREE char *text = metrics_text();
    assert_line(text, DECISION "\"etc\",rule=\"etc/vim\",op=\"write\",decision=\"deny\",verdict=\"deny\"} 1");
}

static void test_histogram_is_cumulative(void **state)
{
    (void)state;
    memset(memory, 0, sizeof memory);
    for (int i = 0; i <= BUCKETS; i++)
        board->bucket[i] = 1;
    board->latency_sum_ns = 2500;
    CLEAN_FREE char *text = metrics_text();
#define DURATION "fileward_decision_duration_seconds"
    assert_line(text, DURATION "_bucket{le=\"1e-06\"} 1");
    assert_line(text, DURATION "_bucket{le=\"0.001\"} 10");
    assert_line(text, DURATION "_bucket{le=\"1\"} 17");
    assert_line(text, DURATION "_bucket{le=\"+Inf\"} 18");
    assert_line(text, DURATION "_sum 2.5e-06");
    assert_line(text, DURATION "_count 18");
}

static void test_locale_does_not_matter(void **state)
{
    (void)state;
    CLEAN_FREE char *before = metrics_text();
    /* Whichever of them the machine has; none of them is no failure. */
    if (!setlocale(LC_ALL, "de_DE.UTF-8"))
        setlocale(LC_ALL, "");
    CLEAN_FREE char *after = metrics_text();
    setlocale(LC_ALL, "C");
    assert_string_equal(before, after);
}

static void test_promtool_is_silent(void **state)
{
    (void)state;
    if (system("command -v promtool >/dev/null") != 0)
        skip();
    CLEAN_FREE char *text = metrics_text();
    FILE *f = popen("promtool check metrics", "we");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(pclose(f), 0);
}

static void test_own_usage(void **state)
{
    struct self self;
    struct self_usage u = {0};
    (void)state;
    self_open(&self);
    u = self_usage(&self);
    assert_true(u.resident_bytes > 0 && u.virtual_bytes > u.resident_bytes && u.started_ns > 0 && u.open_fds >= 3);
    self_close(&self);
    u = (struct self_usage){.max_fds = 3};
    self_parse_stat(&self, "", &u);
    self_parse_stat(&self, "1 (a) b)", &u);
    assert_int_equal(u.resident_bytes, 0);
    self_parse_stat(&self, "1 (a) R) S 0 0 0 0 0 0 0 0 0 0 100 50 0 0 0 0 0 0 0 4096 2 0", &u);
    assert_int_equal(u.cpu_ns, 150 * UINT64_C(1000000000) / (uint64_t)self.ticks_per_s);
    assert_int_equal(u.virtual_bytes, 4096);
    assert_int_equal(u.resident_bytes, 2 * self.page_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_series_that_can_occur),
        cmocka_unit_test(test_what_cannot_be_is_shown_when_it_is),
        cmocka_unit_test(test_histogram_is_cumulative),
        cmocka_unit_test(test_locale_does_not_matter),
        cmocka_unit_test(test_promtool_is_silent),
        cmocka_unit_test(test_own_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
