/* The ledger: what a keeper leaves behind for the next one, in a file beside the gate (/run/fileward/ledger, 0600 root),
 * so that it outlives every process: which descriptors of the judge are what, who the family is, and when somebody last
 * guarded. Written by the keeper; the judge of a dead keeper keeps `alive_ns` going. Read and written, never mapped:
 * whoever truncates a mapped file ends all who have it mapped. */
#ifndef FILEWARD_BASE_LEDGER_H
#define FILEWARD_BASE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/answer.h"
#include "fileward/board.h"

enum { LEDGER_VERSION = 3 };

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

struct ledger_head {
    char magic[8]; /* "fileward" */
    uint32_t version;
    uint32_t bytes;                    /* of the file */
    uint64_t sum;                      /* of the page that holds */
    uint32_t current;                  /* which of the two that is */
    uint32_t orderly;                  /* the last run ended because it was told to */
    int64_t alive_ns;                  /* wall clock: somebody guarded then */
    int64_t gap_from_ns, gap_until_ns; /* the last time that nobody guarded; 0: none is known */
    uint32_t gap_orderly;
    struct ledger_kin {
        int32_t pid; /* 0: none */
        uint64_t id; /* process_identity() */
    } family[FAMILY_MAX];
};

/* How the file was found. */
enum ledger_state { LEDGER_EMPTY, LEDGER_FOREIGN /* another version's, or damaged */, LEDGER_READABLE };

/* This process's copy, and the file. */
struct ledger {
    int fd;
    enum ledger_state state;
    struct ledger_head head;
    struct ledger_page page; /* the one that holds */
};

/* Reads the file, made long enough first. What is not readable counts as nothing. NULL with errno. */
struct ledger *ledger_open(int fd);

void ledger_free(struct ledger *l);

/* Puts a page in force in one step, and the head in order. */
void ledger_put(struct ledger *l, const struct ledger_page *page);

/* Who sits in a seat. */
void ledger_seat(struct ledger *l, int seat, int32_t pid, uint64_t id);

/* Somebody guards now. */
void ledger_alive(struct ledger *l);

/* The run that ends was told to. */
void ledger_end(struct ledger *l);

/* For whoever begins to guard after nobody did: notes the gap from the last sign of life until now. */
void ledger_close_gap(struct ledger *l);

/* Writes all of it again if somebody has truncated the file. For the keeper, whose copy is the newest. */
void ledger_mend(struct ledger *l);

#endif
