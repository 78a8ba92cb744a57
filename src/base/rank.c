#include "base/rank.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/own.h"

enum { FIRST = -10 };

/* Whether a session of ours could go before others. Else it is better to stay in the one in which we were started. */
static bool is_allowed(void)
{
    struct rlimit now;
    return getrlimit(RLIMIT_NICE, &now) == 0 && now.rlim_cur >= 20 - FIRST;
}

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
    if (is_allowed() && setsid() >= 0)
        rank_session();
}

void rank_last(void)
{
    if (is_allowed())
        setsid();
    setpriority(PRIO_PROCESS, 0, 0);
}
