#include "base/rank.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/own.h"

enum { FIRST = -10 };

/* Of the whole session: only for one that is ours. */
static void rank_session(void)
{
    CLEAN_FD int fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        dprintf(fd, "%d", FIRST);
}

void rank_first(void)
{
    const struct rlimit allowed = {20 - FIRST, 20 - FIRST}; /* getrlimit(2): the ceiling is 20 minus this */
    setrlimit(RLIMIT_NICE, &allowed);
    setpriority(PRIO_PROCESS, 0, FIRST);
    if (getsid(0) == getpid())
        rank_session();
}

void rank_first_alone(void)
{
    if (setsid() >= 0)
        rank_session();
}

void rank_last(void)
{
    setsid();
    setpriority(PRIO_PROCESS, 0, 0);
}
