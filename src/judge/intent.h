/* What the opener is about to do with the file. The event does not say; the kernel can be made to. */
#ifndef FILEWARD_JUDGE_INTENT_H
#define FILEWARD_JUDGE_INTENT_H

#include "base/process.h"

enum intent {
    INTENT_READ,     /* proven */
    INTENT_WRITE,    /* everything that is not proven to be a read */
    INTENT_UNPROVEN, /* it looks like a read, but somebody has the file open for writing, and that may be this opener */
    INTENT_NOT_YET,  /* the opener has not fallen asleep yet, so that its call does not show */
};

/* What the open of `object_fd` is for, by the thread that is seen and waits for our answer; with `access`, what is done
 * through a descriptor that is open already. Dear, so ask only where it makes a difference. */
enum intent intent_of(int object_fd, const struct process_sight *opener, bool access);

#endif
