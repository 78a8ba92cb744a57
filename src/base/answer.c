#include "base/answer.h"

#include <errno.h>
#include <stdint.h>
#include <sys/fanotify.h>
#include <unistd.h>

/* linux/fanotify.h, 6.14: an errno in the top byte of the response. */
#define DENY_WITH(e) (FAN_DENY | (((uint32_t)(e)&0xffu) << 24))

enum action answer_verdict(const struct gate *gate, enum answer answer)
{
    return answer == ANSWER_ALLOW || gate->mode != MODE_ENFORCE ? ACTION_ALLOW : ACTION_DENY;
}

int answer_write(const struct gate *gate, int event_fd, enum answer answer)
{
    struct fanotify_response r = {.fd = event_fd, .response = FAN_ALLOW};
    if (answer_verdict(gate, answer) == ACTION_DENY)
        r.response = answer == ANSWER_RELEASE && gate->deny_errno ? DENY_WITH(EBUSY) : FAN_DENY;
    /* One response a write: the kernel takes the first and ignores the rest (kernel-facts 2). */
    return write(gate->fd, &r, sizeof r) == (ssize_t)sizeof r ? 0 : -1;
}
