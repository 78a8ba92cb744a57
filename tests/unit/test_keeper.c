/* What the keeper remembers of children and groups: who still leaves, who was killed, what earlier policies left. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "keeper/aloud.h"
#include "keeper/family.h"
#include "keeper/groups.h"

static pid_t sleeper(void)
{
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

/* However many there are, each is reaped when it ends. */
static void test_strays(void **state)
{
    (void)state;
    enum { MANY = 100 };
    struct estate e = {0};
    pid_t pids[MANY];
    for (int i = 0; i < MANY; i++)
        estate_note_stray(&e, pids[i] = sleeper(), SEAT_SCOUT);
    assert_int_equal(estate_reap_strays(&e), MANY);
    for (int i = 0; i < MANY; i += 2)
        kill(pids[i], SIGKILL);
    for (int i = 0; i < MANY; i += 2) {
        siginfo_t info;
        assert_int_equal(waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOWAIT), 0);
    }
    assert_int_equal(estate_reap_strays(&e), MANY / 2);
    for (int i = 1; i < MANY; i += 2)
        kill(pids[i], SIGKILL);
    while (estate_reap_strays(&e) > 0)
        ;
    assert_int_equal(wait(NULL), -1);
    free(e.stray);
}

/* A few clerks that do not end are enough; the others' strays count for nothing here. */
static void test_stuck_clerks(void **state)
{
    (void)state;
    struct estate e = {0};
    pid_t first = 0;
    for (int i = 0; i < CLERK_STRAYS_MAX; i++) {
        pid_t other = sleeper(), clerk = sleeper();
        assert_true(estate_has_room_for_clerk(&e));
        estate_note_stray(&e, other, SEAT_SCOUT);
        assert_true(estate_has_room_for_clerk(&e));
        estate_note_stray(&e, clerk, SEAT_CLERK);
        first = first ? first : clerk;
    }
    assert_false(estate_has_room_for_clerk(&e));
    kill(first, SIGKILL);
    while (estate_reap_strays(&e) == 2 * CLERK_STRAYS_MAX)
        ;
    assert_true(estate_has_room_for_clerk(&e));
    for (int i = 0; i < e.n_strays; i++)
        kill(e.stray[i].pid, SIGKILL);
    while (estate_reap_strays(&e) > 0)
        ;
    free(e.stray);
}

/* Herald and scout that leave are on the next board, by number and identity, until they are gone. */
static void test_leaving(void **state)
{
    (void)state;
    struct policy p = {.n_watches = 1};
    struct estate e = {0};
    struct family before, next;
    pid_t herald = sleeper(), scout = sleeper();
    assert_int_equal(family_prepare(&before, &e, &p), 0);
    assert_int_equal(family_prepare(&next, &e, &p), 0);
    family_seat(&before, SEAT_HERALD, herald, -1);
    family_seat(&before, SEAT_SCOUT, scout, -1);
    family_note_leaving(&next, &before);
    assert_int_equal(next.board->family[FAMILY_MAX].pid, herald);
    assert_int_equal(next.board->family[FAMILY_MAX + 1].pid, scout);
    assert_int_equal(next.board->family[FAMILY_MAX + 1].id, before.board->family[SEAT_SCOUT].id);
    assert_int_not_equal(next.board->family[FAMILY_MAX + 1].id, 0);
    family_note_leaving(&next, NULL);
    assert_int_equal(next.board->family[FAMILY_MAX].pid, 0);
    assert_int_equal(next.board->family[FAMILY_MAX + 1].pid, 0);
    family_kill(&before, SEAT_HERALD);
    family_kill(&before, SEAT_SCOUT);
    family_dissolve(&before, NULL);
    family_dissolve(&next, NULL);
}

/* A group that nobody would read is not left behind silently. */
static void test_too_many_groups(void **state)
{
    (void)state;
    struct watch watches[WATCHES_MAX] = {0};
    static char names[WATCHES_MAX][16];
    struct policy p = {.n_watches = WATCHES_MAX, .watches = watches};
    static struct family before, next;
    struct estate e = {0};
    uint32_t features = 0;
    for (int i = 0; i < WATCHES_MAX; i++) {
        snprintf(names[i], sizeof names[i], "new%d", i);
        watches[i].name = names[i];
    }
    before.n_gates = GATES_MAX - WATCHES_MAX;
    for (int i = 0; i < GATES_MAX; i++) {
        before.gates[i].fd = 100000 + i; /* never used */
        snprintf(before.gates[i].watch, sizeof before.gates[i].watch, "old%d", i);
    }
    for (int more = 0; more < 2; more++) {
        before.n_gates = GATES_MAX - WATCHES_MAX + more;
        next = (struct family){.estate = &e, .policy = &p};
        int rc = groups_create(&next, &before, &features);
        if (rc < 0 && next.n_gates < WATCHES_MAX)
            skip(); /* no groups to be had here */
        assert_int_equal(rc, -more);
        for (int i = 0; i < WATCHES_MAX; i++)
            close(next.gates[i].fd);
    }
}

/* Who does not read what is said makes nobody wait, however long it is. */
static void test_aloud(void **state)
{
    (void)state;
    static char line[20000], page[4096];
    int pipe_fds[2], said = dup(STDERR_FILENO);
    memset(line, 'x', sizeof line - 1);
    assert_int_equal(pipe(pipe_fds), 0);
    int pages = fcntl(pipe_fds[1], F_GETPIPE_SZ) / (int)sizeof page;
    for (int i = 0; i < pages - 1; i++)
        assert_int_equal(write(pipe_fds[1], page, sizeof page), sizeof page);
    dup2(pipe_fds[1], STDERR_FILENO);
    alarm(10);
    aloud("%s", line);
    aloud("%s", line);
    alarm(0);
    dup2(said, STDERR_FILENO);
    for (int i = 0; i < pages - 1; i++)
        assert_int_equal(read(pipe_fds[0], page, sizeof page), sizeof page);
    assert_int_equal(read(pipe_fds[0], page, sizeof page), sizeof page);
    assert_int_equal(page[0], 'x');
    assert_int_equal(page[sizeof page - 1], '\n');
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    close(said);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_strays), cmocka_unit_test(test_stuck_clerks),
                                       cmocka_unit_test(test_leaving), cmocka_unit_test(test_too_many_groups),
                                       cmocka_unit_test(test_aloud)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
