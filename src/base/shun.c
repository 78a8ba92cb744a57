#include "base/shun.h"

#include <sys/mman.h>

#include "base/clock.h"

static const int64_t first_ns = 100 * NS_PER_S, most_ns = 1800 * NS_PER_S;

struct shun *shun_create(void)
{
    void *s = mmap(NULL, sizeof(struct shun), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return s == MAP_FAILED ? NULL : s;
}

void shun_free(struct shun *s)
{
    if (s)
        munmap(s, sizeof *s);
}

void shun_begin_look(struct shun *s, uint32_t user, int64_t now)
{
    atomic_store(&s->user, user);
    atomic_store(&s->since_ns, now);
}

void shun_end_look(struct shun *s, int64_t began)
{
    atomic_compare_exchange_strong(&s->since_ns, &began, 0);
}

void shun_forget_look(struct shun *s)
{
    atomic_store(&s->since_ns, 0);
}

/* The user's line, else the one that ends, or has ended, first. */
static struct shunned *line_of(struct shun *s, uint32_t user)
{
    struct shunned *line = &s->shunned[0];
    for (int i = 0; i < SHUNNED_MAX; i++) {
        struct shunned *at = &s->shunned[i];
        if (at->times && atomic_load(&at->user) == user)
            return at;
        if (atomic_load(&at->until_ns) < atomic_load(&line->until_ns))
            line = at;
    }
    line->times = 0;
    return line;
}

bool shun_blame(struct shun *s, int64_t now, uint32_t *user)
{
    *user = atomic_load(&s->user);
    if (!atomic_exchange(&s->since_ns, 0) || *user == 0)
        return false;
    struct shunned *line = line_of(s, *user);
    int64_t length = first_ns;
    for (int i = 0; i < line->times && length < most_ns; i++)
        length *= 2;
    line->times++;
    atomic_store(&line->user, *user);
    atomic_store(&line->until_ns, now + (length < most_ns ? length : most_ns));
    return true;
}

bool shun_holds(const struct shun *s, uint32_t user, int64_t now)
{
    for (int i = 0; i < SHUNNED_MAX; i++)
        if (atomic_load(&s->shunned[i].until_ns) > now && atomic_load(&s->shunned[i].user) == user)
            return true;
    return false;
}
