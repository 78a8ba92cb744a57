#include "packages_fixture.h"

#include "clerk/packages.h"

#define STATUS   "/var/lib/dpkg/status"
#define INFO     "/var/lib/dpkg/info/"
#define DIVERTED "/var/lib/dpkg/diversions"

struct house {
    struct root root;
    struct packages *packages;
};

static int build(void **state)
{
    static struct house h;
    h = (struct house){.packages = NULL};
    make_root(&h.root);
    *state = &h;
    return 0;
}

static int demolish(void **state)
{
    struct house *h = *state;
    packages_free(h->packages);
    remove_root(&h->root);
    return 0;
}

static const char *read_house(struct house *h)
{
    const char *why = NULL;
    packages_free(h->packages);
    h->packages = packages_read(h->root.dir, NULL, NULL, &why);
    return h->packages ? NULL : why;
}

/* The package of `path` and its checksum's first byte, as "name 7f". */
static const char *owner(const struct house *h, const char *path)
{
    static char text[PACKAGE_NAME_MAX + 8];
    struct packaged found;
    switch (packages_find(h->packages, path, &found)) {
    case PACKAGED_FOUND:
        snprintf(text, sizeof text, "%s %02x", found.package, found.md5[0]);
        return text;
    case PACKAGED_NO_CHECKSUM:
        snprintf(text, sizeof text, "%s -", found.package);
        return text;
    case PACKAGED_FAILED:
        return "failed";
    default:
        return "none";
    }
}

#define PACKAGE(name, status) "Package: " name "\nStatus: " status "\nArchitecture: amd64\n"

static void simple(struct house *h)
{
    put(&h->root, STATUS, PACKAGE("one", "install ok installed") "\n" PACKAGE("two", "hold ok installed"));
    put(&h->root, INFO "one.list", "/.\n/usr\n/usr/bin\n/usr/bin/one\n/etc\n/etc/one.conf\n");
    put(&h->root, INFO "one.md5sums", MD5_A "  usr/bin/one\n");
    put(&h->root, INFO "two.list", "/.\n/bin\n/bin/two\n/usr\n/usr/bin\n/usr/bin/both\n");
    put(&h->root, INFO "two.md5sums", MD5_B "  bin/two\n" MD5_B "  usr/bin/one\n" MD5_A "  usr/bin/both\n");
    assert_null(read_house(h));
}

static void test_owner(void **state)
{
    struct house *h = *state;
    simple(h);
    assert_string_equal(owner(h, "/usr/bin/one"), "one 7f"); /* two has a checksum, but no longer the file */
    assert_string_equal(owner(h, "/bin/two"), "two 9d");
    assert_string_equal(owner(h, "/usr/bin/two"), "none"); /* /usr is not merged here */
    assert_string_equal(owner(h, "/etc/one.conf"), "one -");
    assert_string_equal(owner(h, "/usr/bin/on"), "none");
    assert_string_equal(owner(h, "/usr/bin/one "), "none");
    assert_string_equal(owner(h, "/"), "none");
    assert_string_equal(owner(h, ""), "none");
    assert_string_equal(owner(h, "usr/bin/one"), "none");
    struct packages_count c = packages_count(h->packages);
    assert_int_equal(c.packages, 2);
    assert_int_equal(c.names, 12);
    assert_int_equal(c.odd, 0);
}

static void test_states(void **state)
{
    struct house *h = *state;
    static const struct {
        const char *status;
        bool in_place;
    } cases[] = {
        {"install ok installed", true},
        {"hold ok installed", true},
        {"deinstall ok installed", true},
        {"install ok triggers-awaited", true},
        {"install ok triggers-pending", true},
        {"install ok unpacked", true},
        {"install ok half-configured", true},
        {"install ok half-installed", false},
        {"install reinstreq half-installed", false},
        {"install reinstreq installed", false},
        {"deinstall ok config-files", false},
        {"purge ok not-installed", false},
        {"install ok", false},
        {"ok installed", false},
        {"installed", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        simple(h);
        snprintf(text, sizeof text, "Package: one\nStatus: %s\n\n" PACKAGE("two", "install ok installed"),
                 cases[i].status);
        put(&h->root, STATUS, text);
        assert_null(read_house(h));
        print_message("%s\n", cases[i].status);
        assert_string_equal(owner(h, "/usr/bin/one"), cases[i].in_place ? "one 7f" : "none");
    }
}

static void test_merged_usr(void **state)
{
    struct house *h = *state;
    put(&h->root, "/usr/bin/two", "B");
    put_link(&h->root, "/bin", "usr/bin");
    put_link(&h->root, "/lib64", "/usr/lib64");
    put_link(&h->root, "/lib", "/elsewhere");
    put(&h->root, STATUS, PACKAGE("two", "install ok installed"));
    put(&h->root, INFO "two.list", "/bin\n/bin/two\n/usr/bin/new\n/lib64/ld.so\n/lib/odd\n/binary\n/bin2/x\n/sbin/x\n");
    put(&h->root, INFO "two.md5sums",
        MD5_B "  bin/two\n" MD5_A "  usr/bin/new\n" MD5_A "  lib64/ld.so\n" MD5_A "  lib/odd\n" MD5_A "  bin2/x\n" MD5_A
              "  sbin/x\n");
    assert_null(read_house(h));
    assert_string_equal(owner(h, "/usr/bin/two"), "two 9d");
    assert_string_equal(owner(h, "/usr/bin/new"), "two 7f");
    assert_string_equal(owner(h, "/usr/lib64/ld.so"), "two 7f");
    assert_string_equal(owner(h, "/usr/lib/odd"), "none"); /* that link leads elsewhere */
    assert_string_equal(owner(h, "/bin/two"), "none");     /* no file has this name: /bin is a link */
    assert_string_equal(owner(h, "/bin2/x"), "two 7f");
    assert_string_equal(owner(h, "/usr/sbin/x"), "none"); /* there is no such link */
    assert_string_equal(owner(h, "/sbin/x"), "two 7f");
}

static void test_diversions(void **state)
{
    struct house *h = *state;
    static const char three[] = PACKAGE("a", "install ok installed") "\n" PACKAGE(
        "b", "install ok installed") "\n" PACKAGE("c", "install ok installed");
    put(&h->root, STATUS, three);
    put(&h->root, INFO "a.list", "/usr/bin/tool\n/usr/bin/local\n/usr/bin/old\n");
    put(&h->root, INFO "a.md5sums", MD5_A "  usr/bin/tool\n" MD5_A "  usr/bin/local\n" MD5_A "  usr/bin/old\n");
    put(&h->root, INFO "b.list", "/usr/bin/tool\n");
    put(&h->root, INFO "b.md5sums", MD5_B "  usr/bin/tool\n");
    put(&h->root, INFO "c.list", "/bin/sh\n");
    put(&h->root, INFO "c.md5sums", MD5_B "  bin/sh\n");
    put_link(&h->root, "/bin", "usr/bin");
    put(&h->root, DIVERTED,
        "/usr/bin/tool\n/usr/bin/tool.a\nb\n"
        "/usr/bin/local\n/opt/local\n:\n"
        "/bin/old\n/bin/old.diverted\nc\n" /* not a's name: dpkg compares what is written */
        "/bin/sh\n/bin/sh.distrib\nc\n");
    assert_null(read_house(h));
    assert_string_equal(owner(h, "/usr/bin/tool"), "b 9d");
    assert_string_equal(owner(h, "/usr/bin/tool.a"), "a 7f");
    assert_string_equal(owner(h, "/usr/bin/local"), "none");
    assert_string_equal(owner(h, "/opt/local"), "a 7f");
    assert_string_equal(owner(h, "/usr/bin/old"), "a 7f");
    assert_string_equal(owner(h, "/usr/bin/old.diverted"), "none");
    assert_string_equal(owner(h, "/usr/bin/sh"), "c 9d");
    assert_string_equal(owner(h, "/usr/bin/sh.distrib"), "none");
}

static void test_architectures(void **state)
{
    struct house *h = *state;
    put(&h->root, STATUS,
        "Package: libx\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: same\n\n"
        "Package: libx\nStatus: install ok installed\nArchitecture: i386\nMulti-Arch: same\n\n"
        "Package: liby\nStatus: install ok installed\nArchitecture: i386\nMulti-Arch: same\n");
    put(&h->root, INFO "libx:amd64.list", "/usr/lib/amd64/x.so\n/usr/share/x\n");
    put(&h->root, INFO "libx:amd64.md5sums", MD5_A "  usr/lib/amd64/x.so\n");
    put(&h->root, INFO "libx:i386.list", "/usr/lib/i386/x.so\n/usr/share/x\n");
    put(&h->root, INFO "libx:i386.md5sums", MD5_B "  usr/lib/i386/x.so\n" MD5_B "  usr/share/x\n");
    put(&h->root, INFO "liby.list", "/usr/lib/y.so\n");
    put(&h->root, INFO "liby.md5sums", MD5_B "  ./usr/lib/y.so\n");
    assert_null(read_house(h));
    assert_string_equal(owner(h, "/usr/lib/amd64/x.so"), "libx:amd64 7f");
    assert_string_equal(owner(h, "/usr/lib/i386/x.so"), "libx:i386 9d");
    assert_string_equal(owner(h, "/usr/share/x"), "libx:i386 9d"); /* whichever has a checksum */
    assert_string_equal(owner(h, "/usr/lib/y.so"), "liby 9d");
}

/* What makes no sense is passed over and counted; the rest stands. */
static void test_odd(void **state)
{
    struct house *h = *state;
    simple(h);
    put(&h->root, STATUS,
        "\n\n" PACKAGE("one", "install ok installed") "Conffiles:\n /etc/one.conf 00\n\n"  /* fine */
        PACKAGE("../two", "install ok installed") "\n"                                     /* odd */
                                                  "Package: two\n\n"                       /* odd */
                                                  "Status: install ok installed\n\n"       /* odd */
        PACKAGE("three", "install ok installed") "\n"                                      /* odd: no list */
                                                 "Package: two\nStatus: install ok inst"); /* odd, and half a line */
    put_bytes(&h->root, INFO "one.list", "\n/usr/bin/one\nrelative\n/a\0b\n/usr/bin/half", 42, 0644);
    put(&h->root, INFO "one.md5sums",
        "short\n" MD5_A "   usr/bin/on\n7FC56270e7a70fa81a5935b72eacbe29  usr/bin/one\n" MD5_A "  usr/bin/one\n" MD5_B
        "  usr/bin/half");
    put(&h->root, DIVERTED, "/usr/bin/one\n/usr/bin/elsewhere\n"); /* breaks off */
    assert_null(read_house(h));
    assert_string_equal(owner(h, "/usr/bin/one"), "one 7f");
    assert_string_equal(owner(h, "/usr/bin/half"), "none");
    assert_string_equal(owner(h, "/usr/bin/both"), "none");
    struct packages_count c = packages_count(h->packages);
    assert_int_equal(c.packages, 1);
    assert_int_equal(c.odd, 5 + 1 + 4);
}

/* Nothing that others can write is believed. */
static void test_not_roots(void **state)
{
    struct house *h = *state;
    static const char *const all[] = {"/var", "/var/lib/dpkg", "/var/lib/dpkg/info", STATUS, DIVERTED};
    simple(h);
    put(&h->root, DIVERTED, "");
    assert_null(read_house(h));
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct stat st;
        const char *path = in_root(&h->root, all[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(chmod(path, st.st_mode | 020), 0);
        assert_non_null(read_house(h));
        assert_int_equal(errno, EPERM);
        assert_int_equal(chmod(path, st.st_mode), 0);
        assert_int_equal(chown(path, 1, (gid_t)-1), 0);
        assert_non_null(read_house(h));
        assert_int_equal(errno, EPERM);
        assert_int_equal(chown(path, 0, (gid_t)-1), 0);
        assert_null(read_house(h));
    }
    assert_int_equal(chmod(in_root(&h->root, INFO "one.md5sums"), 0666), 0);
    assert_string_equal(owner(h, "/usr/bin/one"), "failed");
    assert_int_equal(chmod(in_root(&h->root, INFO "one.list"), 0666), 0);
    assert_null(read_house(h));
    assert_string_equal(owner(h, "/usr/bin/one"), "none");
    assert_string_equal(owner(h, "/bin/two"), "two 9d");
}

static void test_missing(void **state)
{
    struct house *h = *state;
    assert_string_equal(read_house(h), "there is none");
    put(&h->root, STATUS, "");
    assert_string_equal(read_house(h), "there is none");
    put(&h->root, INFO "x.list", "");
    assert_string_equal(read_house(h), "it lists nothing");
    assert_int_equal(unlink(in_root(&h->root, STATUS)), 0);
    assert_string_equal(read_house(h), "it cannot be read");
}

static void test_changed(void **state)
{
    struct house *h = *state;
    simple(h);
    assert_false(packages_changed(h->packages));
    put(&h->root, DIVERTED, "");
    assert_true(packages_changed(h->packages));
    assert_null(read_house(h));
    assert_false(packages_changed(h->packages));
    put(&h->root, INFO "new", "");
    assert_int_equal(rename(in_root(&h->root, INFO "new"), in_root(&h->root, INFO "one.md5sums")), 0);
    assert_true(packages_changed(h->packages));
    assert_null(read_house(h));
    assert_int_equal(rename(in_root(&h->root, "/var/lib/dpkg"), in_root(&h->root, "/var/lib/dpkg2")), 0);
    assert_true(packages_changed(h->packages));
}

/* What is taken over from before is what reading it anew gives. */
static void test_again(void **state)
{
    struct house *h = *state;
    const char *why;
    simple(h);
    struct packages *old = h->packages;
    put(&h->root, STATUS,
        PACKAGE("new", "install ok installed") "\n" PACKAGE("one", "install ok installed") "\n" PACKAGE(
            "two", "install ok installed"));
    put(&h->root, INFO "new.list", "/usr/bin/new\n");
    put(&h->root, INFO "new.md5sums", MD5_A "  usr/bin/new\n");
    put(&h->root, INFO "two.list", "/bin/second\n");
    put(&h->root, INFO "two.md5sums", MD5_B "  bin/second\n");
    h->packages = packages_read_again(old, NULL, NULL, &why);
    assert_non_null(h->packages);
    assert_string_equal(owner(h, "/usr/bin/one"), "one 7f");
    assert_string_equal(owner(h, "/usr/bin/new"), "new 7f");
    assert_string_equal(owner(h, "/bin/second"), "two 9d");
    assert_string_equal(owner(h, "/bin/two"), "none");
    assert_false(packages_changed(h->packages));
    packages_free(old);

    old = h->packages;
    put(&h->root, STATUS, PACKAGE("two", "install ok installed"));
    h->packages = packages_read_again(old, NULL, NULL, &why);
    assert_non_null(h->packages);
    assert_string_equal(owner(h, "/usr/bin/one"), "none");
    assert_string_equal(owner(h, "/bin/second"), "two 9d");
    assert_int_equal(packages_count(h->packages).packages, 1);
    packages_free(old);

    old = h->packages;
    assert_int_equal(chmod(in_root(&h->root, INFO "two.list"), 0666), 0);
    assert_null(packages_read_again(old, NULL, NULL, &why));
}

static bool stop(void *left)
{
    return (*(int *)left)-- > 0;
}

static void test_stopped(void **state)
{
    struct house *h = *state;
    const char *why;
    simple(h);
    int left = 1;
    assert_null(packages_read(h->root.dir, stop, &left, &why));
    assert_string_equal(why, "it was interrupted");
    left = 2;
    h->packages = (packages_free(h->packages), packages_read(h->root.dir, stop, &left, &why));
    assert_non_null(h->packages);
}

/* This machine's own database, against what dpkg says of the same files: every file of several packages, every
 * program. */
static void test_here(void **state)
{
    (void)state;
    const char *why;
    if (access("/usr/bin/dpkg-query", X_OK) < 0 || access(STATUS, R_OK) < 0)
        skip();
    struct packages *p = packages_read("", NULL, NULL, &why);
    assert_non_null(p);
    /* Real names only: dpkg knows files by the names that are written in packages. */
    FILE *f = popen("find /usr/bin /usr/sbin /usr/lib/x86_64-linux-gnu /usr/lib/aarch64-linux-gnu -maxdepth 1 "
                    "-type f 2>/dev/null | head -n 4000 | while IFS= read -r n; do "
                    "echo \"$n\"; echo \"${n#/usr}\"; done | "
                    "xargs -d '\\n' dpkg-query -S 2>/dev/null | grep -v ^diversion",
                    "re");
    assert_non_null(f);
    char line[PATH_MAX + 256];
    size_t agreed = 0, without = 0;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        char *path = strstr(line, ": /"), real[PATH_MAX];
        assert_non_null(path);
        *path = '\0';
        path += 2;
        if (!realpath(path, real)) /* diverted: there is no file by this name */
            continue;
        struct packaged found;
        enum packaged_end end = packages_find(p, real, &found);
        if (end == PACKAGED_NO_CHECKSUM)
            without++;
        else if (end != PACKAGED_FOUND)
            fail_msg("%s: dpkg says %s", real, line);
        /* "a, b:amd64" where there are several; a single one may be told with its architecture. */
        size_t n = strcspn(found.package, ":");
        found.package[n] = '\0';
        if (!strstr(line, found.package))
            fail_msg("%s: dpkg says %s, not %s", real, line, found.package);
        agreed++;
    }
    print_message("%zu agreed, %zu of them without a checksum\n", agreed, without);
    pclose(f);
    assert_true(agreed > 100 && without < agreed / 10);
    packages_free(p);
}

int main(void)
{
    if (geteuid() != 0)
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_owner, build, demolish),
        cmocka_unit_test_setup_teardown(test_states, build, demolish),
        cmocka_unit_test_setup_teardown(test_merged_usr, build, demolish),
        cmocka_unit_test_setup_teardown(test_diversions, build, demolish),
        cmocka_unit_test_setup_teardown(test_architectures, build, demolish),
        cmocka_unit_test_setup_teardown(test_odd, build, demolish),
        cmocka_unit_test_setup_teardown(test_not_roots, build, demolish),
        cmocka_unit_test_setup_teardown(test_missing, build, demolish),
        cmocka_unit_test_setup_teardown(test_changed, build, demolish),
        cmocka_unit_test_setup_teardown(test_again, build, demolish),
        cmocka_unit_test_setup_teardown(test_stopped, build, demolish),
        cmocka_unit_test(test_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
