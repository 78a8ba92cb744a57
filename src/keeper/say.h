/* The keeper's records. */
#ifndef FILEWARD_KEEPER_SAY_H
#define FILEWARD_KEEPER_SAY_H

#include "keeper/family.h"

/* `how` it came to serve, if not from nothing: else "". */
void say_start(struct family *f, uint64_t marks, const char *how);
/* Another policy is in force, or (not successful) it is not and why; `marks` that there are. */
void say_reload(struct family *f, bool successful, uint64_t marks, const char *why);
void say_stop(struct family *f, const char *why);
void say_rescue(struct family *f, uint64_t released, const char *why);
/* `count` questions of `watch` were answered by on_timeout. */
void say_timeout(struct family *f, int watch, uint64_t count);

#endif
