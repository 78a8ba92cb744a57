/* The keeper's children: forking, watching, replacing. A family is those who serve one policy; a reload makes another, and
 * what outlives it is the estate. */
#ifndef FILEWARD_KEEPER_FAMILY_H
#define FILEWARD_KEEPER_FAMILY_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/answer.h"
#include "base/ledger.h"
#include "base/mounts.h"
#include "base/register.h"
#include "base/ring.h"
#include "base/shun.h"
#include "fileward/board.h"
#include "keeper/files.h"

/* The children. Two judges: one reads, the other waits to take its place. There is a clerk if a rule needs it. The reader
 * reads a policy and ends. */
enum seat { SEAT_HERALD, SEAT_JUDGE, SEAT_SPARE, SEAT_SCOUT, SEAT_CLERK, SEAT_READER, SEAT_COUNT };
_Static_assert((int)SEAT_COUNT == (int)FAMILY_MAX, "each has its line on the board");

struct child {
    enum role role;
    pid_t pid; /* 0: none */
    int pidfd, control;
    bool ready;
    int64_t born_ns;
    int64_t heard_ns; /* when it last said something */
    int64_t retry_ns; /* when an empty seat may be filled again */
    int64_t delay_ns; /* how long the next retry waits */
};

/* What one family leaves to the next, and a dead keeper's judge to the next keeper. */
struct estate {
    struct reg *reg;
    int reg_fd;
    struct ring rings[ROLE_COUNT]; /* of keeper, judge and scout */
    struct files files;
    struct ledger *ledger;
    struct mounts *mounts; /* the keeper's own */
    struct shun *shun;     /* the keeper's and the clerk's */
    int bell;              /* eventfd: judges ring for the scout */
    unsigned next_number;  /* of a watch in the register */
    int alive[2];          /* pipe: keeper and judges hold the write end, scout and herald the read end */
    struct stray {
        pid_t pid;
        enum seat seat;
    } * stray; /* killed, not ended yet */
    int n_strays;
};

struct family {
    struct estate *estate;
    const struct policy *policy; /* NULL: that of a dead keeper is not known */
    struct gate gates[GATES_MAX];
    int n_gates; /* of the policy's watches, then of those that it dropped */
    struct board *board;
    int board_fd;
    struct child seat[SEAT_COUNT];
    int desk[2];    /* sockets of the judges and of the clerk; -1: no rule needs a clerk */
    uint64_t fresh; /* watches that no group was inherited for, a bit each */
};

/* Makes the shared memory that an estate has not inherited. 0, or -1 after a message. */
int estate_prepare(struct estate *e);

/* A family of nobody yet; `board` is made. 0, or -1 after a message. */
int family_prepare(struct family *f, struct estate *e, const struct policy *p);

/* Takes its board and closes the groups that `heir` (or nobody: NULL) does not have. All seats must be empty. */
void family_dissolve(struct family *f, const struct family *heir);

/* Forks a child into an empty seat and writes it on the board. False if it could not be forked. */
bool family_fork(struct family *f, enum seat seat);

/* Writes the clerk of the family to come (NULL: there is none any more) on the board, so that it is let through: it reads
 * files that this family may guard. */
void family_introduce(struct family *f, const struct family *coming);

/* Makes a child of `pid`, which was just forked by this process, sit down. */
void family_seat(struct family *f, enum seat seat, pid_t pid, int control);

/* Reads what a child says; notes that it is ready, and when it spoke. Marks the file systems that the scout asks for. */
void family_hear(struct family *f, enum seat seat);

/* Writes herald and scout of the family before on the board, as long as they are there: they may still open what is
 * guarded. */
void family_note_leaving(struct family *f, const struct family *before);

/* Sends a word. To all: 's' (it stands on the board and may begin). To a judge: 'g' (read from now on), 'd' (let go of
 * dropped watches). To the herald: 'r' (open the log again). To the scout: 'f' or 'F' (the file system is marked, or is
 * not). */
void family_say(struct family *f, enum seat seat, char word);

/* Tells a child to end what it does and leave. */
void family_dismiss(struct family *f, enum seat seat);

/* Waits at most `ms` for the child's end and empties its seat; true if it has ended. `how` (if not NULL) receives its
 * wait status, 0 if it was not our child. */
bool family_reap(struct family *f, enum seat seat, int ms, int *how);

/* Kills and waits a bounded time: a process inside the kernel may not die. Empties the seat in any case. */
void family_kill(struct family *f, enum seat seat);

/* Remembers a child that was killed and has not ended. */
void estate_note_stray(struct estate *e, pid_t pid, enum seat seat);

/* Whether there may be another clerk. Those that were killed may be inside the kernel for as long as somebody likes, each
 * with a table of packages: with a few of them there is none until one has ended, and on_timeout decides for it. */
enum { CLERK_STRAYS_MAX = 3 };
bool estate_has_room_for_clerk(const struct estate *e);

/* Reaps what was killed earlier and has ended since. Returns how many still live. */
int estate_reap_strays(struct estate *e);

/* Moves the spare to the judge's seat and lets it read. False if there is none. */
bool family_promote(struct family *f);

/* Writes into the ledger what a later keeper must know of this family. */
void family_enter(struct family *f);

#endif
