/* The keeper's records. */
#ifndef FILEWARD_KEEPER_SAY_H
#define FILEWARD_KEEPER_SAY_H

#include "keeper/family.h"

void say_start(struct family *f, uint64_t marks);
void say_stop(struct family *f, const char *why);
void say_rescue(struct family *f, uint64_t released, const char *why);
/* `n` questions of `watch` were answered by on_timeout. */
void say_timeout(struct family *f, int watch, uint64_t n, enum action verdict);

#endif
