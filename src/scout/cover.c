#include "scout/cover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kernel.h"

enum { KEEPER_MS = 5000 };

/* One byte, the watch's, with the descriptor; see family_hear(). */
static bool send_to_keeper(int control, int watch, int fd)
{
    uint8_t word = (uint8_t)(SCOUT_COVERS + watch);
    struct iovec data = {.iov_base = &word, .iov_len = 1};
    _Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    return sendmsg(control, &message, MSG_NOSIGNAL) == 1;
}

/* 'f': it is marked. 'F': it cannot be. Meanwhile the keeper hears from us. */
static bool await_keeper(struct marks *m)
{
    int64_t until = clock_now() + KEEPER_MS * NS_PER_MS;
    struct pollfd p = {.fd = m->is->control_fd, .events = POLLIN};
    char word = 0;
    while (clock_now() < until && word != 'f' && word != 'F') {
        marks_beat(m);
        if (poll(&p, 1, 100) > 0 && read(p.fd, &word, 1) == 0)
            return false;
    }
    return word == 'f';
}

void cover_device(struct marks *m, const struct node *n, uint32_t entry, const char *path)
{
    const int most = sizeof m->covered / sizeof *m->covered;
    if (m->is->policy->watches[m->watch].coverage != COVERAGE_FILESYSTEM)
        return;
    for (int i = 0; i < m->n_covered && i < most; i++)
        if (m->covered[i].major == n->id.major && m->covered[i].minor == n->id.minor)
            return;
    m->covered[m->n_covered++ % most] = n->id;
    /* Into the register first: from then on the judge looks where an unknown inode lies. */
    if (!reg_cover(m->is->reg, m->is->gates[m->watch].number, n->id.major, n->id.minor, entry))
        marks_unguarded(m, path, "its file system is not marked: there are too many of them");
    else if (!send_to_keeper(m->is->control_fd, m->watch, n->fd) || !await_keeper(m))
        marks_unguarded(m, path, "its file system could not be marked: only what is found there is guarded");
}

void cover_take_in(struct marks *m, const struct node *n, const char *path)
{
    char link[32];
    if (!reg_is_covered(m->is->reg, m->is->gates[m->watch].number))
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", n->fd);
    /* ENOENT: it was not left out. */
    if (fanotify_mark(m->is->gates[m->watch].fd, KERNEL_TAKE_IN, KERNEL_LEAVE_OUT_MASK, AT_FDCWD, link) < 0 &&
        errno != ENOENT)
        marks_unguarded(m, path, "it may have been left out of the questions, and could not be taken in again");
}
