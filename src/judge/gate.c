#include "judge/gate.h"

#include <errno.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kernel.h"

static enum question_kind kind_of(uint64_t mask)
{
    if (mask & FAN_OPEN_EXEC_PERM)
        return QUESTION_EXEC;
    if (mask & KERNEL_FAN_PRE_ACCESS)
        return QUESTION_ACCESS;
    return mask & FAN_ACCESS_PERM ? QUESTION_READ : QUESTION_OPEN;
}

/* Finds a free line on the board from `from` on and writes the number there. */
static int hold(struct board *board, int from, int gate, int fd)
{
    int line = from;
    while (line < HELD_MAX - 1 && atomic_load_explicit(&board->held[line].fd, memory_order_relaxed) >= 0)
        line++;
    atomic_store_explicit(&board->held[line].gate, gate, memory_order_relaxed);
    atomic_store_explicit(&board->held[line].fd, fd, memory_order_release);
    return line;
}

int gate_read(const struct gate *gates, int gate, struct board *board, struct question out[BATCH], unsigned *refused)
{
    /* No information records are asked for, so an event is its metadata and a read takes BATCH at most. */
    struct fanotify_event_metadata events[BATCH];
    ssize_t len = read(gates[gate].fd, events, sizeof events);
    int n = 0, line = 0;
    *refused = 0;
    if (len < 0) {
        /* EAGAIN: none waits. Before 6.13 anything else is an event that the kernel refused because it could not open the
         * object for us; since then such an event is told below. */
        if (errno == EAGAIN || errno == EINTR || board->features & FEATURE_FD_ERROR)
            return -1;
        ++*refused;
        return 0;
    }
    const struct fanotify_event_metadata *e = events;
    for (; FAN_EVENT_OK(e, len); e = FAN_EVENT_NEXT(e, len)) {
        if (e->fd < 0) {
            ++*refused;
            continue;
        }
        line = hold(board, line, gate, e->fd);
        out[n++] = (struct question){.kind = kind_of(e->mask),
                                     .gate = gate,
                                     .watch = gate,
                                     .fd = e->fd,
                                     .tid = e->pid,
                                     .read_ns = clock_now(),
                                     .held = line};
    }
    return n;
}

unsigned gate_unread(const struct gate *gate)
{
    int bytes = 0;
    return ioctl(gate->fd, FIONREAD, &bytes) == 0 ? (unsigned)bytes / FAN_EVENT_METADATA_LEN : 0;
}

/* Answer, then close: a closed number could be given to the next question before this answer is written. */
int gate_say(const struct gate *gates, const struct question *q, enum answer answer)
{
    enum { TRIES = 4 };
    int rc = -1;
    errno = 0;
    for (int i = 0; i < TRIES && rc < 0 && errno != ENOENT; i++)
        rc = answer_write(&gates[q->gate], q->fd, answer);
    return rc;
}

int gate_say_several(const struct gate *gates, int gate, const struct answer_to *to, int n)
{
    return answer_write_several(&gates[gate], to, n);
}

/* Evictable, so that it costs no memory that the kernel cannot take back, and so that it can never be set where the scout
 * has marked (EEXIST). Of a directory only its own opening; by descriptor alone. Before 6.0 it has another flag, before
 * 5.19 there is none: then each open is a question. The judge's filter knows these calls and no other. */
void gate_leave_out(const struct gate *gates, const struct question *q, bool directory, unsigned *how)
{
    static const unsigned ways[] = {KERNEL_LEAVE_OUT, KERNEL_LEAVE_OUT_BEFORE_6_0};
    const uint64_t mask = KERNEL_LEAVE_OUT_MASK & ~(directory ? 0 : (uint64_t)FAN_ONDIR);
    while (*how < (directory ? 1 : sizeof ways / sizeof *ways)) { /* the older one would leave out what is in it */
        if (fanotify_mark(gates[q->gate].fd, ways[*how], mask, q->fd, NULL) == 0 || errno != EINVAL)
            break;
        ++*how;
    }
}

void gate_close(struct board *board, const struct question *q)
{
    close(q->fd);
    atomic_store_explicit(&board->held[q->held].fd, -1, memory_order_release);
}

int gate_answer(const struct gate *gates, struct board *board, const struct question *q, enum answer answer)
{
    int rc = gate_say(gates, q, answer);
    int why = errno;
    if (rc < 0 && why != ENOENT)
        return -1;
    gate_close(board, q);
    errno = why;
    return rc;
}
