#include "herald/self.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { FDS_LOOKED_AT = 512 };

void self_open(struct self *s)
{
    struct rlimit files = {0};
    struct timespec up = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    clock_gettime(CLOCK_BOOTTIME, &up);
    *s = (struct self){
        .stat_fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC),
        .ticks_per_s = sysconf(_SC_CLK_TCK),
        .page_bytes = sysconf(_SC_PAGESIZE),
        .max_fds = files.rlim_cur,
        .boot_ns = clock_wall() - ((int64_t)up.tv_sec * NS_PER_S + up.tv_nsec),
    };
}

void self_close(struct self *s)
{
    if (s->stat_fd >= 0)
        close(s->stat_fd);
}

void self_parse_stat(const struct self *s, const char *text, struct self_usage *u)
{
    enum { UTIME = 14, STIME = 15, START = 22, VSIZE = 23, RSS = 24 };
    uint64_t field[RSS + 1] = {0};
    /* The second field is a name in parentheses, with anything in it. */
    const char *at = strrchr(text, ')');
    if (!at || at[1] != ' ')
        return;
    at += 2;
    for (int i = 3; i <= RSS && at; i++) {
        field[i] = strtoull(at, NULL, 10);
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    uint64_t tick_ns = (uint64_t)(NS_PER_S / s->ticks_per_s);
    u->cpu_ns = (field[UTIME] + field[STIME]) * tick_ns;
    u->started_ns = s->boot_ns + (int64_t)(field[START] * tick_ns);
    u->virtual_bytes = field[VSIZE];
    u->resident_bytes = field[RSS] * (uint64_t)s->page_bytes;
}

/* By asking for each: the herald never has more than its clients and a few, and may not list directories. */
static uint64_t count_fds(uint64_t max)
{
    uint64_t n = 0;
    for (int fd = 0; fd < FDS_LOOKED_AT && (uint64_t)fd < max; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

struct self_usage self_usage(const struct self *s)
{
    struct self_usage u = {.max_fds = s->max_fds, .open_fds = count_fds(s->max_fds)};
    char text[1024];
    ssize_t n = s->stat_fd >= 0 ? pread(s->stat_fd, text, sizeof text - 1, 0) : -1;
    if (n > 0) {
        text[n] = '\0';
        self_parse_stat(s, text, &u);
    }
    return u;
}
