/* What one keeper leaves to the next: readable in one step or not at all, and the gap that nobody guarded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ledger.h"

static int new_file(void)
{
    int fd = memfd_create("ledger", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void test_pages(void **state)
{
    (void)state;
    int fd = new_file();
    struct ledger *l = ledger_map(fd);
    assert_non_null(l);
    assert_false(ledger_is_readable(l));
    struct ledger_page page = {.n_gates = 2, .next_number = 5};
    strcpy(page.gate[1].watch, "ssh");
    ledger_put(l, &page);
    /* Another process sees it, and the page before is whole until the next one is. */
    struct ledger *other = ledger_map(fd);
    assert_true(ledger_is_readable(other));
    const struct ledger_page *seen = &other->page[other->current];
    assert_string_equal(seen->gate[1].watch, "ssh");
    page.n_gates = 1;
    ledger_put(l, &page);
    assert_int_equal(seen->n_gates, 2);
    assert_int_equal(other->page[other->current].n_gates, 1);
    ledger_close(other);
    ledger_close(l);
    close(fd);
}

/* Of another version, or scribbled upon: not read. */
static void test_foreign(void **state)
{
    (void)state;
    int fd = new_file();
    struct ledger *l = ledger_map(fd);
    ledger_put(l, &(struct ledger_page){.n_gates = 1});
    l->version++;
    assert_false(ledger_is_readable(l));
    l->version--;
    assert_true(ledger_is_readable(l));
    l->page[l->current].n_gates = GATES_MAX + 1;
    assert_false(ledger_is_readable(l));
    l->page[l->current].n_gates = 0;
    l->current = 7;
    assert_false(ledger_is_readable(l));
    l->current = 0;
    l->magic[0] = 'F';
    assert_false(ledger_is_readable(l));
    ledger_close(l);
    close(fd);
}

static void test_gap(void **state)
{
    (void)state;
    int fd = new_file();
    struct ledger *l = ledger_map(fd);
    ledger_put(l, &(struct ledger_page){0});
    ledger_close_gap(l); /* the first ever: nothing is known */
    assert_int_equal(l->gap_from_ns, 0);
    int64_t alive = atomic_load(&l->alive_ns);
    assert_true(alive > 0);
    atomic_store(&l->orderly, 1);
    ledger_close_gap(l);
    assert_int_equal(l->gap_from_ns, alive);
    assert_true(l->gap_until_ns >= alive);
    assert_int_equal(l->gap_orderly, 1);
    ledger_close_gap(l); /* it was not told to end this time */
    assert_int_equal(l->gap_orderly, 0);
    ledger_close(l);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pages), cmocka_unit_test(test_foreign),
                                       cmocka_unit_test(test_gap)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
