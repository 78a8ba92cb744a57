/* Inside the judge: what its files share. Nothing outside this folder includes it. */
#ifndef FILEWARD_JUDGE_COURT_H
#define FILEWARD_JUDGE_COURT_H

#include "base/loop.h"
#include "fileward/judge.h"
#include "judge/desk.h"
#include "judge/fold.h"
#include "judge/gate.h"
#include "judge/object.h"
#include "judge/pace.h"
#include "judge/report.h"
#include "judge/subject.h"
#include "judge/verdicts.h"

/* Questions put aside at once: the rest of the room is for reading more. */
enum { ASIDE_MAX = HELD_MAX / 2 };
_Static_assert(ASIDE_MAX + BATCH <= HELD_MAX - BATCH, "there is always room to read");

/* What came of a question. */
struct outcome {
    bool not_yet; /* nothing: look at it again later */
    enum op op;
    struct decision decision;
    enum record_reason reason;
    enum answer answer;
};

struct judge {
    struct judge_setup is;
    struct subjects *subjects;
    struct verdicts *verdicts;
    struct desk *desk;
    struct object_finder finder;
    struct loop loop;
    bool serving;
    bool locked;                 /* LOCK_JUDGE is ours */
    bool orphan;                 /* the keeper is gone */
    int n_gates;                 /* of the watches, and of dropped ones behind them */
    int end_fd;                  /* readable when we are told to leave */
    unsigned needs[WATCHES_MAX]; /* what a question to the watch may ask for */
    struct gate_source {
        struct judge *judge;
        int gate;
        /* What waited in the queue at `backlog_since` and has not been read: none of it can be younger. */
        unsigned backlog;
        int64_t backlog_since;
        uint64_t released; /* not yet told */
        int64_t released_told;
    } source[GATES_MAX];
    struct question batch[BATCH];
    /* Questions whose opener has not fallen asleep yet, or that clerk or scout have not answered; asked again after the
     * others had their turn. */
    struct question deferred[ASIDE_MAX + BATCH];
    int n_deferred;
    /* of the question in hand */
    struct inquiry inquiry;
    struct thing thing;
    uint32_t ticket;
    struct report report;
    struct fold fold;
    /* Answers that go out together. */
    struct outbox {
        int n;
        struct {
            struct question question;
            struct outcome outcome;
        } waiting[BATCH];
    } outbox;
    struct pace pace;
    unsigned leaving_out; /* gate_leave_out() */
};

/* outbox.c: keeps an answer, of which nothing is to be recorded, until outbox_send(). There is room for a batch. */
void outbox_put(struct judge *j, const struct question *q, const struct outcome *o);

/* outbox.c: answers, and counts. Before anything that may take long, and before anything is read. */
void outbox_send(struct judge *j);

/* ruling.c: decides a question about j->thing by j->inquiry. Sets o->not_yet when it is too early to say. */
void ruling(struct judge *j, const struct question *q, struct outcome *o);

/* ruling.c: no decision could be made in time: on_timeout decides. */
void ruling_give_up(struct judge *j, const struct question *q, struct outcome *o);

/* ruling.c: with this answer the question is done with: of an exec, what it has still to ask is known by it. */
void ruling_given(struct judge *j, const struct question *q, enum answer answer);

/* ruling.c: the question has waited for half the timeout. Until then it may be put aside: the keeper sees us move. */
bool ruling_is_late(const struct judge *j, const struct question *q);

/* telling.c: before the answer: gathers what the record will need, if there is to be one. Returns whether there is. */
bool telling_prepare(struct judge *j, const struct question *q, const struct outcome *o, struct fold_key *key);

/* telling.c: after the answer: counts it, and records it if telling_prepare() said so. */
void telling_finish(struct judge *j, const struct question *q, const struct outcome *o, const struct fold_key *key,
                    bool record, int64_t latency_ns);

/* telling.c: tells what is due of repeats and of openers released in a crowd; all of it if `final`. */
void telling_flush(struct judge *j, bool final);

/* telling.c: when there will be something to tell; 0 never. */
int64_t telling_due(const struct judge *j);

#endif
