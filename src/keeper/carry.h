/* What one family's board leaves to the next one's. */
#ifndef FILEWARD_KEEPER_CARRY_H
#define FILEWARD_KEEPER_CARRY_H

#include "keeper/family.h"

/* What is known of the run, and shall be from the first moment. `from` is NULL where a dead keeper's judge served. */
void carry_head(const struct board *from, struct board *to);

/* Counters go on under the same names. The judge that was has ended; the one that is adds to what comes. */
void carry_counters(const struct family *old, struct family *new);

#endif
