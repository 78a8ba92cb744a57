/* responder DIR: the least that a gate can be. Marks DIR and what is in it as fileward does, and allows everything
 * without a thought; the measure for what fileward adds. Prints "ready" and goes on until it is killed. */
#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <unistd.h>

static int group;

static int mark(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)at;
    uint64_t what = FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM | (type == FTW_D ? FAN_EVENT_ON_CHILD | FAN_ONDIR : 0);
    if (fanotify_mark(group, FAN_MARK_ADD, what, AT_FDCWD, path) < 0)
        err(1, "%s", path);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        errx(2, "usage: responder DIR");
    group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS,
                          O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (group < 0)
        err(1, "fanotify_init");
    if (fork() == 0) { /* nftw() opens the directories that it marks: somebody must answer meanwhile */
        nftw(argv[1], mark, 16, FTW_PHYS);
        puts("ready");
        fflush(stdout);
        _exit(0);
    }
    for (;;) {
        struct fanotify_event_metadata events[64];
        ssize_t n = read(group, events, sizeof events);
        if (n < 0)
            err(1, "read");
        for (struct fanotify_event_metadata *e = events; FAN_EVENT_OK(e, n); e = FAN_EVENT_NEXT(e, n)) {
            struct fanotify_response response = {.fd = e->fd, .response = FAN_ALLOW};
            if (write(group, &response, sizeof response) < 0)
                err(1, "write");
            close(e->fd);
        }
    }
}
