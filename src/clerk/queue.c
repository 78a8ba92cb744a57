#include "clerk/queue.h"

static uint64_t *line_of(struct queue *q, uint32_t user)
{
    return &q->line[user % QUEUE_LINES];
}

static void leave(struct queue *q, int fd)
{
    q->place[fd].taken = false;
    q->n--;
    while (q->end > 0 && !q->place[q->end - 1].taken)
        q->end--;
}

static bool is_same(const struct desk_question *a, const struct desk_question *b)
{
    return a->ticket.read_ns == b->ticket.read_ns && a->wants == b->wants;
}

void queue_put(struct queue *q, const struct desk_question *question)
{
    int fd = question->ticket.fd;
    if (fd < 0 || fd >= FILES_MAX)
        return;
    const struct desk_question *there = &q->question[fd];
    bool same = is_same(there, question);
    if (same && (q->place[fd].taken || q->place[fd].in_hand))
        return;
    if (q->place[fd].taken) {
        /* A descriptor is another opener's only when the one before has been answered. */
        if (there->ticket.read_ns > question->ticket.read_ns)
            return;
        leave(q, fd);
    }
    q->place[fd] = (struct place){.taken = true,
                                  .user = question->user,
                                  .served = *line_of(q, question->user),
                                  .since = question->ticket.read_ns,
                                  .turns = same ? q->place[fd].turns : 0};
    q->question[fd] = *question;
    q->n++;
    if (fd >= q->end)
        q->end = fd + 1;
}

static bool comes_before(const struct place *a, const struct place *b)
{
    return a->served != b->served ? a->served < b->served : a->since < b->since;
}

void queue_done(struct queue *q, const struct desk_question *question)
{
    int fd = question->ticket.fd;
    if (is_same(&q->question[fd], question))
        q->place[fd].in_hand = false;
}

void queue_put_back(struct queue *q, const struct desk_question *question)
{
    queue_done(q, question);
    queue_put(q, question);
}

bool queue_take(struct queue *q, struct desk_question *out, int *turns)
{
    struct place *next = NULL;
    for (int i = 0; i < q->end; i++)
        if (q->place[i].taken && (!next || comes_before(&q->place[i], next)))
            next = &q->place[i];
    if (!next)
        return false;
    uint32_t user = next->user;
    *turns = next->turns++;
    next->in_hand = true;
    *out = q->question[next - q->place];
    leave(q, (int)(next - q->place));
    *line_of(q, user) = ++q->takings;
    for (int i = 0; i < q->end; i++)
        if (q->place[i].user == user)
            q->place[i].served = q->takings;
    return true;
}
