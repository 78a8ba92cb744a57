#include "base/answer.h"

#include <errno.h>
#include <stdint.h>
#include <sys/fanotify.h>
#include <sys/uio.h>
#include <unistd.h>

/* linux/fanotify.h, 6.14: an errno in the top byte of the response. */
#define DENY_WITH(e) (FAN_DENY | (((uint32_t)(e)&0xffu) << 24))

enum action answer_verdict(const struct gate *gate, enum answer answer)
{
    return answer == ANSWER_ALLOW || gate->mode != MODE_ENFORCE ? ACTION_ALLOW : ACTION_DENY;
}

static struct fanotify_response response(const struct gate *gate, int event_fd, enum answer answer)
{
    struct fanotify_response r = {.fd = event_fd, .response = FAN_ALLOW};
    if (answer_verdict(gate, answer) == ACTION_DENY)
        r.response = answer == ANSWER_RELEASE && gate->deny_errno ? DENY_WITH(EBUSY) : FAN_DENY;
    return r;
}

int answer_write(const struct gate *gate, int event_fd, enum answer answer)
{
    struct fanotify_response r = response(gate, event_fd, answer);
    /* One response a write: the kernel takes the first and ignores the rest. */
    return write(gate->fd, &r, sizeof r) == (ssize_t)sizeof r ? 0 : -1;
}

/* A group has no vectored write of its own, so the kernel makes one write of each part, until one fails. */
int answer_write_several(const struct gate *gate, const struct answer_to *to, int n)
{
    struct fanotify_response r[ANSWERS_MAX];
    struct iovec parts[ANSWERS_MAX];
    for (int i = 0; i < n && i < ANSWERS_MAX; i++) {
        r[i] = response(gate, to[i].event_fd, to[i].answer);
        parts[i] = (struct iovec){.iov_base = &r[i], .iov_len = sizeof r[i]};
    }
    ssize_t written = writev(gate->fd, parts, n < ANSWERS_MAX ? n : ANSWERS_MAX);
    return written < 0 ? 0 : (int)((size_t)written / sizeof r[0]);
}
