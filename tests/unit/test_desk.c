/* The judge's side of the desk, with the test as the clerk; and the table that both remember in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/facts.h"
#include "judge/desk.h"

struct fixture {
    struct desk *desk;
    int judge, clerk;
    uint32_t user;
    struct process process;
    struct inquiry inquiry;
};

static void open_fixture(struct fixture *f)
{
    int pair[2];
    *f = (struct fixture){.user = 1234, .process = {.tid = 7, .pidfd = -1, .proc = -1}};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    f->desk = desk_create(pair[0], 10000);
    f->judge = pair[0];
    f->clerk = pair[1];
    assert_non_null(f->desk);
}

static struct desk_ticket ticket(int fd, int64_t read_ns)
{
    return (struct desk_ticket){.fd = fd, .read_ns = read_ns};
}

static void close_fixture(struct fixture *f)
{
    desk_free(f->desk);
    close(f->judge);
    if (f->clerk >= 0)
        close(f->clerk);
}

/* Somebody who runs program `ino` comes, of whom nothing is known yet. */
static bool gather(struct fixture *f, uint64_t ino, struct desk_ticket t, unsigned attribute)
{
    f->inquiry.tid = f->process.tid;
    f->inquiry.process = &f->process;
    f->inquiry.program = (struct program){.id = {.ino = ino}, .changed_ns = 5};
    f->inquiry.creds = (struct creds){.ruid = f->user, .euid = 0};
    f->inquiry.seen = (struct subject){.known = ATTR_EXE | ATTR_CREDS};
    return desk_gather(f->desk, &f->inquiry, &t, attribute);
}

/* What the judge has asked; false if nothing. */
static bool asked(struct fixture *f, struct desk_question *q)
{
    ssize_t n = read(f->clerk, q, sizeof *q);
    assert_true(n == (ssize_t)sizeof *q || n < 0);
    return n > 0;
}

static void say(struct fixture *f, struct desk_answer a)
{
    assert_int_equal(write(f->clerk, &a, sizeof a), sizeof a);
    desk_receive(f->desk);
}

static void test_lasting(void **state)
{
    (void)state;
    struct fixture f;
    struct desk_question q;
    struct desk_ticket a = ticket(10, 1), b = ticket(11, 1);
    open_fixture(&f);
    assert_false(gather(&f, 1, a, ATTR_TRUST));
    assert_false(desk_is_settled(f.desk, &a));
    assert_true(asked(&f, &q));
    assert_int_equal(q.tid, 7);
    assert_int_equal(q.wants, ATTR_TRUST);
    assert_int_equal(q.program.ino, 1);
    assert_int_equal(q.user, 1234);
    /* Nobody asks the same twice; of two who run it each asks, and the first answer is for both. */
    struct desk_question other;
    assert_false(gather(&f, 1, a, ATTR_TRUST));
    assert_false(asked(&f, &other));
    assert_false(gather(&f, 1, b, ATTR_TRUST));
    assert_true(asked(&f, &other));
    assert_int_equal(other.ticket.fd, 11);
    say(&f, (struct desk_answer){.to = q, .packaged = true, .lasting = true});
    assert_true(desk_is_settled(f.desk, &a) && desk_is_settled(f.desk, &b));
    assert_true(gather(&f, 1, b, ATTR_TRUST));
    assert_true(f.inquiry.seen.packaged);
    assert_int_equal(f.inquiry.seen.known, ATTR_EXE | ATTR_CREDS | ATTR_TRUST);
    assert_int_equal(f.inquiry.seen.failed, 0);
    assert_true(gather(&f, 1, ticket(12, 9), ATTR_TRUST));
    /* Another file, and the same file changed, are others. */
    assert_false(gather(&f, 2, ticket(13, 9), ATTR_TRUST));
    /* Its hash is another matter. */
    assert_false(gather(&f, 1, ticket(14, 9), ATTR_SHA256));
    while (asked(&f, &q))
        ;
    say(&f, (struct desk_answer){.to = q, .sha256 = {{1, 2}}, .lasting = true});
    assert_true(gather(&f, 1, ticket(14, 9), ATTR_SHA256));
    assert_int_equal(f.inquiry.seen.sha256.bytes[1], 2);
    /* When the packages change, what was said of trust is gone, and nothing else. */
    say(&f, (struct desk_answer){.to.wants = 0});
    assert_false(gather(&f, 1, ticket(15, 9), ATTR_TRUST));
    assert_true(gather(&f, 1, ticket(15, 9), ATTR_SHA256));
    close_fixture(&f);
}

/* Whoever asks about a program asks in his own name, whatever becomes of the questions of others about it. */
static void test_own_name(void **state)
{
    (void)state;
    struct fixture f;
    struct desk_question q;
    struct desk_ticket a = ticket(10, 1), b = ticket(11, 1);
    open_fixture(&f);
    assert_false(gather(&f, 1, a, ATTR_SHA256));
    assert_true(asked(&f, &q)); /* and is left alone for good */
    f.user = 5678;
    assert_false(gather(&f, 1, b, ATTR_SHA256));
    assert_true(asked(&f, &q));
    assert_int_equal(q.user, 5678);
    assert_int_equal(q.ticket.fd, 11);
    say(&f, (struct desk_answer){.to = q, .sha256 = {{1}}, .lasting = true});
    assert_true(desk_is_settled(f.desk, &a) && desk_is_settled(f.desk, &b));
    close_fixture(&f);
}

/* What is not answered in time is asked again, so that there can be an answer in time. What was answered of a program that
 * has been changed since is asked at once. */
static void test_lost(void **state)
{
    (void)state;
    struct fixture f;
    struct desk_question q;
    struct desk_ticket a = ticket(10, 1);
    open_fixture(&f);
    desk_free(f.desk);
    f.desk = desk_create(f.judge, 400);
    int64_t began = clock_now();
    assert_false(gather(&f, 1, a, ATTR_SHA256));
    assert_true(asked(&f, &q));
    while (!desk_is_settled(f.desk, &a))
        usleep(1000);
    assert_in_range(clock_now() - began, 50 * NS_PER_MS, INT64_MAX);
    assert_false(gather(&f, 1, a, ATTR_SHA256));
    assert_true(asked(&f, &q));
    close_fixture(&f);
    open_fixture(&f);
    assert_false(gather(&f, 1, a, ATTR_SHA256));
    assert_true(asked(&f, &q));
    q.changed_ns--; /* as it was then */
    say(&f, (struct desk_answer){.to = q, .lasting = true});
    assert_true(desk_is_settled(f.desk, &a));
    assert_false(gather(&f, 1, a, ATTR_SHA256));
    assert_true(asked(&f, &q));
    close_fixture(&f);
}

/* What is said of one opener alone, and of one that could not be told, is nobody else's. */
static void test_passing(void **state)
{
    (void)state;
    struct fixture f;
    struct desk_question q;
    struct desk_ticket a = ticket(10, 1), b = ticket(11, 1);
    open_fixture(&f);
    assert_false(gather(&f, 1, a, ATTR_TRUST));
    assert_true(asked(&f, &q));
    say(&f, (struct desk_answer){.to = q});
    assert_true(gather(&f, 1, a, ATTR_TRUST));
    assert_false(f.inquiry.seen.packaged);
    assert_int_equal(f.inquiry.seen.failed, 0);
    assert_false(gather(&f, 1, b, ATTR_TRUST));
    assert_true(asked(&f, &q));
    assert_int_equal(q.ticket.fd, 11);
    say(&f, (struct desk_answer){.to = q, .failed = true});
    assert_true(gather(&f, 1, b, ATTR_TRUST));
    assert_int_equal(f.inquiry.seen.failed, ATTR_TRUST);
    /* Its descriptor's number comes again: another opener. */
    assert_false(gather(&f, 1, ticket(11, 2), ATTR_TRUST));
    close_fixture(&f);
}

static void test_code(void **state)
{
    (void)state;
    struct fixture f;
    struct desk_question q;
    struct desk_ticket a = ticket(10, 1), later = ticket(10, 2);
    open_fixture(&f);
    assert_false(gather(&f, 1, a, ATTR_CODE));
    assert_true(asked(&f, &q));
    say(&f, (struct desk_answer){.to = q, .intact = true, .lasting = true});
    assert_true(desk_is_settled(f.desk, &a));
    assert_true(gather(&f, 1, a, ATTR_CODE));
    assert_true(f.inquiry.seen.intact);
    /* Never remembered; an answer that comes late is not the next opener's. */
    assert_false(gather(&f, 1, later, ATTR_CODE));
    say(&f, (struct desk_answer){.to = q, .intact = true});
    assert_false(gather(&f, 1, later, ATTR_CODE));
    assert_true(asked(&f, &q));
    say(&f, (struct desk_answer){.to = q, .intact = false});
    assert_true(gather(&f, 1, later, ATTR_CODE));
    assert_false(f.inquiry.seen.intact);
    /* Trust that is remembered stays true beside it. */
    assert_false(gather(&f, 1, ticket(12, 1), ATTR_TRUST));
    assert_true(asked(&f, &q));
    say(&f, (struct desk_answer){.to = q, .packaged = true, .lasting = true});
    assert_false(gather(&f, 1, ticket(12, 1), ATTR_TRUST | ATTR_CODE));
    assert_true(asked(&f, &q));
    assert_int_equal(q.wants, ATTR_CODE);
    say(&f, (struct desk_answer){.to = q, .intact = true});
    assert_true(gather(&f, 1, ticket(12, 1), ATTR_TRUST | ATTR_CODE));
    assert_true(f.inquiry.seen.packaged && f.inquiry.seen.intact);
    close_fixture(&f);
}

/* Whatever the clerk does, the judge goes on: numbers that are none, a queue that is full, a clerk that is gone. */
static void test_hostile(void **state)
{
    (void)state;
    struct fixture f;
    struct desk_question q;
    open_fixture(&f);
    struct desk_answer a;
    memset(&a, 0xff, sizeof a);
    a.failed = a.lasting = a.packaged = a.intact = false;
    say(&f, a);
    a.to.ticket.fd = FILES_MAX;
    say(&f, a);
    assert_int_equal(write(f.clerk, "short", 5), 5);
    desk_receive(f.desk);
    int sent = 0;
    for (int i = 0; i < 3000; i++)
        assert_false(gather(&f, 1, ticket(i % 4000, 1), ATTR_CODE));
    while (asked(&f, &q))
        sent++;
    assert_in_range(sent, 32, 2999);
    /* Those for whom there was no room ask when they are looked at again. */
    struct desk_ticket last = ticket(2999, 1);
    assert_true(desk_is_settled(f.desk, &last));
    assert_false(gather(&f, 1, last, ATTR_CODE));
    assert_true(asked(&f, &q));
    assert_int_equal(q.ticket.fd, 2999);
    close(f.clerk);
    f.clerk = -1;
    assert_false(gather(&f, 1, ticket(4000, 2), ATTR_CODE));
    desk_receive(f.desk);
    close_fixture(&f);
}

/* Without a clerk, or without a program, nothing can be told. */
static void test_nobody(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f);
    desk_free(f.desk);
    f.desk = desk_create(-1, 200);
    assert_true(gather(&f, 1, ticket(1, 1), ATTRS_OF_CLERK));
    assert_int_equal(f.inquiry.seen.failed, ATTRS_OF_CLERK);
    close_fixture(&f);
    open_fixture(&f);
    f.inquiry.process = &f.process;
    f.inquiry.seen = (struct subject){.known = ATTR_EXE, .failed = ATTR_EXE};
    struct desk_ticket t = ticket(1, 1);
    assert_true(desk_gather(f.desk, &f.inquiry, &t, ATTR_TRUST));
    assert_int_equal(f.inquiry.seen.failed, ATTR_EXE | ATTR_TRUST);
    close_fixture(&f);
}

/* Of many files the oldest are forgotten; what is there is always the file's own. */
static void test_table(void **state)
{
    (void)state;
    struct facts *t = facts_create();
    unsigned known = 0;
    for (uint64_t ino = 1; ino <= 100000; ino++) {
        struct fact *f = facts_of(t, &(struct file_id){.ino = ino}, (int64_t)ino);
        assert_int_equal(f->known, 0);
        f->known = ATTR_SHA256;
        f->sha256.bytes[0] = (uint8_t)ino;
        f = facts_of(t, &(struct file_id){.ino = ino}, (int64_t)ino);
        assert_int_equal(f->known, ATTR_SHA256);
    }
    for (uint64_t ino = 100000; ino > 0; ino--) {
        struct fact *f = facts_of(t, &(struct file_id){.ino = ino}, (int64_t)ino);
        if (f->known)
            assert_int_equal(f->sha256.bytes[0], (uint8_t)ino);
        known += f->known != 0;
    }
    assert_in_range(known, 4096, 16384);
    struct file_id id = {.ino = 1}, elsewhere = {.ino = 1, .minor = 1}, younger = {.ino = 1, .born_ns = 1};
    facts_of(t, &id, 1)->known = ATTR_SHA256 | ATTR_TRUST;
    assert_int_equal(facts_of(t, &elsewhere, 1)->known, 0);
    assert_int_equal(facts_of(t, &younger, 1)->known, 0);
    assert_int_equal(facts_of(t, &id, 2)->known, 0);
    facts_forget(t, ATTR_TRUST);
    assert_int_equal(facts_of(t, &id, 1)->known, ATTR_SHA256);
    facts_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lasting), cmocka_unit_test(test_own_name), cmocka_unit_test(test_lost),
        cmocka_unit_test(test_passing), cmocka_unit_test(test_code),     cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_nobody),  cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
