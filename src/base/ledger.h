/* The ledger: what a keeper leaves behind for the next one, in a file beside the gate (/run/fileward/ledger, 0600 root),
 * so that it outlives every process: which descriptors of the judge are what, who the family is, and when somebody last
 * guarded. Written by the keeper; the judge of a dead keeper keeps `alive_ns` going. */
#ifndef FILEWARD_BASE_LEDGER_H
#define FILEWARD_BASE_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/answer.h"
#include "fileward/board.h"

enum { LEDGER_VERSION = 1 };

/* A group, under the number that it has in the judge. */
struct ledger_gate {
    char watch[NAME_MAX_LEN + 1];
    uint8_t mode, on_timeout; /* enum mode, enum action */
    int32_t fd;
    uint32_t number; /* of the watch in the register */
};

/* Descriptors, under the numbers that they have in the judge; `http` in the herald. */
struct ledger_page {
    int32_t reg, ring_memory[ROLE_COUNT], ring_wake[ROLE_COUNT], http;
    uint32_t next_number; /* the first that no watch has had */
    uint32_t n_gates;
    struct ledger_gate gate[GATES_MAX];
};

struct ledger {
    char magic[8]; /* "fileward"; written last */
    uint32_t version;
    _Atomic uint32_t current;          /* which page holds */
    _Atomic int64_t alive_ns;          /* wall clock: somebody guarded then */
    _Atomic uint32_t orderly;          /* the last run ended because it was told to */
    int64_t gap_from_ns, gap_until_ns; /* the last time that nobody guarded; 0: none is known */
    uint32_t gap_orderly;
    struct board_kin family[FAMILY_MAX];
    struct ledger_page page[2];
};

/* Maps the ledger's file, made long enough first. NULL with errno. */
struct ledger *ledger_map(int fd);

/* Unmaps it: for those who have no business with it. */
void ledger_close(struct ledger *l);

/* Whether there is something to read: made by a program of this version. */
bool ledger_is_readable(const struct ledger *l);

/* Puts a page in force in one step, and the head in order. */
void ledger_put(struct ledger *l, const struct ledger_page *page);

/* Somebody guards now. */
void ledger_alive(struct ledger *l);

/* For whoever begins to guard after nobody did: notes the gap from the last sign of life until now. */
void ledger_close_gap(struct ledger *l);

#endif
