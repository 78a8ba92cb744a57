#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "judge/fold.h"

/* What was told. */
struct told {
    int times;
    uint64_t seq, count, all;
    struct fold_key key;
};

static void tell(void *ctx, const struct fold_key *key, uint64_t first_seq, uint64_t count)
{
    struct told *t = ctx;
    assert_true(count > 0);
    t->times++;
    t->seq = first_seq;
    t->count = count;
    t->all += count;
    t->key = *key;
}

static struct fold *new_fold(void)
{
    struct fold *f = calloc(1, sizeof *f);
    assert_non_null(f);
    return f;
}

static struct fold_key key_of(uint64_t object)
{
    return (struct fold_key){.program = {8, 1, 500, 9}, .object = {8, 1, object, 9}, .uid = 1000};
}

static const int64_t start = 5 * NS_PER_S, second = NS_PER_S;

/* At these times after the first sight, what is said. */
static void test_window(void **state)
{
    (void)state;
    struct fold *f = new_fold();
    struct told t = {0};
    struct fold_key k = key_of(1);
    assert_false(fold_repeat(f, &k, start));
    fold_remember(f, &k, 7, start, tell, &t);
    assert_int_equal(f->next_ns, 0); /* nothing to tell yet */
    assert_true(fold_repeat(f, &k, start + 1));
    assert_true(fold_repeat(f, &k, start + second - 1));
    assert_int_equal(f->next_ns, start + second);

    fold_flush(f, start + second - 1, tell, &t);
    assert_int_equal(t.times, 0);
    assert_int_equal(f->next_ns, start + second);
    fold_flush(f, start + second, tell, &t);
    assert_int_equal(t.times, 1);
    assert_int_equal(t.seq, 7);
    assert_int_equal(t.count, 2);
    assert_memory_equal(&t.key, &k, sizeof k);
    assert_int_equal(f->next_ns, 0);

    /* It goes on: one record a second, all of them repeats of the first. */
    assert_true(fold_repeat(f, &k, start + second + 5));
    assert_int_equal(f->next_ns, start + 2 * second);
    fold_flush(f, start + 2 * second, tell, &t);
    assert_int_equal(t.times, 2);
    assert_int_equal(t.seq, 7);
    assert_int_equal(t.count, 1);

    /* After a second of silence it is a first sight again. */
    assert_false(fold_repeat(f, &k, start + 3 * second));
    fold_remember(f, &k, 8, start + 3 * second, tell, &t);
    assert_int_equal(t.times, 2);
    assert_true(fold_repeat(f, &k, start + 3 * second + 1));
    /* Late to flush: still counted, not lost. */
    assert_true(fold_repeat(f, &k, start + 9 * second));
    fold_flush(f, start + 9 * second, tell, &t);
    assert_int_equal(t.seq, 8);
    assert_int_equal(t.count, 2);
    free(f);
}

/* A record stands for one combination: each part of the key tells two apart. */
static void test_key(void **state)
{
    (void)state;
    struct fold_key first = key_of(1), other[12];
    for (size_t i = 0; i < 12; i++)
        other[i] = first;
    other[0].program.ino++;
    other[1].program.born_ns++;
    other[2].object.minor++;
    other[3].object.born_ns++;
    other[4].uid++;
    other[5].loginuid_or_tid++;
    other[6].watch++;
    other[7].rule++;
    other[8].op++;
    other[9].decision++;
    other[10].verdict++;
    other[11].mode++;
    for (size_t i = 0; i < 12; i++) {
        struct fold *f = new_fold();
        struct told t = {0};
        fold_remember(f, &first, 1, start, tell, &t);
        if (fold_repeat(f, &other[i], start + 1))
            fail_msg("part %zu", i);
        assert_true(fold_repeat(f, &first, start + 1));
        free(f);
    }
}

/* When two share a slot, the older is told early with all that was counted. */
static void test_eviction(void **state)
{
    (void)state;
    struct fold *f = new_fold();
    struct told t = {0};
    struct fold_key k = key_of(1), other;
    fold_remember(f, &k, 1, start, tell, &t);
    for (int i = 0; i < 3; i++)
        assert_true(fold_repeat(f, &k, start + i));
    uint64_t seq = 2;
    for (uint64_t ino = 2; t.times == 0; ino++) {
        assert_true(ino < 100 * FOLD_SLOTS);
        other = key_of(ino);
        assert_false(fold_repeat(f, &other, start + 10));
        fold_remember(f, &other, seq++, start + 10, tell, &t);
    }
    assert_int_equal(t.seq, 1);
    assert_int_equal(t.count, 3);
    assert_memory_equal(&t.key, &k, sizeof k);
    assert_true(fold_repeat(f, &other, start + 11));
    assert_false(fold_repeat(f, &k, start + 11)); /* forgotten */
    free(f);
}

/* Whatever comes in whatever order: what is recorded at once and what is told later is all there was. */
static void test_nothing_lost(void **state)
{
    (void)state;
    unsigned random = 42;
    for (int round = 0; round < 50; round++) {
        struct fold *f = new_fold();
        struct told t = {0};
        uint64_t firsts = 0, total = 0, seq = 0;
        int64_t now = start;
        uint64_t objects = 1 + (uint64_t)round * round; /* few, and many more than slots */
        for (int i = 0; i < 2000; i++) {
            random = random * 1103515245u + 12345u;
            now += (random >> 8) % (1u << (8 + round % 24));
            struct fold_key k = key_of((random >> 4) % objects);
            k.op = (uint8_t)(random >> 16 & 1);
            total++;
            if (!fold_repeat(f, &k, now)) {
                fold_remember(f, &k, ++seq, now, tell, &t);
                firsts++;
            }
            if (f->next_ns && now >= f->next_ns) {
                fold_flush(f, now, tell, &t);
                assert_true(f->next_ns == 0 || f->next_ns > now);
            }
            assert_true(t.seq <= seq);
        }
        fold_flush(f, INT64_MAX, tell, &t);
        assert_int_equal(firsts + t.all, total);
        int times = t.times;
        fold_flush(f, INT64_MAX, tell, &t);
        assert_int_equal(t.times, times);
        free(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_nothing_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
