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
#include <sys/fanotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/answer.h"
#include "base/clock.h"
#include "scout/changes.h"
#include "scout/cover.h"
#include "scout/walk.h"

/* The only marks are on a tmpfs of our own, in a mount namespace of our own: nobody else can be asked, and what the
 * walk itself opens there a child of ours lets through. When either dies, so does the group. */
static char top[] = "/run/fileward-test-XXXXXX"; /* not /tmp: what users can write is left out */
static bool mounted;

static int mount_top(void **state)
{
    (void)state;
    if (geteuid() != 0)
        return 0;
    if (!mkdtemp(top))
        return -1;
    mounted = unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
              mount("none", top, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=16m") == 0;
    return 0;
}

static int unmount_top(void **state)
{
    (void)state;
    if (mounted && umount2(top, MNT_DETACH) < 0)
        return -1;
    return geteuid() == 0 ? rmdir(top) : 0;
}

struct stage {
    struct policy policy;
    struct watch watch;
    struct pattern paths[4], excludes[2];
    char texts[6][PATH_MAX];
    struct home homes[2];
    char home_paths[2][PATH_MAX];
    struct board *board;
    struct reg *reg;
    struct ring ring;
    struct gate gate;
    int reg_fd;
    struct land land;
    struct scout_setup setup;
    pid_t answerer;
    char said[16][64]; /* what stayed unguarded, and why, cut */
    int n_said;
};

static void answer_all(const struct gate *gate)
{
    struct fanotify_event_metadata events[16];
    struct pollfd p = {.fd = gate->fd, .events = POLLIN};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(60);
    for (;;) {
        poll(&p, 1, -1);
        ssize_t len = read(gate->fd, events, sizeof events);
        for (const struct fanotify_event_metadata *e = events; FAN_EVENT_OK(e, len); e = FAN_EVENT_NEXT(e, len)) {
            answer_write(gate, e->fd, ANSWER_ALLOW);
            close(e->fd);
        }
    }
}

static void in_top(char out[PATH_MAX], const char *name)
{
    snprintf(out, PATH_MAX, "%s/%s", top, name);
}

static void make_dir(const char *name, uid_t owner)
{
    char path[PATH_MAX];
    in_top(path, name);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(chown(path, owner, owner), 0);
}

static void make_file(const char *name, uid_t owner)
{
    char path[PATH_MAX];
    in_top(path, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(fchown(fd, owner, owner), 0);
    close(fd);
}

static void make_link(const char *to, const char *name, bool hard)
{
    char from[PATH_MAX], path[PATH_MAX];
    in_top(path, name);
    if (hard)
        in_top(from, to);
    assert_int_equal(hard ? link(from, path) : symlink(to, path), 0);
}

/* /etc with files of root's, /home with what users made of theirs. */
static void furnish(void)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "rm -rf %s/*", top);
    assert_int_equal(system(path), 0);
    make_dir("etc", 0);
    make_dir("etc/sub", 0);
    make_dir("etc/sub/deep", 0);
    make_file("etc/a", 0);
    make_file("etc/b", 0);
    make_file("etc/known", 0);
    make_file("etc/sub/c", 0);
    make_file("etc/sub/deep/c", 0);
    make_link("a", "etc/link", false);
    make_link("etc/a", "etc/hard", true);
    in_top(path, "etc/fifo");
    assert_int_equal(mkfifo(path, 0644), 0);
    make_dir("home", 0);
    make_dir("home/u", 1000);
    make_dir("home/u/.ssh", 1000);
    make_file("home/u/.ssh/key", 1000);
    make_file("home/u/.ssh/of-root", 0);
    make_link("/etc/shadow", "home/u/.ssh/link", false);
    make_dir("home/u/.ssh/mount", 1000);
    make_dir("home/[v]", 1001);
    make_link("../u/.ssh", "home/[v]/.ssh", false);
}

static struct stage *new_stage(void)
{
    struct stage *s = calloc(1, sizeof *s);
    assert_non_null(s);
    furnish();
    s->watch = (struct watch){.path.v = s->paths, .exclude.v = s->excludes, .name = (char *)"w"};
    s->policy = (struct policy){.watches = &s->watch, .n_watches = 1, .homes = s->homes, .n_homes = 2};
    in_top(s->home_paths[0], "home/u");
    in_top(s->home_paths[1], "home/[v]");
    s->homes[0] = (struct home){.uid = 1000, .path = s->home_paths[0]};
    s->homes[1] = (struct home){.uid = 1001, .path = s->home_paths[1]};
    s->board = calloc(1, board_size(&s->policy));
    s->reg = reg_create(&s->reg_fd);
    assert_true(s->board && s->reg && ring_create(&s->ring, ROLE_SCOUT, 1 << 20) == 0);
    s->gate = (struct gate){.fd = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC),
                            .mode = MODE_AUDIT};
    assert_true(s->gate.fd >= 0);
    s->setup = (struct scout_setup){
        .policy = &s->policy, .gates = &s->gate, .board = s->board, .reg = s->reg, .ring = &s->ring, .control_fd = -1};
    s->setup.n_changes = scout_changes_groups(s->setup.changes_fds);
    assert_true(s->setup.n_changes > 0);
    s->land = (struct land){.is = &s->setup, .mounts = mounts_create(MOUNTS_TABLE)};
    assert_non_null(s->land.mounts);
    reach_init(&s->land.reach, s->land.mounts);
    s->answerer = fork();
    if (s->answerer == 0)
        answer_all(&s->gate);
    assert_true(s->answerer > 0);
    return s;
}

static void close_stage(struct stage *s)
{
    for (int i = 0; i < s->setup.n_changes; i++)
        close(s->setup.changes_fds[i]);
    reach_free(&s->land.reach);
    mounts_free(s->land.mounts);
    close(s->gate.fd);
    kill(s->answerer, SIGKILL);
    assert_int_equal(waitpid(s->answerer, NULL, 0), s->answerer);
    ring_close(&s->ring);
    reg_close(s->reg);
    close(s->reg_fd);
    free(s->board);
    free(s);
}

/* Adds a path to the watch; "~..." is taken as it is. */
static void watch_path(struct stage *s, const char *path)
{
    size_t i = s->watch.path.n++;
    s->paths[i] = (struct pattern){.text = s->texts[i], .home = path[0] == '~'};
    if (path[0] == '~')
        snprintf(s->texts[i], sizeof s->texts[i], "%s", path + 1);
    else
        in_top(s->texts[i], path);
}

static void exclude_path(struct stage *s, const char *path)
{
    size_t i = s->watch.exclude.n++;
    s->excludes[i].text = s->texts[4 + i];
    in_top(s->texts[4 + i], path);
}

static void walk_to(struct stage *s, const char *target)
{
    union {
        struct record r;
        char bytes[RECORD_BYTES_MAX];
    } b;
    struct marks m = {.is = &s->setup, .land = &s->land, .watch = 0};
    walk_watch(&m, target);
    s->n_said = 0;
    while (ring_pop(&s->ring, &b.r) > 0) {
        assert_int_equal(b.r.kind, RECORD_UNGUARDED);
        assert_true(s->n_said < 16);
        int skip = (int)strlen(top) + 1; /* places are told below the top */
        assert_true(b.r.path.len >= skip);
        snprintf(s->said[s->n_said++], sizeof s->said[0], "%.*s: %.*s", b.r.path.len - skip,
                 b.r.bytes + b.r.path.at + skip, b.r.text.len, b.r.bytes + b.r.text.at);
    }
    assert_int_equal(atomic_load(&s->board->watch[0].unguarded), s->n_said);
}

static void walk(struct stage *s)
{
    walk_to(s, "");
}

static bool was_said(const struct stage *s, const char *words)
{
    for (int i = 0; i < s->n_said; i++)
        if (strncmp(s->said[i], words, strlen(words)) == 0)
            return true;
    return false;
}

/* The place under which the register has an inode; "" if it has not. */
static void expect_in(struct stage *s, int watch, const char *name, const char *place)
{
    char path[PATH_MAX], expected[PATH_MAX] = "", got[PATH_MAX] = "";
    struct statx st;
    in_top(path, name);
    assert_int_equal(stat_identity(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &st), 0);
    struct file_id id = file_id_of(&st);
    uint32_t entry = reg_find(s->reg, watch, &id);
    if (entry)
        assert_true(reg_place(s->reg, entry, got, sizeof got) > 0);
    if (place)
        in_top(expected, place);
    if (strcmp(got, expected) != 0)
        fail_msg("%s: `%s`", path, got);
}

static void expect_guarded(struct stage *s, const char *name)
{
    expect_in(s, 0, name, name);
}

static void expect_free(struct stage *s, const char *name)
{
    expect_in(s, 0, name, NULL);
}

static void expect_neighbourhood(struct stage *s, const char *name)
{
    expect_in(s, REGISTER_NEIGHBOURHOOD, name, name);
}

/* Inodes that the kernel has marks on, and how many the board counts. */
static void expect_marks(struct stage *s, int marks)
{
    char line[512], path[64];
    int n = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", s->gate.fd);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        n += strncmp(line, "fanotify ino:", 13) == 0;
    fclose(f);
    assert_int_equal(n, marks);
    assert_int_equal(atomic_load(&s->board->watch[0].marks), marks);
}

static void test_tree(void **state)
{
    (void)state;
    if (!mounted)
        skip();
    struct stage *s = new_stage();
    watch_path(s, "etc");
    exclude_path(s, "etc/known");
    exclude_path(s, "etc/sub/d*");
    walk(s);
    expect_guarded(s, "etc");
    expect_guarded(s, "etc/b");
    expect_guarded(s, "etc/sub");
    expect_guarded(s, "etc/sub/c");
    expect_free(s, "etc/known");
    expect_free(s, "etc/sub/deep");
    expect_free(s, "etc/sub/deep/c");
    expect_free(s, "etc/link");
    expect_free(s, "etc/fifo");
    expect_free(s, "home");
    assert_int_equal(s->n_said, 0);
    expect_marks(s, 5); /* a and hard are one */

    /* Once more changes nothing but what is new. */
    make_file("etc/sub/new", 0);
    walk(s);
    expect_guarded(s, "etc/sub/new");
    expect_marks(s, 6);
    close_stage(s);
}

static void test_file(void **state)
{
    (void)state;
    if (!mounted)
        skip();
    struct stage *s = new_stage();
    watch_path(s, "etc/b");
    watch_path(s, "etc/sub/not-yet");
    watch_path(s, "nowhere/at/all");
    walk(s);
    expect_guarded(s, "etc/b");
    expect_neighbourhood(s, "etc"); /* a rename over it is a new inode in that directory */
    expect_neighbourhood(s, "etc/sub");
    expect_free(s, "etc");
    expect_free(s, "etc/a");
    expect_free(s, "etc/sub");
    expect_marks(s, 3);
    assert_int_equal(s->n_said, 0);
    assert_int_equal(atomic_load(&s->board->watch[0].neighbourhoods), 2);
    close_stage(s);
}

static void test_globs(void **state)
{
    (void)state;
    if (!mounted)
        skip();
    struct stage *s = new_stage();
    watch_path(s, "etc/[b-l]*");
    walk(s);
    expect_guarded(s, "etc/b");
    expect_guarded(s, "etc/known");
    expect_guarded(s, "etc/hard");
    expect_free(s, "etc/sub");
    expect_neighbourhood(s, "etc");
    expect_marks(s, 4);
    close_stage(s);

    s = new_stage();
    watch_path(s, "etc/**/c");
    walk(s);
    expect_guarded(s, "etc/sub/c");
    expect_guarded(s, "etc/sub/deep/c");
    expect_free(s, "etc/a");
    expect_free(s, "etc/sub");
    assert_int_equal(s->n_said, 0);
    close_stage(s);

    s = new_stage();
    watch_path(s, "*/sub");
    walk(s);
    expect_guarded(s, "etc/sub");
    expect_guarded(s, "etc/sub/deep/c");
    expect_free(s, "etc");
    close_stage(s);
}

/* Along one path only what lies on it is marked, and everything below its end. */
static void test_target(void **state)
{
    (void)state;
    char target[PATH_MAX];
    if (!mounted)
        skip();
    struct stage *s = new_stage();
    watch_path(s, "etc");
    watch_path(s, "home/*/.ssh");
    in_top(target, "etc/sub/deep");
    walk_to(s, target);
    expect_guarded(s, "etc");
    expect_guarded(s, "etc/sub");
    expect_guarded(s, "etc/sub/deep");
    expect_guarded(s, "etc/sub/deep/c");
    expect_free(s, "etc/a");
    expect_free(s, "etc/sub/c");
    expect_free(s, "home/u/.ssh");
    expect_in(s, REGISTER_OUTPOST, "home", NULL); /* the other pattern does not lead there */
    expect_marks(s, 4);
    in_top(target, "nowhere/at/all");
    walk_to(s, target);
    expect_marks(s, 4);
    in_top(target, "home/u/new"); /* nor there */
    walk_to(s, target);
    expect_in(s, REGISTER_OUTPOST, "home", NULL);
    expect_free(s, "home/u/.ssh");
    in_top(target, "home/u");
    walk_to(s, target);
    expect_in(s, REGISTER_OUTPOST, "home", "home");
    expect_in(s, REGISTER_OUTPOST, "home/u", "home/u");
    expect_guarded(s, "home/u/.ssh/key");
    expect_free(s, "etc/a");
    close_stage(s);
}

/* What a user can write, root does not follow. */
static void test_homes(void **state)
{
    (void)state;
    if (!mounted)
        skip();
    struct stage *s = new_stage();
    char mount_point[PATH_MAX];
    in_top(mount_point, "home/u/.ssh/mount");
    assert_int_equal(mount("none", mount_point, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m"), 0);
    assert_int_equal(chown(mount_point, 1000, 1000), 0);
    watch_path(s, "~/.ssh");
    watch_path(s, "~/.gnupg");
    walk(s);
    expect_guarded(s, "home/u/.ssh");
    expect_guarded(s, "home/u/.ssh/key");
    expect_free(s, "home/u/.ssh/of-root");
    expect_free(s, "home/u/.ssh/mount");
    expect_free(s, "home/u");
    expect_in(s, REGISTER_NEIGHBOURHOOD, "home/u", NULL); /* nobody pays for a directory that does not exist */
    assert_true(was_said(s, "home/u/.ssh/of-root: it belongs to another user"));
    assert_true(was_said(s, "home/u/.ssh/mount: it is a mount"));
    assert_true(was_said(s, "home/[v]/.ssh: it is a symbolic link")); /* the brackets are the home's name */
    expect_marks(s, 2);
    assert_int_equal(umount2(mount_point, MNT_DETACH), 0);
    close_stage(s);
}

/* Names are bytes, and depth has an end. */
static void test_hostile_tree(void **state)
{
    (void)state;
    if (!mounted)
        skip();
    struct stage *s = new_stage();
    char path[PATH_MAX] = "etc/sub";
    make_file("etc/sub/a\nb", 0);
    make_file("etc/sub/\xff\xfe", 0);
    make_file("etc/sub/[x]*", 0);
    make_file("etc/sub/~", 0);
    for (int i = 0; i < 300; i++) {
        strcat(path, "/d");
        make_dir(path, 0);
    }
    watch_path(s, "etc/sub");
    walk(s);
    expect_guarded(s, "etc/sub/a\nb");
    expect_guarded(s, "etc/sub/\xff\xfe");
    expect_guarded(s, "etc/sub/[x]*");
    expect_guarded(s, "etc/sub/~");
    assert_int_equal(s->n_said, 1);
    assert_true(was_said(s, "etc/sub/d/d/d"));
    expect_free(s, path);
    path[strlen("etc/sub") + 400] = '\0';
    expect_guarded(s, path);
    close_stage(s);
}

/* --- walks of everything, again and again ----------------------------------------------------------------------- */

static void walk_all(struct marks *m)
{
    marks_review(m);
    walk_watch(m, "");
    marks_sweep(m);
}

static uint32_t entry_of(struct stage *s, const char *name)
{
    char path[PATH_MAX];
    struct statx st;
    in_top(path, name);
    assert_int_equal(stat_identity(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &st), 0);
    struct file_id id = file_id_of(&st);
    return reg_find(s->reg, 0, &id);
}

/* An inode whose first name the policy has come to leave out stays inside by another, at every moment. */
static void test_left_out(void **state)
{
    (void)state;
    char path[PATH_MAX];
    if (!mounted)
        skip();
    struct stage *s = new_stage();
    struct marks m = {.is = &s->setup, .land = &s->land};
    watch_path(s, "etc/known");
    walk_all(&m);
    make_link("etc/known", "etc/sub/other", true);
    watch_path(s, "etc/sub");
    exclude_path(s, "etc/known");
    walk_all(&m);
    uint32_t entry = entry_of(s, "etc/known");
    assert_true(entry > 0);
    assert_false(reg_is_outside(s->reg, entry));
    marks_review(&m);
    assert_false(reg_is_outside(s->reg, entry));
    walk_watch(&m, "");
    marks_sweep(&m);
    assert_false(reg_is_outside(s->reg, entry));
    in_top(path, "etc/sub/other");
    assert_int_equal(unlink(path), 0);
    walk_all(&m);
    assert_true(reg_is_outside(s->reg, entry));
    s->watch.exclude.n = 0; /* and taken in again */
    marks_review(&m);
    assert_false(reg_is_outside(s->reg, entry));
    marks_sweep(&m);
    close_stage(s);
}

static bool is_followed(struct stage *s, const char *name)
{
    char path[PATH_MAX];
    in_top(path, name);
    int fd = open(path, O_PATH | O_CLOEXEC);
    assert_true(fd >= 0);
    bool follow = feeds_follow(&s->land, fd);
    close(fd);
    return follow;
}

static uint32_t *awaited_of(struct marks *m, uint32_t uid)
{
    size_t i = 0;
    while (i + 1 < sizeof m->users / sizeof *m->users && !(m->users[i].used && m->users[i].uid == uid))
        i++;
    return &m->users[i].awaited;
}

/* Who brings the same thing again and again takes nothing from what others, or he, may have followed. */
static void test_awaited(void **state)
{
    enum { AS_OFTEN = 1000, ALL = 100000 };
    (void)state;
    char target[PATH_MAX];
    if (!mounted)
        skip();
    struct stage *s = new_stage();
    struct marks m = {.is = &s->setup, .land = &s->land};
    watch_path(s, "~/.ssh");
    in_top(target, "home/u/.ssh/of-root");
    for (int i = 0; i < AS_OFTEN; i++)
        walk_watch(&m, target);
    assert_int_equal(*awaited_of(&m, 1000), 1);
    make_file("home/u/.ssh/of-root-too", 0);
    assert_false(is_followed(s, "home/u/.ssh/of-root-too"));
    walk_watch(&m, "");
    assert_true(is_followed(s, "home/u/.ssh/of-root"));
    assert_true(is_followed(s, "home/u/.ssh/of-root-too"));
    /* Who has all that he may have does not keep others from theirs, nor for ever. */
    *awaited_of(&m, 1000) = ALL;
    make_file("home/u/.ssh/third", 0);
    in_top(target, "home/[v]/.ssh");
    assert_int_equal(unlink(target), 0);
    make_dir("home/[v]/.ssh", 1001);
    make_file("home/[v]/.ssh/of-root", 0);
    walk_watch(&m, "");
    assert_false(is_followed(s, "home/u/.ssh/third"));
    assert_true(is_followed(s, "home/[v]/.ssh/of-root"));
    walk_all(&m);
    assert_true(is_followed(s, "home/u/.ssh/third"));
    assert_int_equal(*awaited_of(&m, 1000), 3);
    assert_int_equal(*awaited_of(&m, 1001), 1);
    close_stage(s);
}

/* A keeper that first refuses, and then does what it is asked. */
static pid_t keep(struct stage *s, const char *answers)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    pid_t pid = fork();
    if (pid == 0) {
        uint8_t word;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(60);
        close(pair[0]);
        while (read(pair[1], &word, 1) == 1)
            if (word >= SCOUT_COVERS && write(pair[1], *answers ? answers++ : "f", 1) != 1)
                break;
        _exit(0);
    }
    assert_true(pid > 0);
    close(pair[1]);
    s->setup.control_fd = pair[0];
    s->watch.coverage = COVERAGE_FILESYSTEM;
    return pid;
}

static void let_go(struct stage *s, pid_t keeper)
{
    close(s->setup.control_fd);
    assert_int_equal(waitpid(keeper, NULL, 0), keeper);
}

/* What the keeper did not do it is asked again, and everything when the mounts may have changed. */
static void test_cover_again(void **state)
{
    (void)state;
    if (!mounted)
        skip();
    struct stage *s = new_stage();
    struct marks m = {.is = &s->setup, .land = &s->land};
    pid_t keeper = keep(s, "FF");
    watch_path(s, "etc");
    walk_all(&m);
    assert_int_equal(m.n_covered, 1);
    assert_false(m.covered[0].marked);
    cover_again(&m); /* not at once */
    assert_false(m.covered[0].marked);
    m.covered[0].asked_ns -= 60 * NS_PER_S;
    cover_again(&m);
    assert_false(m.covered[0].marked); /* refused once more */
    m.covered[0].asked_ns -= 60 * NS_PER_S;
    cover_again(&m);
    assert_true(m.covered[0].marked);
    cover_forget(&m);
    assert_int_equal(m.n_covered, 1);
    assert_false(m.covered[0].marked);
    cover_again(&m); /* at once */
    assert_true(m.covered[0].marked);
    cover_forget(&m);
    walk_watch(&m, "");
    assert_int_equal(m.n_covered, 1);
    assert_true(m.covered[0].marked);
    int64_t asked = m.covered[0].asked_ns;
    walk_watch(&m, "");
    assert_true(m.covered[0].asked_ns == asked);
    walk_all(&m);
    assert_true(m.covered[0].asked_ns > asked);
    let_go(s, keeper);
    close_stage(s);
}

/* With a mark of the whole file system: what went unseen is forgotten, what somebody holds is not until he lets it go. */
static void test_covered_ghosts(void **state)
{
    (void)state;
    char path[PATH_MAX];
    if (!mounted)
        skip();
    struct stage *s = new_stage();
    struct marks m = {.is = &s->setup, .land = &s->land}, later = m;
    struct change_feed feed = {.land = &s->land, .marks = &later};
    pid_t keeper = keep(s, "");
    watch_path(s, "etc");
    walk_all(&m);
    uint32_t gone = entry_of(s, "etc/b"), held = entry_of(s, "etc/sub/c"), away = entry_of(s, "etc/sub/deep/c");
    assert_true(gone && held && away);
    in_top(path, "etc/b");
    assert_int_equal(unlink(path), 0);
    in_top(path, "etc/sub/c");
    int fd = open(path, O_PATH | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    char to[PATH_MAX];
    in_top(path, "etc/sub/deep/c");
    in_top(to, "home/c");
    assert_int_equal(rename(path, to), 0);
    walk_all(&later); /* as another scout does, which was told nothing */
    assert_int_equal(reg_stamp(s->reg, gone), 0);
    assert_true(reg_stamp(s->reg, held) > 0);
    assert_true(reg_stamp(s->reg, away) > 0);
    changes_look_again(&feed);
    assert_true(reg_stamp(s->reg, held) > 0);
    close(fd);
    changes_look_again(&feed);
    assert_int_equal(reg_stamp(s->reg, held), 0);
    assert_true(reg_stamp(s->reg, away) > 0);
    limbo_free(&s->land.limbo);
    let_go(s, keeper);
    close_stage(s);
}

/* What the groups do not take: the judge is told where the scout does not see what comes, until it does again. */
static void test_blind(void **state)
{
    (void)state;
    if (!mounted)
        skip();
    struct stage *s = new_stage();
    struct marks m = {.is = &s->setup, .land = &s->land};
    pid_t keeper = keep(s, "");
    char path[PATH_MAX];
    struct statx st;
    int fds[SCOUT_FEEDS_MAX];
    in_top(path, "etc");
    assert_int_equal(stat_identity(AT_FDCWD, path, 0, &st), 0);
    watch_path(s, "etc");
    walk_all(&m);
    assert_true(is_followed(s, "etc"));
    assert_true(is_followed(s, "etc/sub"));
    assert_false(reg_is_blind(s->reg, 0, st.stx_dev_major, st.stx_dev_minor));
    /* As if each said EXDEV: no group at all. */
    memcpy(fds, s->setup.changes_fds, sizeof fds);
    for (int i = 0; i < s->setup.n_changes; i++)
        s->setup.changes_fds[i] = -1;
    make_dir("etc/new", 0);
    walk_watch(&m, "");
    assert_true(reg_is_blind(s->reg, 0, st.stx_dev_major, st.stx_dev_minor));
    assert_false(reg_is_blind(s->reg, 1, st.stx_dev_major, st.stx_dev_minor));
    assert_true(s->land.blind); /* of the way there, too */
    marks_review(&m);
    assert_true(reg_is_blind(s->reg, 0, st.stx_dev_major, st.stx_dev_minor));
    walk_watch(&m, "");
    marks_sweep(&m);
    assert_true(reg_is_blind(s->reg, 0, st.stx_dev_major, st.stx_dev_minor));
    memcpy(s->setup.changes_fds, fds, sizeof fds);
    walk_all(&m);
    assert_false(reg_is_blind(s->reg, 0, st.stx_dev_major, st.stx_dev_minor));
    let_go(s, keeper);
    close_stage(s);
}

/* A user who has had his share of the scout's time gets no more than a mark on what he brings; the rest comes with the next
 * look at everything. */
static void test_over_budget(void **state)
{
    (void)state;
    char path[PATH_MAX], to[PATH_MAX];
    if (!mounted)
        skip();
    struct stage *s = new_stage();
    struct marks m = {.is = &s->setup, .land = &s->land};
    struct change_feed feed = {.land = &s->land, .marks = &m};
    watch_path(s, "~/.ssh");
    walk_all(&m);
    make_dir("home/u/.ssh/one", 1000);
    make_dir("home/u/.ssh/one/two", 1000);
    while (changes_read(&feed, s->setup.changes_fds[0]))
        ;
    expect_guarded(s, "home/u/.ssh/one/two");
    make_dir("home/u/tree", 1000);
    make_dir("home/u/tree/below", 1000);
    in_top(path, "home/u/tree");
    in_top(to, "home/u/.ssh/tree");
    assert_int_equal(rename(path, to), 0);
    budget_charge(&s->land.budgets, 1000, clock_now(), 60 * NS_PER_S);
    while (changes_read(&feed, s->setup.changes_fds[0]))
        ;
    assert_true(feed.lost);
    expect_guarded(s, "home/u/.ssh/tree");
    expect_free(s, "home/u/.ssh/tree/below");
    feed.lost = false;
    make_file("home/u/.ssh/tree/plain", 1000); /* of which there is no more than the mark */
    while (changes_read(&feed, s->setup.changes_fds[0]))
        ;
    expect_guarded(s, "home/u/.ssh/tree/plain");
    assert_false(feed.lost);
    walk_all(&m);
    expect_guarded(s, "home/u/.ssh/tree/below");
    close_stage(s);
}

/* What stands under the number of a watch that the policy has no more goes; what is known under others stays. */
static void test_dropped(void **state)
{
    (void)state;
    if (!mounted)
        skip();
    struct stage *s = new_stage();
    struct marks m = {.is = &s->setup, .land = &s->land};
    watch_path(s, "etc");
    walk_all(&m);
    uint32_t before = reg_size(s->reg).entries;
    for (uint64_t i = 0; i < 1000; i++) {
        struct file_id id = {.ino = i};
        static const int kinds[] = {0, REGISTER_NEIGHBOURHOOD, REGISTER_OUTPOST};
        assert_true(reg_add(s->reg, 7 + kinds[i % 3], &id, 0, "/x") > 0);
    }
    marks_forget_dropped(&s->land);
    assert_int_equal(reg_size(s->reg).entries, before);
    expect_guarded(s, "etc/sub/deep/c");
    close_stage(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),           cmocka_unit_test(test_file),    cmocka_unit_test(test_globs),
        cmocka_unit_test(test_target),         cmocka_unit_test(test_homes),   cmocka_unit_test(test_hostile_tree),
        cmocka_unit_test(test_left_out),       cmocka_unit_test(test_awaited), cmocka_unit_test(test_cover_again),
        cmocka_unit_test(test_covered_ghosts), cmocka_unit_test(test_blind),   cmocka_unit_test(test_over_budget),
        cmocka_unit_test(test_dropped),
    };
    return cmocka_run_group_tests(tests, mount_top, unmount_top);
}
