/* The board: shared memory on which the roles of one policy write what the others count on; a reload makes another. Each
 * field has one writer, named beside it. The herald maps it read-only. */
#ifndef FILEWARD_BOARD_H
#define FILEWARD_BOARD_H

#include <stdatomic.h>
#include <stdint.h>

#include "fileward/policy.h"
#include "fileward/role.h"

enum {
    HELD_MAX = 1024,  /* questions that a judge holds at once */
    FILES_MAX = 4096, /* descriptors that a role may have: a rescue tries every number below it */
    RELOAD_TEXT_MAX = 4096,
    BUCKETS = 17, /* of the latency histogram, without +Inf */
    FAMILY_MAX =
        6, /* herald, judge, spare judge, scout, clerk, reader; the keeper opens nothing by name once it serves */
    KIN_MAX =
        FAMILY_MAX + 4, /* and herald, scout and clerk of the family before, until they have left; and the clerk of
                                 the family to come */
};

/* Upper bounds of the buckets in nanoseconds: 1 us ... 1 s. */
extern const uint64_t board_bucket_ns[BUCKETS];

enum board_state { BOARD_STARTING, BOARD_SERVING, BOARD_STOPPING };

/* What this kernel gives; written by the keeper before the roles start. */
enum feature {
    FEATURE_DENY_ERRNO = 1u << 0,   /* a release without a decision is EBUSY, not EPERM (pre-content groups, 6.14) */
    FEATURE_FD_ERROR = 1u << 1,     /* a question whose descriptor could not be made is told, not only refused (6.13) */
    FEATURE_PIDFD_INFO = 1u << 2,   /* credentials by pidfd (6.13), else /proc/TID/status */
    FEATURE_PIDFD_THREAD = 1u << 3, /* pidfd of a thread (6.9) */
    FEATURE_LANDLOCK = 1u << 4,     /* the herald is confined by Landlock */
    FEATURE_OVERLAY = 1u << 5,      /* what an overlay opens in a guarded layer is asked about (6.5) */
};

struct board_kin {
    _Atomic int32_t pid; /* 0: none */
    _Atomic uint64_t id; /* identity of that process: see process_identity() */
};

struct board_watch {
    _Atomic uint64_t marks;          /* scout */
    _Atomic uint32_t neighbourhoods; /* scout: marked directories that are not guarded themselves */
    _Atomic uint64_t unguarded;      /* scout: things left unmarked, each with a record */
    _Atomic uint64_t unwritten;      /* scout: files whose writing cannot be asked about, though the watch wants it */
    _Atomic uint64_t timeouts;       /* judge and keeper: questions answered by on_timeout */
    _Atomic uint64_t outside;        /* judge: questions about what the watch does not guard */
    _Atomic uint64_t kernel_refused; /* judge: the kernel could not make the event's descriptor and refused by itself */
};

/* Decisions: one slot for each rule, then one for each watch's default; in each an op (OP_COUNT + 1, for "any") and a
 * verdict. The decision itself is the action of that rule or default. */
struct board_slot {
    _Atomic uint64_t n[OP_COUNT + 1][2]; /* [enum op][enum action: verdict]; judge */
};

/* Who held guarded files open when they were marked; each has a record. Keeper, and the looker it forks. */
enum { OPENED_TOLD = 8, OPENED_NAME_MAX = 255 };
enum opened_state { OPENED_UNKNOWN, OPENED_LOOKING, OPENED_COMPLETE, OPENED_CUT_SHORT };
struct board_opened {
    _Atomic uint32_t state;     /* enum opened_state: of the last look */
    _Atomic int32_t at;         /* the process that is looked at */
    _Atomic uint64_t processes; /* since the start */
    _Atomic uint64_t files;     /* one that two processes hold counts twice */
    _Atomic uint32_t told;
    struct {
        int32_t pid;
        char watch[NAME_MAX_LEN + 1], exe[OPENED_NAME_MAX + 1], path[OPENED_NAME_MAX + 1]; /* cut */
    } first[OPENED_TOLD];
};

struct board {
    /* keeper */
    int64_t started_ns; /* CLOCK_REALTIME */
    uint32_t features;
    _Atomic uint32_t state;          /* enum board_state */
    _Atomic uint64_t keeper_tick_ns; /* CLOCK_MONOTONIC of the keeper's last look */
    _Atomic uint32_t judge_stalled;  /* questions wait and the judge does not move */
    _Atomic uint64_t pending;        /* questions unread or held, at that look */
    _Atomic uint64_t rescues;
    _Atomic uint64_t restarts[ROLE_COUNT];
    _Atomic uint64_t reloads;       /* attempts that have ended, well or not */
    _Atomic uint32_t changing;      /* a reload is under way: the outcome that stands here is that of an earlier one */
    _Atomic uint32_t reload_failed; /* the last one, or the start, was refused its policy */
    _Atomic int64_t loaded_ns;      /* CLOCK_REALTIME: when the policy in force was loaded, or the last was refused */
    char reload_text[RELOAD_TEXT_MAX]; /* what was said of the last one; written before `reloads` grows */
    uint32_t last_good;                /* the policy in force is the kept one: that on disk was bad at the start */
    int64_t gap_from_ns, gap_until_ns; /* the last time that nobody guarded; 0: none is known */
    uint32_t gap_orderly;
    struct board_opened opened;
    uint32_t entered; /* this family is the one in the ledger */
    struct board_kin family[KIN_MAX];
    /* judge */
    _Atomic uint64_t beat; /* grows with each question that is read or dealt with, and with nothing else */
    _Atomic uint32_t busy; /* it reads or holds questions: set before it reads, while no number is known yet */
    struct {
        _Atomic int32_t fd; /* event descriptor in the judge's table; -1 none */
        _Atomic int32_t gate;
    } held[HELD_MAX];
    _Atomic uint64_t bucket[BUCKETS + 1]; /* last: +Inf; not cumulative */
    _Atomic uint64_t latency_sum_ns;
    _Atomic uint64_t cache_hits, cache_misses;       /* processes known from an earlier question */
    _Atomic uint64_t decision_hits, decision_misses; /* decisions known from an earlier question */
    _Atomic uint64_t answer_errors;                  /* answers that the kernel did not take (the opener was gone) */
    /* Whether the scout has seen all that happened before a question: the judge writes the next number and rings, the scout
     * writes the last number that it has come to. */
    _Atomic uint32_t scout_asked;   /* judge */
    _Atomic uint32_t scout_settled; /* scout */
    /* Scout: CLOCK_REALTIME; it has seen all that happened before. Each second, if it can. Where a register is inherited,
     * at first the keeper: what the scout before had seen. */
    _Atomic int64_t scout_seen_ns;
    /* scout */
    _Atomic uint32_t scanned; /* 1 when the first marking is complete */
    _Atomic uint64_t rescans; /* times that everything was looked at again, because changes were missed */
    struct board_watch watch[WATCHES_MAX];
    /* judge */
    struct board_slot slot[]; /* policy.n_rules + policy.n_watches */
};

/* Bytes of a board for this policy. */
static inline size_t board_size(const struct policy *p)
{
    return sizeof(struct board) + sizeof(struct board_slot) * ((size_t)p->n_rules + (size_t)p->n_watches);
}

static inline struct board_slot *board_slot(struct board *b, const struct policy *p, int watch, int rule)
{
    return &b->slot[rule == RULE_DEFAULT ? p->n_rules + watch : rule];
}

#endif
