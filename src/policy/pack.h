/* A copy of a policy in one piece of memory, for handing it to another process. */
#ifndef FILEWARD_POLICY_PACK_H
#define FILEWARD_POLICY_PACK_H

#include "fileward/policy.h"

/* Copies `p` with everything that it points to into `size` bytes at `room`, which must be aligned for any object. The
 * copy holds addresses inside of `room`: it can be read wherever that memory is mapped at the same address. It is never
 * freed by policy_free(). NULL when there is not enough room. */
struct policy *policy_pack(const struct policy *p, void *room, size_t size);

#endif
