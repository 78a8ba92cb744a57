/* Repeats: the first sight of a combination is recorded at once, what follows within a second is counted and told as one
 * later record. Bounded; when it is full an older combination is told early and forgotten. */
#ifndef FILEWARD_JUDGE_FOLD_H
#define FILEWARD_JUDGE_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/register.h"
#include "fileward/record.h"

/* What makes two accesses the same for a reader of the log. */
struct fold_key {
    struct file_id program, object;
    uint32_t uid, ruid, gid, egid;
    uint32_t loginuid_or_tid; /* the thread, where the program is unknown */
    int32_t watch, rule;
    uint8_t op, decision, verdict, mode;
};

enum { FOLD_SLOTS = 512 };
struct fold {
    struct fold_entry {
        struct fold_key key;
        bool used;
        uint64_t first_seq; /* of the record that was written */
        uint64_t count;     /* since then, not yet told */
        int64_t until_ns;
    } entry[FOLD_SLOTS];
    int64_t next_ns; /* when something is to be told; 0 never */
};

/* Tells a repeat: called with the key, the sequence number of the first record and how many. */
typedef void fold_tell(void *ctx, const struct fold_key *key, uint64_t first_seq, uint64_t count);

/* True if this is a repeat (and has been counted). False: record it, then call fold_remember(). */
bool fold_repeat(struct fold *f, const struct fold_key *key, int64_t now);
void fold_remember(struct fold *f, const struct fold_key *key, uint64_t seq, int64_t now, fold_tell *tell, void *ctx);

/* Tells what is due at `now` (all of it with INT64_MAX). */
void fold_flush(struct fold *f, int64_t now, fold_tell *tell, void *ctx);

#endif
