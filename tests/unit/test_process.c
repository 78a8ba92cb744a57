#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/process.h"
#include "fileward/board.h"

static struct process open_process(int32_t tid)
{
    struct process p;
    assert_int_equal(process_open(&p, tid), 0);
    assert_int_equal(p.tid, tid);
    assert_true(p.proc >= 0);
    return p;
}

/* A child that does nothing until it is killed. */
static pid_t sleeper(void)
{
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        for (;;)
            pause();
    }
    assert_true(child > 0);
    return child;
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void expect_creds(const struct creds *a, const struct creds *b)
{
    assert_int_equal(a->tgid, b->tgid);
    assert_int_equal(a->ppid, b->ppid);
    assert_int_equal(a->ruid, b->ruid);
    assert_int_equal(a->euid, b->euid);
    assert_int_equal(a->fsuid, b->fsuid);
    assert_int_equal(a->rgid, b->rgid);
    assert_int_equal(a->egid, b->egid);
    assert_int_equal(a->sgid, b->sgid);
    assert_int_equal(a->fsgid, b->fsgid);
}

/* By pidfd, from /proc, and as a kernel without pidfds for threads leaves it: all the same. */
static void expect_everywhere(const struct process *p, const struct creds *expected)
{
    struct creds c = {0};
    struct proc_status s;
    assert_int_equal(process_creds(p, &c), 0);
    expect_creds(&c, expected);
    struct process without = {.pidfd = -1, .proc = p->proc, .tid = p->tid};
    memset(&c, 0, sizeof c);
    assert_int_equal(process_creds(&without, &c), 0);
    expect_creds(&c, expected);
    assert_true(process_status(p, &s));
    assert_int_equal(s.tgid, expected->tgid);
    assert_int_equal(s.fsuid, expected->fsuid);
}

static struct creds ours(void)
{
    uid_t r, e, s;
    gid_t rg, eg, sg;
    getresuid(&r, &e, &s);
    getresgid(&rg, &eg, &sg);
    return (struct creds){.tgid = getpid(),
                          .ppid = getppid(),
                          .ruid = r,
                          .euid = e,
                          .fsuid = e,
                          .rgid = rg,
                          .egid = eg,
                          .sgid = sg,
                          .fsgid = eg};
}

/* What one look at it shows. */
static enum proc_call look(const struct process *p, uint64_t *flags)
{
    struct process_sight s;
    process_sight_open(&s, p);
    enum proc_call call = process_sight_call(&s, flags);
    process_sight_close(&s);
    return call;
}

static void test_ourselves(void **state)
{
    (void)state;
    struct process p = open_process(getpid());
    struct creds expected = ours();
    struct proc_status s;
    char text[PATH_MAX], unit[UNIT_MAX];
    uint32_t loginuid;
    expect_everywhere(&p, &expected);
    assert_true(process_status(&p, &s));
    gid_t groups[1024];
    int n = getgroups(1024, groups);
    assert_int_equal(s.n_groups, n < GROUPS_MAX ? n : GROUPS_MAX);
    assert_int_equal(s.tracer, 0);
    assert_true(process_loginuid(&p, &loginuid));
    assert_true(process_unit(&p, unit, NULL));
    assert_false(process_is_foreign(&p));
    assert_int_equal(process_comm(&p, text, sizeof text),
                     strlen(program_invocation_short_name) < 15 ? strlen(program_invocation_short_name) : 15);
    assert_memory_equal(text, program_invocation_short_name, 10);

    /* Who asks does not sleep. */
    uint64_t flags;
    assert_int_equal(look(&p, &flags), CALL_RUNNING);
    process_close(&p);
}

static void test_program(void **state)
{
    (void)state;
    struct process p = open_process(getpid());
    struct program program;
    struct stat st;
    char path[PATH_MAX], expected[PATH_MAX];
    assert_int_equal(stat("/proc/self/exe", &st), 0);
    assert_int_equal(process_program(&p, &program), 0);
    assert_int_equal(program.id.ino, st.st_ino);
    assert_int_equal(program.id.major, major(st.st_dev));
    assert_int_equal(program.id.minor, minor(st.st_dev));
    assert_int_equal(program.links, st.st_nlink);
    assert_int_equal(program.changed_ns, st.st_ctim.tv_sec * NS_PER_S + st.st_ctim.tv_nsec);
    ssize_t n = readlink("/proc/self/exe", expected, sizeof expected - 1);
    assert_true(n > 0);
    expected[n] = '\0';
    assert_int_equal(process_program_path(&p, path, sizeof path), n);
    assert_string_equal(path, expected);
    char little[8]; /* cut, and closed */
    assert_int_equal(process_program_path(&p, little, sizeof little), 7);
    assert_memory_equal(little, expected, 7);
    assert_int_equal(little[7], '\0');
    process_close(&p);

    /* A kernel thread runs no file. */
    struct process kernel;
    if (process_open(&kernel, 2) < 0)
        return;
    if (process_program_path(&kernel, path, sizeof path) < 0)
        assert_int_equal(process_program(&kernel, &program), -1);
    process_close(&kernel);
}

static void test_child(void **state)
{
    (void)state;
    pid_t child = sleeper();
    struct process p = open_process(child);
    struct creds expected = ours();
    struct program theirs, mine;
    expected.tgid = child;
    expected.ppid = getpid();
    expect_everywhere(&p, &expected);

    struct process self = open_process(getpid());
    assert_int_equal(process_program(&p, &theirs), 0);
    assert_int_equal(process_program(&self, &mine), 0);
    assert_true(file_id_equal(&theirs.id, &mine.id));
    process_close(&self);
    process_close(&p);
    end(child);
}

static void test_identity(void **state)
{
    (void)state;
    pid_t one = sleeper(), two = sleeper();
    struct process a = open_process(one), b = open_process(two), again = open_process(one);
    uint64_t id = process_identity(a.pidfd, one);
    assert_int_not_equal(id, 0);
    assert_int_equal(process_identity(a.pidfd, one), id);
    assert_int_equal(process_identity(again.pidfd, one), id);
    if (process_features() & FEATURE_PIDFD_THREAD)
        assert_int_not_equal(process_identity(b.pidfd, two), id);

    /* From the start time, where a pidfd tells nothing. */
    uint64_t started = process_identity(-1, one);
    assert_int_not_equal(started, 0);
    assert_int_equal(process_identity(a.proc /* no pidfd at all */, one), started);
    assert_true(process_identity(-1, 1) < started);
    end(one);
    assert_int_equal(process_identity(-1, one), 0);
    end(two);
    process_close(&a);
    process_close(&b);
    process_close(&again);
}

static void test_gone(void **state)
{
    (void)state;
    struct process p, again;
    struct creds c;
    struct program program;
    struct proc_status s;
    char text[UNIT_MAX];
    uint64_t flags;
    pid_t child = sleeper();
    p = open_process(child);
    end(child);
    assert_int_equal(process_open(&again, child), -1);
    assert_true(errno == ESRCH || errno == ENOENT);
    errno = 0;
    assert_int_equal(process_creds(&p, &c), -1);
    assert_int_equal(errno, ESRCH);
    struct process without = {.pidfd = -1, .proc = p.proc, .tid = child};
    errno = 0;
    assert_int_equal(process_creds(&without, &c), -1);
    assert_int_equal(errno, ESRCH);
    assert_int_equal(process_program(&p, &program), -1);
    assert_true(process_program_path(&p, text, sizeof text) < 0);
    assert_false(process_status(&p, &s));
    assert_false(process_unit(&p, text, NULL));
    assert_int_equal(process_comm(&p, text, sizeof text), 0);
    assert_int_equal(look(&p, &flags), CALL_OTHER);
    process_close(&p);
    assert_int_equal(process_open(&again, INT32_MAX), -1);
    assert_int_equal(process_open(&again, -1), -1);
}

static bool reach(struct process *p, unsigned parts, struct creds *creds)
{
    bool told;
    return process_reach(p, parts, creds, &told) == 0;
}

/* What is asked for is opened and no more; what is opened later is of the same process, or of none. */
static void test_reach(void **state)
{
    (void)state;
    if ((process_features() & (FEATURE_PIDFD_THREAD | FEATURE_PIDFD_INFO)) !=
        (FEATURE_PIDFD_THREAD | FEATURE_PIDFD_INFO))
        skip();
    pid_t child = sleeper();
    struct creds c = {0}, expected = ours();
    struct program program;
    bool told;
    expected.tgid = child;
    expected.ppid = getpid();

    struct process ids = process_named(child), proc = ids, both = ids, first = ids, second = ids;
    process_close(&ids); /* nothing yet */
    assert_int_equal(process_program(&ids, &program), -1);
    assert_int_equal(process_reach(&ids, PROCESS_PIDFD, &c, &told), 0);
    assert_false(told);
    assert_int_equal(ids.proc, PROCESS_SHUT);
    assert_int_equal(process_creds(&ids, &c), 0);
    expect_creds(&c, &expected);

    assert_true(reach(&proc, PROCESS_PROC, &c));
    assert_int_equal(proc.pidfd, PROCESS_SHUT);
    assert_int_equal(process_program(&proc, &program), 0);

    memset(&c, 0, sizeof c);
    assert_int_equal(process_reach(&both, PROCESS_PIDFD | PROCESS_PROC, &c, &told), 0);
    assert_true(told);
    expect_creds(&c, &expected);
    int pidfd = both.pidfd;
    assert_true(reach(&both, PROCESS_PIDFD | PROCESS_PROC, &c));
    assert_int_equal(both.pidfd, pidfd); /* once is enough */

    assert_true(reach(&first, PROCESS_PROC, &c) && reach(&first, PROCESS_PIDFD, &c));
    assert_int_equal(process_creds(&first, &c), 0);
    assert_true(reach(&second, PROCESS_PIDFD, &c) && reach(&second, PROCESS_PROC, &c));
    assert_int_equal(process_program(&second, &program), 0);

    /* Another has the number, or nobody: as seen from what is open, that process is gone. */
    end(child);
    child = sleeper();
    ids.tid = proc.tid = child;
    assert_false(reach(&ids, PROCESS_PROC, &c));
    assert_int_equal(errno, ESRCH);
    assert_false(reach(&proc, PROCESS_PIDFD, &c));
    assert_int_equal(errno, ESRCH);
    end(child);
    struct process *all[] = {&ids, &proc, &both, &first, &second};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        process_close(all[i]);
}

/* A thread that took other ids than its process has: only the raw system calls do that. */
struct thread {
    int32_t tid;
    int said[2], leave[2];
    bool done;
};

static void *other_ids(void *ctx)
{
    struct thread *t = ctx;
    char c;
    t->tid = (int32_t)syscall(SYS_gettid);
    t->done = syscall(SYS_setresgid, 2001, 2002, 2003) == 0 && syscall(SYS_setfsgid, 2001) == 2002 &&
              syscall(SYS_setresuid, 1001, 1002, 1003) == 0 && syscall(SYS_setfsuid, 1001) == 1002;
    if (write(t->said[1], "x", 1) != 1 || read(t->leave[0], &c, 1) != 1)
        t->done = false;
    return NULL;
}

static void test_thread(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct thread t = {0};
    pthread_t thread;
    char c;
    assert_int_equal(pipe(t.said) | pipe(t.leave), 0);
    assert_int_equal(pthread_create(&thread, NULL, other_ids, &t), 0);
    assert_int_equal(read(t.said[0], &c, 1), 1);
    assert_true(t.done);

    struct process p = open_process(t.tid), leader = open_process(getpid());
    const struct creds theirs = {.tgid = getpid(),
                                 .ppid = getppid(),
                                 .ruid = 1001,
                                 .euid = 1002,
                                 .fsuid = 1001,
                                 .rgid = 2001,
                                 .egid = 2002,
                                 .sgid = 2003,
                                 .fsgid = 2001};
    struct creds mine = ours();
    expect_everywhere(&p, &theirs);
    expect_everywhere(&leader, &mine);

    assert_int_equal(write(t.leave[1], "x", 1), 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    process_close(&p);
    process_close(&leader);
    close(t.said[0]), close(t.said[1]), close(t.leave[0]), close(t.leave[1]);
}

/* A child's calls, seen through descriptors that stay open, as by the judge. */
static struct process_sight sight_of(pid_t child)
{
    struct process p = open_process(child);
    struct process_sight s;
    process_sight_open(&s, &p);
    process_close(&p);
    return s;
}

/* Waits until the child sleeps in the open of a FIFO, and returns what is seen of it. */
static enum proc_call call_of(pid_t child, uint64_t *flags)
{
    struct process_sight s = sight_of(child);
    enum proc_call call = CALL_OTHER;
    for (int i = 0; i < 200 && call != CALL_OPEN; i++) {
        call = process_sight_call(&s, flags);
        if (call != CALL_OPEN)
            usleep(1000);
    }
    process_sight_close(&s);
    return call;
}

static void test_call(void **state)
{
    (void)state;
    char dir[] = "/tmp/fileward-test-XXXXXX", fifo[64];
    assert_non_null(mkdtemp(dir));
    snprintf(fifo, sizeof fifo, "%s/fifo", dir);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    static const int flags[] = {O_RDONLY, O_WRONLY | O_CLOEXEC, O_RDONLY | O_TRUNC, O_WRONLY | O_TRUNC | O_APPEND};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(30);
            _exit(open(fifo, flags[i]) < 0);
        }
        uint64_t seen = 0;
        assert_int_equal(call_of(child, &seen), CALL_OPEN);
        assert_int_equal(seen & ~(uint64_t)O_LARGEFILE, flags[i]);
        end(child);
    }
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        for (;;)
            __asm__ volatile("" ::: "memory");
    }
    struct process_sight s = sight_of(child);
    uint64_t seen = 1;
    while (process_sight_call(&s, &seen) != CALL_RUNNING) /* its fork may still be returning */
        usleep(1000);
    assert_int_equal(seen, 0);
    process_sight_close(&s);
    end(child);

    /* One that sleeps in something else. */
    child = sleeper();
    s = sight_of(child);
    seen = 1;
    enum proc_call call;
    while ((call = process_sight_call(&s, &seen)) == CALL_RUNNING)
        usleep(1000);
    assert_int_equal(call, CALL_OTHER);
    assert_int_equal(seen, 0);
    process_sight_close(&s);
    end(child);
    unlink(fifo);
    rmdir(dir);
}

static void test_foreign(void **state)
{
    (void)state;
    static const int kinds[] = {CLONE_NEWNS, CLONE_NEWUSER};
    if (geteuid() != 0)
        skip();
    for (size_t i = 0; i < 2; i++) {
        int said[2];
        char ok = 0;
        assert_int_equal(pipe(said), 0);
        pid_t child = fork();
        if (child == 0) {
            ok = unshare(kinds[i]) == 0;
            (void)!write(said[1], &ok, 1);
            alarm(30);
            for (;;)
                pause();
        }
        assert_int_equal(read(said[0], &ok, 1), 1);
        struct process p = open_process(child);
        assert_int_equal(process_is_foreign(&p), ok); /* a system may forbid user namespaces */
        process_close(&p);
        end(child);
        close(said[0]), close(said[1]);
    }
}

/* Whoever can name a thread as it likes cannot forge what is read about it. */
static void test_hostile_name(void **state)
{
    (void)state;
    static const char *const names[] = {"x\nUid:\t7 7 7 7", "a) S 1 (b", "\\n\\", ") R 0 0 0 0 0", "\xff\xfe\t "};
    uint64_t started = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        int said[2];
        char c;
        assert_int_equal(pipe(said), 0);
        pid_t child = fork();
        if (child == 0) {
            int fd = open("/proc/self/comm", O_WRONLY);
            (void)!write(fd, names[i], strlen(names[i]));
            (void)!write(said[1], "x", 1);
            alarm(30);
            for (;;)
                pause();
        }
        assert_int_equal(read(said[0], &c, 1), 1);
        struct process p = open_process(child);
        struct creds expected = ours();
        char comm[64];
        expected.tgid = child;
        expected.ppid = getpid();
        expect_everywhere(&p, &expected);
        assert_true(process_identity(-1, child) >= started);
        started = process_identity(-1, child);
        size_t n = process_comm(&p, comm, sizeof comm);
        assert_int_equal(n, strlen(names[i]) < 15 ? strlen(names[i]) : 15);
        assert_memory_equal(comm, names[i], n);
        process_close(&p);
        end(child);
        close(said[0]), close(said[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ourselves),    cmocka_unit_test(test_program), cmocka_unit_test(test_child),
        cmocka_unit_test(test_identity),     cmocka_unit_test(test_gone),    cmocka_unit_test(test_reach),
        cmocka_unit_test(test_thread),       cmocka_unit_test(test_call),    cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_hostile_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
