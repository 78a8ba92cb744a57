#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

#define BYTES(s) s, sizeof(s) - 1

static void test_escape(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t len;
        const char *out;
    } cases[] = {
        {BYTES(""), ""},
        {BYTES("plain /etc/passwd"), "plain /etc/passwd"},
        {BYTES("a\nb\tc\rd"), "a\\nb\\tc\\rd"},
        {BYTES("\\"), "\\\\"},
        {BYTES("\x1b[31mred"), "\\x1b[31mred"},
        {BYTES("a\0b"), "a\\x00b"},
        {BYTES("\x7f"), "\\x7f"},
        {BYTES("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f"},
        {BYTES("\xe6\x97\xa5\xf0\x9f\x98\x80"), "\xe6\x97\xa5\xf0\x9f\x98\x80"},
        {BYTES("\xc2\x9b"), "\\xc2\\x9b"}, /* C1: CSI */
        {BYTES("\xe2\x80\xae"
               "cod.exe"),
         "\\xe2\\x80\\xae"
         "cod.exe"},                                         /* right-to-left override */
        {BYTES("\xe2\x81\xa6"), "\\xe2\\x81\\xa6"},          /* isolate */
        {BYTES("\xe2\x80\x8b"), "\\xe2\\x80\\x8b"},          /* zero width space */
        {BYTES("\xe2\x80\xa8"), "\\xe2\\x80\\xa8"},          /* line separator */
        {BYTES("\xef\xbb\xbf"), "\\xef\\xbb\\xbf"},          /* byte order mark */
        {BYTES("\xf3\xa0\x81\x81"), "\\xf3\\xa0\\x81\\x81"}, /* tag */
        {BYTES("\xef\xbf\xbf"), "\\xef\\xbf\\xbf"},          /* noncharacter */
        {BYTES("\xff\xfe"), "\\xff\\xfe"},
        {BYTES("\xc0\xaf"), "\\xc0\\xaf"}, /* overlong */
        {BYTES("\xe0\x80\xaf"), "\\xe0\\x80\\xaf"},
        {BYTES("\xed\xa0\x80"), "\\xed\\xa0\\x80"},          /* surrogate */
        {BYTES("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
        {BYTES("\xc3"), "\\xc3"},                            /* cut short */
        {BYTES("\xe6\x97x"), "\\xe6\\x97x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[128];
        assert_int_equal(text_escape(out, sizeof out, cases[i].in, cases[i].len), strlen(cases[i].out));
        assert_string_equal(out, cases[i].out);
    }
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        size_t len;
        const char *out;
        bool changed;
    } cases[] = {
        {BYTES("a\nb"), "a\nb", false},
        {BYTES("\xc3\xbc"), "\xc3\xbc", false},
        {BYTES("\xff"), "\xef\xbf\xbd", true},
        {BYTES("a\0b"),
         "a\xef\xbf\xbd"
         "b",
         true},
        {BYTES("\xe6\x97"), "\xef\xbf\xbd\xef\xbf\xbd", true},
        {BYTES("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char out[64];
        bool changed = !cases[i].changed;
        assert_int_equal(text_utf8(out, sizeof out, cases[i].in, cases[i].len, &changed), strlen(cases[i].out));
        assert_string_equal(out, cases[i].out);
        assert_int_equal(changed, cases[i].changed);
    }
}

/* Whatever the room, the result is whole characters, closed, and not beyond it. */
static void test_room(void **state)
{
    (void)state;
    static const char in[] = "a\xc3\xbc\n\xff\xe6\x97\xa5";
    char out[64];
    memset(out, 'X', sizeof out);
    assert_int_equal(text_escape(out, 0, in, sizeof in - 1), 0);
    assert_int_equal(out[0], 'X');
    for (size_t size = 1; size < 16; size++) {
        size_t (*const writers[])(char *, size_t, const char *, size_t) = {text_escape, text_hex};
        for (size_t w = 0; w < 2; w++) {
            memset(out, 'X', sizeof out);
            size_t n = writers[w](out, size, in, sizeof in - 1);
            assert_true(n < size);
            assert_int_equal(strlen(out), n);
            assert_int_equal(out[size], 'X');
        }
    }
    assert_int_equal(text_escape(out, 3, in, sizeof in - 1), 1);
    assert_int_equal(text_escape(out, 4, in, sizeof in - 1), 3);
    assert_int_equal(text_hex(out, 4, in, sizeof in - 1), 2);
    assert_string_equal(out, "61");
}

static void test_long_name(void **state)
{
    (void)state;
    static char in[4096], out[TEXT_ESCAPE_SIZE(sizeof in)];
    memset(in, '\xff', sizeof in);
    assert_int_equal(text_escape(out, sizeof out, in, sizeof in), 4 * sizeof in);
    assert_int_equal(text_utf8(out, sizeof out, in, sizeof in, NULL), 3 * sizeof in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_long_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
