#include "keeper/looking.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/holdings.h"
#include "base/own.h"
#include "base/rank.h"
#include "base/record.h"
#include "base/sandbox.h"

enum {
    STALL_MS = 2000,    /* looking at one process takes microseconds, unless somebody makes it wait */
    STUCK_MAX = 8,      /* so many processes that make it wait are passed over */
    RECORDS_MAX = 1000, /* more are only counted */
    PER_TICK = 32,
    NICE = 10,
    COMM_BYTES = 64,
};

/* --- in the looker ---------------------------------------------------------------------------------------------- */

struct note {
    _Alignas(8) struct record record;
    char bytes[2 * RECORD_NAME_MAX + COMM_BYTES + UNIT_MAX + NAME_MAX_LEN + 8];
};
_Static_assert(offsetof(struct note, bytes) == sizeof(struct record), "texts follow the record");
_Static_assert(sizeof(struct note) <= RECORD_BYTES_MAX, "a record");

struct looker {
    const struct family *family;
    struct board_opened *board;
    int watches[WATCHES_MAX]; /* indices, as holdings_find() counts them */
    int32_t last;             /* process that holds something */
    int sent;
    int fd;
    struct note note;
};

static struct record_text put(struct note *n, const char *text, size_t len)
{
    return record_put(&n->record, sizeof *n, text, len);
}

static void describe_program(struct note *n, const struct process *p)
{
    struct record *r = &n->record;
    struct program program;
    char path[RECORD_NAME_MAX];
    ssize_t len = process_program_path(p, path, sizeof path);
    if (len >= 0)
        r->exe = put(n, path, (size_t)len);
    if (len < 0 || process_program(p, &program) < 0) {
        r->flags |= FLAG_UNKNOWN;
        return;
    }
    r->exe_major = program.id.major;
    r->exe_minor = program.id.minor;
    r->exe_ino = program.id.ino;
    if (program.links == 0)
        r->flags |= strncmp(path, "/memfd:", 7) == 0 ? FLAG_MEMFD : FLAG_DELETED;
}

static void describe_process(struct note *n, const struct process *p)
{
    struct record *r = &n->record;
    char comm[COMM_BYTES], unit[UNIT_MAX];
    struct proc_status s;
    r->pid = r->tid = p->tid;
    r->uid = r->ruid = r->gid = r->egid = r->loginuid = UINT32_MAX;
    describe_program(n, p);
    if (process_status(p, &s)) {
        r->uid = s.fsuid;
        r->ruid = s.ruid;
        r->gid = s.fsgid;
        r->egid = s.egid;
        if (s.tracer != 0)
            r->flags |= FLAG_TRACED;
    }
    if (!process_loginuid(p, &r->loginuid))
        r->loginuid = UINT32_MAX;
    if (process_is_foreign(p))
        r->flags |= FLAG_FOREIGN;
    r->comm = put(n, comm, process_comm(p, comm, sizeof comm));
    if (process_unit(p, unit, NULL))
        r->unit = put(n, unit, strlen(unit));
}

static void copy_cut(char out[OPENED_NAME_MAX + 1], const struct note *n, struct record_text text)
{
    size_t len = text.len < OPENED_NAME_MAX ? text.len : OPENED_NAME_MAX;
    memcpy(out, n->bytes + text.at, len);
    out[len] = '\0';
}

/* The first few, for status. */
static void write_on_board(struct looker *l)
{
    struct board_opened *b = l->board;
    uint32_t i = atomic_load(&b->told);
    if (i >= OPENED_TOLD)
        return;
    b->first[i].pid = l->note.record.pid;
    memcpy(b->first[i].watch, l->note.bytes + l->note.record.watch.at, l->note.record.watch.len);
    b->first[i].watch[l->note.record.watch.len] = '\0';
    copy_cut(b->first[i].exe, &l->note, l->note.record.exe);
    copy_cut(b->first[i].path, &l->note, l->note.record.path);
    atomic_store(&b->told, i + 1);
}

static void on_holding(void *ctx, const struct holding *h)
{
    struct looker *l = ctx;
    struct record *r = &l->note.record;
    char path[RECORD_NAME_MAX];
    atomic_fetch_add(&l->board->files, 1);
    if (h->process->tid != l->last)
        atomic_fetch_add(&l->board->processes, 1);
    l->last = h->process->tid;
    if (l->sent++ >= RECORDS_MAX)
        return;
    record_begin(r, RECORD_OPEN, l->family->policy);
    record_name_watch(r, sizeof l->note, l->family->policy, l->watches[h->watch]);
    r->held_by = h->by;
    r->object_major = h->id.major;
    r->object_minor = h->id.minor;
    r->object_ino = h->id.ino;
    r->path = put(&l->note, path, reg_place(l->family->estate->reg, h->entry, path, sizeof path));
    describe_process(&l->note, h->process);
    write_on_board(l);
    record_end(r);
    (void)!send(l->fd, r, r->size, MSG_NOSIGNAL); /* waits until the keeper has taken the earlier ones */
}

static void on_process(void *ctx, int32_t pid)
{
    const struct looker *l = ctx;
    atomic_store(&l->board->at, pid);
}

/* Groups above all: who holds one and answers nothing turns opens into hangs. */
static void keep_only(int fd)
{
    if (fd > 3)
        syscall(SYS_close_range, 3, (unsigned)fd - 1, 0);
    syscall(SYS_close_range, (unsigned)fd + 1, ~0u, 0);
}

static void be_looker(const struct family *f, const struct looking *from, pid_t keeper, int fd)
{
    int numbers[WATCHES_MAX], n = 0;
    int32_t left_out[SEAT_COUNT + 4], out = 0;
    struct looker *l = calloc(1, sizeof *l);
    keep_only(fd);
    prctl(PR_SET_NAME, "fileward-looker");
    rank_last(); /* a walk through a large /proc is nobody's turn but its own */
    setpriority(PRIO_PROCESS, 0, NICE);
    left_out[out++] = getpid();
    left_out[out++] = keeper;
    for (int s = 0; s < SEAT_COUNT; s++)
        if (f->seat[s].pid)
            left_out[out++] = f->seat[s].pid;
    left_out[out] = 0;
    CLEAN_FD int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!l || proc < 0 || sandbox_drop_to_looking(f->policy->settings.uid, f->policy->settings.gid, keeper) < 0)
        _exit(EXIT_FAILURE);
    syscall(SYS_close_range, 0, 2, 0);
    *l = (struct looker){.family = f, .board = &f->board->opened, .fd = fd};
    for (int i = 0; i < f->policy->n_watches; i++)
        if (from->watches >> i & 1) {
            l->watches[n] = i;
            numbers[n++] = f->gates[i].number;
        }
    bool all = holdings_find(&(struct holdings_search){.proc = proc,
                                                       .reg = f->estate->reg,
                                                       .numbers = numbers,
                                                       .n = n,
                                                       .left_out = left_out,
                                                       .after = from->at,
                                                       .each = on_holding,
                                                       .begin = on_process,
                                                       .ctx = l});
    _exit(all ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* --- in the keeper ---------------------------------------------------------------------------------------------- */

static bool fork_looker(struct looking *l, struct family *f)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return false;
    CLEAN_FD int ours = pair[0];
    CLEAN_FD int theirs = pair[1];
    pid_t keeper = getpid(), pid = fork();
    if (pid == 0)
        be_looker(f, l, keeper, theirs);
    if (pid < 0)
        return false;
    l->pid = pid;
    l->fd = STEAL_FD(ours);
    l->moved_ns = clock_now();
    return true;
}

bool looking_begin(struct looking *l, struct family *f, uint64_t watches)
{
    *l = (struct looking){.watches = watches};
    atomic_store(&f->board->opened.at, 0);
    bool looks = fork_looker(l, f);
    atomic_store(&f->board->opened.state, looks ? OPENED_LOOKING : OPENED_CUT_SHORT);
    return looks;
}

/* At most PER_TICK: the keeper has more to look after. */
static bool pass_on(struct looking *l, struct family *f)
{
    static _Alignas(struct record) char bytes[RECORD_BYTES_MAX];
    struct record *r = (struct record *)bytes;
    for (int i = 0; i < PER_TICK; i++) {
        ssize_t n = recv(l->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n <= 0)
            return false;
        if (n >= (ssize_t)sizeof *r && r->size == n && n % 8 == 0 && r->kind == RECORD_OPEN)
            ring_push(&f->estate->rings[ROLE_KEEPER], r);
    }
    return true;
}

static void part(struct looking *l)
{
    close(l->fd);
    l->pid = 0;
}

bool looking_end(struct looking *l, struct family *f)
{
    if (!l->pid)
        return false;
    kill(l->pid, SIGKILL);
    if (waitpid(l->pid, NULL, WNOHANG) == 0)
        estate_note_stray(f->estate, l->pid, SEAT_READER);
    part(l);
    return true;
}

static bool moves(struct looking *l, const struct family *f, int64_t now)
{
    int32_t at = atomic_load(&f->board->opened.at);
    if (at != l->at) {
        l->at = at;
        l->moved_ns = now;
    }
    return now - l->moved_ns < STALL_MS * NS_PER_MS;
}

static void finish(struct looking *l, struct family *f, bool complete)
{
    while (pass_on(l, f))
        ;
    part(l);
    atomic_store(&f->board->opened.state, complete ? OPENED_COMPLETE : OPENED_CUT_SHORT);
}

void looking_tick(struct looking *l, struct family *f, int64_t now)
{
    int how = 0;
    if (!l->pid)
        return;
    if (pass_on(l, f)) {
        l->moved_ns = now;
    } else if (waitpid(l->pid, &how, WNOHANG) != 0) {
        finish(l, f, how == 0 && l->stuck == 0);
    } else if (!moves(l, f, now)) {
        looking_end(l, f);
        if (++l->stuck > STUCK_MAX || !fork_looker(l, f))
            atomic_store(&f->board->opened.state, OPENED_CUT_SHORT);
    }
}
