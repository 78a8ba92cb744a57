#include "judge/pace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    FIRST_NS = 10000,
    MOST_NS = 100000, /* who comes later is not worth looking for: to sleep and to wake up takes half as long */
    AWAY_NS = 200000, /* between two looks: somebody else had our processor */
    SKIP_MOST = 64,
    PROC_MAGIC = 0x9fa0,
};

void pace_init(struct pace *p)
{
    cpu_set_t ours;
    struct statfs fs;
    *p = (struct pace){.loadavg = open("/proc/loadavg", O_RDONLY | O_CLOEXEC)};
    p->processors = sched_getaffinity(0, sizeof ours, &ours) == 0 ? CPU_COUNT(&ours) : 1;
    /* Containers lay a file of FUSE over it, which might let us wait. */
    if (p->loadavg >= 0 && (fstatfs(p->loadavg, &fs) < 0 || fs.f_type != PROC_MAGIC)) {
        close(p->loadavg);
        p->loadavg = -1;
    }
}

/* The fourth word is "RUNNABLE/ALL"; we are one of them. */
static bool has_room(const struct pace *p)
{
    char text[64];
    ssize_t n = p->loadavg < 0 ? -1 : pread(p->loadavg, text, sizeof text, 0);
    int runnable = 0, word = 0;
    for (ssize_t i = 0; i < n && word < 4; i++) {
        if (text[i] == ' ')
            word++;
        else if (word == 3 && text[i] >= '0' && text[i] <= '9')
            runnable = runnable * 10 + text[i] - '0';
        else if (word == 3)
            return runnable <= p->processors;
    }
    return false;
}

/* Crowds come and go: after one it is tried again the next time, after many in a row now and then. */
static void meet_crowd(struct pace *p)
{
    p->crowds = p->crowds ? p->crowds * 2 : 1;
    if (p->crowds > SKIP_MOST)
        p->crowds = SKIP_MOST;
    p->skip = p->crowds;
}

void pace_woken(struct pace *p, int64_t now)
{
    int64_t waited = now - p->rested_at;
    if (p->rested_at == 0)
        return;
    if (waited > MOST_NS) /* it does not pay */
        p->patience_ns = 0;
    else if (!p->looking) /* it would have paid */
        p->patience_ns = p->patience_ns == 0 ? FIRST_NS : p->patience_ns < MOST_NS / 2 ? p->patience_ns * 2 : MOST_NS;
}

void pace_done(struct pace *p, int64_t now)
{
    p->rested_at = p->looked_at = now;
    p->looking = p->patience_ns > 0 && p->skip == 0;
    p->has_room = false;
    if (p->skip > 0)
        p->skip--;
}

bool pace_look_again(struct pace *p, int64_t now)
{
    if (!p->looking)
        return false;
    if (now - p->rested_at > p->patience_ns) {
        p->looking = false;
        return false;
    }
    bool away = now - p->looked_at > AWAY_NS;
    /* Asked after a first look in vain, so that it takes nobody's time. */
    if (!away && !p->has_room && p->looked_at != p->rested_at) {
        p->has_room = has_room(p);
        away = !p->has_room;
        if (p->has_room)
            p->crowds = 0;
    }
    if (away) {
        meet_crowd(p);
        p->looking = false;
        return false;
    }
    p->looked_at = now;
    return true;
}
