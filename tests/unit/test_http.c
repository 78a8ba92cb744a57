/* What a request is answered with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "herald/request.h"
#include "herald/window.h"

static void test_hosts(void **state)
{
    static const struct {
        const char *host;
        bool ours;
    } table[] = {
        {"localhost", true},
        {"LocalHost:9842", true},
        {"127.0.0.1", true},
        {"127.0.0.1:1", true},
        {"[::1]", true},
        {"[::1]:65535", true},
        {"", false},
        {"evil.example", false},
        {"localhost.evil", false},
        {"localhost:", false},
        {"localhost:0", false},
        {"localhost:65536", false},
        {"localhost:80x", false},
        {"127.0.0.1.evil:80", false},
        {"127.0.0.2", false},
        {"::1", false},
        {"localhost:9842:1", false},
        {" localhost", false},
        {"localhost ", false},
        {"localhost@evil", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (request_host_is_ours(table[i].host) != table[i].ours)
            fail_msg("%s", table[i].host);
}

static void test_numbers(void **state)
{
    uint64_t n;
    (void)state;
    assert_true(request_number("0", &n) && n == 0);
    assert_true(request_number("999999999999999999", &n) && n == UINT64_C(999999999999999999));
    assert_false(request_number("", &n) || request_number("-1", &n) || request_number("+1", &n) ||
                 request_number(" 1", &n) || request_number("1 ", &n) || request_number("0x1", &n) ||
                 request_number("1000000000000000000", &n));
}

#define TCP   .hosts = 1, .host = "localhost:9842"
#define LOCAL .local = true, .trusted = true

static void test_answers(void **state)
{
    static const struct {
        struct request q;
        enum route route;
        unsigned status;
    } table[] = {
        {{.method = "GET", .url = "/metrics", TCP}, ROUTE_METRICS, 200},
        {{.method = "HEAD", .url = "/healthz", TCP}, ROUTE_HEALTH, 200},
        {{.method = "GET", .url = "/status", TCP}, ROUTE_STATUS, 200},
        {{.method = "GET", .url = "/metrics", .hosts = 0}, ROUTE_ERROR, 403},
        {{.method = "GET", .url = "/metrics", .hosts = 2, .host = "localhost"}, ROUTE_ERROR, 403},
        {{.method = "GET", .url = "/metrics", .hosts = 1, .host = "evil.example"}, ROUTE_ERROR, 403},
        {{.method = "GET", .url = "/metrics", TCP, .origin = "http://evil.example"}, ROUTE_ERROR, 403},
        {{.method = "GET", .url = "/metrics", TCP, .origin = "null"}, ROUTE_ERROR, 403},
        {{.method = "GET", .url = "/metrics", TCP, .origin = "http://localhost:9842"}, ROUTE_METRICS, 200},
        {{.method = "GET", .url = "/metrics", TCP, .fetch_site = "cross-site"}, ROUTE_ERROR, 403},
        {{.method = "GET", .url = "/metrics", TCP, .fetch_site = "same-site"}, ROUTE_ERROR, 403},
        {{.method = "GET", .url = "/metrics", TCP, .fetch_site = "none"}, ROUTE_METRICS, 200},
        {{.method = "GET", .url = "http://localhost/metrics", TCP}, ROUTE_ERROR, 400},
        {{.method = "GET", .url = "", TCP}, ROUTE_ERROR, 400},
        {{.method = "GET", .url = "/", TCP}, ROUTE_ERROR, 404},
        {{.method = "GET", .url = "/metrics/", TCP}, ROUTE_ERROR, 404},
        {{.method = "POST", .url = "/metrics", TCP}, ROUTE_ERROR, 405},
        {{.method = "get", .url = "/metrics", TCP}, ROUTE_ERROR, 405},
        {{.method = "OPTIONS", .url = "*", TCP}, ROUTE_ERROR, 400},
        {{.method = "GET", .url = "/api/events", TCP}, ROUTE_ERROR, 403},
        {{.method = "GET", .url = "/api/events", LOCAL}, ROUTE_EVENTS, 200},
        {{.method = "GET", .url = "/api/events", LOCAL, .after = "x"}, ROUTE_ERROR, 400},
        {{.method = "GET", .url = "/api/events", LOCAL, .limit = "0"}, ROUTE_ERROR, 400},
        {{.method = "GET", .url = "/api/events", LOCAL, .limit = "1025"}, ROUTE_ERROR, 400},
        {{.method = "GET", .url = "/metrics", LOCAL}, ROUTE_METRICS, 200},
        {{.method = "GET", .url = "/metrics", .local = true, .hosts = 1, .host = "localhost"}, ROUTE_ERROR, 403},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct answer a = request_answer(&table[i].q);
        if (a.route != table[i].route || a.status != table[i].status)
            fail_msg("row %zu: route %d, status %u", i, a.route, a.status);
        assert_true((a.error != NULL) == (a.route == ROUTE_ERROR));
        assert_true((a.allow != NULL) == (a.status == 405));
    }
}

static void test_events_query(void **state)
{
    struct request q = {.method = "GET", .url = "/api/events", LOCAL, .after = "7", .limit = "1024"};
    (void)state;
    struct answer a = request_answer(&q);
    assert_int_equal(a.after, 7);
    assert_int_equal(a.limit, WINDOW_LINES);
    q.limit = NULL;
    assert_int_equal(request_answer(&q).limit, EVENTS_LIMIT_DEFAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_events_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
