/* What the opener is about to do with the file. The event does not say; the kernel can be made to. */
#ifndef FILEWARD_JUDGE_INTENT_H
#define FILEWARD_JUDGE_INTENT_H

#include <stdbool.h>

#include "base/process.h"

/* Whether the blocked open of `object_fd` by `p` can only read. False whenever that is not proven: a writer may be
 * pending, or the file may be about to be truncated. Costs 10 to 90 us (kernel-facts 12). */
bool intent_is_read(int object_fd, const struct process *p);

#endif
