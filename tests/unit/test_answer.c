#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/answer.h"

/* The errno that a response carries in its top byte (linux/fanotify.h, 6.14). */
static uint32_t errno_in(uint32_t response)
{
    return response >> 24;
}

static const struct {
    enum mode mode;
    enum answer answer;
    bool deny_errno;
    enum action verdict;
    uint32_t why; /* errno in the response */
} cases[] = {
    {MODE_AUDIT, ANSWER_ALLOW, false, ACTION_ALLOW, 0},
    {MODE_AUDIT, ANSWER_ALLOW, true, ACTION_ALLOW, 0},
    {MODE_AUDIT, ANSWER_DENY, false, ACTION_ALLOW, 0},
    {MODE_AUDIT, ANSWER_DENY, true, ACTION_ALLOW, 0},
    {MODE_AUDIT, ANSWER_RELEASE, false, ACTION_ALLOW, 0},
    {MODE_AUDIT, ANSWER_RELEASE, true, ACTION_ALLOW, 0},
    /* nobody said what mode: it cannot hurt either */
    {MODE_UNSET, ANSWER_DENY, false, ACTION_ALLOW, 0},
    {MODE_UNSET, ANSWER_RELEASE, true, ACTION_ALLOW, 0},
    {MODE_ENFORCE, ANSWER_ALLOW, false, ACTION_ALLOW, 0},
    {MODE_ENFORCE, ANSWER_ALLOW, true, ACTION_ALLOW, 0},
    {MODE_ENFORCE, ANSWER_DENY, false, ACTION_DENY, 0},
    {MODE_ENFORCE, ANSWER_DENY, true, ACTION_DENY, 0},
    {MODE_ENFORCE, ANSWER_RELEASE, false, ACTION_DENY, 0},
    {MODE_ENFORCE, ANSWER_RELEASE, true, ACTION_DENY, EBUSY},
};

static void test_bytes(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct gate gate = {.fd = ends[0], .mode = cases[i].mode, .deny_errno = cases[i].deny_errno};
        struct fanotify_response r[2] = {{0}};
        int number = 100 + (int)i;
        assert_int_equal(answer_verdict(&gate, cases[i].answer), cases[i].verdict);
        assert_int_equal(answer_write(&gate, number, cases[i].answer), 0);
        assert_int_equal(recv(ends[1], r, sizeof r, MSG_DONTWAIT), sizeof r[0]);
        assert_int_equal(r[0].fd, number);
        assert_int_equal(r[0].response & 0xffffff, cases[i].verdict == ACTION_ALLOW ? FAN_ALLOW : FAN_DENY);
        assert_int_equal(errno_in(r[0].response), cases[i].why);
    }
    close(ends[0]);
    close(ends[1]);
}

/* Promise 3: whatever a damaged caller asks, audit lets through. */
static void test_audit_cannot_hurt(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    for (int mode = -1; mode < 9; mode++) {
        for (int answer = -1; answer < 9; answer++) {
            const struct gate gate = {.fd = ends[0], .mode = (enum mode)mode, .deny_errno = answer % 2};
            struct fanotify_response r = {0};
            assert_int_equal(answer_write(&gate, 5, (enum answer)answer), 0);
            assert_int_equal(recv(ends[1], &r, sizeof r, MSG_DONTWAIT), sizeof r);
            if (mode != MODE_ENFORCE || answer == ANSWER_ALLOW)
                assert_int_equal(r.response, FAN_ALLOW);
            else
                assert_int_equal(r.response & 0xffffff, FAN_DENY);
        }
    }
    close(ends[0]);
    close(ends[1]);
}

/* Several answers in one call, by a real group: each opener gets its own, and one that nobody waits for keeps no other
 * from it. */
static void test_several(void **state)
{
    (void)state;
    enum { OPENERS = 3 };
    char path[] = "/tmp/fileward-test-XXXXXX";
    int file = mkstemp(path), fds[OPENERS];
    pid_t openers[OPENERS];
    assert_true(file >= 0);
    int group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC);
    if (group < 0 || fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, path) < 0) {
        unlink(path);
        skip();
    }
    alarm(30); /* with the group the openers are free */
    for (int i = 0; i < OPENERS; i++) {
        struct fanotify_event_metadata e;
        openers[i] = fork();
        if (openers[i] == 0)
            _exit(open(path, O_RDONLY) < 0);
        assert_int_equal(read(group, &e, sizeof e), sizeof e);
        fds[i] = e.fd;
    }
    const struct gate gate = {.fd = group, .mode = MODE_ENFORCE};
    const int nobody = 4095;
    const struct answer_to first[] = {{fds[0], ANSWER_ALLOW}, {nobody, ANSWER_ALLOW}, {fds[1], ANSWER_ALLOW}},
                           second[] = {{fds[1], ANSWER_DENY}, {fds[2], ANSWER_ALLOW}};
    assert_int_equal(answer_write_several(&gate, first, 3), 1);
    assert_int_equal(answer_write_several(&gate, first + 1, 2), 0);
    assert_int_equal(answer_write(&gate, nobody, ANSWER_ALLOW), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(answer_write_several(&gate, second, 2), 2);
    for (int i = 0; i < OPENERS; i++) {
        int status;
        assert_int_equal(waitpid(openers[i], &status, 0), openers[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), i == 1);
        close(fds[i]);
    }
    alarm(0);
    close(group);
    close(file);
    unlink(path);
}

static void test_errors(void **state)
{
    (void)state;
    const struct gate closed = {.fd = -1, .mode = MODE_ENFORCE};
    errno = 0;
    assert_int_equal(answer_write(&closed, 5, ANSWER_ALLOW), -1);
    assert_int_equal(errno, EBADF);

    int group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY);
    if (group < 0) /* not root */
        skip();
    const struct gate gate = {.fd = group, .mode = MODE_ENFORCE};
    const enum answer answers[] = {ANSWER_ALLOW, ANSWER_DENY, ANSWER_RELEASE};
    for (size_t i = 0; i < 3; i++) {
        errno = 0;
        assert_int_equal(answer_write(&gate, 5, answers[i]), -1);
        assert_int_equal(errno, ENOENT); /* nobody waits for that number */
    }
    close(group);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_audit_cannot_hurt),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
