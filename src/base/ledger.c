#include "base/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fnv.h"

static const char magic[8] = {'f', 'i', 'l', 'e', 'w', 'a', 'r', 'd'};

/* The file: the head, then two pages in turn, so that the one that holds is whole until the next one is. */
static off_t place_of(uint32_t page)
{
    return (off_t)sizeof(struct ledger_head) + (off_t)page * (off_t)sizeof(struct ledger_page);
}

/* Tells a damaged page, not a forged one. */
static uint64_t sum_of(const struct ledger_page *page)
{
    return fnv(FNV_BEGIN, page, sizeof *page);
}

/* What cannot be written is missed by a later keeper, and by nobody who guards. */
static void put_head(const struct ledger *l)
{
    const struct ledger_head head = l->head;
    (void)!pwrite(l->fd, &head, sizeof head, 0);
}

static enum ledger_state read_file(struct ledger *l)
{
    struct ledger_head *h = &l->head;
    if (pread(l->fd, h, sizeof *h, 0) != (ssize_t)sizeof *h || memcmp(h->magic, (char[8]){0}, sizeof h->magic) == 0)
        return LEDGER_EMPTY;
    bool ours = memcmp(h->magic, magic, sizeof magic) == 0 && h->version == LEDGER_VERSION &&
                h->bytes == (uint32_t)place_of(2) && h->current < 2 &&
                pread(l->fd, &l->page, sizeof l->page, place_of(h->current)) == (ssize_t)sizeof l->page &&
                h->sum == sum_of(&l->page) && l->page.n_gates <= GATES_MAX;
    return ours ? LEDGER_READABLE : LEDGER_FOREIGN;
}

struct ledger *ledger_open(int fd)
{
    /* Its room is taken now, when it can still be told that there is none. */
    errno = posix_fallocate(fd, 0, place_of(2));
    struct ledger *l = errno ? NULL : calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->fd = fd;
    l->state = read_file(l);
    if (l->state != LEDGER_READABLE) {
        l->head = (struct ledger_head){0};
        l->page = (struct ledger_page){0};
    }
    return l;
}

void ledger_free(struct ledger *l)
{
    free(l);
}

void ledger_put(struct ledger *l, const struct ledger_page *page)
{
    struct ledger_head *h = &l->head;
    memcpy(&l->page, page, sizeof l->page);
    if (pwrite(l->fd, &l->page, sizeof l->page, place_of(!h->current)) != (ssize_t)sizeof l->page)
        return; /* the one before holds on */
    memcpy(h->magic, magic, sizeof magic);
    h->version = LEDGER_VERSION;
    h->bytes = (uint32_t)place_of(2);
    h->sum = sum_of(&l->page);
    h->current = !h->current;
    put_head(l);
}

void ledger_seat(struct ledger *l, int seat, int32_t pid, uint64_t id)
{
    l->head.family[seat] = (struct ledger_kin){.pid = pid, .id = id};
    put_head(l);
}

void ledger_alive(struct ledger *l)
{
    int64_t now = l->head.alive_ns = clock_wall();
    /* This alone: a judge's copy of the rest is old. */
    (void)!pwrite(l->fd, &now, sizeof now, offsetof(struct ledger_head, alive_ns));
}

void ledger_end(struct ledger *l)
{
    l->head.alive_ns = clock_wall();
    l->head.orderly = 1;
    put_head(l);
}

void ledger_close_gap(struct ledger *l)
{
    struct ledger_head *h = &l->head;
    int64_t now = clock_wall();
    if (h->alive_ns > 0) {
        h->gap_from_ns = h->alive_ns;
        h->gap_until_ns = now;
        h->gap_orderly = h->orderly;
    }
    h->orderly = 0;
    h->alive_ns = now;
    put_head(l);
}

void ledger_mend(struct ledger *l)
{
    struct stat st;
    if (fstat(l->fd, &st) < 0 || st.st_size >= place_of(2))
        return;
    struct ledger_page page = l->page;
    ledger_put(l, &page);
}
