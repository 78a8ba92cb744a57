#include "scout/feeds.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/fanotify.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "scout/marks.h"

int scout_changes_groups(int fds[SCOUT_FEEDS_MAX])
{
    /* The queues are as long as the administrator allows: whoever makes files faster than we mark them must not fill the
     * kernel's memory. What does not fit is made up for by looking everywhere again. */
    const unsigned flags =
        FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_MARKS | FAN_REPORT_FID | FAN_REPORT_DFID_NAME;
    int n = 0;
    while (n < SCOUT_FEEDS_MAX && (fds[n] = fanotify_init(flags, O_RDONLY)) >= 0)
        n++;
    return n;
}

static bool went_into(const struct feed *f, const struct file_id *id)
{
    return f->used && f->major == id->major && f->minor == id->minor;
}

/* Half of the groups are for what users have not made themselves: one can make as many subvolumes as he likes. */
static bool may_go_into(const struct land *l, int i, const struct node *n)
{
    return !n->of_user || l->feed[i].used || i < l->is->n_changes - l->is->n_changes / 2;
}

/* False: this group does not take it. */
static bool try(struct land *l, int i, const struct node *n, uint64_t mask, int *rc)
{
    *rc = marks_add(l, l->is->changes_fds[i], n, mask);
    if (*rc == 0)
        l->feed[i] = (struct feed){true, n->id.major, n->id.minor};
    return *rc == 0 || errno != EXDEV;
}

int feeds_add(struct land *l, const struct node *n, uint64_t mask)
{
    int rc = -1;
    for (int i = 0; i < l->is->n_changes; i++)
        if (went_into(&l->feed[i], &n->id) && try(l, i, n, mask, &rc))
            return rc;
    for (int i = 0; i < l->is->n_changes; i++)
        if (may_go_into(l, i, n) && try(l, i, n, mask, &rc))
            return rc;
    errno = EXDEV;
    return -1;
}

/* By taking away a bit that it has not: the kernel says whether there is a mark at all. Anything else that it says is no
 * proof: before 6.8 it refuses a subvolume without looking. */
bool feeds_follow(const struct land *l, int fd)
{
    char link[FD_NAME_SIZE];
    for (int i = 0; i < l->is->n_changes; i++)
        if (l->feed[i].used &&
            fanotify_mark(l->is->changes_fds[i], KERNEL_TAKE_IN, FAN_CLOSE_WRITE, AT_FDCWD, fd_name(link, fd)) == 0)
            return true;
    return false;
}
