#include "base/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

static const char magic[8] = {'f', 'i', 'l', 'e', 'w', 'a', 'r', 'd'};

struct ledger *ledger_map(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return NULL;
    /* Its room must be there: without, a write to the mapping would be the end of us (SIGBUS). */
    errno = posix_fallocate(fd, 0, sizeof(struct ledger));
    if (errno)
        return NULL;
    void *l = mmap(NULL, sizeof(struct ledger), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return l == MAP_FAILED ? NULL : l;
}

void ledger_close(struct ledger *l)
{
    munmap(l, sizeof *l);
}

bool ledger_is_readable(const struct ledger *l)
{
    return memcmp(l->magic, magic, sizeof magic) == 0 && l->version == LEDGER_VERSION && l->current < 2 &&
           l->page[l->current].n_gates <= GATES_MAX;
}

void ledger_put(struct ledger *l, const struct ledger_page *page)
{
    uint32_t next = !l->current;
    l->page[next] = *page;
    atomic_store(&l->current, next);
    l->version = LEDGER_VERSION;
    memcpy(l->magic, magic, sizeof magic);
}

void ledger_alive(struct ledger *l)
{
    atomic_store_explicit(&l->alive_ns, clock_wall(), memory_order_relaxed);
}

void ledger_close_gap(struct ledger *l)
{
    int64_t from = ledger_is_readable(l) ? atomic_load(&l->alive_ns) : 0;
    if (from > 0) {
        l->gap_from_ns = from;
        l->gap_until_ns = clock_wall();
        l->gap_orderly = atomic_load(&l->orderly);
    }
    atomic_store(&l->orderly, 0);
    ledger_alive(l);
}
