#include "base/facts.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/sip.h"

enum { FILES = 16384, WAYS = 4 };

struct facts {
    uint64_t seed[2]; /* so that nobody can choose files that drive out others */
    uint64_t uses;
    struct fact file[FILES];
};

struct facts *facts_create(void)
{
    struct facts *f = calloc(1, sizeof *f);
    if (f && getrandom(f->seed, sizeof f->seed, 0) == (ssize_t)sizeof f->seed)
        return f;
    free(f);
    return NULL;
}

void facts_free(struct facts *f)
{
    free(f);
}

struct fact *facts_of(struct facts *f, const struct file_id *id, int64_t changed_ns)
{
    const uint64_t words[] = {(uint64_t)id->major << 32 | id->minor, id->ino, (uint64_t)id->born_ns,
                              (uint64_t)changed_ns};
    uint32_t h = sip_words(f->seed, words, sizeof words / sizeof *words);
    struct fact *set = &f->file[h % (FILES / WAYS) * WAYS], *oldest = set;
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
