#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "judge/pace.h"

/* A judge whose clock and whose machine we make. */
struct scene {
    struct pace pace;
    int64_t now; /* ns */
    int looks;   /* without sleeping, in all */
};

static void runnable(struct scene *s, int n)
{
    char text[64];
    int len = snprintf(text, sizeof text, "0.10 0.20 0.30 %d/345 6789\n", n);
    assert_int_equal(ftruncate(s->pace.loadavg, 0), 0);
    assert_int_equal(pwrite(s->pace.loadavg, text, (size_t)len, 0), len);
}

static void scene_open(struct scene *s)
{
    *s = (struct scene){.now = 1000000000};
    pace_init(&s->pace);
    if (s->pace.loadavg >= 0)
        close(s->pace.loadavg);
    s->pace.loadavg = memfd_create("loadavg", MFD_CLOEXEC);
    s->pace.processors = 2;
    runnable(s, 2);
}

static void scene_close(struct scene *s)
{
    close(s->pace.loadavg);
}

/* A question comes `after` ns, and is answered in 10 us. Returns whether the judge slept before it came. */
static bool question(struct scene *s, int64_t after)
{
    const int64_t due = s->now + after, look_ns = 300;
    bool slept = false;
    while (s->now < due && !slept) {
        slept = !pace_look_again(&s->pace, s->now);
        s->looks += !slept;
        s->now += look_ns;
    }
    s->now = due;
    pace_woken(&s->pace, s->now);
    s->now += 10000;
    pace_done(&s->pace, s->now);
    return slept;
}

static int sleeps(struct scene *s, int64_t after, int times)
{
    int n = 0;
    for (int i = 0; i < times; i++)
        n += question(s, after);
    return n;
}

static void test_idle_sleeps(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    assert_int_equal(sleeps(&s, 1000000, 100), 100); /* a question every millisecond */
    assert_int_equal(s.looks, 0);
    scene_close(&s);
}

static void test_busy_looks(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    assert_in_range(sleeps(&s, 15000, 100), 1, 5); /* it learns in a few */
    assert_int_equal(sleeps(&s, 15000, 1000), 0);
    scene_close(&s);
}

/* When the questions end it has looked for a little, once; then nothing is spent. */
static void test_end_of_a_burst(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    sleeps(&s, 15000, 100);
    int before = s.looks;
    assert_true(question(&s, 10000000));
    assert_in_range(s.looks - before, 1, 400); /* of 0.3 us */
    before = s.looks;
    assert_int_equal(sleeps(&s, 10000000, 100), 100);
    assert_int_equal(s.looks, before);
    scene_close(&s);
}

static void test_others_need_the_processor(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    sleeps(&s, 15000, 100);
    runnable(&s, 3);
    sleeps(&s, 15000, 200); /* it finds out ... */
    s.looks = 0;
    assert_int_equal(sleeps(&s, 15000, 1000), 1000);
    assert_in_range(s.looks, 1, 40); /* ... and hardly tries */
    runnable(&s, 2);
    sleeps(&s, 15000, 200);
    assert_int_equal(sleeps(&s, 15000, 1000), 0);
    scene_close(&s);
}

/* Between two looks much time went by: somebody else had our processor, or a limit took it from us. */
static void test_taken_away(void **state)
{
    (void)state;
    struct scene s;
    scene_open(&s);
    sleeps(&s, 15000, 100);
    assert_true(pace_look_again(&s.pace, s.now));
    s.pace.patience_ns = INT64_MAX;
    assert_false(pace_look_again(&s.pace, s.now + 5000000));
    assert_false(s.pace.looking);
    scene_close(&s);
}

/* What cannot be known counts as a crowd. */
static void test_unknown(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "0.1 0.2", "0.1 0.2 0.3 ", "0.1 0.2 0.3 2"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct scene s;
        scene_open(&s);
        assert_int_equal(ftruncate(s.pace.loadavg, 0), 0);
        assert_true(pwrite(s.pace.loadavg, texts[i], strlen(texts[i]), 0) >= 0);
        sleeps(&s, 15000, 100);
        s.looks = 0;
        sleeps(&s, 15000, 100);
        assert_in_range(s.looks, 0, 10);
        scene_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_sleeps),    cmocka_unit_test(test_busy_looks),
        cmocka_unit_test(test_end_of_a_burst), cmocka_unit_test(test_others_need_the_processor),
        cmocka_unit_test(test_taken_away),     cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
