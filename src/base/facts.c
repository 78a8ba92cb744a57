#include "base/facts.h"

#include <stdlib.h>

enum { FILES = 16384, WAYS = 4 };

struct facts {
    uint64_t uses;
    struct fact file[FILES];
};

struct facts *facts_create(void)
{
    return calloc(1, sizeof(struct facts));
}

void facts_free(struct facts *f)
{
    free(f);
}

struct fact *facts_of(struct facts *f, const struct file_id *id, int64_t changed_ns)
{
    uint64_t h = (id->ino ^ (uint64_t)id->minor << 40 ^ (uint64_t)id->major << 52) * UINT64_C(0x9E3779B97F4A7C15);
    struct fact *set = &f->file[(h >> 32) % (FILES / WAYS) * WAYS], *oldest = set;
    for (int i = 0; i < WAYS; i++) {
        struct fact *at = &set[i];
        if (at->used && file_id_equal(&at->id, id) && at->changed_ns == changed_ns) {
            at->used = ++f->uses;
            return at;
        }
        if (at->used < oldest->used)
            oldest = at;
    }
    *oldest = (struct fact){.id = *id, .changed_ns = changed_ns, .used = ++f->uses};
    return oldest;
}

void facts_forget(struct facts *f, unsigned attributes)
{
    for (int i = 0; i < FILES; i++)
        f->file[i].known &= ~attributes;
}
