#include "keeper/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fileward/board.h"

#define KERNEL_FAN_REPORT_FD_ERROR 0x2000 /* linux/fanotify.h, 6.13 */

/* UNLIMITED_QUEUE: an overflow would let openers through unasked. NONBLOCK among the event flags: a lease on the object,
 * which any user can take, would else stop the reader for 45 seconds (kernel-facts 6 and 13). */
static int make_group(unsigned flags)
{
    return fanotify_init(flags | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS |
                             FAN_REPORT_TID,
                         O_RDONLY | O_LARGEFILE | O_CLOEXEC | O_NOATIME | O_NONBLOCK);
}

/* A refusal can carry an errno if the kernel, told of an event that does not exist, objects to the event and not to the
 * response. */
static bool takes_errno(int fd)
{
    struct fanotify_response r = {.fd = 4095, .response = FAN_DENY | (uint32_t)EBUSY << 24};
    return write(fd, &r, sizeof r) < 0 && errno == ENOENT;
}

static int complain(void)
{
    switch (errno) {
    case EPERM:
        fprintf(stderr,
                "fileward: the kernel does not let us guard files (fanotify_init: EPERM): this needs CAP_SYS_ADMIN in "
                "the machine's own user namespace; in a container or under a system call filter it is not to be "
                "had, so run fileward on the host\n");
        break;
    case ENOSYS:
    case EINVAL:
        fprintf(stderr, "fileward: this kernel cannot ask about opens: it needs Linux 5.15 with "
                        "CONFIG_FANOTIFY_ACCESS_PERMISSIONS (see /boot/config-$(uname -r))\n");
        break;
    case EMFILE:
        fprintf(stderr, "fileward: no more fanotify groups: raise sysctl fs.fanotify.max_user_groups, or use fewer "
                        "watches\n");
        break;
    default:
        fprintf(stderr, "fileward: fanotify_init: %s\n", strerror(errno));
    }
    return -1;
}

int groups_create(const struct policy *p, struct gate gates[WATCHES_MAX], uint32_t *features)
{
    /* The best first; each missing one is tried without. */
    static const unsigned kinds[] = {FAN_CLASS_PRE_CONTENT | KERNEL_FAN_REPORT_FD_ERROR,
                                     FAN_CLASS_CONTENT | KERNEL_FAN_REPORT_FD_ERROR, FAN_CLASS_CONTENT};
    size_t kind = 0;
    for (int i = 0; i < p->n_watches; i++) {
        int fd = -1;
        while ((fd = make_group(kinds[kind])) < 0 && errno == EINVAL && kind < 2)
            kind++;
        if (fd < 0)
            return complain();
        gates[i] = (struct gate){.fd = fd, .mode = watch_mode(p, &p->watches[i]), .deny_errno = takes_errno(fd)};
        *features |= gates[i].deny_errno ? FEATURE_DENY_ERRNO : 0u;
        *features |= kinds[kind] & KERNEL_FAN_REPORT_FD_ERROR ? FEATURE_FD_ERROR : 0u;
    }
    return 0;
}

unsigned groups_unread(const struct gate *gates, int n)
{
    unsigned unread = 0;
    for (int i = 0; i < n; i++) {
        int bytes = 0;
        if (ioctl(gates[i].fd, FIONREAD, &bytes) == 0)
            unread += (unsigned)bytes / FAN_EVENT_METADATA_LEN;
    }
    return unread;
}

unsigned groups_drain(const struct gate *gate, enum answer fallback)
{
    enum { MOST = 4096 }; /* at a time: the keeper has more to look after */
    struct fanotify_event_metadata events[16];
    unsigned n = 0;
    for (ssize_t len; n < MOST && (len = read(gate->fd, events, sizeof events)) > 0;) {
        const struct fanotify_event_metadata *e = events;
        for (; FAN_EVENT_OK(e, len); e = FAN_EVENT_NEXT(e, len)) {
            if (e->fd < 0)
                continue;
            answer_write(gate, e->fd, fallback);
            close(e->fd);
            n++;
        }
    }
    return n;
}
