/* What counts as part of an exec. The opener is a child that stands still in the call that is wanted. */
#include "policy_fixture.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/lookup.h"
#include "judge/court.h"

static const struct file_id program = {8, 1, 100, 5}, other = {8, 1, 101, 5};

struct court {
    struct court *before;
    struct fixture policy;
    struct judge j;
    struct gate gates[2];
    struct once once;
    pid_t opener;
};

/* Calls execve() in vain, then pause(), and stands still as it enters each. */
static pid_t make_opener(void)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char *const none[] = {NULL};
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        execve("/nonexistent/program", none, none);
        syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
        _exit(1);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_EXITKILL), 0);
    return child;
}

static void let_it_come_to(pid_t opener, enum proc_call wanted)
{
    struct process p;
    struct process_sight sight;
    uint64_t flags;
    assert_int_equal(process_open(&p, opener), 0);
    process_sight_open(&sight, &p);
    for (int i = 0; i < 20; i++) {
        int status;
        assert_int_equal(ptrace(PTRACE_SYSCALL, opener, NULL, NULL), 0);
        assert_int_equal(waitpid(opener, &status, 0), opener);
        assert_true(WIFSTOPPED(status));
        if (process_sight_call(&sight, &flags) != wanted)
            continue;
        process_sight_close(&sight);
        process_close(&p);
        return;
    }
    fail();
}

/* Two watches on one program, in each of which it may be executed and nothing else. */
static struct court *open_court(const char *on_timeout)
{
    char text[400];
    struct court *c = calloc(1, sizeof *c);
    assert_non_null(c);
    fixture_open(&c->policy);
    snprintf(text, sizeof text,
             "[watch a]\npath = /a\ndefault = deny\nguard = open+read\non_timeout = %s\n"
             "[rule a/exec]\naction = allow\nop = exec\n"
             "[watch b]\npath = /a\ndefault = deny\n"
             "[rule b/exec]\naction = allow\nop = exec\n",
             on_timeout);
    fixture_text(&c->policy, text);
    fixture_expect_errors(&c->policy, 0);
    const struct policy *p = c->policy.policy;
    for (int i = 0; i < 2; i++)
        c->gates[i] = (struct gate){.fd = -1, .mode = MODE_ENFORCE, .on_timeout = p->watches[i].on_timeout};
    struct board *board = calloc(1, board_size(p));
    struct lookup *names = lookup_create();
    assert_non_null(board);
    assert_non_null(names);
    c->j.is = (struct judge_setup){.policy = p, .gates = c->gates, .n_gates = 2, .board = board};
    c->j.subjects = subjects_create(p, board, names, &c->once);
    c->j.verdicts = verdicts_create(p);
    c->j.desk = desk_create(-1, 200);
    c->opener = make_opener();
    let_it_come_to(c->opener, CALL_EXEC);
    return c;
}

static void close_court(struct court *c)
{
    static struct court *closed; /* what a judge remembers of subjects ends with its process */
    kill(c->opener, SIGKILL);
    waitpid(c->opener, NULL, 0);
    desk_free(c->j.desk);
    verdicts_free(c->j.verdicts);
    free(c->j.is.board);
    fixture_close(&c->policy);
    c->before = closed;
    closed = c;
}

static struct question question(const struct court *c, int watch, enum question_kind kind)
{
    return (struct question){
        .kind = kind, .gate = watch, .watch = watch, .fd = -1, .tid = c->opener, .read_ns = clock_now()};
}

static void ask_about(struct court *c, int watch, enum question_kind kind, const struct file_id *id, struct outcome *o)
{
    struct question q = question(c, watch, kind);
    *o = (struct outcome){0};
    c->j.thing =
        (struct thing){.watch = watch, .id = *id, .inside = true, .seen = {.known = ATTR_PLACE, .place = "/a"}};
    subject_find(c->j.subjects, q.tid, 0, &c->j.inquiry);
    ruling(&c->j, &q, o);
    assert_false(o->not_yet);
}

static void expect(struct court *c, int watch, enum question_kind kind, enum answer answer)
{
    struct outcome o;
    ask_about(c, watch, kind, &program, &o);
    assert_int_equal(o.answer, answer);
    assert_true((o.op == OP_EXEC) == (answer == ANSWER_ALLOW));
}

/* It is not decided in time. */
static void give_up(struct court *c, int watch, enum question_kind kind)
{
    struct question q = question(c, watch, kind);
    struct outcome o = {0};
    c->j.thing.id = program;
    subject_find(c->j.subjects, q.tid, 0, &c->j.inquiry);
    ruling_give_up(&c->j, &q, &o);
}

static void test_exec(void **state)
{
    (void)state;
    struct court *c = open_court("deny");
    expect(c, 0, QUESTION_OPEN, ANSWER_DENY); /* nothing has been executed yet */
    expect(c, 0, QUESTION_EXEC, ANSWER_ALLOW);
    expect(c, 1, QUESTION_EXEC, ANSWER_ALLOW);
    expect(c, 0, QUESTION_OPEN, ANSWER_ALLOW);
    expect(c, 1, QUESTION_OPEN, ANSWER_ALLOW);
    expect(c, 0, QUESTION_READ, ANSWER_ALLOW);
    expect(c, 0, QUESTION_READ, ANSWER_ALLOW);
    close_court(c);
}

/* An open is part of an exec once. */
static void test_once(void **state)
{
    (void)state;
    struct court *c = open_court("deny");
    expect(c, 0, QUESTION_EXEC, ANSWER_ALLOW);
    expect(c, 0, QUESTION_OPEN, ANSWER_ALLOW);
    expect(c, 0, QUESTION_OPEN, ANSWER_DENY);
    close_court(c);
}

static void test_given_up(void **state)
{
    (void)state;
    struct court *c = open_court("deny");
    expect(c, 0, QUESTION_EXEC, ANSWER_ALLOW);
    expect(c, 1, QUESTION_EXEC, ANSWER_ALLOW);
    give_up(c, 0, QUESTION_OPEN);
    expect(c, 0, QUESTION_OPEN, ANSWER_DENY);
    expect(c, 1, QUESTION_OPEN, ANSWER_DENY);
    expect(c, 0, QUESTION_READ, ANSWER_DENY);
    close_court(c);
    /* Let through: the exec goes on, but not from its beginning. */
    c = open_court("allow");
    expect(c, 0, QUESTION_EXEC, ANSWER_ALLOW);
    expect(c, 1, QUESTION_EXEC, ANSWER_ALLOW);
    give_up(c, 0, QUESTION_OPEN);
    expect(c, 1, QUESTION_OPEN, ANSWER_ALLOW);
    expect(c, 0, QUESTION_READ, ANSWER_ALLOW);
    expect(c, 0, QUESTION_OPEN, ANSWER_DENY);
    close_court(c);
}

/* Nor its first: where it is let through what follows is the exec, once, and not what it reads. */
static void test_begun_late(void **state)
{
    (void)state;
    struct court *c = open_court("deny");
    give_up(c, 0, QUESTION_EXEC);
    expect(c, 0, QUESTION_OPEN, ANSWER_DENY);
    close_court(c);
    c = open_court("allow");
    give_up(c, 0, QUESTION_EXEC);
    expect(c, 0, QUESTION_OPEN, ANSWER_ALLOW);
    expect(c, 0, QUESTION_OPEN, ANSWER_DENY);
    close_court(c);
    c = open_court("allow");
    give_up(c, 0, QUESTION_EXEC);
    expect(c, 0, QUESTION_READ, ANSWER_DENY);
    expect(c, 0, QUESTION_OPEN, ANSWER_DENY); /* with a refusal the exec is over */
    close_court(c);
}

/* What one watch refuses is no exec for the others either. */
static void test_refused(void **state)
{
    (void)state;
    struct court *c = open_court("deny");
    struct outcome o;
    expect(c, 1, QUESTION_EXEC, ANSWER_ALLOW);
    ask_about(c, 0, QUESTION_OPEN, &other, &o); /* any refusal at all */
    assert_int_equal(o.answer, ANSWER_DENY);
    expect(c, 1, QUESTION_OPEN, ANSWER_DENY);
    close_court(c);
}

/* An exec is over when its thread asks from within another call: what it reads in a later exec is not of the first. */
static void test_over(void **state)
{
    (void)state;
    struct court *c = open_court("deny");
    struct outcome o;
    c->gates[0].mode = MODE_AUDIT; /* so that no refusal ends it */
    expect(c, 0, QUESTION_EXEC, ANSWER_ALLOW);
    expect(c, 0, QUESTION_OPEN, ANSWER_ALLOW);
    ask_about(c, 0, QUESTION_READ, &other, &o);
    expect(c, 0, QUESTION_READ, ANSWER_ALLOW);
    assert_non_null(subject_last_exec(c->j.subjects, c->opener));
    let_it_come_to(c->opener, CALL_OTHER);
    ask_about(c, 0, QUESTION_OPEN, &other, &o);
    assert_null(subject_last_exec(c->j.subjects, c->opener));
    close_court(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exec),    cmocka_unit_test(test_once), cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_over), cmocka_unit_test(test_begun_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
