#include "policy_fixture.h"

#include <fcntl.h>
#include <time.h>

#include "policy/reader.h"

/* What a content is read as: "S<line>:name", "P<line>:key=value", "E<line>:message", one a line. */
struct told {
    char text[16384];
    size_t len;
};

static void tell(struct told *t, char kind, int line, const char *a, const char *between, const char *b)
{
    t->len += (size_t)snprintf(t->text + t->len, sizeof t->text - t->len, "%c%d:%s%s%s\n", kind, line, a, between, b);
    assert_true(t->len < sizeof t->text);
}
static void on_section(void *user, const char *name, int line)
{
    tell(user, 'S', line, name ? name : "(refused)", "", "");
}
static void on_pair(void *user, const char *key, const char *value, int line)
{
    tell(user, 'P', line, key, "=", value);
}
static void on_problem(void *user, int line, const char *message)
{
    tell(user, 'E', line, message, "", "");
}

static void parse(struct told *t, const char *bytes, size_t size)
{
    struct reader_handler h = {t, on_section, on_pair, on_problem};
    struct content c = {malloc(size + 1), size};
    t->len = 0;
    t->text[0] = '\0';
    memcpy(c.bytes, bytes, size);
    c.bytes[size] = '\0';
    reader_parse(&c, &h);
    free(c.bytes);
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"", ""},
        {"\n\n# c\n; c\n   # c\n", ""},
        {"[a]\nk = v", "S1:a\nP2:k=v\n"},
        {"\xef\xbb\xbf[a]\nk=v\n", "S1:a\nP2:k=v\n"},
        {"[a]\n[b]\n", "S1:a\nS2:b\n"},
        {"[a] # c\nk = v # c\nl = v;w\nm = v ;w\n", "S1:a\nP2:k=v\nP3:l=v;w\nP4:m=v\n"},
        {"[a]\nk = \"v # w\" # c\n", "S1:a\nP2:k=\"v # w\"\n"},
        {"[a]\nk = \"v \\\" # w\" # c\n", "S1:a\nP2:k=\"v \\\" # w\"\n"},
        {"[a]\nk =\nl = # c\n", "S1:a\nP2:k=\nP3:l=\n"},
        {"[a]\nk = a=b:c\n", "S1:a\nP2:k=a=b:c\n"},
        {"[a]\nk = v \t\n", "S1:a\nP2:k=v\n"},
        {"k = v\n", "P1:k=v\n"},
        {"[rule a-very-long-name-of-a-watch-indeed-it-is/and-a-rule-with-a-long-name-too]\nk=v\n",
         "S1:rule a-very-long-name-of-a-watch-indeed-it-is/and-a-rule-with-a-long-name-too\nP2:k=v\n"},
    };
    static struct told t;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        parse(&t, cases[i].text, strlen(cases[i].text));
        assert_string_equal(t.text, cases[i].told);
    }
}

static void test_bad_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *told; /* how the first line told begins */
    } cases[] = {
        {"http://x = 1\n", "E1:a key has only letters"},
        {"a b = 1\n", "E1:a key has no blanks"},
        {"= 1\n", "E1:a key is missing"},
        {"key: value\n", "E1:neither"},
        {"just words\n", "E1:neither"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = 1\n", "E1:this is no key"},
        {"[a] junk\n", "E1:nothing but a comment"},
        {"[a] junk ]\n", "E1:nothing but a comment"},
        {"[a\n", "E1:a section header must end"},
        {"[\n", "E1:a section header must end"},
        {"[]\n", "E1:a section needs a name"},
        {"[ a]\n", "E1:no blanks next"},
        {"[a ]\n", "E1:no blanks next"},
        {"  k = v\n", "E1:the line begins with a blank"},
        {"\tk = v\n", "E1:the line begins with a blank"},
        {"  [a]\n", "E1:the line begins with a blank"},
        {"k = v\r\n", "E1:the line ends in CR LF"},
        {"k = \x1b[31m\n", "E1:the line holds a control"},
        {"k = v\vw\n", "E1:the line holds a control"},
    };
    static struct told t;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        parse(&t, cases[i].text, strlen(cases[i].text));
        if (strncmp(t.text, cases[i].told, strlen(cases[i].told)) != 0)
            fail_msg("case %zu: %s", i, t.text);
    }
    parse(&t, "[a]\nk=\0v\n", 9);
    assert_string_equal(t.text, "E0:is not a text file: byte 6 is NUL\n");
    /* What follows a refused header belongs to nothing, and not to the section before. */
    parse(&t, "[a]\n[b\nk=v\n", 11);
    assert_string_equal(t.text, "E2:a section header must end in ]\nS1:a\nS2:(refused)\nP3:k=v\n");
}

/* A line that inih would cut in two, the tail of which would be a rule. */
static void test_long_lines(void **state)
{
    (void)state;
    static struct told t;
    static char text[8192];
    char *end = text + sprintf(text, "[a]\nk = ");
    memset(end, 'x', 4000);
    strcpy(end + 4000, "\nl = v\n");
    parse(&t, text, strlen(text));
    assert_int_equal(t.len, strlen("S1:a\nP2:k=\nP3:l=v\n") + 4000);
    memset(end, 'x', 4100);
    strcpy(end + 4100, "\nl = v\n");
    parse(&t, text, strlen(text));
    assert_true(strncmp(t.text, "E2:the line is too long", 23) == 0);
    assert_non_null(strstr(t.text, "S1:a\nP3:l=v\n"));
    for (int i = 0; i < 500; i++)
        strcpy(text + 2 * i, "x\n");
    parse(&t, text, 1000);
    assert_non_null(strstr(t.text, "E100:too many errors"));
    assert_null(strstr(t.text, "E101:"));
}

/* --- files --- */

static bool load(struct told *t, const char *path)
{
    struct reader_handler h = {t, on_section, on_pair, on_problem};
    struct content c;
    t->len = 0;
    t->text[0] = '\0';
    bool ok = reader_load(path, false, &h, &c);
    free(c.bytes);
    return ok;
}

static void expect_refusal(const char *path, const char *part)
{
    static struct told t;
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_false(load(&t, path));
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true(to.tv_sec - from.tv_sec < 2);
    if (!strstr(t.text, part))
        fail_msg("%s: %s", path, t.text);
}

static void test_files(void **state)
{
    (void)state;
    static struct told t;
    char dir[] = "/tmp/fileward-test-XXXXXX", path[64], other[64];
    if (geteuid() != 0)
        skip();
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/p.ini", dir);
    snprintf(other, sizeof other, "%s/other", dir);
    expect_refusal(path, "does not exist");
    expect_refusal("p.ini", "cannot be found");
    expect_refusal(dir, "is a directory");
    expect_refusal("/dev/zero", "is a device");

    fixture_write(path, "[a]\n", 4);
    assert_int_equal(chmod(path, 0644), 0);
    assert_true(load(&t, path)); /* /tmp is sticky and root's */
    assert_int_equal(chmod(path, 0666), 0);
    expect_refusal(path, "can be written by everyone");
    assert_int_equal(chmod(path, 0660), 0);
    expect_refusal(path, "can be written by its group");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(chown(path, 1000, 0), 0);
    expect_refusal(path, "belongs to uid 1000");
    assert_int_equal(chown(path, 0, 0), 0);

    assert_int_equal(chmod(dir, 0777), 0);
    expect_refusal(path, "cannot be trusted");
    assert_int_equal(chmod(dir, 01777), 0);
    assert_true(load(&t, path));
    assert_int_equal(symlink(path, other), 0);
    assert_true(load(&t, other));
    assert_int_equal(lchown(other, 1000, 0), 0);
    expect_refusal(other, "cannot be trusted");
    assert_int_equal(chown(dir, 1000, 0), 0);
    expect_refusal(path, "cannot be trusted");
    assert_int_equal(chown(dir, 0, 0), 0);

    unlink(other);
    assert_int_equal(symlink("other", other), 0);
    expect_refusal(other, "cannot be found");
    unlink(other);
    assert_int_equal(mkfifo(other, 0600), 0);
    expect_refusal(other, "is a FIFO");
    unlink(other);
    fixture_write(other, "", 0);
    assert_int_equal(truncate(other, 100 << 20), 0);
    expect_refusal(other, "is too large");
    unlink(other);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
