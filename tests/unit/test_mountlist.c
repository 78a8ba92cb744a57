#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mounts.h"
#include "scout/mountlist.h"

static char table[] = "/tmp/fileward-test-XXXXXX";

static int make_table(void **state)
{
    (void)state;
    int fd = mkstemp(table);
    return fd < 0 ? -1 : close(fd);
}

static int remove_table(void **state)
{
    (void)state;
    return unlink(table);
}

static void write_table(const char *text)
{
    FILE *f = fopen(table, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static char said[256];

static void note(void *ctx, const char *point, int fd)
{
    (void)ctx;
    if (fd < 0)
        strcat(strcat(said, point), " ");
}

static bool nothing(void *ctx, const char *point)
{
    (void)ctx, (void)point;
    return false;
}

static void expect_changes(struct mountlist *l, const char *text, const char *points)
{
    said[0] = '\0';
    write_table(text);
    assert_int_equal(mountlist_update(l, note), 0);
    assert_string_equal(said, points);
}

#define ROOT "1 0 8:1 / / rw shared:1 - ext4 /dev/a rw\n"
#define HOME "22 1 8:2 / /home rw - ext4 /dev/b rw\n"
#define TEMP "9 1 0:5 / /t\\040mp rw - tmpfs none rw\n"

static void test_changes(void **state)
{
    (void)state;
    write_table(ROOT TEMP);
    struct mountlist *l = mountlist_create(table, nothing, NULL);
    assert_non_null(l);
    expect_changes(l, ROOT TEMP, "");
    expect_changes(l, TEMP ROOT, ""); /* in another order */
    expect_changes(l, ROOT TEMP HOME, "/home ");
    expect_changes(l, ROOT HOME, "/t mp ");
    expect_changes(l, ROOT "23 1 8:2 / /home rw - ext4 /dev/b rw\n", "/home /home "); /* another on the same place */
    expect_changes(l, ROOT "23 1 8:3 / /home rw - ext4 /dev/c rw\n", "/home "); /* with the number of the last one */
    expect_changes(l, ROOT "23 1 8:3 /sub /home rw - ext4 /dev/c rw\n", "/home ");
    expect_changes(l, ROOT "23 1 8:3 /sub /home ro - ext4 /dev/c ro\n", "");
    expect_changes(l, ROOT "23 1 8:3 /sub /moved rw - ext4 /dev/c rw\n", "/home /moved ");
    expect_changes(l, "", "/ /moved ");
    expect_changes(l, "nonsense\n7\n\n", "");
    expect_changes(l, ROOT, "/ ");
    mountlist_free(l);
}

static bool all(void *ctx, const char *point)
{
    (void)ctx, (void)point;
    return true;
}

/* Where the kernel does not tell one mount from the next, each that is wanted may be another. */
static void test_untold(void **state)
{
    (void)state;
    write_table(ROOT "22 1 8:2 /f /nowhere/file rw - ext4 /dev/b rw\n");
    struct mountlist *l = mountlist_create(table, all, NULL), *unwanted = mountlist_create(table, nothing, NULL);
    assert_true(l && unwanted);
    expect_changes(l, ROOT "22 1 8:2 /f /nowhere/file rw - ext4 /dev/b rw\n", "/nowhere/file ");
    expect_changes(unwanted, ROOT "22 1 8:2 /f /nowhere/file rw - ext4 /dev/b rw\n", "");
    mountlist_free(l);
    mountlist_free(unwanted);
}

static void test_many(void **state)
{
    (void)state;
    enum { MOUNTS = 3000 };
    char *text = malloc(MOUNTS * 64), *end = text;
    assert_non_null(text);
    for (int i = 0; i < MOUNTS; i++)
        end += sprintf(end, "%d 1 0:5 / /m/%d rw - tmpfs none rw\n", 100 + i, i);
    write_table(text);
    struct mountlist *l = mountlist_create(table, nothing, NULL);
    assert_non_null(l);
    strcpy(end, HOME);
    expect_changes(l, text, "/home ");
    mountlist_free(l);
    free(text);
}

static void test_own_table(void **state)
{
    (void)state;
    struct mountlist *l = mountlist_create(MOUNTS_TABLE, nothing, NULL);
    assert_non_null(l);
    assert_true(mountlist_fd(l) >= 0);
    assert_int_equal(mountlist_update(l, note), 0);
    mountlist_free(l);
    assert_null(mountlist_create("/nowhere", nothing, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_untold),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_own_table),
    };
    return cmocka_run_group_tests(tests, make_table, remove_table);
}
