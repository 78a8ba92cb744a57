#include "keeper/rescue.h"

#include <string.h>

#include "base/clock.h"
#include "keeper/groups.h"
#include "keeper/say.h"

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
    unsigned waiting = groups_unread(f->gates, f->n_gates) + held(b);
    if (waiting == 0 && atomic_load(&b->busy))
        waiting = 1; /* between the kernel's queue and the board */
    uint64_t beat = atomic_load_explicit(&b->beat, memory_order_acquire);
    bool moved = beat != r->beat;
    /* Since when something has waited without the judge moving, as far as these looks can tell: never too early. */
    if (waiting == 0)
        r->waiting_since = 0;
    else if (moved || !r->waiting_since)
        r->waiting_since = now;
    r->beat = beat;
    atomic_store(&b->pending, waiting);
    atomic_store(&b->keeper_tick_ns, (uint64_t)now);
    bool due = r->waiting_since && now - r->waiting_since >= f->policy->settings.timeout_ms * NS_PER_MS / 2;
    /* One that was only just put in the stuck one's place has shown nothing yet. */
    if (due || moved || waiting == 0)
        atomic_store(&b->judge_stalled, due);
    return due;
}

/* Counted for the gate's watch, if it is not one that the policy dropped. */
static void count(struct family *f, int gate, uint64_t n)
{
    if (n == 0 || !f->board || gate >= f->policy->n_watches)
        return;
    atomic_fetch_add(&f->board->watch[gate].timeouts, n);
    say_timeout(f, gate, n);
}

static bool release(const struct family *f, int gate, int fd)
{
    return answer_write(&f->gates[gate], fd, answer_fallback(&f->gates[gate])) == 0;
}

uint64_t rescue_sweep(struct family *f)
{
    uint64_t released = 0, by_gate[GATES_MAX] = {0};
    for (int i = 0; f->board && i < HELD_MAX; i++) {
        int fd = atomic_exchange(&f->board->held[i].fd, -1);
        int gate = atomic_load(&f->board->held[i].gate);
        if (fd >= 0 && gate >= 0 && gate < f->n_gates && release(f, gate, fd))
            by_gate[gate]++;
    }
    for (int g = 0; g < f->n_gates; g++) {
        for (int fd = 0; fd < FILES_MAX; fd++)
            by_gate[g] += release(f, g, fd);
        released += by_gate[g];
        count(f, g, by_gate[g]);
    }
    return released;
}

/* Ten faster than judges could hang one after the other, which takes half the timeout each: whatever kills them will kill
 * the next one too. */
static bool die_too_fast(struct rescue *r, int64_t timeout_ns, int64_t now)
{
    const int64_t most = 3 * NS_PER_S / 4, hanging = RESCUE_DEATHS * timeout_ns / 2;
    const int64_t fast_ns = 3 * hanging / 4 < most ? 3 * hanging / 4 : most;
    int64_t *oldest = &r->died[r->deaths++ % RESCUE_DEATHS];
    bool fast = *oldest && now - *oldest < fast_ns;
    if (*oldest && now - r->died[(r->deaths + RESCUE_DEATHS - 2) % RESCUE_DEATHS] > 30 * NS_PER_S)
        r->pause_ns = 0;
    *oldest = now;
    return fast;
}

void rescue_replace_judge(struct rescue *r, struct family *f, const char *why)
{
    struct child *seat = &f->seat[SEAT_JUDGE];
    int64_t now = clock_now();
    /* Release first: an opener must not wait for the judge's end. The second sweep is for what it read in between; the
     * spare does not read before, so no number of its can be meant. */
    uint64_t released = rescue_sweep(f);
    family_kill(f, SEAT_JUDGE);
    released += rescue_sweep(f);
    atomic_store(&f->board->busy, 0);
    atomic_fetch_add(&f->board->rescues, 1);
    atomic_fetch_add(&f->board->restarts[ROLE_JUDGE], 1);
    if (die_too_fast(r, f->policy->settings.timeout_ms * NS_PER_MS, now)) {
        r->pause_ns = r->pause_ns ? r->pause_ns * 2 : NS_PER_S;
        if (r->pause_ns > 16 * NS_PER_S)
            r->pause_ns = 16 * NS_PER_S;
        seat->retry_ns = now + r->pause_ns;
        memset(r->died, 0, sizeof r->died);
    } else if (!family_promote(f) && family_fork(f, SEAT_JUDGE)) {
        family_say(f, SEAT_JUDGE, 'g');
    }
    /* The spare may be no better: its time begins now. */
    r->beat = atomic_load(&f->board->beat);
    r->waiting_since = now;
    say_rescue(f, released, why);
    if (!f->seat[SEAT_SPARE].pid)
        family_fork(f, SEAT_SPARE);
}

void rescue_stand_in(struct family *f)
{
    for (int g = 0; g < f->n_gates; g++)
        count(f, g, groups_drain(f, g));
}
