/* Whose child somebody is, while those above him end. */
#include "policy_fixture.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/lookup.h"
#include "judge/subject.h"

/* A child of ours, its child, and that one's: they wait. */
struct line {
    pid_t child, grandchild, last;
};

static struct line make_line(void)
{
    int p[2];
    struct line line;
    assert_int_equal(pipe(p), 0);
    line.child = fork();
    if (line.child == 0) {
        pid_t pid[2];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if ((pid[0] = fork()) == 0) {
            if ((pid[1] = fork()) > 0) {
                pid[0] = getpid();
                (void)!write(p[1], pid, sizeof pid);
            }
        }
        alarm(30); /* nobody outlives a test that failed */
        for (;;)
            pause();
    }
    assert_true(line.child > 0);
    pid_t pid[2];
    assert_int_equal(read(p[0], pid, sizeof pid), sizeof pid);
    close(p[0]);
    close(p[1]);
    line.grandchild = pid[0];
    line.last = pid[1];
    return line;
}

static bool knows_lineage(struct subjects *t, pid_t pid)
{
    struct inquiry q;
    subject_find(t, pid, ATTR_LINEAGE, &q);
    subject_gather(t, &q, ATTR_LINEAGE);
    return !(q.seen.failed & ATTR_LINEAGE);
}

static void test_ancestor_ends(void **state)
{
    (void)state;
    static struct once once;
    struct fixture x;
    fixture_open(&x);
    fixture_text(&x, "[watch w]\npath = /a\ndefault = deny\n");
    struct board *board = calloc(1, board_size(x.policy));
    struct lookup *names = lookup_create();
    assert_non_null(board);
    assert_non_null(names);
    static struct subjects *t; /* a judge's, which ends with its process */
    t = subjects_create(x.policy, board, names, &once);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    struct line line = make_line();
    bool whole = knows_lineage(t, getpid()); /* else there are too many above us, or some that we cannot see */
    if (whole)
        assert_true(knows_lineage(t, line.last));
    kill(line.child, SIGKILL);
    assert_int_equal(waitpid(line.child, NULL, 0), line.child);
    if (whole) {
        assert_true(knows_lineage(t, line.last));
        assert_true(knows_lineage(t, line.grandchild));
    }
    kill(line.grandchild, SIGKILL);
    assert_int_equal(waitpid(line.grandchild, NULL, 0), line.grandchild);
    if (whole)
        assert_true(knows_lineage(t, line.last));
    kill(line.last, SIGKILL);
    assert_int_equal(waitpid(line.last, NULL, 0), line.last);
    assert_false(knows_lineage(t, line.last));
    free(board);
    fixture_close(&x);
    if (!whole)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ancestor_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
