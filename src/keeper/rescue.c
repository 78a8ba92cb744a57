#include "keeper/rescue.h"

#include "base/clock.h"
#include "keeper/groups.h"
#include "keeper/say.h"

enum { NUMBERS = 4096 /* a judge's RLIMIT_NOFILE: base/sandbox.c */ };

static unsigned held(const struct board *b)
{
    unsigned n = 0;
    for (int i = 0; i < HELD_MAX; i++)
        n += atomic_load_explicit(&b->held[i].fd, memory_order_acquire) >= 0;
    return n;
}

bool rescue_is_due(struct rescue *r, struct family *f, int64_t now)
{
    struct board *b = f->board;
    unsigned waiting = groups_unread(f->gates, f->policy->n_watches) + held(b);
    if (waiting == 0 && atomic_load(&b->busy))
        waiting = 1; /* between the kernel's queue and the board */
    uint64_t beat = atomic_load_explicit(&b->beat, memory_order_acquire);
    /* Since when something has waited without the judge moving, as far as these looks can tell: never too early. */
    if (waiting == 0)
        r->waiting_since = 0;
    else if (beat != r->beat || !r->waiting_since)
        r->waiting_since = now;
    r->beat = beat;
    atomic_store(&b->pending, waiting);
    atomic_store(&b->keeper_tick_ns, (uint64_t)now);
    bool due = r->waiting_since && now - r->waiting_since >= f->policy->settings.timeout_ms * NS_PER_MS / 2;
    atomic_store(&b->judge_stalled, due);
    return due;
}

static enum answer fallback(const struct family *f, int watch)
{
    return f->policy->watches[watch].on_timeout == ACTION_ALLOW ? ANSWER_ALLOW : ANSWER_RELEASE;
}

static bool release(struct family *f, int watch, int fd)
{
    if (answer_write(&f->gates[watch], fd, fallback(f, watch)) < 0)
        return false;
    atomic_fetch_add(&f->board->watch[watch].timeouts, 1);
    return true;
}

uint64_t rescue_sweep(struct family *f)
{
    uint64_t released = 0, by_watch[WATCHES_MAX] = {0};
    for (int i = 0; i < HELD_MAX; i++) {
        int fd = atomic_exchange(&f->board->held[i].fd, -1);
        int watch = atomic_load(&f->board->held[i].watch);
        if (fd >= 0 && watch >= 0 && watch < f->policy->n_watches && release(f, watch, fd))
            by_watch[watch]++;
    }
    for (int w = 0; w < f->policy->n_watches; w++) {
        for (int fd = 0; fd < NUMBERS; fd++)
            if (release(f, w, fd))
                by_watch[w]++;
        released += by_watch[w];
        if (by_watch[w])
            say_timeout(f, w, by_watch[w], answer_verdict(&f->gates[w], fallback(f, w)));
    }
    return released;
}

void rescue_replace_judge(struct family *f, const char *why)
{
    /* Release first: an opener must not wait for the judge's end. The second sweep is for what it read in between; the
     * spare does not read before, so no number of its can be meant. */
    uint64_t released = rescue_sweep(f);
    family_kill(f, SEAT_JUDGE);
    released += rescue_sweep(f);
    atomic_store(&f->board->busy, 0);
    atomic_fetch_add(&f->board->rescues, 1);
    atomic_fetch_add(&f->board->restarts[ROLE_JUDGE], 1);
    if (!family_promote(f) && family_fork(f, SEAT_JUDGE))
        family_say(f, SEAT_JUDGE, 'g');
    say_rescue(f, released, why);
    if (!f->seat[SEAT_SPARE].pid)
        family_fork(f, SEAT_SPARE);
}

void rescue_stand_in(struct family *f)
{
    for (int w = 0; w < f->policy->n_watches; w++) {
        unsigned n = groups_drain(&f->gates[w], fallback(f, w));
        if (n == 0)
            continue;
        atomic_fetch_add(&f->board->watch[w].timeouts, n);
        say_timeout(f, w, n, answer_verdict(&f->gates[w], fallback(f, w)));
    }
}
