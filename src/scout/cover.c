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
#include "base/own.h"

enum {
    KEEPER_MS = 5000,
    AGAIN_S = 10, /* what the keeper did not do it is asked again after so long */
};

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

/* What came too late for an earlier question. */
static void drop_answers(int control)
{
    struct pollfd p = {.fd = control, .events = POLLIN};
    char word;
    while (poll(&p, 1, 0) > 0 && read(control, &word, 1) == 1)
        ;
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

/* NULL: it is done; else why not. */
static const char *ask(struct marks *m, struct covered *c, int fd)
{
    c->asked_ns = clock_now();
    /* Into the register first: from then on the judge looks where an unknown inode lies. */
    if (!reg_cover(m->is->reg, m->is->gates[m->watch].number, c->on.major, c->on.minor, c->entry, c->of_user)) {
        c->marked = true;
        return "its file system is not marked: there are too many of them";
    }
    drop_answers(m->is->control_fd);
    c->marked = send_to_keeper(m->is->control_fd, m->watch, fd) && await_keeper(m);
    c->asked_ns = clock_now();
    return c->marked ? NULL : "its file system could not be marked: only what is found there is guarded";
}

/* The row of a device; NULL: it was not asked about yet. */
static struct covered *find(struct marks *m, const struct file_id *id)
{
    const int most = sizeof m->covered / sizeof *m->covered;
    for (int i = 0; i < m->n_covered && i < most; i++)
        if (m->covered[i].on.major == id->major && m->covered[i].on.minor == id->minor)
            return &m->covered[i];
    return NULL;
}

static bool is_due(const struct covered *c)
{
    return !c->marked && (c->asked_ns == 0 || clock_now() - c->asked_ns >= AGAIN_S * NS_PER_S);
}

void cover_device(struct marks *m, const struct node *n, uint32_t entry, const char *path)
{
    const int most = sizeof m->covered / sizeof *m->covered;
    struct covered *c = find(m, &n->id);
    if (m->is->policy->watches[m->watch].coverage != COVERAGE_FILESYSTEM || (c && !is_due(c)))
        return;
    if (!c)
        c = &m->covered[m->n_covered++ % most];
    *c = (struct covered){.on = n->id, .entry = entry, .of_user = n->of_user};
    const char *why = ask(m, c, n->fd);
    if (why)
        marks_unguarded(m, path, why);
}

void cover_forget(struct marks *m)
{
    for (size_t i = 0; i < sizeof m->covered / sizeof *m->covered; i++) {
        m->covered[i].marked = false;
        m->covered[i].asked_ns = 0;
    }
}

void cover_again(struct marks *m)
{
    const int most = sizeof m->covered / sizeof *m->covered;
    for (int i = 0; i < m->n_covered && i < most; i++) {
        struct covered *c = &m->covered[i];
        if (!is_due(c))
            continue;
        struct file_id id = reg_id(m->is->reg, c->entry);
        struct reg_handle h = reg_handle(m->is->reg, c->entry);
        CLEAN_FD int fd = file_id_equal(&id, &c->on) ? reach_open_kept(&m->land->reach, &h) : -1;
        c->asked_ns = clock_now();
        if (fd >= 0)
            ask(m, c, fd);
    }
    reach_let_go(&m->land->reach);
}

bool cover_any(const struct marks *m)
{
    return reg_is_covered(m->is->reg, m->is->gates[m->watch].number);
}

void cover_take_in(struct marks *m, const struct node *n, const char *path)
{
    char link[32];
    if (n->fd < 0 || !cover_any(m))
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", n->fd);
    /* ENOENT: it was not left out. */
    if (fanotify_mark(m->is->gates[m->watch].fd, KERNEL_TAKE_IN, KERNEL_LEAVE_OUT_MASK, AT_FDCWD, link) < 0 &&
        errno != ENOENT)
        marks_unguarded(m, path, "it may have been left out of the questions, and could not be taken in again");
}
