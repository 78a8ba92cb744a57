#include "judge/desk.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/facts.h"

/* Of an opener that is held, by the number of its descriptor. Each asks for himself, about a program too that others have
 * asked about already: their questions may have to wait for their turn, or for ever. */
struct look {
    int64_t read_ns;         /* with the number it tells one opener from a later one */
    unsigned waits;          /* for which attribute */
    int64_t asked_ns;        /* when it was asked about; 0: not yet, or there is an answer */
    const struct fact *file; /* where that will be known, unless it is about this opener alone */
    unsigned known, failed;  /* of this opener */
    bool packaged, intact;
};

struct desk {
    int fd;
    int64_t lost_ns; /* what has not been answered for so long is lost (the clerk died with it), and is asked again */
    struct facts *facts;
    struct look look[FILES_MAX];
};

struct desk *desk_create(int fd, int timeout_ms)
{
    const int64_t soon_ns = timeout_ms * NS_PER_MS / 8, late_ns = NS_PER_S / 4;
    struct desk *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->fd = fd;
    d->lost_ns = soon_ns < late_ns ? soon_ns : late_ns;
    d->facts = facts_create();
    if (d->facts)
        return d;
    free(d);
    return NULL;
}

void desk_free(struct desk *d)
{
    if (!d)
        return;
    facts_free(d->facts);
    free(d);
}

/* Asks if that has not been done, or long ago. */
static void ask(struct desk *d, const struct inquiry *q, const struct desk_ticket *ticket, unsigned wants)
{
    struct look *look = &d->look[ticket->fd];
    int64_t now = clock_now();
    struct desk_question question = {.program = q->program.id,
                                     .changed_ns = q->program.changed_ns,
                                     .tid = q->tid,
                                     .wants = wants,
                                     .user = q->seen.known & ~q->seen.failed & ATTR_CREDS ? q->creds.ruid : DESK_NOBODY,
                                     .ticket = *ticket};
    if (look->asked_ns && now - look->asked_ns <= d->lost_ns)
        return;
    bool sent = write(d->fd, &question, sizeof question) == (ssize_t)sizeof question;
    look->asked_ns = sent ? now : 0; /* there was no room */
}

/* Of the program: remembered. */
static bool gather_fact(struct desk *d, struct inquiry *q, const struct desk_ticket *ticket, unsigned attribute)
{
    const struct fact *f = facts_of(d->facts, &q->program.id, q->program.changed_ns);
    if (!(f->known & attribute)) {
        d->look[ticket->fd].file = f;
        ask(d, q, ticket, attribute);
        return false;
    }
    if (attribute == ATTR_SHA256)
        q->seen.sha256 = f->sha256;
    else
        q->seen.packaged = f->packaged;
    q->seen.known |= attribute;
    return true;
}

static bool gather(struct desk *d, struct inquiry *q, const struct desk_ticket *ticket, unsigned attribute)
{
    if (d->fd < 0 || !q->process || q->seen.failed & ATTR_EXE || ticket->fd < 0 || ticket->fd >= FILES_MAX) {
        q->seen.known |= attribute;
        q->seen.failed |= attribute;
        return true;
    }
    struct look *look = &d->look[ticket->fd];
    if (look->read_ns != ticket->read_ns)
        *look = (struct look){.read_ns = ticket->read_ns};
    if (look->known & attribute) {
        q->seen.known |= attribute;
        q->seen.failed |= look->failed & attribute;
        if (attribute == ATTR_TRUST)
            q->seen.packaged = look->packaged;
        if (attribute == ATTR_CODE)
            q->seen.intact = look->intact;
        return true;
    }
    if (look->waits != attribute)
        look->asked_ns = 0;
    look->waits = attribute;
    if (attribute != ATTR_CODE)
        return gather_fact(d, q, ticket, attribute);
    ask(d, q, ticket, ATTR_CODE); /* of the process: it can change at any time, so that each opener is looked at */
    return false;
}

bool desk_gather(struct desk *d, struct inquiry *q, const struct desk_ticket *ticket, unsigned attributes)
{
    bool all = true;
    for (unsigned rest = attributes & ~q->seen.known; rest && all; rest &= rest - 1)
        all = gather(d, q, ticket, rest & -rest);
    return all;
}

bool desk_is_settled(const struct desk *d, const struct desk_ticket *ticket)
{
    const struct look *look = &d->look[ticket->fd];
    if (look->known & look->waits || clock_now() - look->asked_ns > d->lost_ns)
        return true;
    /* Were its line another file's by now, that will be found out by asking again. */
    return look->waits != ATTR_CODE && look->file->known & look->waits;
}

/* False: it is for one opener alone. */
static bool take_fact(struct desk *d, const struct desk_answer *a)
{
    unsigned attribute = a->to.wants;
    if (a->failed || !a->lasting)
        return false;
    struct fact *f = facts_of(d->facts, &a->to.program, a->to.changed_ns);
    f->known |= attribute;
    f->sha256 = attribute == ATTR_SHA256 ? a->sha256 : f->sha256;
    f->packaged = attribute == ATTR_TRUST ? a->packaged : f->packaged;
    return true;
}

static void take(struct desk *d, const struct desk_answer *a)
{
    const struct desk_question *to = &a->to;
    if (!to->wants) {
        facts_forget(d->facts, ATTR_TRUST);
        return;
    }
    bool of_program = to->wants != ATTR_CODE && take_fact(d, a);
    struct look *look = to->ticket.fd >= 0 && to->ticket.fd < FILES_MAX ? &d->look[to->ticket.fd] : NULL;
    if (!look || look->read_ns != to->ticket.read_ns)
        return;         /* nobody waits for it any more */
    look->asked_ns = 0; /* was the program changed meanwhile, it is another question */
    if (of_program)
        return;
    look->known |= to->wants;
    look->failed |= a->failed ? to->wants : 0;
    look->packaged = a->packaged && to->wants == ATTR_TRUST ? true : look->packaged;
    look->intact = a->intact && to->wants == ATTR_CODE ? true : look->intact;
}

void desk_receive(struct desk *d)
{
    struct desk_answer a;
    while (d->fd >= 0 && read(d->fd, &a, sizeof a) == (ssize_t)sizeof a)
        take(d, &a);
}
