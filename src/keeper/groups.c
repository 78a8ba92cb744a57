#include "keeper/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"
#include "fileward/board.h"
#include "keeper/aloud.h"

enum { NOBODY = INT32_MAX /* a number that no event has */ };
#define KERNEL_FAN_REPORT_FD_ERROR 0x2000 /* linux/fanotify.h, 6.13 */

/* UNLIMITED_QUEUE: an overflow would let openers through unasked. NONBLOCK among the event flags: a lease on the object,
 * which any user can take, would else stop the reader for 45 seconds. */
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
    struct fanotify_response r = {.fd = NOBODY, .response = FAN_DENY | (uint32_t)EBUSY << 24};
    return write(fd, &r, sizeof r) < 0 && errno == ENOENT;
}

static int complain(void)
{
    switch (errno) {
    case EPERM:
        aloud("fileward: the kernel does not let us guard files (fanotify_init: EPERM): this needs CAP_SYS_ADMIN in "
              "the machine's own user namespace; in a container or under a system call filter it is not to be "
              "had, so run fileward on the host");
        break;
    case ENOSYS:
    case EINVAL:
        aloud("fileward: this kernel cannot ask about opens: it needs Linux 5.15 with "
              "CONFIG_FANOTIFY_ACCESS_PERMISSIONS (see /boot/config-$(uname -r))");
        break;
    case EMFILE:
        aloud("fileward: no more fanotify groups: raise sysctl fs.fanotify.max_user_groups, or use fewer "
              "watches");
        break;
    default:
        aloud("fileward: fanotify_init: %s", strerror(errno));
    }
    return -1;
}

static const struct gate *gate_named(const struct family *f, const char *watch)
{
    for (int i = 0; f && i < f->n_gates; i++)
        if (strcmp(f->gates[i].watch, watch) == 0)
            return &f->gates[i];
    return NULL;
}

/* The best first; each missing one is tried without. */
static const unsigned kinds[] = {FAN_CLASS_PRE_CONTENT | KERNEL_FAN_REPORT_FD_ERROR,
                                 FAN_CLASS_CONTENT | KERNEL_FAN_REPORT_FD_ERROR, FAN_CLASS_CONTENT};

static int make_best_group(size_t *kind)
{
    int fd = -1;
    while ((fd = make_group(kinds[*kind])) < 0 && errno == EINVAL && *kind < 2)
        ++*kind;
    return fd;
}

static bool is_inherited(const struct family *f, int fd, int n)
{
    for (int i = 0; i < n; i++)
        if (f->gates[i].fd == fd)
            return true;
    return false;
}

/* Watches that the policy has no more keep their groups until all else is marked. There can be too many of them only
 * after a keeper that died in the middle of a reload: a group without a reader would stop everybody. */
static bool keep_dropped(struct family *f, const struct family *before)
{
    for (int i = 0; before && i < before->n_gates; i++) {
        if (is_inherited(f, before->gates[i].fd, f->policy->n_watches))
            continue;
        if (f->n_gates == GATES_MAX)
            return false;
        struct gate *g = &f->gates[f->n_gates++];
        *g = before->gates[i];
        if (f->policy->settings.mode != MODE_ENFORCE)
            g->mode = MODE_AUDIT;
    }
    return true;
}

/* Whether an overlay's opening of its layers' files is asked about. Nothing but the version tells; distributions that give
 * their kernels old numbers lose a warning at most. */
static bool asks_through_overlays(void)
{
    struct utsname u;
    unsigned major, minor;
    return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
           (major > 6 || (major == 6 && minor >= 5));
}

int groups_create(struct family *f, const struct family *before, uint32_t *features)
{
    const struct policy *p = f->policy;
    size_t kind = 0;
    int probe = make_best_group(&kind); /* which kind there is, also when all groups are inherited */
    if (probe < 0)
        return complain();
    close(probe);
    for (int i = 0; i < p->n_watches; i++) {
        const struct watch *w = &p->watches[i];
        const struct gate *known = gate_named(before, w->name);
        struct gate *g = &f->gates[f->n_gates];
        *g = (struct gate){.fd = known ? known->fd : make_best_group(&kind),
                           .mode = watch_mode(p, w),
                           .on_timeout = w->on_timeout,
                           .number = known ? known->number : (int)f->estate->next_number++};
        if (g->fd < 0)
            return complain();
        f->n_gates++;
        f->fresh |= known ? 0 : UINT64_C(1) << i;
        snprintf(g->watch, sizeof g->watch, "%s", w->name);
        g->deny_errno = takes_errno(g->fd);
        *features |= g->deny_errno ? FEATURE_DENY_ERRNO : 0u;
    }
    *features |= kinds[kind] & KERNEL_FAN_REPORT_FD_ERROR ? FEATURE_FD_ERROR : 0u;
    *features |= asks_through_overlays() ? FEATURE_OVERLAY : 0u;
    if (keep_dropped(f, before))
        return 0;
    aloud("fileward: too many watches change at once: with those of the policies before there would be more than %d; "
          "take a policy that keeps the names of earlier watches, or stop fileward and start it again",
          GATES_MAX);
    return -1;
}

bool groups_check(struct gate *gate)
{
    struct fanotify_response nobody = {.fd = NOBODY, .response = FAN_DENY};
    gate->deny_errno = takes_errno(gate->fd);
    return write(gate->fd, &nobody, sizeof nobody) < 0 && errno == ENOENT;
}

bool groups_cover(const struct family *f, int watch, int fd)
{
    const struct policy *p = f->policy;
    struct statx st;
    char link[FD_NAME_SIZE];
    if (watch < 0 || watch >= p->n_watches || p->watches[watch].coverage != COVERAGE_FILESYSTEM)
        return false;
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID) ||
        !mounts_allow(f->estate->mounts, st.stx_mnt_id))
        return false;
    uint64_t mask = FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM | FAN_ONDIR;
    if (p->watches[watch].guard == GUARD_OPEN_READ)
        mask |= FAN_ACCESS_PERM;
    return fanotify_mark(f->gates[watch].fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, mask, AT_FDCWD, fd_name(link, fd)) ==
           0;
}

static void uncover(const struct gate *gate)
{
    fanotify_mark(gate->fd, FAN_MARK_FLUSH | FAN_MARK_FILESYSTEM, 0, AT_FDCWD, NULL);
}

void groups_uncover(const struct family *f)
{
    for (int i = 0; i < f->policy->n_watches; i++)
        if (f->policy->watches[i].coverage != COVERAGE_FILESYSTEM)
            uncover(&f->gates[i]);
}

void groups_unmark(const struct gate *gate)
{
    uncover(gate);
    fanotify_mark(gate->fd, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL);
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

/* Whom a judge never refuses: the family, whose numbers are theirs as long as they are on the board, and process 1. */
static bool is_let_through(const struct family *f, int32_t tid)
{
    for (int i = 0; i < KIN_MAX; i++)
        if (atomic_load(&f->board->family[i].pid) == tid)
            return true;
    return tid == 1;
}

unsigned groups_drain(const struct family *f, int gate)
{
    enum { MOST = 4096 }; /* at a time: the keeper has more to look after */
    const struct gate *g = &f->gates[gate];
    struct fanotify_event_metadata events[16];
    unsigned n = 0;
    for (ssize_t len; n < MOST && (len = read(g->fd, events, sizeof events)) > 0;) {
        const struct fanotify_event_metadata *e = events;
        for (; FAN_EVENT_OK(e, len); e = FAN_EVENT_NEXT(e, len)) {
            if (e->fd < 0)
                continue;
            answer_write(g, e->fd, is_let_through(f, e->pid) ? ANSWER_ALLOW : answer_fallback(g));
            close(e->fd);
            n++;
        }
    }
    return n;
}
