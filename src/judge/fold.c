#include "judge/fold.h"

#include "base/clock.h"

static const int64_t window_ns = NS_PER_S;

static bool same(const struct fold_key *a, const struct fold_key *b)
{
    return file_id_equal(&a->program, &b->program) && file_id_equal(&a->object, &b->object) && a->uid == b->uid &&
           a->ruid == b->ruid && a->gid == b->gid && a->egid == b->egid && a->loginuid_or_tid == b->loginuid_or_tid &&
           a->watch == b->watch && a->rule == b->rule && a->op == b->op && a->decision == b->decision &&
           a->verdict == b->verdict && a->mode == b->mode;
}

static struct fold_entry *entry_for(struct fold *f, const struct fold_key *k)
{
    uint64_t h = k->object.ino * 31 + k->program.ino;
    h = (h ^ k->uid ^ (uint64_t)k->loginuid_or_tid << 20 ^ (uint64_t)k->op << 8) * UINT64_C(0x9E3779B97F4A7C15);
    return &f->entry[(h >> 32) % FOLD_SLOTS];
}

bool fold_repeat(struct fold *f, const struct fold_key *key, int64_t now)
{
    struct fold_entry *e = entry_for(f, key);
    if (!e->used || !same(&e->key, key) || (now >= e->until_ns && e->count == 0))
        return false;
    e->count++;
    if (!f->next_ns || e->until_ns < f->next_ns)
        f->next_ns = e->until_ns;
    return true;
}

static void tell_one(struct fold_entry *e, fold_tell *tell, void *ctx)
{
    if (e->used && e->count > 0)
        tell(ctx, &e->key, e->first_seq, e->count);
    e->count = 0;
}

void fold_remember(struct fold *f, const struct fold_key *key, uint64_t seq, int64_t now, fold_tell *tell, void *ctx)
{
    struct fold_entry *e = entry_for(f, key);
    tell_one(e, tell, ctx);
    *e = (struct fold_entry){.key = *key, .used = true, .first_seq = seq, .until_ns = now + window_ns};
}

void fold_flush(struct fold *f, int64_t now, fold_tell *tell, void *ctx)
{
    f->next_ns = 0;
    for (int i = 0; i < FOLD_SLOTS; i++) {
        struct fold_entry *e = &f->entry[i];
        if (!e->used || e->count == 0)
            continue;
        if (e->until_ns <= now) {
            tell_one(e, tell, ctx);
            e->until_ns = now > INT64_MAX - window_ns ? now : now + window_ns; /* it goes on: one record a second */
        } else if (!f->next_ns || e->until_ns < f->next_ns) {
            f->next_ns = e->until_ns;
        }
    }
}
