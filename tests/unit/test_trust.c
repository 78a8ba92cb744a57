#include "packages_fixture.h"

#include <sys/mman.h>
#include <sys/xattr.h>

#include "base/lookup.h"
#include "base/own.h"
#include "clerk/trust.h"

struct house {
    struct root root;
    struct packages *packages;
    struct lookup *names;
    struct digest_work *work;
};

static int build(void **state)
{
    static struct house h;
    const char *why;
    make_root(&h.root);
    put(&h.root, "/var/lib/dpkg/status", "Package: tool\nStatus: install ok installed\nArchitecture: amd64\n\n");
    put(&h.root, "/var/lib/dpkg/info/tool.list", "/bin/tool\n/usr/bin/other\n/usr/bin/bare\n/usr/bin/pipe\n");
    put(&h.root, "/var/lib/dpkg/info/tool.md5sums",
        MD5_A "  bin/tool\n" MD5_B "  usr/bin/other\n" MD5_A "  usr/bin/pipe\n");
    put_bytes(&h.root, "/usr/bin/tool", "A", 1, 0755);
    put_bytes(&h.root, "/usr/bin/other", "B", 1, 0755);
    put_bytes(&h.root, "/usr/bin/bare", "A", 1, 0755);
    put_link(&h.root, "/bin", "usr/bin");
    h.packages = packages_read(h.root.dir, NULL, NULL, &why);
    h.names = lookup_create();
    h.work = digest_work_create();
    assert_non_null(h.packages);
    assert_non_null(h.names);
    *state = &h;
    return 0;
}

static int demolish(void **state)
{
    struct house *h = *state;
    packages_free(h->packages);
    lookup_free(h->names);
    digest_work_free(h->work);
    remove_root(&h->root);
    return 0;
}

static enum trust trust_of(const struct house *h, const char *path)
{
    CLEAN_FD int fd = open(in_root(&h->root, path), O_PATH | O_CLOEXEC);
    assert_true(fd >= 0);
    return trust_file(h->packages, h->names, fd, NULL, h->work, NULL, NULL);
}

static const char *tool(const struct house *h)
{
    return in_root(&h->root, "/usr/bin/tool");
}

static void test_packaged(void **state)
{
    struct house *h = *state;
    struct packaged found;
    CLEAN_FD int fd = open(tool(h), O_PATH | O_CLOEXEC);
    assert_int_equal(trust_file(h->packages, h->names, fd, &found, h->work, NULL, NULL), TRUST_PACKAGED);
    assert_string_equal(found.package, "tool");
    assert_int_equal(trust_of(h, "/bin/tool"), TRUST_PACKAGED); /* by whatever name it is reached */
    put_link(&h->root, "/usr/bin/link", "/nowhere");
    assert_int_equal(unlink(in_root(&h->root, "/usr/bin/link")), 0);
    put_link(&h->root, "/usr/bin/link", "tool");
    assert_int_equal(trust_of(h, "/usr/bin/link"), TRUST_PACKAGED);
    assert_int_equal(trust_file(NULL, h->names, fd, NULL, h->work, NULL, NULL), TRUST_NO_DATABASE);
}

static void test_not_packaged(void **state)
{
    struct house *h = *state;
    put_bytes(&h->root, "/usr/bin/copy", "A", 1, 0755);
    assert_int_equal(trust_of(h, "/usr/bin/copy"), TRUST_NOT_PACKAGED);
    assert_int_equal(link(tool(h), in_root(&h->root, "/usr/bin/hard")), 0);
    assert_int_equal(trust_of(h, "/usr/bin/hard"), TRUST_NOT_PACKAGED);
    assert_int_equal(trust_of(h, "/usr/bin/tool"), TRUST_PACKAGED);
    assert_int_equal(trust_of(h, "/usr/bin/bare"), TRUST_NO_CHECKSUM);
    assert_int_equal(mkfifo(in_root(&h->root, "/usr/bin/pipe"), 0644), 0);
    assert_int_equal(trust_of(h, "/usr/bin/pipe"), TRUST_UNREADABLE);
}

static void test_changed(void **state)
{
    struct house *h = *state;
    put_bytes(&h->root, "/usr/bin/tool", "B", 1, 0755);
    assert_int_equal(trust_of(h, "/usr/bin/tool"), TRUST_CHANGED);
    put_bytes(&h->root, "/usr/bin/tool", "A\n", 2, 0755);
    assert_int_equal(trust_of(h, "/usr/bin/tool"), TRUST_CHANGED);
    put_bytes(&h->root, "/usr/bin/tool", "A", 1, 0755);
    assert_int_equal(trust_of(h, "/usr/bin/tool"), TRUST_PACKAGED);
}

static void test_not_roots(void **state)
{
    struct house *h = *state;
    static const char *const above[] = {"/usr/bin", "/usr"};
    assert_int_equal(chmod(tool(h), 0775), 0);
    assert_int_equal(trust_of(h, "/usr/bin/tool"), TRUST_WRITABLE);
    assert_int_equal(chmod(tool(h), 0757), 0);
    assert_int_equal(trust_of(h, "/usr/bin/tool"), TRUST_WRITABLE);
    assert_int_equal(chmod(tool(h), 0755), 0);
    assert_int_equal(chown(tool(h), 1000, 0), 0);
    assert_int_equal(trust_of(h, "/usr/bin/tool"), TRUST_WRONG_OWNER);
    assert_int_equal(chown(tool(h), 0, 0), 0);
    for (size_t i = 0; i < sizeof above / sizeof above[0]; i++) {
        const char *dir = in_root(&h->root, above[i]);
        assert_int_equal(chmod(dir, 0777), 0);
        assert_int_equal(trust_of(h, "/usr/bin/tool"), TRUST_WRITABLE);
        assert_int_equal(chmod(dir, 0755), 0);
        assert_int_equal(chown(dir, 1000, 0), 0);
        assert_int_equal(trust_of(h, "/usr/bin/tool"), TRUST_WRITABLE);
        assert_int_equal(chown(dir, 0, 0), 0);
    }
    assert_int_equal(trust_of(h, "/usr/bin/tool"), TRUST_PACKAGED);
}

/* An access control list that lets another user write shows in the group's bits of the mode. */
static void test_access_list(void **state)
{
    struct house *h = *state;
    static const uint32_t undefined = UINT32_MAX;
    struct entry {
        uint16_t tag, perm;
        uint32_t id;
    } __attribute__((packed));
    struct {
        uint32_t version;
        struct entry entries[5];
    } __attribute__((packed)) list = {2,
                                      {{0x01, 7, undefined}, /* owner */
                                       {0x02, 2, 1000},      /* user 1000: write */
                                       {0x04, 5, undefined}, /* group */
                                       {0x10, 7, undefined}, /* mask */
                                       {0x20, 5, undefined}}};
    if (setxattr(tool(h), "system.posix_acl_access", &list, sizeof list, 0) < 0) {
        assert_int_equal(errno, ENOTSUP);
        skip();
    }
    assert_int_equal(trust_of(h, "/usr/bin/tool"), TRUST_WRITABLE);
}

static void test_deleted(void **state)
{
    struct house *h = *state;
    CLEAN_FD int old = open(tool(h), O_PATH | O_CLOEXEC);
    CLEAN_FD int memory = memfd_create("tool", MFD_CLOEXEC);
    put_bytes(&h->root, "/usr/bin/new", "A", 1, 0755);
    assert_int_equal(rename(in_root(&h->root, "/usr/bin/new"), tool(h)), 0);
    assert_int_equal(trust_file(h->packages, h->names, old, NULL, h->work, NULL, NULL), TRUST_DELETED);
    assert_int_equal(fchmod(memory, 0755), 0);
    assert_int_equal(trust_file(h->packages, h->names, memory, NULL, h->work, NULL, NULL), TRUST_DELETED);
    /* Its last name shows " (deleted)" behind it; a file of that very name is another one. */
    put_bytes(&h->root, "/usr/bin/tool (deleted)", "A", 1, 0755);
    assert_int_equal(trust_file(h->packages, h->names, old, NULL, h->work, NULL, NULL), TRUST_DELETED);
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

static void test_stopped(void **state)
{
    struct house *h = *state;
    CLEAN_FD int fd = open(tool(h), O_PATH | O_CLOEXEC);
    assert_int_equal(trust_file(h->packages, h->names, fd, NULL, h->work, never, NULL), TRUST_STOPPED);
}

static void test_words(void **state)
{
    (void)state;
    for (enum trust t = 0; t < TRUST_COUNT; t++)
        assert_true(strlen(trust_words(t)) > 10);
    assert_true(trust_is_inodes(TRUST_PACKAGED));
    assert_false(trust_is_inodes(TRUST_NOT_PACKAGED));
    assert_false(trust_is_inodes(TRUST_STOPPED));
}

int main(void)
{
    if (geteuid() != 0)
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_packaged, build, demolish),
        cmocka_unit_test_setup_teardown(test_not_packaged, build, demolish),
        cmocka_unit_test_setup_teardown(test_changed, build, demolish),
        cmocka_unit_test_setup_teardown(test_not_roots, build, demolish),
        cmocka_unit_test_setup_teardown(test_access_list, build, demolish),
        cmocka_unit_test_setup_teardown(test_deleted, build, demolish),
        cmocka_unit_test_setup_teardown(test_stopped, build, demolish),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
