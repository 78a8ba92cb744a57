/* The whole herald, forked, with real rings and sockets. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/own.h"
#include "fileward/herald.h"
#include "herald_fixture.h"

enum { RING_SIZE = 1 << 17 };

struct stage {
    char dir[64], log[96], socket[96], journal[96];
    struct ring rings[3];
    struct board *board;
    struct herald_setup setup;
    int alive, control; /* the keeper's ends */
    int journal_server;
    int port;
    pid_t pid;
};

static int listen_tcp(int *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && bind(fd, (void *)&a, sizeof a) == 0 && listen(fd, 16) == 0);
    getsockname(fd, (void *)&a, &n);
    *port = ntohs(a.sin_port);
    return fd;
}

static struct sockaddr_un local_name(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    return a;
}

static int listen_local(const char *path, int type)
{
    struct sockaddr_un a = local_name(path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && bind(fd, (void *)&a, sizeof a) == 0 && (type == SOCK_DGRAM || listen(fd, 16) == 0));
    return fd;
}

static int connect_local(const char *path, int type)
{
    struct sockaddr_un a = local_name(path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && connect(fd, (void *)&a, sizeof a) == 0);
    return fd;
}

static int connect_tcp(const struct stage *s)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)s->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && connect(fd, (void *)&a, sizeof a) == 0);
    return fd;
}

static void start(struct stage *s)
{
    int alive[2], control[2];
    assert_int_equal(pipe2(alive, O_CLOEXEC), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        close(alive[1]);
        close(control[1]);
        s->setup.alive_fd = alive[0];
        s->setup.control_fd = control[0];
        s->setup.log_fd = open(s->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        struct herald *h = herald_prepare(&s->setup);
        if (h)
            herald_run(h);
        _exit(h ? 0 : 1);
    }
    close(alive[0]);
    close(control[0]);
    s->alive = alive[1];
    s->control = control[1];
}

static int stop(struct stage *s)
{
    int status = 0;
    close(s->alive);
    close(s->control);
    waitpid(s->pid, &status, 0);
    return status;
}

static int setup(void **state)
{
    struct stage *s = calloc(1, sizeof *s);
    *state = s;
    snprintf(s->dir, sizeof s->dir, "/tmp/fileward-herald.XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->log, sizeof s->log, "%s/events.jsonl", s->dir);
    snprintf(s->socket, sizeof s->socket, "%s/socket", s->dir);
    snprintf(s->journal, sizeof s->journal, "%s/journal", s->dir);
    s->board = mmap(NULL, board_size(&fixture_policy), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    s->board->started_ns = clock_wall();
    s->board->state = BOARD_SERVING;
    s->board->keeper_tick_ns = (uint64_t)clock_now();
    for (int i = 0; i < 3; i++)
        assert_int_equal(ring_create(&s->rings[i], (enum role)i, RING_SIZE), 0);
    s->journal_server = listen_local(s->journal, SOCK_DGRAM);
    s->setup = (struct herald_setup){
        .policy = &fixture_policy,
        .board = s->board,
        .rings = {&s->rings[0], &s->rings[1], &s->rings[2]},
        .log_dir_fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        .log_name = "events.jsonl",
        .http_fd = listen_tcp(&s->port),
        .socket_fd = listen_local(s->socket, SOCK_STREAM),
        .journal_fd = connect_local(s->journal, SOCK_DGRAM),
    };
    start(s);
    return 0;
}

static int teardown(void **state)
{
    struct stage *s = *state;
    char command[128];
    for (int i = 0; i < 3; i++)
        ring_close(&s->rings[i]);
    close(s->setup.log_dir_fd);
    close(s->setup.http_fd);
    close(s->setup.socket_fd);
    close(s->setup.journal_fd);
    close(s->journal_server);
    munmap(s->board, board_size(&fixture_policy));
    snprintf(command, sizeof command, "rm -r %s", s->dir);
    if (system(command) != 0)
        return -1;
    free(s);
    return 0;
}

/* The whole answer to a request, in a static buffer. */
static const char *ask_fd(int fd, const char *request)
{
    static char text[1 << 20];
    size_t n = 0;
    ssize_t got = send(fd, request, strlen(request), MSG_NOSIGNAL);
    while (got > 0 && n < sizeof text - 1 && (got = recv(fd, text + n, sizeof text - 1 - n, 0)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    close(fd);
    return text;
}

static const char *ask(const struct stage *s, const char *url)
{
    char request[256];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost:%d\r\n\r\n", url, s->port);
    return ask_fd(connect_tcp(s), request);
}

static const char *ask_local(const struct stage *s, const char *url)
{
    char request[256];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", url);
    return ask_fd(connect_local(s->socket, SOCK_STREAM), request);
}

/* The lines of the log so far, parsed. */
static json_t *read_log(const char *path)
{
    json_t *lines = json_array();
    CLEAN_FILE FILE *f = fopen(path, "re");
    while (f) {
        json_t *o = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL);
        if (!o)
            break;
        json_array_append_new(lines, o);
    }
    return lines;
}

/* Waits until the log has that many lines. Caller frees. */
static json_t *wait_log(const char *path, size_t lines)
{
    json_t *a = read_log(path);
    for (int i = 0; i < 500 && json_array_size(a) < lines; i++) {
        usleep(10000);
        json_decref(a);
        a = read_log(path);
    }
    return a;
}

static const char *word(const json_t *lines, size_t i, const char *key)
{
    return json_string_value(json_object_get(json_array_get(lines, i), key));
}

static json_int_t number(const json_t *lines, size_t i, const char *key)
{
    return json_integer_value(json_object_get(json_array_get(lines, i), key));
}

static void push_access(struct stage *s)
{
    struct fixture_record f;
    ring_push(&s->rings[ROLE_JUDGE], FIXTURE_ACCESS(&f));
}

static void test_records_reach_the_log(void **state)
{
    struct stage *s = *state;
    struct fixture_record f;
    push_access(s);
    struct record *r = fixture_kind(&f, RECORD_REPEAT);
    r->count = 3;
    r->of_seq = 1;
    ring_push(&s->rings[ROLE_JUDGE], r);
    r = fixture_kind(&f, RECORD_REPEAT);
    r->of_seq = 77;
    ring_push(&s->rings[ROLE_JUDGE], r);
    json_t *log = wait_log(s->log, 3);
    assert_int_equal(json_array_size(log), 3);
    assert_string_equal(word(log, 0, "rule"), "ssh/default");
    assert_int_equal(number(log, 1, "repeat_of"), 1);
    assert_int_equal(number(log, 1, "count"), 3);
    assert_int_equal(number(log, 1, "seq"), 2);
    assert_non_null(json_object_get(json_array_get(log, 1), "subject"));
    assert_null(json_object_get(json_array_get(log, 2), "subject"));
    json_decref(log);
    assert_true(strstr(ask_local(s, "/api/events?after=1&limit=1"), "\"next\":2}") != NULL);
    assert_int_equal(stop(s), 0);
    log = read_log(s->log);
    assert_string_equal(word(log, 3, "kind"), "stop");
    json_decref(log);
}

static void test_holes_are_told_across_a_restart(void **state)
{
    struct stage *s = *state;
    push_access(s);
    json_decref(wait_log(s->log, 1));
    kill(s->pid, SIGKILL);
    stop(s);
    while (ring_dropped(&s->rings[ROLE_JUDGE]) < 5)
        push_access(s);
    uint64_t last = ring_last_seq(&s->rings[ROLE_JUDGE]);
    start(s);
    json_t *log = wait_log(s->log, last - 5 + 1);
    assert_int_equal(json_array_size(log), last - 5 + 1);
    assert_string_equal(word(log, last - 5, "kind"), "gap");
    assert_int_equal(number(log, last - 5, "lost"), 5);
    assert_int_equal(number(log, last - 5, "last"), last);
    json_decref(log);
    assert_int_equal(stop(s), 0);
}

static void test_http_answers(void **state)
{
    struct stage *s = *state;
    s->board->keeper_tick_ns = (uint64_t)clock_now();
    const char *text = ask(s, "/healthz");
    assert_true(strstr(text, "HTTP/1.1 200") && strstr(text, "\r\n\r\nok\n"));
    assert_true(strstr(text, "Content-Security-Policy: default-src 'none'"));
    assert_null(strstr(text, "\r\nDate:"));
    s->board->keeper_tick_ns = 1;
    assert_true(strstr(ask(s, "/healthz"), "HTTP/1.1 503") != NULL);
    assert_true(strstr(ask(s, "/metrics"), "fileward_restarts_total{role=\"judge\"} 0\n") != NULL);
    assert_true(strstr(ask(s, "/status"), "\"healthy\": false") != NULL);
    assert_true(strstr(ask(s, "/api/events"), "HTTP/1.1 403") != NULL);
    assert_true(strstr(ask_local(s, "/api/events"), "{\"events\":[],\"next\":0}") != NULL);
    text = ask_fd(connect_tcp(s), "GET /status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n");
    assert_true(strstr(text, "HTTP/1.1 403") != NULL);
    text = ask_fd(connect_tcp(s), "POST /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
    assert_true(strstr(text, "HTTP/1.1 405") && strstr(text, "Allow: GET, HEAD"));
    text = ask_fd(connect_tcp(s), "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_true(strstr(text, "HTTP/1.1 200") && strstr(text, "\r\n\r\n")[4] == '\0');
    assert_int_equal(stop(s), 0);
}

static void test_rotation_is_followed(void **state)
{
    struct stage *s = *state;
    char old[128];
    snprintf(old, sizeof old, "%s.1", s->log);
    push_access(s);
    json_decref(wait_log(s->log, 1));
    assert_int_equal(rename(s->log, old), 0);
    assert_int_equal(write(s->control, "r", 1), 1);
    usleep(50000);
    push_access(s);
    json_t *log = wait_log(s->log, 1);
    assert_int_equal(json_array_size(log), 1);
    json_decref(log);
    /* Without a word from the keeper, within a second or so. */
    assert_int_equal(unlink(s->log), 0);
    sleep(1);
    push_access(s);
    log = wait_log(s->log, 1);
    assert_int_equal(json_array_size(log), 1);
    json_decref(log);
    assert_int_equal(kill(s->pid, SIGTERM), 0);
    int status;
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    assert_int_equal(status, 0);
}

static void test_journal_gets_fields(void **state)
{
    struct stage *s = *state;
    char datagram[65536];
    push_access(s);
    ssize_t n = recv(s->journal_server, datagram, sizeof datagram, 0);
    assert_true(n > 0);
    assert_non_null(memmem(datagram, (size_t)n, "PRIORITY=5\n", 11));
    assert_non_null(memmem(datagram, (size_t)n, "FILEWARD_WATCH\n\3\0\0\0\0\0\0\0ssh\n", 27));
    assert_int_equal(stop(s), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_records_reach_the_log, setup, teardown),
        cmocka_unit_test_setup_teardown(test_holes_are_told_across_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_http_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation_is_followed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal_gets_fields, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
