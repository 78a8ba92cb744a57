#include "fileward/scout.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/loop.h"
#include "scout/walk.h"

static void on_word(void *ctx, int fd, uint32_t events)
{
    (void)events;
    struct loop *l = ctx;
    char word;
    ssize_t n = read(fd, &word, 1);
    if (n == 1 && word == 'q')
        l->stop = true;
    else if (n == 0 || (n < 0 && errno != EAGAIN &&
                        errno != EINTR)) /* the keeper is gone; a judge may still serve and need our marks kept */
        loop_remove(l, fd);
}

static void on_alone(void *ctx, int fd, uint32_t events)
{
    (void)fd, (void)events;
    ((struct loop *)ctx)->stop = true;
}

void scout_run(const struct scout_setup *setup)
{
    struct loop l;
    if (loop_init(&l) < 0 || loop_add(&l, setup->control_fd, EPOLLIN, on_word, &l) < 0 ||
        loop_add(&l, setup->alive_fd, 0 /* EPOLLHUP comes unasked */, on_alone, &l) < 0)
        _exit(EXIT_FAILURE);
    for (int i = 0; i < setup->policy->n_watches; i++) {
        struct marks m = {.is = setup, .watch = i};
        atomic_store(&setup->board->watch[i].unguarded, 0);
        walk_watch(&m);
    }
    atomic_store(&setup->board->scanned, 1);
    (void)!write(setup->control_fd, "r", 1);
    loop_run(&l);
    loop_close(&l);
}
