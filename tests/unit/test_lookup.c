#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/lookup.h"
#include "base/mounts.h"

static char top[] = "/run/fileward-test-XXXXXX";
static bool own_namespace;

static int make_top(void **state)
{
    (void)state;
    if (geteuid() != 0)
        strcpy(top, "/tmp/fileward-test-XXXXXX");
    own_namespace =
        geteuid() == 0 && unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    alarm(60); /* a look-up that waits would wait for ever */
    return mkdtemp(top) ? 0 : -1;
}

static int remove_top(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf --one-file-system %s", top);
    return system(command);
}

static const char *in_top(const char *name)
{
    static char path[4][PATH_MAX];
    static unsigned at;
    char *out = path[at++ % 4];
    snprintf(out, PATH_MAX, "%s/%s", top, name);
    return out;
}

static void make_dir(const char *name)
{
    assert_int_equal(mkdir(in_top(name), 0755), 0);
}

static void make_file(const char *name)
{
    int fd = open(in_top(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    close(fd);
}

/* --- the table of mounts ---------------------------------------------------------------------------------------- */

static struct mounts *mounts_of(const char *text)
{
    const char *path = in_top("table");
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    struct mounts *m = mounts_create(path);
    assert_non_null(m);
    return m;
}

static void expect_at(const struct mounts *m, const char *path, const char *type)
{
    const char *got = mounts_refused(m, path, strlen(path));
    if ((got == NULL) != (type == NULL) || (type && strcmp(got, type) != 0))
        fail_msg("%s: %s, expected %s", path, got ? got : "not refused", type ? type : "not refused");
}

static void test_table(void **state)
{
    (void)state;
    struct mounts *m = mounts_of("27 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n"
                                 "22 27 0:21 / /proc rw - proc proc rw\n"
                                 "30 27 0:50 / /home/a/x rw master:2 - fuse.sshfs a@b:\\040 rw,user_id=0\n"
                                 "31 27 0:51 / /mnt/a\\040b\\134 rw - nfs4 srv:/x rw\n"
                                 "32 27 0:52 / /auto rw - autofs /etc/auto.x rw\n"
                                 "33 27 8:1 / /auto rw - ext4 /dev/sda1 rw\n" /* covers it */
                                 "34 27 0:53 / /net rw - autofs /etc/auto.net rw\n"
                                 "35 34 8:2 / /net/disk rw - xfs /dev/sdb rw\n" /* reached through it */
                                 "36 27 8:3 / /ntfs rw - fuseblk /dev/sdc1 rw\n");
    expect_at(m, "/etc", NULL);
    expect_at(m, "/", NULL);
    expect_at(m, "/home/a", NULL);
    expect_at(m, "/home/a/x", "fuse.sshfs");
    expect_at(m, "/home/a/x/y/z", "fuse.sshfs");
    expect_at(m, "/home/a/xy", NULL);
    expect_at(m, "/mnt/a b\\/c", "nfs4");
    expect_at(m, "/auto/x", NULL);
    expect_at(m, "/net", "autofs");
    expect_at(m, "/net/disk/x", "autofs");
    expect_at(m, "/proc/self", "proc");
    assert_true(mounts_refused_device(m, 0, 50));
    assert_true(mounts_refused_device(m, 8, 3));
    assert_false(mounts_refused_device(m, 254, 0));
    assert_false(mounts_refused_device(m, 8, 1));
    assert_false(mounts_refused_device(m, 0, 52));
    assert_true(mounts_allow(m, 27));
    assert_true(mounts_allow(m, 33));
    assert_false(mounts_allow(m, 22)); /* proc */
    assert_false(mounts_allow(m, 30));
    assert_false(mounts_allow(m, 32)); /* autofs, though covered */
    assert_false(mounts_allow(m, 2));
    assert_false(mounts_allow(m, 0));
    expect_at(m, "/home/a/x", "fuse.sshfs"); /* as before */
    mounts_free(m);

    m = mounts_of("27 1 0:20 / / rw - nfs4 srv:/ rw\n");
    expect_at(m, "/", "nfs4");
    expect_at(m, "/etc/x", "nfs4");
    mounts_free(m);
    errno = 0;
    assert_null(mounts_create(in_top("none")));
    assert_int_equal(errno, ENOENT);
    mounts_free(NULL);
}

/* What lies below an overlay counts as what lies there. */
static void test_layers(void **state)
{
    (void)state;
    struct mounts *m =
        mounts_of("27 1 254:0 / / rw - ext4 /dev/vda rw\n"
                  "30 27 0:50 / /fuse rw - fuse x rw\n"
                  "31 27 0:51 / /a rw - overlay overlay rw,lowerdir=/x:/fuse/l,upperdir=/u,workdir=/w\n"
                  "32 27 0:52 / /b rw - overlay overlay rw,lowerdir=/x:/y,upperdir=/fuse/u,workdir=/fuse/w\n"
                  "33 27 0:53 / /c rw - overlay overlay rw,lowerdir=/x:/y,upperdir=/u,workdir=/fuse/w\n"
                  "34 27 0:54 / /d rw - overlay overlay rw,lowerdir+=/x,lowerdir+=/fuse\n"
                  "35 27 0:55 / /e rw - overlay overlay rw,lowerdir=l/FUSE:l/Y\n"
                  "36 27 0:56 / /f rw - overlay overlay rw,lowerdir=/a/sub\n");
    expect_at(m, "/a/x", "fuse");
    expect_at(m, "/b", "fuse");
    expect_at(m, "/c", NULL); /* nothing is looked up in the work directory */
    expect_at(m, "/d", "fuse");
    expect_at(m, "/e", NULL);
    expect_at(m, "/f", "fuse"); /* a layer of a layer */
    assert_true(mounts_refused_device(m, 0, 51));
    assert_false(mounts_refused_device(m, 0, 53));
    mounts_free(m);
}

/* However long a line or the table: what is not understood is not taken for nothing. */
static void test_long(void **state)
{
    (void)state;
    enum { LAYERS = 40000, MANY = 6000 };
    char *text = calloc(1, LAYERS * 12 + 1000), *at = text;
    assert_non_null(text);
    at += sprintf(at, "30 27 0:50 / /fuse rw - fuse x rw\n31 27 0:51 / /big rw - overlay overlay rw,lowerdir=/fuse");
    for (int i = 0; i < LAYERS; i++)
        at += sprintf(at, ":/layer%d", i % 1000);
    sprintf(at, "\n32 27 0:52 / /after rw - nfs x rw\n");
    struct mounts *m = mounts_of(text);
    expect_at(m, "/big/x", "fuse");
    expect_at(m, "/after", "nfs");
    expect_at(m, "/else", NULL);
    mounts_free(m);
    free(text);

    FILE *f = fopen(in_top("table"), "we");
    assert_non_null(f);
    for (int i = 0; i < MANY; i++)
        fprintf(f, "%d 27 0:%d / /mnt/%d rw - nfs x rw\n", i, i, i);
    assert_int_equal(fclose(f), 0);
    assert_null(mounts_create(in_top("table"))); /* more than there is room for */
}

/* --- looking up ------------------------------------------------------------------------------------------------- */

static ino_t inode(const char *name)
{
    struct stat st;
    assert_int_equal(stat(in_top(name), &st), 0);
    return st.st_ino;
}

static void expect_plain(struct lookup *l, const char *name, bool found)
{
    struct statx dir, st;
    if (lookup_plain(l, in_top(name), &dir, &st) != found)
        fail_msg("%s: plain %d", name, !found);
    if (found)
        assert_int_equal(st.stx_ino, inode(name));
    if (found && !strchr(name, '/'))
        assert_int_equal(dir.stx_ino, inode("."));
}

static void expect_leads(struct lookup *l, const char *name, const char *to)
{
    struct statx st;
    bool found = lookup_follow(l, in_top(name), &st);
    if (found != (to != NULL))
        fail_msg("%s: %s", name, found ? "found" : "not found");
    if (to)
        assert_int_equal(st.stx_ino, inode(to));
}

static void test_names(void **state)
{
    (void)state;
    make_dir("d");
    make_dir("d/e");
    make_file("d/file");
    make_file("file");
    assert_int_equal(symlink("file", in_top("link")), 0);
    assert_int_equal(symlink("d", in_top("dirlink")), 0);
    assert_int_equal(symlink("../link", in_top("d/up")), 0);
    assert_int_equal(symlink("loop", in_top("loop")), 0);
    assert_int_equal(symlink("/nowhere/at/all", in_top("dangling")), 0);
    char absolute[PATH_MAX];
    snprintf(absolute, sizeof absolute, "%s", in_top("d/file"));
    assert_int_equal(symlink(absolute, in_top("d/e/absolute")), 0);

    struct lookup *l = lookup_create();
    assert_non_null(l);
    expect_plain(l, "file", true);
    expect_plain(l, "d", true);
    expect_plain(l, "d/file", true);
    expect_plain(l, "link", false);
    expect_plain(l, "dirlink/file", false);
    expect_plain(l, "none", false);
    expect_plain(l, "none/file", false);
    expect_plain(l, "file/x", false);
    expect_plain(l, "d/../file", false);
    expect_plain(l, "d/", false);
    expect_plain(l, "d/..", false);

    expect_leads(l, "file", "file");
    expect_leads(l, "link", "file");
    expect_leads(l, "dirlink/file", "d/file");
    expect_leads(l, "dirlink/up", "file");
    expect_leads(l, "d/up", "file");
    expect_leads(l, "d/e/absolute", "d/file");
    expect_leads(l, "d/e/../file", "d/file");
    expect_leads(l, "loop", NULL);
    expect_leads(l, "dangling", NULL);
    expect_leads(l, "none", NULL);
    expect_leads(l, "link/x", NULL);

    struct stat root;
    struct statx st, dir;
    assert_false(lookup_follow(l, "relative", &st));
    assert_false(lookup_follow(l, "", &st));
    assert_true(lookup_plain(l, "/etc", &dir, &st));
    char big[2 * PATH_MAX];
    memset(big, 'x', sizeof big);
    big[0] = '/';
    big[sizeof big - 1] = '\0';
    assert_false(lookup_follow(l, big, &st));
    memcpy(big + 300, "/y", 3);
    assert_false(lookup_follow(l, big, &st));

    /* Directories, and up from them; neither through links. */
    assert_true(lookup_plain(l, in_top("d/e/absolute"), &dir, &st) == false);
    assert_true(lookup_directory(l, in_top("d/e"), &dir) >= 0);
    assert_int_equal(dir.stx_ino, inode("d/e"));
    assert_true(lookup_up(l, &dir));
    assert_int_equal(dir.stx_ino, inode("d"));
    expect_plain(l, "d/file", true); /* not what was in hand */
    assert_true(lookup_up(l, &dir));
    assert_int_equal(dir.stx_ino, inode("."));
    while (lookup_up(l, &dir))
        ;
    assert_int_equal(stat("/", &root), 0);
    assert_int_equal(dir.stx_ino, root.st_ino);
    assert_int_equal(lookup_directory(l, in_top("dirlink"), &dir), -1);
    assert_int_equal(lookup_directory(l, in_top("file"), &dir), -1);
    assert_int_equal(lookup_directory(l, in_top("none"), &dir), -1);
    assert_false(lookup_up(l, &dir));
    assert_true(lookup_directory(l, "/", &dir) >= 0);
    assert_false(lookup_up(l, &dir));

    /* What is replaced in the directory that is kept open is seen; a directory that is replaced, after a rest. */
    expect_leads(l, "d/file", "d/file");
    make_file("d/new");
    assert_int_equal(rename(in_top("d/new"), in_top("d/file")), 0);
    expect_leads(l, "d/file", "d/file");
    assert_int_equal(rename(in_top("d"), in_top("old")), 0);
    make_dir("d");
    lookup_rest(l);
    expect_leads(l, "d/file", NULL);
    expect_leads(l, "old/file", "old/file");
    lookup_free(l);
    lookup_free(NULL);
}

/* --- traps ------------------------------------------------------------------------------------------------------ */

/* Whether another process that does what we must not do is still at it after a while. */
static bool hangs(const char *path)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct stat st;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        stat(path, &st);
        _exit(0);
    }
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    bool waits = poll(&p, 1, 300) == 0;
    kill(pid, SIGKILL);
    close(pidfd);
    return waits; /* reaped when the trap is gone */
}

/* A FUSE file system that anybody may enter, and whose server never says a word. */
static int dead_fuse(const char *dir)
{
    char options[128];
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -1;
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
    assert_int_equal(mount("dead", dir, "fuse.dead", MS_NOSUID | MS_NODEV, options), 0);
    return fd;
}

static void test_fuse(void **state)
{
    (void)state;
    struct statx st;
    if (!own_namespace)
        skip();
    make_dir("home");
    make_dir("home/bin");
    make_file("home/bin/tool");
    make_file("plain");
    assert_int_equal(symlink("home/bin/tool", in_top("tool")), 0);
    assert_int_equal(symlink("bin/../../plain", in_top("home/round")), 0);
    struct lookup *l = lookup_create();
    assert_non_null(l);
    expect_leads(l, "home/bin/tool", "home/bin/tool");
    expect_leads(l, "tool", "home/bin/tool");
    expect_leads(l, "home/round", "plain");
    lookup_rest(l);

    int fuse = dead_fuse(in_top("home/bin")); /* while it is in use */
    if (fuse < 0)
        skip();
    assert_true(hangs(in_top("home/bin/tool")));
    expect_leads(l, "home/bin/tool", NULL);
    expect_plain(l, "home/bin/tool", false);
    assert_false(lookup_follow(l, in_top("home/bin"), &st)); /* nor is its root anything */
    expect_leads(l, "tool", NULL);
    expect_leads(l, "home/round", NULL);
    expect_leads(l, "plain", "plain");
    assert_string_equal(lookup_refused(l, in_top("home/bin/tool"), strlen(in_top("home/bin/tool"))), "fuse.dead");
    assert_int_equal(statx(AT_FDCWD, in_top("home/bin"), AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &st), 0);
    assert_true(lookup_refused_device(l, st.stx_dev_major, st.stx_dev_minor));

    assert_int_equal(umount2(in_top("home/bin"), MNT_DETACH), 0);
    close(fuse); /* ends who still waits */
    expect_leads(l, "home/bin/tool", "home/bin/tool");
    expect_leads(l, "home/round", "plain");
    lookup_free(l);
    while (wait(NULL) > 0)
        continue;
}

/* An automounter that never mounts what is asked for. */
static void test_autofs(void **state)
{
    (void)state;
    int fd[2];
    char options[128];
    if (!own_namespace)
        skip();
    make_dir("auto");
    pid_t daemon = fork(); /* it is its group that is not kept waiting */
    if (daemon == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
        _exit(0);
    }
    setpgid(daemon, daemon);
    assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
    snprintf(options, sizeof options, "fd=%d,pgrp=%d,minproto=5,maxproto=5,indirect", fd[1], daemon);
    bool mounted = mount("dead", in_top("auto"), "autofs", 0, options) == 0;
    close(fd[1]);
    if (mounted) {
        struct lookup *l = lookup_create();
        assert_non_null(l);
        assert_true(hangs(in_top("auto/x/tool")));
        expect_leads(l, "auto/x/tool", NULL);
        expect_leads(l, "auto/x", NULL);
        lookup_free(l);
        umount2(in_top("auto"), MNT_DETACH);
    }
    close(fd[0]);
    kill(daemon, SIGKILL);
    while (wait(NULL) > 0)
        continue;
    if (!mounted)
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table), cmocka_unit_test(test_layers), cmocka_unit_test(test_long),
        cmocka_unit_test(test_names), cmocka_unit_test(test_fuse),   cmocka_unit_test(test_autofs),
    };
    return cmocka_run_group_tests(tests, make_top, remove_top);
}
