/* Answers that go out together. Each answer wakes everyone who waits for the same watch: who is woken for the first finds
 * that his own has come too, and does not lie down again in between. So what is decided at once waits until the batch is
 * done, or until something follows that may take long. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "judge/court.h"

void outbox_put(struct judge *j, const struct question *q, const struct outcome *o)
{
    j->outbox.waiting[j->outbox.n].question = *q;
    j->outbox.waiting[j->outbox.n++].outcome = *o;
}

/* Answers as many from the `first` on as belong to one group; returns how many are done with. */
static int say_some(struct judge *j, int first, bool *taken)
{
    const struct question *q = &j->outbox.waiting[first].question;
    struct answer_to to[BATCH];
    int n = 0;
    for (int i = first; i < j->outbox.n && j->outbox.waiting[i].question.gate == q->gate; i++, n++)
        to[n] = (struct answer_to){j->outbox.waiting[i].question.fd, j->outbox.waiting[i].outcome.answer};
    int said = n > 1 ? gate_say_several(j->is.gates, q->gate, to, n) : 0;
    for (int i = 0; i < said; i++)
        taken[first + i] = true;
    if (said > 0)
        return said;
    taken[first] = gate_say(j->is.gates, q, to[0].answer) == 0;
    if (!taken[first] && errno != ENOENT)
        _exit(EXIT_FAILURE); /* who cannot answer is no judge: the keeper releases who waits, and another one serves */
    return 1;
}

void outbox_send(struct judge *j)
{
    struct board *b = j->is.board;
    const int n = j->outbox.n;
    bool taken[BATCH];
    int64_t when = n > 0 ? clock_now() : 0;
    for (int i = 0; i < n;)
        i += say_some(j, i, taken);
    j->outbox.n = 0;
    for (int i = 0; i < n; i++) {
        const struct question *q = &j->outbox.waiting[i].question;
        gate_close(b, q);
        if (taken[i])
            telling_finish(j, q, &j->outbox.waiting[i].outcome, NULL, false, when - q->read_ns);
        else
            atomic_fetch_add_explicit(&b->answer_errors, 1, memory_order_relaxed);
    }
}
