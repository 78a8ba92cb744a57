/* What a request is answered with, and what becomes of clients that do not make one. */
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "herald/http.h"
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

/* --- clients ------------------------------------------------------------------------------------------------------ */

static struct body tell_something(void *ctx, const struct answer *a)
{
    (void)ctx, (void)a;
    return (struct body){.type = "text/plain", .text = strdup("fine"), .len = 4};
}

struct served {
    struct sockaddr_in at;
    pid_t pid;
};

/* Serves in a process of its own, with that many seconds for each client. */
static void serve(struct served *s, unsigned client_seconds)
{
    struct loop loop;
    socklen_t n = sizeof s->at;
    s->at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && bind(fd, (void *)&s->at, sizeof s->at) == 0 && listen(fd, 32) == 0);
    getsockname(fd, (void *)&s->at, &n);
    s->pid = fork();
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct http *h = http_start(fd, -1, client_seconds, 0, 0, tell_something, NULL);
        if (!h || loop_init(&loop) < 0 || http_attach(h, &loop) < 0)
            _exit(1);
        for (;;) {
            loop_once(&loop, 50);
            http_tick(h);
        }
    }
    close(fd);
}

static void end(const struct served *s)
{
    int status;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, &status, 0);
    assert_true(WIFSIGNALED(status)); /* it had not ended by itself */
}

static int visit(const struct served *s, const char *text)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && connect(fd, (const void *)&s->at, sizeof s->at) == 0);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    return fd;
}

/* How long it takes until a whole request is answered, in milliseconds. */
static int64_t ask(const struct served *s, bool half_close)
{
    char answer[4096];
    size_t len = 0;
    int64_t began = clock_now();
    int fd = visit(s, "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    if (half_close)
        shutdown(fd, SHUT_WR);
    for (ssize_t n; (n = recv(fd, answer + len, sizeof answer - 1 - len, 0)) > 0;)
        len += (size_t)n;
    answer[len] = '\0';
    close(fd);
    assert_non_null(strstr(answer, "HTTP/1.1 200"));
    assert_non_null(strstr(answer, "\r\n\r\nfine"));
    return (clock_now() - began) / NS_PER_MS;
}

/* Says a letter now and then, so that it is never idle. */
static pid_t dribble(const int *fds)
{
    pid_t pid = fork();
    while (pid == 0) {
        for (int k = 0; k < HTTP_CLIENTS; k++)
            send(fds[k], "a", 1, MSG_NOSIGNAL);
        usleep(100000);
        if (getppid() == 1)
            _exit(0);
    }
    return pid;
}

/* Slow clients fill every place; they are sent away, and the next one is served. */
static void test_slow_clients_are_sent_away(void **state)
{
    struct served s;
    int fds[HTTP_CLIENTS];
    (void)state;
    serve(&s, 1);
    for (int i = 0; i < HTTP_CLIENTS; i++)
        fds[i] = visit(&s, "GET /status HTTP/1.1\r\nX: ");
    pid_t slow = dribble(fds);
    assert_in_range(ask(&s, false), 700, 3000);
    kill(slow, SIGKILL);
    waitpid(slow, NULL, 0);
    for (int i = 0; i < HTTP_CLIENTS; i++)
        close(fds[i]);
    end(&s);
}

/* Those who go in the middle of a request leave their places at once, whatever time they had. */
static void test_clients_that_leave_make_room(void **state)
{
    static const char *const halves[] = {"", "G", "GET /status HTTP/1.1\r\nHost: local", "GET /status HTTP/1.1\r\n"};
    struct served s;
    (void)state;
    serve(&s, 30);
    for (int i = 0; i < 2 * HTTP_CLIENTS; i++)
        close(visit(&s, halves[i % 4]));
    assert_in_range(ask(&s, false), 0, 3000);
    int fds[HTTP_CLIENTS];
    for (int i = 0; i < HTTP_CLIENTS; i++) { /* they stay to listen, and have no more to say */
        fds[i] = visit(&s, halves[i % 4]);
        shutdown(fds[i], SHUT_WR);
    }
    assert_in_range(ask(&s, false), 0, 3000);
    for (int i = 0; i < HTTP_CLIENTS; i++)
        close(fds[i]);
    /* Whoever asked and then closes its half is answered. */
    assert_in_range(ask(&s, true), 0, 3000);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_events_query),
        cmocka_unit_test(test_slow_clients_are_sent_away),
        cmocka_unit_test(test_clients_that_leave_make_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
