/* A record's JSON as one sentence for people. The JSON may be hostile: whatever is missing or of a wrong type is "?",
 * and all text is escaped for a terminal. */
#ifndef FILEWARD_BASE_SENTENCE_H
#define FILEWARD_BASE_SENTENCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum outcome { OUTCOME_ALLOWED, OUTCOME_WOULD_DENY, OUTCOME_DENIED, OUTCOME_NOTICE };
enum outcome sentence_outcome(const json_t *record);

struct sentence_style {
    bool wide;   /* two blanks between the parts */
    bool colour; /* of the outcome, by terminal codes */
};

/* "would deny read /home/a/.ssh/id_ed25519 by /tmp/x[811] uid 1000 (bash < sshd) rule ssh/default x3": without time and
 * newline. */
void sentence_write(FILE *f, const json_t *record, struct sentence_style style);

#endif
