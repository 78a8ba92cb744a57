/* `fileward status`: what it prints, and what it says when there is nobody to ask. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/status.h"

static char *text_of(const char *json)
{
    char *text = NULL;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    json_t *o = json_loads(json, 0, NULL);
    assert_non_null(o);
    status_text(f, o);
    json_decref(o);
    fclose(f);
    return text;
}

static void test_text(void **state)
{
    (void)state;
    CLEAN_FREE char *text =
        text_of("{\"version\":\"0.1\",\"kernel\":\"6.1\",\"healthy\":true,\"mode\":\"audit\",\"uptime_seconds\":3700,"
                "\"policy\":\"sha256:ab\",\"watches\":[{\"name\":\"ssh\",\"mode\":\"audit\",\"guard\":\"open\","
                "\"coverage\":\"inode\","
                "\"default\":\"deny\",\"on_timeout\":\"deny\",\"marks\":12}],\"roles\":[{\"name\":\"judge\","
                "\"restarts\":1}],\"already_open\":{\"look\":\"cut-short\",\"files\":2,\"processes\":1,\"first\":[{"
                "\"pid\":811,\"watch\":\"ssh\",\"exe\":\"/x\",\"path\":\"/k\\u001b\"}]},\"weaker\":[\"no x\"]}");
    assert_non_null(
        strstr(text, "fileward 0.1 on Linux 6.1: healthy, mode audit, up 1 h 1 min 40 s\npolicy sha256:ab\n"));
    assert_non_null(
        strstr(text, "\nssh    audit    open        inode       deny     deny               12          0"));
    assert_non_null(strstr(text, "\njudge            1                0\n"));
    assert_non_null(strstr(text, "cut short"));
    assert_non_null(strstr(text, ": 2 files, by 1 process\n- /k\\x1b by /x[811], watch ssh\n"));
    assert_non_null(strstr(text, "\nWeaker on this kernel:\n- no x\n"));
}

static void test_strange_answers(void **state)
{
    (void)state;
    CLEAN_FREE char *empty = text_of("{}");
    assert_non_null(strstr(empty, "NOT HEALTHY: ?"));
    CLEAN_FREE char *wrong = text_of("{\"version\":7,\"watches\":{\"a\":1},\"roles\":[1,\"x\",null],\"weaker\":[7],"
                                     "\"trouble\":\"\\u001b[2J\"}");
    assert_non_null(strstr(wrong, "\\x1b[2J"));
    assert_null(strchr(wrong, '\033'));
}

static int status(char *socket)
{
    char *argv[] = {(char[]){"status"}, (char[]){"--socket"}, socket, NULL};
    return cmd_status(3, argv);
}

/* Serves one client with a fixed answer. */
static pid_t serve(const char *path, const char *answer)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(bind(fd, (void *)&a, sizeof a) == 0 && listen(fd, 1) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char request[1024];
        int client = accept(fd, NULL, NULL);
        ssize_t n = recv(client, request, sizeof request, 0);
        if (n > 0)
            send(client, answer, strlen(answer), MSG_NOSIGNAL);
        _exit(0);
    }
    close(fd);
    return pid;
}

static void test_exit_status(void **state)
{
    static const struct {
        const char *answer;
        int want;
    } table[] = {
        {"HTTP/1.1 200 OK\r\nA: b\r\n\r\n{\"healthy\": true}", EXIT_SUCCESS},
        {"HTTP/1.1 200 OK\r\nA: b\r\n\r\n{\"healthy\": false}", EXIT_FAILED},
        {"HTTP/1.1 200 OK\r\n\r\nnot json", EXIT_FAILED},
        {"HTTP/1.1 403 Forbidden\r\n\r\n", EXIT_NOT_PERMITTED},
        {"HTTP/1.1 500 x\r\n\r\n", EXIT_FAILED},
        {"garbage", EXIT_FAILED},
        {"", EXIT_FAILED},
    };
    char dir[] = "/tmp/fileward-status.XXXXXX", path[64];
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    assert_int_equal(status(path), EXIT_NOT_RUNNING);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        pid_t pid = serve(path, table[i].answer);
        assert_int_equal(status(path), table[i].want);
        waitpid(pid, NULL, 0);
        assert_int_equal(unlink(path), 0);
    }
    rmdir(dir);
    char *argv[] = {(char[]){"status"}, (char[]){"--bad"}, NULL};
    assert_int_equal(cmd_status(2, argv), EXIT_USAGE);
    char *missing[] = {(char[]){"status"}, (char[]){"-c"}, (char[]){"/nowhere/policy"}, NULL};
    assert_int_equal(cmd_status(3, missing), EXIT_POLICY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_strange_answers),
        cmocka_unit_test(test_exit_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
