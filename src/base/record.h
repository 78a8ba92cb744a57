/* Building a record: the fixed part, then its texts one behind the other. */
#ifndef FILEWARD_BASE_RECORD_H
#define FILEWARD_BASE_RECORD_H

#include <stddef.h>

#include "fileward/policy.h"
#include "fileward/record.h"

/* A record of few words: everything that is not an access. */
enum { RECORD_NOTE_BYTES = 6144 };
struct record_note {
    struct record record;
    char bytes[RECORD_NOTE_BYTES];
};

/* Empties the fixed part and notes the time and the policy in force. No text yet; no watch. */
void record_begin(struct record *r, enum record_kind kind, const struct policy *p);

/* Appends a text to a record that lies in `room` bytes. What does not fit is cut. */
struct record_text record_put(struct record *r, size_t room, const char *text, size_t len);

/* Names the watch, and the rule (an index, or RULE_DEFAULT) with its own reason. */
void record_name_watch(struct record *r, size_t room, const struct policy *p, int watch);
void record_name_rule(struct record *r, size_t room, const struct policy *p, int watch, int rule);

/* Closes it: its size is final. */
void record_end(struct record *r);

#endif
