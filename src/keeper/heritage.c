#include "keeper/heritage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "base/process.h"
#include "keeper/groups.h"

static int copy_of(int pidfd, int fd)
{
    return fd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
}

/* Whoever sat there when the last keeper died, if it still lives. */
static void find_kin(struct family *old, enum seat seat, const struct board_kin *kin)
{
    int32_t pid = atomic_load(&kin->pid);
    CLEAN_FD int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    uint64_t id = atomic_load(&kin->id);
    if (pidfd < 0 || id == 0 || process_identity(pidfd, pid) != id)
        return;
    old->seat[seat].pid = pid;
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
        memory = wake = -1;
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

int heritage_take(struct family *old, struct estate *e)
{
    const struct ledger *l = e->ledger;
    bool readable = ledger_is_readable(l);
    for (int i = 0; readable && i < SEAT_COUNT; i++)
        find_kin(old, (enum seat)i, &l->family[i]);
    int judge = old->seat[SEAT_JUDGE].pidfd, herald = old->seat[SEAT_HERALD].pidfd;
    if (judge < 0 && !e->files.judge)
        return 0;
    if (!readable)
        return refuse(old, e, "it is of another version");
    if (judge < 0)
        return refuse(old, e, "it is not the one that its keeper named");
    const struct ledger_page *page = &l->page[atomic_load(&l->current)];
    if (!take_groups(old, page, judge))
        return refuse(old, e, strerror(errno));
    take_memory(e, page, judge);
    if (herald >= 0)
        e->files.http = copy_of(herald, page->http);
    return 1;
}
