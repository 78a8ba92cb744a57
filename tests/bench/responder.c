/* responder FILE: the least that a gate can be. Marks FILE and allows every open of it, without a thought; the measure
 * for what fileward adds. Prints "ready" and goes on until it is killed. */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 2)
        errx(2, "usage: responder FILE");
    int group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_UNLIMITED_QUEUE, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (group < 0 || fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, argv[1]) < 0)
        err(1, "%s", argv[1]);
    puts("ready");
    fflush(stdout);
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
