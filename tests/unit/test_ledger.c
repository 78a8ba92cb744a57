/* What one keeper leaves to the next: readable in one step or not at all, and the gap that nobody guarded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ledger.h"

static int new_file(void)
{
    int fd = memfd_create("ledger", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* As another process reads it. */
static struct ledger read_again(int fd)
{
    struct ledger *l = ledger_open(fd);
    assert_non_null(l);
    struct ledger copy = *l;
    ledger_free(l);
    return copy;
}

static void test_pages(void **state)
{
    (void)state;
    int fd = new_file();
    struct ledger *l = ledger_open(fd);
    assert_non_null(l);
    assert_int_equal(l->state, LEDGER_EMPTY);
    struct ledger_page page = {.n_gates = 2, .next_number = 5};
    strcpy(page.gate[1].watch, "ssh");
    ledger_put(l, &page);
    ledger_seat(l, 1, 77, 7);
    struct ledger other = read_again(fd);
    assert_int_equal(other.state, LEDGER_READABLE);
    assert_string_equal(other.page.gate[1].watch, "ssh");
    assert_int_equal(other.head.family[1].pid, 77);
    assert_int_equal(other.head.family[1].id, 7);
    page.n_gates = 1;
    ledger_put(l, &page);
    assert_int_equal(read_again(fd).page.n_gates, 1);
    ledger_free(l);
    close(fd);
}

/* Whoever is ended between page and head has changed nothing. */
static void test_interrupted(void **state)
{
    (void)state;
    int fd = new_file();
    struct ledger_head head;
    struct ledger *l = ledger_open(fd);
    ledger_put(l, &(struct ledger_page){.n_gates = 2});
    assert_int_equal(pread(fd, &head, sizeof head, 0), sizeof head);
    ledger_put(l, &(struct ledger_page){.n_gates = 3});
    assert_int_equal(pwrite(fd, &head, sizeof head, 0), sizeof head);
    struct ledger other = read_again(fd);
    assert_int_equal(other.state, LEDGER_READABLE);
    assert_int_equal(other.page.n_gates, 2);
    ledger_free(l);
    close(fd);
}

static void expect_foreign(int fd, const void *bytes, size_t n, size_t at)
{
    char was[64];
    assert_true(n <= sizeof was);
    assert_int_equal(pread(fd, was, n, (off_t)at), n);
    assert_int_equal(pwrite(fd, bytes, n, (off_t)at), n);
    struct ledger other = read_again(fd);
    assert_int_equal(other.state, LEDGER_FOREIGN);
    assert_int_equal(other.page.n_gates, 0);
    assert_int_equal(other.head.family[0].pid, 0);
    assert_int_equal(pwrite(fd, was, n, (off_t)at), n);
    assert_int_equal(read_again(fd).state, LEDGER_READABLE);
}

/* Of another version, or scribbled upon: not read. */
static void test_foreign(void **state)
{
    (void)state;
    int fd = new_file();
    struct ledger *l = ledger_open(fd);
    ledger_seat(l, 0, 1, 1);
    ledger_put(l, &(struct ledger_page){.n_gates = 1});
    uint32_t version = LEDGER_VERSION + 1, current = 7, zero = 0;
    size_t page = sizeof(struct ledger_head) + l->head.current * sizeof(struct ledger_page);
    expect_foreign(fd, &version, sizeof version, offsetof(struct ledger_head, version));
    expect_foreign(fd, &current, sizeof current, offsetof(struct ledger_head, current));
    expect_foreign(fd, &zero, sizeof zero, offsetof(struct ledger_head, bytes));
    expect_foreign(fd, "F", 1, 0);
    expect_foreign(fd, "x", 1, page + offsetof(struct ledger_page, gate)); /* a torn page */
    ledger_put(l, &(struct ledger_page){.n_gates = GATES_MAX + 1});
    assert_int_equal(read_again(fd).state, LEDGER_FOREIGN);
    ledger_free(l);
    close(fd);
}

/* Root who truncates it ends nobody, and what stood there is written again. */
static void test_truncated(void **state)
{
    (void)state;
    int fd = new_file();
    struct ledger *keeper = ledger_open(fd);
    ledger_put(keeper, &(struct ledger_page){.n_gates = 2});
    struct ledger *judge = ledger_open(fd);
    assert_int_equal(ftruncate(fd, 0), 0);
    ledger_alive(judge);
    assert_int_equal(read_again(fd).state, LEDGER_EMPTY); /* which makes it long again */
    assert_int_equal(ftruncate(fd, 100), 0);
    ledger_mend(keeper);
    struct ledger other = read_again(fd);
    assert_int_equal(other.state, LEDGER_READABLE);
    assert_int_equal(other.page.n_gates, 2);
    ledger_free(judge);
    ledger_free(keeper);
    close(fd);
}

static void test_gap(void **state)
{
    (void)state;
    int fd = new_file();
    struct ledger *l = ledger_open(fd);
    ledger_put(l, &(struct ledger_page){0});
    ledger_close_gap(l); /* the first ever: nothing is known */
    assert_int_equal(l->head.gap_from_ns, 0);
    ledger_alive(l);
    int64_t alive = read_again(fd).head.alive_ns;
    assert_true(alive > 0);
    ledger_end(l);
    alive = read_again(fd).head.alive_ns;
    ledger_close_gap(l);
    struct ledger other = read_again(fd);
    assert_int_equal(other.head.gap_from_ns, alive);
    assert_true(other.head.gap_until_ns >= alive);
    assert_int_equal(other.head.gap_orderly, 1);
    ledger_close_gap(l); /* it was not told to end this time */
    assert_int_equal(read_again(fd).head.gap_orderly, 0);
    ledger_free(l);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pages), cmocka_unit_test(test_interrupted),
                                       cmocka_unit_test(test_foreign), cmocka_unit_test(test_truncated),
                                       cmocka_unit_test(test_gap)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
