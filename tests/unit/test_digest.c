#include "packages_fixture.h"

static const struct {
    const char *text, *md5, *sha256;
} cases[] = {
    {"", "d41d8cd98f00b204e9800998ecf8427e", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "900150983cd24fb0d6963f7d28e17f72", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
};

struct desk {
    struct root root;
    int fd;
};

static int build(void **state)
{
    static struct desk d;
    make_root(&d.root);
    put(&d.root, "/file", "abc");
    d.fd = open(in_root(&d.root, "/file"), O_RDWR | O_CLOEXEC);
    assert_true(d.fd >= 0);
    *state = &d;
    return 0;
}

static int demolish(void **state)
{
    struct desk *d = *state;
    close(d->fd);
    remove_root(&d->root);
    return 0;
}

static void assert_hex(const uint8_t *bytes, size_t n, const char *hex)
{
    char text[2 * DIGEST_SHA256_BYTES + 1];
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(text, hex);
}

static void test_known(void **state)
{
    struct desk *desk = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct digest d;
        put(&desk->root, "/file", cases[i].text);
        lseek(desk->fd, 2, SEEK_SET); /* the offset is of no matter */
        assert_int_equal(digest_file(desk->fd, DIGEST_MD5 | DIGEST_SHA256, &d, NULL, NULL), DIGEST_DONE);
        assert_hex(d.md5, sizeof d.md5, cases[i].md5);
        assert_hex(d.sha256, sizeof d.sha256, cases[i].sha256);
    }
}

struct beats {
    const struct desk *desk;
    int left;  /* until it says stop */
    int grows; /* bytes put behind the end at each beat */
    bool touches;
};

static bool beat(void *ctx)
{
    struct beats *b = ctx;
    if (b->grows)
        assert_int_equal(pwrite(b->desk->fd, "x", 1, lseek(b->desk->fd, 0, SEEK_END)), 1);
    if (b->touches)
        assert_int_equal(pwrite(b->desk->fd, "x", 1, 0), 1);
    return b->left-- > 0;
}

/* A million letters a: more than one block. */
static void put_million(const struct desk *desk)
{
    enum { MILLION = 1000000 };
    char *bytes = malloc(MILLION);
    assert_non_null(bytes);
    memset(bytes, 'a', MILLION);
    put_bytes(&desk->root, "/file", bytes, MILLION, 0600);
    free(bytes);
}

static void test_blocks(void **state)
{
    struct desk *desk = *state;
    struct digest d;
    struct beats b = {.desk = desk, .left = 1000};
    put_million(desk);
    assert_int_equal(digest_file(desk->fd, DIGEST_SHA256, &d, beat, &b), DIGEST_DONE);
    assert_hex(d.sha256, sizeof d.sha256, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_int_equal(1000 - b.left, 1000000 / DIGEST_BLOCK + 2);
    b.left = 3;
    assert_int_equal(digest_file(desk->fd, DIGEST_MD5, &d, beat, &b), DIGEST_STOPPED);
}

/* Stopped again and again it comes to the same, however little is read at a time; not if it is another file by now. */
static void test_go_on(void **state)
{
    struct desk *desk = *state;
    struct digest d;
    put_million(desk);
    struct digest_work *w = digest_work_create();
    int times = 1;
    for (; digest_go_on(w, desk->fd, DIGEST_SHA256, &d, beat, &(struct beats){.desk = desk, .left = 2}) ==
           DIGEST_STOPPED;)
        times++;
    assert_hex(d.sha256, sizeof d.sha256, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_in_range(times, 1000000 / DIGEST_BLOCK / 2, 1000000 / DIGEST_BLOCK + 2);
    assert_int_equal(digest_go_on(w, desk->fd, DIGEST_SHA256, &d, beat, &(struct beats){.desk = desk, .left = 2}),
                     DIGEST_STOPPED);
    assert_int_equal(ftruncate(desk->fd, 999999), 0);
    assert_int_equal(digest_go_on(w, desk->fd, DIGEST_SHA256, &d, NULL, NULL), DIGEST_DONE);
    struct digest all;
    assert_int_equal(digest_file(desk->fd, DIGEST_SHA256, &all, NULL, NULL), DIGEST_DONE);
    assert_memory_equal(d.sha256, all.sha256, sizeof all.sha256);
    digest_work_free(w);
}

static void test_unstable(void **state)
{
    struct desk *desk = *state;
    struct digest d;
    put_million(desk);
    assert_int_equal(digest_file(desk->fd, DIGEST_MD5, &d, beat, &(struct beats){desk, .left = 1000, .grows = 1}),
                     DIGEST_UNSTABLE);
    assert_int_equal(digest_file(desk->fd, DIGEST_MD5, &d, beat, &(struct beats){desk, .left = 1000, .touches = true}),
                     DIGEST_UNSTABLE);
}

static void test_refused(void **state)
{
    struct desk *desk = *state;
    struct digest d;
    int dir = open(desk->root.dir, O_RDONLY | O_CLOEXEC),
        path = open(in_root(&desk->root, "/file"), O_PATH | O_CLOEXEC);
    assert_int_equal(digest_file(dir, DIGEST_MD5, &d, NULL, NULL), DIGEST_UNREADABLE);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(digest_file(path, DIGEST_MD5, &d, NULL, NULL), DIGEST_UNREADABLE);
    assert_int_equal(errno, EBADF);
    close(dir);
    close(path);
    assert_int_equal(ftruncate(desk->fd, DIGEST_SIZE_MAX + 1), 0);
    assert_int_equal(digest_file(desk->fd, DIGEST_MD5, &d, NULL, NULL), DIGEST_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_known, build, demolish),
        cmocka_unit_test_setup_teardown(test_blocks, build, demolish),
        cmocka_unit_test_setup_teardown(test_go_on, build, demolish),
        cmocka_unit_test_setup_teardown(test_unstable, build, demolish),
        cmocka_unit_test_setup_teardown(test_refused, build, demolish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
