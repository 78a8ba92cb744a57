#include "keeper/carry.h"

#include <string.h>

#include "base/clock.h"

static void add(_Atomic uint64_t *to, const _Atomic uint64_t *from)
{
    atomic_fetch_add(to, atomic_load(from));
}

static void add_slot(struct board_slot *to, const struct board_slot *from)
{
    for (int op = 0; op <= OP_COUNT; op++)
        for (int verdict = 0; verdict < 2; verdict++)
            add(&to->n[op][verdict], &from->n[op][verdict]);
}

/* Rules mostly come in the same order as before: the search goes on where the last one was found. */
static void carry_rules(const struct family *old, int i, struct family *new, int k)
{
    const struct policy *p = old->policy, *q = new->policy;
    const struct watch *w = &p->watches[i], *v = &q->watches[k];
    int next = 0;
    if (w->default_action == v->default_action)
        add_slot(board_slot(new->board, q, k, RULE_DEFAULT), board_slot(old->board, p, i, RULE_DEFAULT));
    for (int r = v->first_rule; r < v->first_rule + v->rules; r++)
        for (int tries = 0; tries < w->rules; tries++) {
            int s = w->first_rule + (next + tries) % w->rules;
            if (strcmp(p->rules[s].name, q->rules[r].name) != 0)
                continue;
            if (p->rules[s].action == q->rules[r].action)
                add_slot(board_slot(new->board, q, k, r), board_slot(old->board, p, i, s));
            next = s - w->first_rule + 1;
            break;
        }
}

static void carry_watch(const struct family *old, int i, struct family *new, int k)
{
    const struct board_watch *from = &old->board->watch[i];
    struct board_watch *to = &new->board->watch[k];
    add(&to->timeouts, &from->timeouts);
    add(&to->outside, &from->outside);
    add(&to->kernel_refused, &from->kernel_refused);
    carry_rules(old, i, new, k);
}

void carry_counters(const struct family *old, struct family *new)
{
    struct board *from = old->board, *to = new->board;
    add(&to->rescues, &from->rescues);
    add(&to->rescans, &from->rescans);
    for (int i = 0; i < ROLE_COUNT; i++)
        add(&to->restarts[i], &from->restarts[i]);
    for (int i = 0; i <= BUCKETS; i++)
        add(&to->bucket[i], &from->bucket[i]);
    add(&to->latency_sum_ns, &from->latency_sum_ns);
    add(&to->cache_hits, &from->cache_hits);
    add(&to->cache_misses, &from->cache_misses);
    add(&to->decision_hits, &from->decision_hits);
    add(&to->decision_misses, &from->decision_misses);
    add(&to->answer_errors, &from->answer_errors);
    for (int i = 0; i < old->policy->n_watches; i++)
        for (int k = 0; k < new->policy->n_watches; k++)
            if (strcmp(old->policy->watches[i].name, new->policy->watches[k].name) == 0)
                carry_watch(old, i, new, k);
}

/* A judge asks what lies outside of its watch only if somebody has marked beyond it: so it may be, until the scout knows
 * better. */
static void expect_neighbours(struct board *b)
{
    for (int i = 0; i < WATCHES_MAX; i++)
        atomic_store(&b->watch[i].neighbourhoods, 1);
}

/* Up to when what the register holds is all that came to lie in a watch. Of a dead keeper's scout that is not known: it
 * goes on as long as the judge does. */
static void carry_seen(const struct board *from, struct board *to)
{
    int64_t seen_ns = from ? atomic_load(&from->scout_seen_ns) : clock_wall();
    atomic_store(&to->scout_seen_ns, seen_ns ? seen_ns : 1);
}

static void carry_opened(const struct board_opened *from, struct board_opened *to)
{
    memcpy(to->first, from->first, sizeof to->first);
    atomic_store(&to->told, atomic_load(&from->told));
    atomic_store(&to->processes, atomic_load(&from->processes));
    atomic_store(&to->files, atomic_load(&from->files));
    atomic_store(&to->state, atomic_load(&from->state));
}

void carry_head(const struct board *from, struct board *to)
{
    expect_neighbours(to);
    carry_seen(from, to);
    if (!from) { /* that of a dead keeper: its marks are there already */
        atomic_store(&to->state, BOARD_SERVING);
        return;
    }
    to->started_ns = from->started_ns;
    to->gap_from_ns = from->gap_from_ns;
    to->gap_until_ns = from->gap_until_ns;
    to->gap_orderly = from->gap_orderly;
    carry_opened(&from->opened, &to->opened);
    atomic_store(&to->state, atomic_load(&from->state));
    atomic_store(&to->reloads, atomic_load(&from->reloads));
    atomic_store(&to->loaded_ns, atomic_load(&from->loaded_ns));
    atomic_store(&to->changing, 1);
}
