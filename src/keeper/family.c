#include "keeper/family.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/own.h"
#include "base/process.h"
#include "base/rank.h"
#include "base/sandbox.h"
#include "fileward/clerk.h"
#include "fileward/herald.h"
#include "fileward/judge.h"
#include "fileward/scout.h"
#include "keeper/aloud.h"
#include "keeper/groups.h"
#include "policy/needs.h"

enum { RING_BYTES_JUDGE = 1 << 21, RING_BYTES = 1 << 18, KILL_WAIT_MS = 50 };

static const enum role role_of[SEAT_COUNT] = {
    [SEAT_HERALD] = ROLE_HERALD, [SEAT_JUDGE] = ROLE_JUDGE, [SEAT_SPARE] = ROLE_JUDGE,
    [SEAT_SCOUT] = ROLE_SCOUT,   [SEAT_CLERK] = ROLE_CLERK, [SEAT_READER] = ROLE_KEEPER};

int estate_prepare(struct estate *e)
{
    static const size_t bytes[ROLE_COUNT] = {
        [ROLE_KEEPER] = RING_BYTES, [ROLE_JUDGE] = RING_BYTES_JUDGE, [ROLE_SCOUT] = RING_BYTES};
    bool ok = pipe2(e->alive, O_CLOEXEC) == 0;
    if (!e->reg)
        e->reg = reg_create(&e->reg_fd);
    e->mounts = mounts_create(MOUNTS_TABLE);
    e->shun = shun_create();
    e->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ok = ok && e->mounts && e->shun && e->bell >= 0;
    for (int i = 0; i < ROLE_COUNT; i++)
        if (bytes[i] && !e->rings[i].m)
            ok = ring_create(&e->rings[i], (enum role)i, bytes[i]) == 0 && ok;
    if (ok && e->reg)
        return 0;
    fprintf(stderr, "fileward: cannot make shared memory, or read the table of mounts: %s\n", strerror(errno));
    return -1;
}

int family_prepare(struct family *f, struct estate *e, const struct policy *p)
{
    *f = (struct family){.estate = e, .policy = p, .board_fd = -1, .desk = {-1, -1}};
    for (int i = 0; i < SEAT_COUNT; i++)
        f->seat[i] = (struct child){.role = role_of[i], .pidfd = -1, .control = -1};
    if (!p)
        return 0;
    CLEAN_FD int fd = memfd_create("fileward-board", MFD_CLOEXEC);
    size_t size = board_size(p);
    void *board = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
        board = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (board == MAP_FAILED) {
        aloud("fileward: cannot make shared memory: %s", strerror(errno));
        return -1;
    }
    if (needs_clerk(p) && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, f->desk) < 0) {
        munmap(board, size);
        aloud("fileward: cannot make the clerk's sockets: %s", strerror(errno));
        return -1;
    }
    f->board = board;
    f->board_fd = STEAL_FD(fd);
    f->board->started_ns = clock_wall();
    for (int i = 0; i < HELD_MAX; i++)
        atomic_store(&f->board->held[i].fd, -1);
    return 0;
}

static bool has_group(const struct family *f, int fd)
{
    for (int i = 0; f && i < f->n_gates; i++)
        if (f->gates[i].fd == fd)
            return true;
    return false;
}

void family_dissolve(struct family *f, const struct family *heir)
{
    for (int i = 0; i < f->n_gates; i++)
        if (!has_group(heir, f->gates[i].fd))
            close(f->gates[i].fd);
    if (f->board) {
        munmap(f->board, board_size(f->policy));
        close(f->board_fd);
    }
    for (int i = 0; i < 2; i++)
        if (f->estate && f->desk[i] >= 0)
            close(f->desk[i]);
    *f = (struct family){.board_fd = -1, .desk = {-1, -1}};
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
    dup3(f->estate->files.null, STDIN_FILENO, 0);
    dup3(f->estate->files.null, STDOUT_FILENO, 0);
#ifndef FILEWARD_ASAN
    dup3(f->estate->files.null, STDERR_FILENO, 0);
#endif
}

static void confine(struct family *f, enum role role)
{
    const struct settings *s = &f->policy->settings;
    if (sandbox_enter(role, s->uid, s->gid, f->estate->files.log_dir) < 0)
        _exit(EXIT_FAILURE);
    mute(f);
}

static void be_judge(struct family *f, int control)
{
    struct estate *e = f->estate;
    rank_first_alone();
    /* Of the other rings and the register only the descriptors: should the keeper die, the next one takes them from us. */
    ring_hide(&e->rings[ROLE_KEEPER]);
    ring_hide(&e->rings[ROLE_SCOUT]);
    const int plain[] = {
        0, 1, 2, control, e->alive[1], e->files.lock, e->files.ledger, e->files.null, e->reg_fd, f->desk[0], e->bell};
    int keep[GATES_MAX + 2 * ROLE_COUNT + sizeof plain / sizeof *plain];
    size_t n = 0;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        keep[n++] = plain[i];
    for (int i = 0; i < ROLE_COUNT; i++) {
        if (!e->rings[i].m)
            continue;
        keep[n++] = e->rings[i].memory_fd;
        keep[n++] = e->rings[i].wake_fd;
    }
    for (int i = 0; i < f->n_gates; i++)
        keep[n++] = f->gates[i].fd;
    keep_only_these(keep, n);
    struct judge *j = judge_prepare(&(struct judge_setup){.policy = f->policy,
                                                          .gates = f->gates,
                                                          .n_gates = f->n_gates,
                                                          .board = f->board,
                                                          .reg = e->reg,
                                                          .once = reg_once(e->reg),
                                                          .ring = &e->rings[ROLE_JUDGE],
                                                          .lock_fd = e->files.lock,
                                                          .ledger = e->ledger,
                                                          .bell_fd = e->bell,
                                                          .desk_fd = f->desk[0],
                                                          .control_fd = control});
    if (!j)
        _exit(EXIT_FAILURE);
    confine(f, ROLE_JUDGE);
    judge_run(j);
}

/* Whoever holds groups that nobody answers turns opens into hangs. A scout at work does not look at the pipe, and may
 * itself wait for an answer, or be stopped: so the kernel ends it when the last writer has gone. On an open file of its
 * own, since the signal belongs to that. Returns it; the given one is closed. */
static int die_when_alone(int pipe_fd)
{
    char link[FD_NAME_SIZE];
    int fd = open(fd_name(link, pipe_fd), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct pollfd p = {.fd = fd};
    if (fd < 0 || fcntl(fd, F_SETOWN, getpid()) < 0 || fcntl(fd, F_SETSIG, SIGKILL) < 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC) < 0 || poll(&p, 1, 0) < 0 || p.revents)
        _exit(EXIT_FAILURE);
    close(pipe_fd);
    return fd;
}

static void be_scout(struct family *f, int control)
{
    struct estate *e = f->estate;
    ring_hide(&e->rings[ROLE_KEEPER]);
    ring_hide(&e->rings[ROLE_JUDGE]);
    int end = loop_end_fd();
    struct scout_setup setup = {.policy = f->policy,
                                .gates = f->gates,
                                .board = f->board,
                                .reg = e->reg,
                                .ring = &e->rings[ROLE_SCOUT],
                                .bell_fd = e->bell,
                                .end_fd = end,
                                .control_fd = control};
    setup.n_changes = scout_changes_groups(setup.changes_fds);
    if (setup.n_changes == 0)
        fprintf(stderr, "fileward: what appears in a watch later is not seen: fanotify_init: %s\n", strerror(errno));
    const int plain[] = {0, 1, 2, control, end, e->alive[0], e->files.null, e->rings[ROLE_SCOUT].wake_fd, e->bell};
    int keep[WATCHES_MAX + SCOUT_FEEDS_MAX + sizeof plain / sizeof *plain];
    size_t n = 0;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        keep[n++] = plain[i];
    for (int i = 0; i < f->policy->n_watches; i++)
        keep[n++] = f->gates[i].fd;
    for (int i = 0; i < setup.n_changes; i++)
        keep[n++] = setup.changes_fds[i];
    keep_only_these(keep, n);
    setup.alive_fd = die_when_alone(e->alive[0]);
    rank_last();
    confine(f, ROLE_SCOUT);
    scout_run(&setup);
}

static void be_clerk(struct family *f, int control)
{
    struct estate *e = f->estate;
    for (int i = 0; i < ROLE_COUNT; i++)
        if (e->rings[i].m)
            ring_hide(&e->rings[i]);
    int end = loop_end_fd();
    int keep[] = {0, 1, 2, control, end, e->files.null, f->desk[1]};
    keep_only_these(keep, sizeof keep / sizeof *keep);
    reg_close(e->reg);
    munmap(f->board, board_size(f->policy));
    rank_last();
    struct clerk *c = clerk_prepare(&(struct clerk_setup){
        .policy = f->policy, .shun = e->shun, .desk_fd = f->desk[1], .end_fd = end, .control_fd = control});
    if (!c)
        _exit(EXIT_FAILURE);
    confine(f, ROLE_CLERK);
    clerk_run(c);
}

/* The board says who is let through as family: the herald's own mapping of it is of a descriptor open for reading, so
 * that nothing can make it writable again. */
static void only_read_board(struct family *f)
{
    char link[FD_NAME_SIZE];
    CLEAN_FD int fd = open(fd_name(link, f->board_fd), O_RDONLY | O_CLOEXEC);
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
                  f->estate->alive[0],
                  f->estate->files.null,
                  f->board_fd,
                  f->estate->files.log,
                  f->estate->files.log_dir,
                  f->estate->files.http,
                  f->estate->files.socket,
                  f->estate->files.journal,
                  f->estate->rings[ROLE_KEEPER].wake_fd,
                  f->estate->rings[ROLE_JUDGE].wake_fd,
                  f->estate->rings[ROLE_SCOUT].wake_fd};
    keep_only_these(keep, sizeof keep / sizeof *keep);
    rank_last();
    only_read_board(f);
    reg_close(f->estate->reg); /* names of guarded files are not its business */
    struct herald *h = herald_prepare(&(struct herald_setup){.policy = f->policy,
                                                             .board = f->board,
                                                             .rings = {[ROLE_KEEPER] = &f->estate->rings[ROLE_KEEPER],
                                                                       [ROLE_JUDGE] = &f->estate->rings[ROLE_JUDGE],
                                                                       [ROLE_SCOUT] = &f->estate->rings[ROLE_SCOUT]},
                                                             .log_fd = f->estate->files.log,
                                                             .log_dir_fd = f->estate->files.log_dir,
                                                             .log_name = f->estate->files.log_name,
                                                             .http_fd = f->estate->files.http,
                                                             .socket_fd = f->estate->files.socket,
                                                             .journal_fd = f->estate->files.journal,
                                                             .alive_fd = f->estate->alive[0],
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
    if (seat != SEAT_CLERK)
        shun_free(f->estate->shun);
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
    case ROLE_CLERK:
        be_clerk(f, control);
        break;
    default:
        break;
    }
}

/* --- on the keeper's side --------------------------------------------------------------------------------------- */

static const struct child nobody = {.pidfd = -1};

static void write_kin(struct board_kin *kin, const struct child *c)
{
    atomic_store(&kin->pid, 0); /* never a new number with an old identity */
    atomic_store(&kin->id, c->pid ? process_identity(c->pidfd, c->pid) : 0);
    atomic_store(&kin->pid, c->pid);
}

/* On the board for the judge, who lets the family through; in the ledger for a later keeper. */
static void write_on_board(struct family *f, enum seat seat)
{
    if (f->board)
        write_kin(&f->board->family[seat], &f->seat[seat]);
    if (f->estate->ledger && f->board && f->board->entered)
        ledger_seat(f->estate->ledger, (int)seat, f->seat[seat].pid, atomic_load(&f->board->family[seat].id));
}

void family_introduce(struct family *f, const struct family *coming)
{
    if (f->board)
        write_kin(&f->board->family[KIN_MAX - 1], coming ? &coming->seat[SEAT_CLERK] : &nobody);
}

void family_enter(struct family *f)
{
    const struct estate *e = f->estate;
    struct ledger_page page = {.reg = e->reg_fd, .http = e->files.http, .next_number = e->next_number};
    for (int i = 0; i < ROLE_COUNT; i++) {
        page.ring_memory[i] = e->rings[i].m ? e->rings[i].memory_fd : -1;
        page.ring_wake[i] = e->rings[i].m ? e->rings[i].wake_fd : -1;
    }
    for (int i = 0; i < f->n_gates; i++) {
        const struct gate *g = &f->gates[i];
        struct ledger_gate *l = &page.gate[page.n_gates++];
        *l = (struct ledger_gate){
            .mode = (uint8_t)g->mode, .on_timeout = (uint8_t)g->on_timeout, .fd = g->fd, .number = (uint32_t)g->number};
        memcpy(l->watch, g->watch, sizeof l->watch);
    }
    ledger_put(e->ledger, &page);
    f->board->entered = 1;
    for (int i = 0; i < SEAT_COUNT; i++)
        write_on_board(f, (enum seat)i);
}

void family_note_leaving(struct family *f, const struct family *before)
{
    static const enum seat leaving[] = {SEAT_HERALD, SEAT_SCOUT, SEAT_CLERK};
    for (size_t i = 0; i < sizeof leaving / sizeof *leaving; i++)
        write_kin(&f->board->family[FAMILY_MAX + i], before ? &before->seat[leaving[i]] : &nobody);
}

void family_seat(struct family *f, enum seat seat, pid_t pid, int control)
{
    struct child *c = &f->seat[seat];
    c->pid = pid;
    c->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    c->control = control;
    c->ready = false;
    c->born_ns = c->heard_ns = clock_now();
    write_on_board(f, seat);
}

/* A child waits until it stands on the board: before, the judge takes it for a stranger. False if the keeper is gone. */
static bool may_begin(int control)
{
    struct pollfd p = {.fd = control, .events = POLLIN};
    char word;
    while (poll(&p, 1, -1) < 0 && errno == EINTR)
        ;
    return recv(control, &word, 1, 0) == 1;
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
        close(STEAL_FD(ours));
        if (may_begin(theirs))
            be(f, seat, theirs);
        _exit(EXIT_SUCCESS);
    }
    family_seat(f, seat, pid, STEAL_FD(ours));
    family_say(f, seat, 's');
    return true;
}

/* Only the scout has descriptors to give: those of others the kernel closes. One comes with the last byte read. */
static ssize_t receive(const struct child *c, char *words, size_t size, int *fd)
{
    _Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof(int))];
    struct iovec data = {.iov_base = words, .iov_len = size};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    *fd = -1;
    if (c->control < 0)
        return 0;
    if (c->role == ROLE_SCOUT) {
        message.msg_control = space;
        message.msg_controllen = sizeof space;
    }
    ssize_t n = recvmsg(c->control, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof *fd))
        memcpy(fd, CMSG_DATA(h), sizeof *fd);
    return n;
}

void family_hear(struct family *f, enum seat seat)
{
    enum { MOST = 64 }; /* at a time: whoever never stops talking is not alone */
    struct child *c = &f->seat[seat];
    char words[64];
    for (int i = 0; i < MOST; i++) {
        CLEAN_FD int fd = -1;
        ssize_t n = receive(c, words, sizeof words, &fd);
        if (n <= 0)
            return;
        c->heard_ns = clock_now();
        c->ready |= memchr(words, 'r', (size_t)n) != NULL;
        if (fd >= 0)
            family_say(f, seat, groups_cover(f, (unsigned char)words[n - 1] - SCOUT_COVERS, fd) ? 'f' : 'F');
    }
}

void family_say(struct family *f, enum seat seat, char word)
{
    if (f->seat[seat].pid)
        (void)!send(f->seat[seat].control, &word, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void family_dismiss(struct family *f, enum seat seat)
{
    if (f->seat[seat].pid)
        syscall(SYS_pidfd_send_signal, f->seat[seat].pidfd, SIGTERM, NULL, 0);
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

/* One that a dead keeper forked is not ours to wait for: its pidfd tells its end. */
static bool has_ended(const struct child *c, int *status)
{
    struct pollfd p = {.fd = c->pidfd, .events = POLLIN};
    pid_t waited = waitpid(c->pid, status, WNOHANG);
    return waited == c->pid || (waited < 0 && errno == ECHILD && poll(&p, 1, 0) == 1);
}

bool family_reap(struct family *f, enum seat seat, int ms, int *how)
{
    struct child *c = &f->seat[seat];
    int status = 0;
    if (!c->pid)
        return true;
    if (!has_ended(c, &status)) {
        struct pollfd p = {.fd = c->pidfd, .events = POLLIN};
        if (ms > 0)
            poll(&p, 1, ms);
        if (!has_ended(c, &status))
            return false;
    }
    if (how)
        *how = status;
    empty(f, seat);
    return true;
}

void family_kill(struct family *f, enum seat seat)
{
    pid_t pid = f->seat[seat].pid;
    struct estate *e = f->estate;
    if (!pid)
        return;
    syscall(SYS_pidfd_send_signal, f->seat[seat].pidfd, SIGKILL, NULL, 0);
    if (family_reap(f, seat, KILL_WAIT_MS, NULL))
        return;
    estate_note_stray(e, pid, seat);
    empty(f, seat);
}

void estate_note_stray(struct estate *e, pid_t pid, enum seat seat)
{
    struct stray *more = realloc(e->stray, ((size_t)e->n_strays + 1) * sizeof *more);
    if (!more)
        return; /* it will be a zombie until we end */
    e->stray = more;
    e->stray[e->n_strays++] = (struct stray){pid, seat};
}

int estate_reap_strays(struct estate *e)
{
    int alive = 0;
    for (int i = 0; i < e->n_strays; i++)
        if (waitpid(e->stray[i].pid, NULL, WNOHANG) == 0)
            e->stray[alive++] = e->stray[i];
    return e->n_strays = alive;
}

bool estate_has_room_for_clerk(const struct estate *e)
{
    int clerks = 0;
    for (int i = 0; i < e->n_strays; i++)
        clerks += e->stray[i].seat == SEAT_CLERK;
    return clerks < CLERK_STRAYS_MAX;
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
