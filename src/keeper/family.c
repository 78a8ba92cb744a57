#include "keeper/family.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/process.h"
#include "base/sandbox.h"
#include "fileward/herald.h"
#include "fileward/judge.h"
#include "fileward/scout.h"

enum { RING_BYTES_JUDGE = 1 << 21, RING_BYTES = 1 << 18, KILL_WAIT_MS = 50 };

static const enum role role_of[SEAT_COUNT] = {
    [SEAT_HERALD] = ROLE_HERALD, [SEAT_JUDGE] = ROLE_JUDGE, [SEAT_SPARE] = ROLE_JUDGE, [SEAT_SCOUT] = ROLE_SCOUT};

int family_prepare(struct family *f)
{
    CLEAN_FD int fd = memfd_create("fileward-board", MFD_CLOEXEC);
    size_t size = board_size(f->policy);
    void *board = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
        board = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    f->reg = reg_create();
    if (board == MAP_FAILED || !f->reg || ring_create(&f->rings[ROLE_KEEPER], ROLE_KEEPER, RING_BYTES) < 0 ||
        ring_create(&f->rings[ROLE_JUDGE], ROLE_JUDGE, RING_BYTES_JUDGE) < 0 ||
        ring_create(&f->rings[ROLE_SCOUT], ROLE_SCOUT, RING_BYTES) < 0 || pipe2(f->alive, O_CLOEXEC) < 0) {
        fprintf(stderr, "fileward: cannot make shared memory: %s\n", strerror(errno));
        return -1;
    }
    f->board = board;
    f->board_fd = STEAL_FD(fd);
    f->board->started_ns = clock_wall();
    for (int i = 0; i < HELD_MAX; i++)
        atomic_store(&f->board->held[i].fd, -1);
    for (int i = 0; i < SEAT_COUNT; i++)
        f->seat[i] = (struct child){.role = role_of[i], .pidfd = -1, .control = -1};
    return 0;
}

/* --- on the child's side of the fork ---------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* A child has what it is given and no other descriptor. */
static void keep_only_these(int *fds, size_t n)
{
    qsort(fds, n, sizeof *fds, by_number);
    unsigned from = 0;
    for (size_t i = 0; i < n; i++) {
        if (fds[i] < 0)
            continue;
        if ((unsigned)fds[i] > from)
            syscall(SYS_close_range, from, (unsigned)fds[i] - 1, 0);
        from = (unsigned)fds[i] + 1;
    }
    syscall(SYS_close_range, from, ~0u, 0);
}

/* Who reads every secret has no way to say it to anyone, standard error included. */
static void mute(const struct family *f)
{
    dup3(f->files.null, STDIN_FILENO, 0);
    dup3(f->files.null, STDOUT_FILENO, 0);
#ifndef FILEWARD_ASAN
    dup3(f->files.null, STDERR_FILENO, 0);
#endif
}

static void confine(struct family *f, enum role role)
{
    const struct settings *s = &f->policy->settings;
    if (sandbox_enter(role, s->uid, s->gid, f->files.log_dir) < 0)
        _exit(EXIT_FAILURE);
    mute(f);
}

static void be_judge(struct family *f, int control)
{
    ring_close(&f->rings[ROLE_KEEPER]);
    ring_close(&f->rings[ROLE_SCOUT]);
    int keep[WATCHES_MAX + 16] = {
        0, 1, 2, control, f->alive[1], f->files.lock, f->files.null, f->rings[ROLE_JUDGE].wake_fd};
    size_t n = 8;
    for (int i = 0; i < f->policy->n_watches; i++)
        keep[n++] = f->gates[i].fd;
    keep_only_these(keep, n);
    struct judge *j = judge_prepare(&(struct judge_setup){.policy = f->policy,
                                                          .gates = f->gates,
                                                          .board = f->board,
                                                          .reg = f->reg,
                                                          .ring = &f->rings[ROLE_JUDGE],
                                                          .lock_fd = f->files.lock,
                                                          .control_fd = control});
    if (!j)
        _exit(EXIT_FAILURE);
    confine(f, ROLE_JUDGE);
    judge_run(j);
}

static void be_scout(struct family *f, int control)
{
    ring_close(&f->rings[ROLE_KEEPER]);
    ring_close(&f->rings[ROLE_JUDGE]);
    int keep[WATCHES_MAX + 16] = {0, 1, 2, control, f->alive[0], f->files.null, f->rings[ROLE_SCOUT].wake_fd};
    size_t n = 7;
    for (int i = 0; i < f->policy->n_watches; i++)
        keep[n++] = f->gates[i].fd;
    keep_only_these(keep, n);
    setpriority(PRIO_PROCESS, 0, 0);
    confine(f, ROLE_SCOUT);
    scout_run(&(struct scout_setup){.policy = f->policy,
                                    .gates = f->gates,
                                    .board = f->board,
                                    .reg = f->reg,
                                    .ring = &f->rings[ROLE_SCOUT],
                                    .alive_fd = f->alive[0],
                                    .control_fd = control});
}

/* The board says who is let through as family: the herald's own mapping of it is of a descriptor open for reading, so
 * that nothing can make it writable again. */
static void only_read_board(struct family *f)
{
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", f->board_fd);
    CLEAN_FD int fd = open(link, O_RDONLY | O_CLOEXEC);
    size_t size = board_size(f->policy);
    void *board = fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (board == MAP_FAILED || munmap(f->board, size) < 0) {
        perror("fileward: herald: the board");
        _exit(EXIT_FAILURE);
    }
    f->board = board;
    close(f->board_fd);
}

static void be_herald(struct family *f, int control)
{
    int keep[] = {0,
                  1,
                  2,
                  control,
                  f->alive[0],
                  f->files.null,
                  f->board_fd,
                  f->files.log,
                  f->files.log_dir,
                  f->files.http,
                  f->files.socket,
                  f->files.journal,
                  f->rings[ROLE_KEEPER].wake_fd,
                  f->rings[ROLE_JUDGE].wake_fd,
                  f->rings[ROLE_SCOUT].wake_fd};
    keep_only_these(keep, sizeof keep / sizeof *keep);
    setpriority(PRIO_PROCESS, 0, 0);
    only_read_board(f);
    reg_close(f->reg); /* names of guarded files are not its business */
    struct herald *h = herald_prepare(&(struct herald_setup){.policy = f->policy,
                                                             .board = f->board,
                                                             .rings = {[ROLE_KEEPER] = &f->rings[ROLE_KEEPER],
                                                                       [ROLE_JUDGE] = &f->rings[ROLE_JUDGE],
                                                                       [ROLE_SCOUT] = &f->rings[ROLE_SCOUT]},
                                                             .log_fd = f->files.log,
                                                             .log_dir_fd = f->files.log_dir,
                                                             .log_name = f->files.log_name,
                                                             .http_fd = f->files.http,
                                                             .socket_fd = f->files.socket,
                                                             .journal_fd = f->files.journal,
                                                             .alive_fd = f->alive[0],
                                                             .control_fd = control});
    if (!h)
        _exit(EXIT_FAILURE);
    confine(f, ROLE_HERALD);
    (void)!write(control, "r", 1);
    herald_run(h);
}

static void be(struct family *f, enum seat seat, int control)
{
    char name[16];
    snprintf(name, sizeof name, "fileward-%s", role_name(role_of[seat]));
    prctl(PR_SET_NAME, name);
    switch (role_of[seat]) {
    case ROLE_JUDGE:
        be_judge(f, control);
        break;
    case ROLE_SCOUT:
        be_scout(f, control);
        break;
    case ROLE_HERALD:
        be_herald(f, control);
        break;
    default:
        break;
    }
}

/* --- on the keeper's side --------------------------------------------------------------------------------------- */

static void write_on_board(struct family *f, enum seat seat)
{
    struct board_kin *kin = &f->board->family[seat];
    const struct child *c = &f->seat[seat];
    atomic_store(&kin->pid, 0); /* never a new number with an old identity */
    atomic_store(&kin->id, c->pid ? process_identity(c->pidfd, c->pid) : 0);
    atomic_store(&kin->pid, c->pid);
}

bool family_fork(struct family *f, enum seat seat)
{
    CLEAN_FD int ours = -1;
    CLEAN_FD int theirs = -1;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return false;
    ours = pair[0];
    theirs = pair[1];
    pid_t pid = fork();
    if (pid < 0)
        return false;
    if (pid == 0) {
        be(f, seat, theirs);
        _exit(EXIT_SUCCESS);
    }
    struct child *c = &f->seat[seat];
    c->pid = pid;
    c->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    c->control = STEAL_FD(ours);
    c->ready = false;
    c->born_ns = clock_now();
    write_on_board(f, seat);
    return true;
}

void family_hear(struct family *f, enum seat seat)
{
    char word;
    if (read(f->seat[seat].control, &word, 1) == 1 && word == 'r')
        f->seat[seat].ready = true;
}

bool family_wait_ready(struct family *f, enum seat seat, int ms)
{
    int64_t until = clock_now() + ms * NS_PER_MS;
    struct child *c = &f->seat[seat];
    while (!c->ready) {
        int64_t left = (until - clock_now()) / NS_PER_MS;
        struct pollfd p[] = {{.fd = c->control, .events = POLLIN}, {.fd = c->pidfd, .events = POLLIN}};
        if (left <= 0 || (poll(p, 2, (int)left) < 0 && errno != EINTR))
            return false;
        if (p[0].revents & POLLIN)
            family_hear(f, seat);
        if (!c->ready && (p[0].revents & POLLHUP || p[1].revents))
            return false;
    }
    return true;
}

void family_say(struct family *f, enum seat seat, char word)
{
    if (f->seat[seat].pid)
        (void)!send(f->seat[seat].control, &word, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void empty(struct family *f, enum seat seat)
{
    struct child *c = &f->seat[seat];
    if (c->pidfd >= 0)
        close(c->pidfd);
    if (c->control >= 0)
        close(c->control);
    c->pid = 0;
    c->pidfd = c->control = -1;
    c->ready = false;
    write_on_board(f, seat);
}

bool family_reap(struct family *f, enum seat seat, int ms, int *how)
{
    struct child *c = &f->seat[seat];
    int status = 0;
    if (!c->pid)
        return true;
    struct pollfd p = {.fd = c->pidfd, .events = POLLIN};
    if (waitpid(c->pid, &status, WNOHANG) != c->pid) {
        if (ms > 0)
            poll(&p, 1, ms);
        if (waitpid(c->pid, &status, WNOHANG) != c->pid)
            return false;
    }
    if (how)
        *how = status;
    empty(f, seat);
    return true;
}

enum { STRAYS = sizeof((struct family *)0)->stray / sizeof(pid_t) };

void family_kill(struct family *f, enum seat seat)
{
    pid_t pid = f->seat[seat].pid;
    if (!pid)
        return;
    kill(pid, SIGKILL);
    if (family_reap(f, seat, KILL_WAIT_MS, NULL))
        return;
    for (int i = 0; i < STRAYS; i++)
        if (!f->stray[i]) {
            f->stray[i] = pid;
            break;
        }
    empty(f, seat);
}

int family_reap_strays(struct family *f)
{
    int alive = 0;
    for (int i = 0; i < STRAYS; i++) {
        if (f->stray[i] && waitpid(f->stray[i], NULL, WNOHANG) != 0)
            f->stray[i] = 0;
        alive += f->stray[i] != 0;
    }
    return alive;
}

bool family_promote(struct family *f)
{
    if (!f->seat[SEAT_SPARE].pid)
        return false;
    f->seat[SEAT_JUDGE] = f->seat[SEAT_SPARE];
    f->seat[SEAT_SPARE] = (struct child){.role = ROLE_JUDGE, .pidfd = -1, .control = -1};
    write_on_board(f, SEAT_JUDGE);
    write_on_board(f, SEAT_SPARE);
    family_say(f, SEAT_JUDGE, 'g');
    return true;
}
