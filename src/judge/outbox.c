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

void outbox_send(struct judge *j)
{
    struct board *b = j->is.board;
    const int n = j->outbox.n;
    bool taken[BATCH];
    int64_t when = n > 0 ? clock_now() : 0;
    j->outbox.n = 0;
    for (int i = 0; i < n; i++) {
        const struct question *q = &j->outbox.waiting[i].question;
        taken[i] = gate_say(j->is.gates, q, j->outbox.waiting[i].outcome.answer) == 0;
        if (!taken[i] && errno != ENOENT)
            _exit(
                EXIT_FAILURE); /* who cannot answer is no judge: the keeper releases who waits, and another one serves */
    }
    for (int i = 0; i < n; i++) {
        const struct question *q = &j->outbox.waiting[i].question;
        gate_close(b, q);
        if (taken[i])
            telling_finish(j, q, &j->outbox.waiting[i].outcome, NULL, false, when - q->read_ns);
        else
            atomic_fetch_add_explicit(&b->answer_errors, 1, memory_order_relaxed);
    }
}
