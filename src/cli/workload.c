#include "cli/workload.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"

enum { WINDOW_MS = 100, OPENERS_MAX = 256, TURNS_MAX = 1000, FIRST_OPENS = 50 };

/* What the processes of one measurement tell the first. */
struct tally {
    volatile bool stop;
    volatile bool failed;
    _Atomic int ready;
    int64_t ns[OPENERS_MAX];
    uint64_t n[OPENERS_MAX];
};

static struct tally *tally_make(void)
{
    struct tally *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return t == MAP_FAILED ? NULL : t;
}

static void tally_end(struct tally **t)
{
    if (*t)
        munmap(*t, sizeof **t);
}
#define CLEAN_TALLY __attribute__((cleanup(tally_end)))

static const char *name_of(int number, char name[16])
{
    snprintf(name, 16, "%d", number);
    return name;
}

bool workload_files(const char *dir, int files, int bytes)
{
    char name[16], content[4096];
    memset(content, 'x', sizeof content);
    CLEAN_FD int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < files; i++) {
        CLEAN_FD int fd = openat(at, name_of(i, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        for (int left = bytes; fd >= 0 && left > 0;) {
            ssize_t n = write(fd, content, left < (int)sizeof content ? (size_t)left : sizeof content);
            if (n < 0) {
                perror(dir);
                return false;
            }
            left -= (int)n;
        }
        if (fd < 0) {
            perror(dir);
            return false;
        }
    }
    return true;
}

static bool become(uint32_t uid)
{
    return uid == 0 || (setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0);
}

static bool open_one(int dir, int number, bool and_read)
{
    char name[16], byte;
    CLEAN_FD int fd = openat(dir, name_of(number, name), O_RDONLY | O_CLOEXEC);
    return fd >= 0 && (!and_read || read(fd, &byte, 1) == 1);
}

/* One opener. The first opens of a new process are another question; they are not counted, nor is anything before all
 * have come so far: what is counted is counted in the same time. */
static void keep_opening(int dir, const struct workload *w, int who, struct tally *t)
{
    enum { UNCOUNTED = 20 };
    int number = w->files * who / w->openers;
    int64_t began = 0, end = INT64_MAX;
    for (uint64_t n = 0; clock_now() < end && !t->failed; n++) {
        if (n == UNCOUNTED)
            atomic_fetch_add(&t->ready, 1);
        if (!began && atomic_load(&t->ready) == w->openers) {
            began = clock_now();
            end = began + WINDOW_MS * NS_PER_MS;
        }
        if (!open_one(dir, number, w->read)) {
            t->failed = true;
            return;
        }
        number = (number + 1) % w->files;
        t->n[who] += began != 0;
        t->ns[who] = clock_now() - began;
    }
}

typedef void each_process(int dir, const struct workload *w, int who, struct tally *t);

/* Forks `n` processes that each do `what`. Returns how many were. */
static int fork_all(int n, int dir, const struct workload *w, each_process *what, struct tally *t)
{
    for (int i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid < 0)
            return i;
        if (pid == 0) {
            if (become(w->uid))
                what(dir, w, i, t);
            else
                t->failed = true;
            _exit(0);
        }
    }
    return n;
}

static double failed(const char *what, const char *dir)
{
    fprintf(stderr, "fileward: %s %s: %s\n", what, dir, errno ? strerror(errno) : "refused");
    return -1;
}

double workload_opens(const char *dir, const struct workload *w)
{
    CLEAN_TALLY struct tally *t = tally_make();
    CLEAN_FD int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!t || at < 0 || w->openers > OPENERS_MAX)
        return failed("opening files in", dir);
    errno = 0;
    int n = fork_all(w->openers, at, w, keep_opening, t);
    if (n < w->openers)
        t->failed = true; /* nobody need wait for the others */
    for (int i = 0; i < n; i++)
        wait(NULL);
    if (t->failed)
        return failed("opening files in", dir);
    double per_ns = 0;
    for (int i = 0; i < n; i++)
        per_ns += (double)t->n[i] / (double)t->ns[i];
    return 1 / per_ns;
}

/* Those who take turns. */
struct circle {
    sem_t done, go[TURNS_MAX];
    volatile bool stop;
    struct tally tally;
};

static bool give_turn(struct circle *c, int who)
{
    sem_post(&c->go[who]);
    while (sem_wait(&c->done) < 0)
        if (errno != EINTR)
            return false;
    return !c->tally.failed;
}

static void take_turns(int dir, const struct workload *w, int who, struct circle *c)
{
    while (sem_wait(&c->go[who]) == 0 && !c->stop) {
        int64_t began = clock_now();
        c->tally.failed |= !open_one(dir, who % w->files, w->read);
        c->tally.ns[0] += clock_now() - began;
        sem_post(&c->done);
    }
    _exit(0);
}

/* The first turn of each is its first open, and not counted. */
static bool go_round(struct circle *c, int openers, int counted)
{
    bool ok = true;
    for (int i = 0; ok && i < openers; i++)
        ok = give_turn(c, i);
    c->tally.ns[0] = 0;
    for (int i = 0; ok && i < counted; i++)
        ok = give_turn(c, i % openers);
    return ok;
}

double workload_turns(const char *dir, const struct workload *w)
{
    struct circle *c = mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CLEAN_FD int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int n = 0, counted = w->openers > 500 ? w->openers : 500;
    if (c == MAP_FAILED)
        return failed("taking turns in", dir);
    bool ok = at >= 0 && w->openers <= TURNS_MAX && sem_init(&c->done, 1, 0) == 0;
    for (; ok && n < w->openers; n++) {
        pid_t pid = sem_init(&c->go[n], 1, 0) < 0 ? -1 : fork();
        if (pid == 0)
            take_turns(at, w, n, c);
        if (pid < 0)
            break;
    }
    ok = ok && n == w->openers && go_round(c, n, counted);
    double ns = (double)c->tally.ns[0] / counted;
    c->stop = true;
    for (int i = 0; i < n; i++)
        sem_post(&c->go[i]);
    for (int i = 0; i < n; i++)
        wait(NULL);
    munmap(c, sizeof *c);
    return ok ? ns : failed("taking turns in", dir);
}

static void open_once(int dir, const struct workload *w, int who, struct tally *t)
{
    (void)who;
    int64_t began = clock_now();
    t->failed |= !open_one(dir, (int)(t->n[0] % (uint64_t)w->files), w->read);
    t->ns[0] += clock_now() - began;
    t->n[0]++;
}

double workload_first_open(const char *dir, const struct workload *w)
{
    CLEAN_TALLY struct tally *t = tally_make();
    CLEAN_FD int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!t || at < 0)
        return failed("opening files in", dir);
    errno = 0;
    for (int i = 0; i < FIRST_OPENS && !t->failed; i++) {
        if (fork_all(1, at, w, open_once, t) != 1)
            return failed("forking beside", dir);
        wait(NULL);
    }
    return t->failed ? failed("opening files in", dir) : (double)t->ns[0] / FIRST_OPENS;
}

static void storm(int dir, const struct workload *w, int who, struct tally *t)
{
    while (!t->stop) {
        pid_t pid = fork();
        if (pid == 0) {
            open_one(dir, who % w->files, false);
            _exit(0);
        }
        if (pid > 0)
            wait(NULL);
    }
}

double workload_storm(const char *dir, const struct workload *w, int seconds)
{
    CLEAN_TALLY struct tally *t = tally_make();
    CLEAN_FD int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!t || at < 0)
        return failed("opening files in", dir);
    errno = 0;
    int n = fork_all(w->openers, at, w, storm, t);
    int64_t end = clock_now() + seconds * NS_PER_S, worst = 0;
    bool ok = n == w->openers;
    while (ok && clock_now() < end) {
        int64_t began = clock_now();
        ok = open_one(at, 0, false);
        int64_t took = clock_now() - began;
        worst = took > worst ? took : worst;
        nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    }
    t->stop = true;
    for (int i = 0; i < n; i++)
        wait(NULL);
    return ok ? (double)worst : failed("opening files in", dir);
}

double workload_command(const char *dir, const char *command, int times)
{
    int64_t began = clock_now();
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, "sh", dir, NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        errno = 0;
        return failed("a command does not succeed in", dir);
    }
    return (double)(clock_now() - began) / times;
}
