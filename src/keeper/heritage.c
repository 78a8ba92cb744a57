#include "keeper/heritage.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/own.h"
#include "base/process.h"
#include "keeper/groups.h"

enum { END_MS = 2000 };

static int copy_of(int pidfd, int fd)
{
    return fd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
}

/* Whoever sat there when the last keeper died, if it still lives. */
static void find_kin(struct family *old, enum seat seat, const struct ledger_kin *kin)
{
    CLEAN_FD int pidfd = kin->pid > 0 ? (int)syscall(SYS_pidfd_open, kin->pid, 0) : -1;
    if (pidfd < 0 || kin->id == 0 || process_identity(pidfd, kin->pid) != kin->id)
        return;
    old->seat[seat].pid = kin->pid;
    old->seat[seat].pidfd = STEAL_FD(pidfd);
}

static bool take_groups(struct family *old, const struct ledger_page *page, int judge)
{
    for (uint32_t i = 0; i < page->n_gates; i++) {
        const struct ledger_gate *l = &page->gate[i];
        struct gate *g = &old->gates[old->n_gates];
        *g = (struct gate){.fd = copy_of(judge, l->fd),
                           .mode = l->mode == MODE_ENFORCE ? MODE_ENFORCE : MODE_AUDIT,
                           .on_timeout = l->on_timeout == ACTION_ALLOW ? ACTION_ALLOW : ACTION_DENY,
                           .number = (int)l->number};
        if (g->fd < 0)
            return false;
        old->n_gates++;
        snprintf(g->watch, sizeof g->watch, "%.*s", NAME_MAX_LEN, l->watch);
        if (!groups_check(g))
            return false;
    }
    return true;
}

static void take_memory(struct estate *e, const struct ledger_page *page, int judge)
{
    CLEAN_FD int reg = copy_of(judge, page->reg);
    e->reg = reg < 0 ? NULL : reg_attach(reg);
    if (e->reg)
        e->reg_fd = STEAL_FD(reg);
    else
        fprintf(stderr, "fileward: note: the places of what is guarded are of another version and are taken anew\n");
    for (int i = 0; i < ROLE_COUNT; i++) {
        CLEAN_FD int memory = copy_of(judge, page->ring_memory[i]);
        CLEAN_FD int wake = copy_of(judge, page->ring_wake[i]);
        if (memory < 0 || wake < 0 || ring_attach(&e->rings[i], (enum role)i, memory, wake) < 0)
            continue; /* what is in it, the herald of the dead keeper writes */
        (void)STEAL_FD(memory);
        (void)STEAL_FD(wake);
    }
    e->next_number = page->next_number;
}

static int refuse(const struct family *old, const struct estate *e, const char *why)
{
    int pid = old->seat[SEAT_JUDGE].pid ? old->seat[SEAT_JUDGE].pid : e->files.judge;
    fprintf(
        stderr,
        "fileward: a judge guards here (process %d) whose keeper is gone, and it cannot be taken over: %s; `fileward "
        "stop` ends it\n",
        pid, why);
    return -1;
}

static const char *what_is_wrong(const struct family *old, const struct ledger *l)
{
    switch (l->state) {
    case LEDGER_EMPTY:
        return "what its keeper left for the next one, the file `ledger` beside the gate, was removed or emptied";
    case LEDGER_FOREIGN:
        return "it is of another version, or the file `ledger` beside the gate is damaged";
    default:
        return old->seat[SEAT_JUDGE].pid ? NULL : "it is not the one that its keeper named";
    }
}

/* Somebody who guards behind a gate that is no longer there has still to be told from nobody. */
static bool is_alone(const struct family *old, const struct estate *e)
{
    bool guarded = old->seat[SEAT_JUDGE].pid || e->files.judge;
    pid_t keeper = lock_lost(e->files.lock, "fileward-keeper", 0);
    pid_t judge = keeper || guarded ? 0 : lock_lost(e->files.lock, "fileward-judge", old->seat[SEAT_SPARE].pid);
    if (keeper)
        fprintf(stderr,
                "fileward: it runs already (process %d), behind a gate that was removed or replaced: end it (kill %d), "
                "then start again\n",
                keeper, keeper);
    if (judge)
        fprintf(stderr,
                "fileward: a judge guards here (process %d) whose keeper is gone, and it cannot be taken over: its "
                "gate was removed or replaced; end it (kill %d), then start again\n",
                judge, judge);
    return !keeper && !judge;
}

/* Whether it ended while we looked: a process loses its descriptors before its locks. Then nobody guards, and nothing is
 * left to be taken. */
static bool has_ended(struct family *old)
{
    struct child *judge = &old->seat[SEAT_JUDGE];
    struct pollfd end = {.fd = judge->pidfd, .events = POLLIN};
    if (errno != ESRCH || poll(&end, 1, END_MS) != 1)
        return false;
    while (old->n_gates > 0)
        close(old->gates[--old->n_gates].fd);
    close(judge->pidfd);
    judge->pid = 0;
    judge->pidfd = -1;
    return true;
}

int heritage_take(struct family *old, struct estate *e)
{
    const struct ledger *l = e->ledger;
    for (int i = 0; i < SEAT_COUNT; i++)
        find_kin(old, (enum seat)i, &l->head.family[i]);
    int judge = old->seat[SEAT_JUDGE].pidfd, herald = old->seat[SEAT_HERALD].pidfd;
    if (!is_alone(old, e))
        return -1;
    if (judge < 0 && !e->files.judge)
        return 0;
    const char *wrong = what_is_wrong(old, l);
    if (wrong)
        return refuse(old, e, wrong);
    if (!take_groups(old, &l->page, judge)) {
        const char *why = strerror(errno);
        return has_ended(old) ? 0 : refuse(old, e, why);
    }
    take_memory(e, &l->page, judge);
    if (herald >= 0)
        e->files.http = copy_of(herald, l->page.http);
    return 1;
}
