/* The gate: questions in, answers out. The only reader of a fanotify group. */
#ifndef FILEWARD_JUDGE_GATE_H
#define FILEWARD_JUDGE_GATE_H

#include <stdint.h>

#include "base/answer.h"
#include "fileward/board.h"

enum { BATCH = 16 /* questions taken from a group before the others get a turn */ };

/* ACCESS: reading, writing, mapping or truncation, through a descriptor that is open or by name. */
enum question_kind { QUESTION_OPEN, QUESTION_EXEC, QUESTION_READ, QUESTION_ACCESS };

/* Somebody waits for the answer to this. */
struct question {
    enum question_kind kind;
    int gate;  /* where it was asked, and is answered */
    int watch; /* whose rules decide: the gate's, or where that is of a dropped watch the one looked at; -1 none yet */
    int fd;    /* the object, opened by the kernel; closed by gate_close() */
    int32_t tid;
    int64_t read_ns; /* clock_now() when it was read */
    int held;        /* its place on the board */
    bool awaits_clerk;
    uint64_t whom;   /* in whose crowd it counts, once it is put aside: never 0 then */
    uint32_t ticket; /* of board.scout_asked; 0: the scout has not been asked */
};

/* Reads at most BATCH questions of gate number `gate` and notes their numbers on the board, so that the keeper can release
 * them if this process dies; there must be room for them (HELD_MAX - BATCH held at most). Returns how many; -1 when none
 * waits, or none can be read. Questions whose descriptor the kernel could not make (it has refused those by itself) are
 * counted in *refused and not returned, so that 0 is progress too. */
int gate_read(const struct gate *gates, int gate, struct board *board, struct question out[BATCH], unsigned *refused);

/* How many questions wait unread. */
unsigned gate_unread(const struct gate *gate);

/* The two halves of gate_answer(), so that several answers can go out together. Close only what has been answered. */
int gate_say(const struct gate *gates, const struct question *q, enum answer answer);
void gate_close(struct board *board, const struct question *q);

/* Answers `n` questions of gate number `gate` with one call; see answer_write_several(). */
int gate_say_several(const struct gate *gates, int gate, const struct answer_to *to, int n);

/* Lets the gate that asked not ask again about this object, by whomever it is opened, until the kernel needs the memory:
 * one that has a mark of its own cannot be left out so. Only between gate_say() and gate_close(). `*how` is 0 at first. */
void gate_leave_out(const struct gate *gates, const struct question *q, bool directory, unsigned *how);

/* Answers through the gate that asked, and closes. Returns 0, or -1 with errno: ENOENT when nobody waits any more, else it
 * could not be answered; then it is still on the board, and open. */
int gate_answer(const struct gate *gates, struct board *board, const struct question *q, enum answer answer);

#endif
