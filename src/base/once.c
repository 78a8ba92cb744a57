#include "base/once.h"

#include <stdbool.h>
#include <string.h>

#include "base/fnv.h"

uint64_t once_pattern(const char *text)
{
    uint64_t h = fnv(FNV_BEGIN, text, strlen(text));
    return h ? h : 1;
}

static bool is(const struct once *o, unsigned i, const struct file_id *id)
{
    return atomic_load_explicit(&o->entry[i].pattern, memory_order_acquire) && file_id_equal(&o->entry[i].id, id);
}

void once_add(struct once *o, uint64_t pattern, const struct file_id *id)
{
    if (id->born_ns == 0)
        return;
    for (unsigned i = 0; i < ONCE_MAX; i++)
        if (is(o, i, id) && atomic_load(&o->entry[i].pattern) == pattern)
            return;
    unsigned at = atomic_load(&o->next) % ONCE_MAX;
    atomic_store(&o->next, (at + 1) % ONCE_MAX);
    /* Whoever dies in between leaves an entry that is nothing, and not one program under another's name. */
    atomic_store(&o->entry[at].pattern, 0);
    o->entry[at].id = *id;
    atomic_store_explicit(&o->entry[at].pattern, pattern, memory_order_release);
}

void once_find(const struct once *o, const struct file_id *id, once_each *each, void *ctx)
{
    for (unsigned i = 0; i < ONCE_MAX; i++)
        if (is(o, i, id))
            each(ctx, atomic_load(&o->entry[i].pattern));
}
