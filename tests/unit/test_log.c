/* The log file: lines that could not be written are told, and torn ones spoil only themselves. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "herald/log.h"

struct place {
    char dir[64], path[96], text[65536];
    struct log log;
};

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    *state = p;
    snprintf(p->dir, sizeof p->dir, "/tmp/fileward-log.XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->path, sizeof p->path, "%s/log", p->dir);
    p->log = (struct log){.fd = open(p->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640),
                          .dir_fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                          .name = "log"};
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    close(p->log.fd);
    close(p->log.dir_fd);
    unlink(p->path);
    rmdir(p->dir);
    free(p);
    return 0;
}

static const char *text_of(struct place *p)
{
    int fd = open(p->path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, p->text, sizeof p->text - 1);
    close(fd);
    p->text[n < 0 ? 0 : n] = '\0';
    return p->text;
}

static void limit_file(rlim_t bytes)
{
    struct rlimit l = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void test_full_disk_is_told(void **state)
{
    struct place *p = *state;
    signal(SIGXFSZ, SIG_IGN);
    log_write(&p->log, "{\"n\":1}\n", 8);
    limit_file(12); /* the second line is torn after four bytes */
    log_write(&p->log, "{\"n\":2}\n", 8);
    log_write(&p->log, "{\"n\":3}\n", 8);
    assert_int_equal(p->log.lost, 2);
    limit_file(RLIM_INFINITY);
    log_write(&p->log, "{\"n\":4}\n", 8);
    const char *text = text_of(p);
    assert_int_equal(strncmp(text, "{\"n\":1}\n{\"n\"\n{\"time\":", 21), 0);
    assert_non_null(strstr(text, "\"role\":\"herald\",\"kind\":\"gap\",\"lost\":2,"));
    assert_non_null(strstr(text, "}\n{\"n\":4}\n"));
    assert_int_equal(p->log.untold, 0);
}

static void test_lost_lines_are_told_without_a_next_one(void **state)
{
    struct place *p = *state;
    signal(SIGXFSZ, SIG_IGN);
    limit_file(0);
    log_write(&p->log, "{\"n\":1}\n", 8);
    limit_file(RLIM_INFINITY);
    log_tell_lost(&p->log);
    assert_non_null(strstr(text_of(p), "\"lost\":1,"));
}

static void test_strange_names_are_not_opened(void **state)
{
    struct place *p = *state;
    log_write(&p->log, "{\"n\":1}\n", 8);
    unlink(p->path);
    assert_int_equal(symlink("/nowhere", p->path), 0);
    int fd = p->log.fd;
    log_reopen(&p->log);
    assert_int_equal(p->log.fd, fd);
    unlink(p->path);
    assert_int_equal(mkfifo(p->path, 0600), 0);
    log_reopen(&p->log);
    assert_int_equal(p->log.fd, fd);
    log_write(&p->log, "{\"n\":2}\n", 8);
    assert_int_equal(p->log.lost, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full_disk_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_lines_are_told_without_a_next_one, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strange_names_are_not_opened, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
