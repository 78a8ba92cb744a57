/* A record on its way from keeper, judge or scout to the herald: fixed part, then the bytes of its texts. The herald
 * makes JSON of it (docs/json.md). Names are raw bytes here, exactly as the kernel gave them. */
#ifndef FILEWARD_RECORD_H
#define FILEWARD_RECORD_H

#include <stdint.h>

#include "fileward/policy.h"
#include "fileward/role.h"

enum {
    RECORD_BYTES_MAX = 16384,
    RECORD_ANCESTORS_MAX = 32,
    RECORD_NAME_MAX = 4096,    /* of the object and the program */
    RECORD_ANCESTOR_MAX = 128, /* of each ancestor's program; longer ones are cut */
};

enum record_kind {
    RECORD_ACCESS,  /* a decision */
    RECORD_REPEAT,  /* `count` more of the access record `of_seq`; only watch, rule, op, decision, verdict are set */
    RECORD_TIMEOUT, /* a question answered by on_timeout because its time was over; subject and object as far as known */
    RECORD_RESCUE,  /* the keeper released `count` openers without a decision; text: why */
    RECORD_START,   /* fileward serves; count: marks; text: how, if not from nothing */
    RECORD_RELOAD,  /* another policy is in force (decision: ALLOW), or was refused; count: marks; text: why */
    RECORD_STOP,    /* fileward stops; text: why */
    RECORD_UNGUARDED, /* the scout left something unmarked; path: what; text: why */
    RECORD_OPEN,      /* a process held a guarded file open when it was marked; held_by: how; subject and object */
    RECORD_RESCAN,    /* the scout missed changes and has looked at everything again; count: marks; text: why */
    RECORD_KIND_COUNT
};

enum record_reason {
    REASON_RULE,    /* a rule matched */
    REASON_DEFAULT, /* no rule did */
    REASON_TIMEOUT, /* time was over: on_timeout */
    REASON_INIT,    /* process 1 is never refused */
    REASON_COUNT
};

/* What a reader should distrust about the subject. */
enum subject_flag {
    FLAG_DELETED = 1u << 0,      /* its program has no name any more */
    FLAG_IMPOSTOR = 1u << 1,     /* its program has the name of one that the policy names, and is another inode */
    FLAG_FOREIGN = 1u << 2,      /* other user or mount namespace than ours */
    FLAG_TRACED = 1u << 3,       /* somebody ptraces it */
    FLAG_MEMFD = 1u << 4,        /* its program is a memfd */
    FLAG_UNKNOWN = 1u << 5,      /* its program could not be determined */
    FLAG_FOREIGN_CODE = 1u << 6, /* it runs code that is neither its program's nor a package's */
};

/* What it holds the file by: HOLDING_x of base/holdings.h. */
enum { HELD_BY_MAX = 4 };

/* `len` bytes at `at` in record.text. len 0: none. */
struct record_text {
    uint16_t at, len;
};
enum record_cut {
    CUT_PATH = 1u << 0,
    CUT_EXE = 1u << 1,
    CUT_ANCESTORS = 1u << 2
}; /* by the role; the herald cuts more */

struct record {
    uint32_t size;                               /* of the whole record in bytes, text included; a multiple of 8 */
    uint8_t kind;                                /* enum record_kind */
    uint8_t role;                                /* enum role; filled by ring_push() */
    uint8_t op, decision, verdict, mode, reason; /* enum op (OP_ANY too), action, action, mode, record_reason */
    uint8_t n_ancestors;
    uint64_t seq;        /* per role, from 1; filled by ring_push() */
    int64_t time_ns;     /* CLOCK_REALTIME */
    char policy[64];     /* hash of the policy in force, hex */
    uint64_t latency_ns; /* from reading the question to writing the verdict */
    uint64_t count;
    uint64_t of_seq;
    uint32_t flags;   /* enum subject_flag */
    uint32_t cut;     /* enum record_cut */
    uint32_t held_by; /* RECORD_OPEN */
    uint32_t object_major, object_minor;
    uint64_t object_ino;
    uint32_t exe_major, exe_minor;
    uint64_t exe_ino; /* 0: unknown */
    int32_t pid, tid;
    uint32_t uid, ruid, gid, egid, loginuid; /* uid: the file-system uid; UINT32_MAX: unset */
    uint32_t watches, rules;                 /* of the policy: start, reload */
    /* Names, not indices: a record outlives the policy under which it was made. text: the rule's own reason, or why */
    struct record_text watch, rule, path, exe, comm, unit, text;
    struct {
        int32_t pid;
        struct record_text exe;
    } ancestors[RECORD_ANCESTORS_MAX];
    char bytes[]; /* the texts */
};

#endif
