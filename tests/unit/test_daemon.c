/* The daemon of bench and selftest: when it counts as ready, and that nothing is left of it, however it ends. A script
 * stands for the keeper, and a sleeping program of the judge's name, in a session of its own, for the judge. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/daemon.h"

/* It begins with a judge, and leaves it alone. */
#define BEGIN "#!/bin/sh\ncd \"${0%/*}\" || exit 1\nsetsid ./fileward-judge 1000 >/dev/null 2>&1 &\necho $! >judge\n"

struct scene {
    char dir[64], keeper[96], said[96], judge[96], program[96];
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    char command[256];
    *state = s;
    snprintf(s->dir, sizeof s->dir, "/tmp/fileward-daemon.XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->keeper, sizeof s->keeper, "%s/keeper", s->dir);
    snprintf(s->said, sizeof s->said, "%s/said", s->dir);
    snprintf(s->judge, sizeof s->judge, "%s/judge", s->dir);
    snprintf(s->program, sizeof s->program, "%s/fileward-judge", s->dir);
    snprintf(command, sizeof command, "cp \"$(command -v sleep)\" %s", s->program);
    return system(command);
}

static int teardown(void **state)
{
    struct scene *s = *state;
    unlink(s->keeper);
    unlink(s->said);
    unlink(s->judge);
    unlink(s->program);
    rmdir(s->dir);
    free(s);
    return 0;
}

static pid_t start(const struct scene *s, const char *script)
{
    FILE *f = fopen(s->keeper, "we");
    assert_non_null(f);
    fputs(BEGIN, f);
    fputs(script, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(s->keeper, 0700), 0);
    return daemon_start("test", s->keeper, "policy", s->said);
}

static pid_t judge_of(const struct scene *s)
{
    int pid = 0;
    FILE *f = fopen(s->judge, "re");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%d", &pid), 1);
    fclose(f);
    return pid;
}

static bool is_gone(pid_t pid)
{
    return kill(pid, 0) < 0 && errno == ESRCH;
}

/* Whatever it has to say first, it is seen to be ready. */
static void test_says_much(void **state)
{
    const struct scene *s = *state;
    pid_t keeper = start(s, "i=0\nwhile [ $i -lt 1000 ]; do echo \"fileward: note: $i and more\"; i=$((i + 1)); done\n"
                            "echo 'fileward: ready: 1 watches'\nexec sleep 1000\n");
    assert_true(keeper > 0);
    assert_false(is_gone(judge_of(s)));
    daemon_stop(keeper);
    assert_true(is_gone(keeper));
    assert_true(is_gone(judge_of(s)));
}

/* One that dies under way leaves its judge on guard. */
static void test_dies(void **state)
{
    const struct scene *s = *state;
    pid_t keeper = start(s, "echo 'fileward: ready: 1 watches'\nexec sleep 1000\n");
    assert_true(keeper > 0);
    kill(keeper, SIGKILL);
    assert_false(is_gone(judge_of(s)));
    daemon_stop(keeper);
    assert_true(is_gone(judge_of(s)));
}

static void test_never_ready(void **state)
{
    const struct scene *s = *state;
    assert_int_equal(start(s, "echo 'fileward: not started: for a test'\nexit 1\n"), -1);
    assert_true(is_gone(judge_of(s)));
}

/* What is ours and not fileward's is left alone. */
static void test_others(void **state)
{
    const struct scene *s = *state;
    pid_t other = fork();
    if (other == 0) {
        pause();
        _exit(0);
    }
    assert_int_equal(start(s, "exit 1\n"), -1);
    assert_false(is_gone(other));
    assert_int_equal(kill(other, SIGKILL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_says_much, setup, teardown),
                                       cmocka_unit_test_setup_teardown(test_dies, setup, teardown),
                                       cmocka_unit_test_setup_teardown(test_never_ready, setup, teardown),
                                       cmocka_unit_test_setup_teardown(test_others, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
