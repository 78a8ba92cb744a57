/* hammer [-n OPENS] [-s SECONDS] [-f] [-w] PATH...: opens the PATHs in turn, over and over, until it has done so OPENS
 * times, SECONDS are over or SIGTERM comes; then says in one line of JSON what came of it and how long the longest open
 * took. Time in which we could have gone on but had no processor does not count: that is other programs' doing.
 *   -f   each open in a new process, which ends at once
 *   -w   opens for writing */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Shared with the processes of -f, of which only one lives at a time. */
struct tally {
    uint64_t ok, eperm, ebusy, other;
    int64_t worst_ns, worst_at_ns; /* the longest wait, and when it began */
    int other_errno;
};

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
    (void)sig;
    stop = 1;
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* Nanoseconds that we spent waiting for a processor: the second number of schedstat. 0 where there is none. */
static int64_t starved(void)
{
    static int fd = -1;
    static pid_t whose;
    char text[96] = "";
    if (whose != getpid()) { /* the descriptor of a parent shows the parent */
        whose = getpid();
        if (fd >= 0)
            close(fd);
        fd = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0 || pread(fd, text, sizeof text - 1, 0) <= 0)
        return 0;
    const char *second = strchr(text, ' ');
    return second ? strtoll(second, NULL, 10) : 0;
}

static void open_once(struct tally *t, const char *path, int flags)
{
    int64_t starved_before = starved();
    int64_t began = now();
    int fd = open(path, flags | O_CLOEXEC);
    int why = errno;
    int64_t took = now() - began - (starved() - starved_before);
    if (took > t->worst_ns) {
        t->worst_ns = took;
        t->worst_at_ns = began;
    }
    if (fd >= 0) {
        t->ok++;
        close(fd);
    } else if (why == EPERM) {
        t->eperm++;
    } else if (why == EBUSY) {
        t->ebusy++;
    } else {
        t->other++;
        t->other_errno = why;
    }
}

static void in_child(struct tally *t, const char *path, int flags)
{
    pid_t pid = fork();
    if (pid == 0) {
        open_once(t, path, flags);
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void say(const struct tally *t, int64_t began)
{
    printf("{\"ok\":%lu,\"eperm\":%lu,\"ebusy\":%lu,\"other\":%lu,\"error\":\"%s\",", (unsigned long)t->ok,
           (unsigned long)t->eperm, (unsigned long)t->ebusy, (unsigned long)t->other,
           t->other ? strerrorname_np(t->other_errno) : "");
    printf("\"worst_us\":%ld,\"worst_at_ms\":%ld,\"seconds\":%.3f}\n", (long)(t->worst_ns / 1000),
           (long)((t->worst_ns ? t->worst_at_ns - began : 0) / 1000000), (double)(now() - began) / 1e9);
}

int main(int argc, char **argv)
{
    uint64_t opens = UINT64_MAX;
    int64_t nanoseconds = INT64_MAX;
    bool forks = false;
    int flags = O_RDONLY;
    for (int c; (c = getopt(argc, argv, "n:s:fw")) != -1;) {
        switch (c) {
        case 'n':
            opens = strtoull(optarg, NULL, 10);
            break;
        case 's':
            nanoseconds = (int64_t)(strtod(optarg, NULL) * 1e9);
            break;
        case 'f':
            forks = true;
            break;
        case 'w':
            flags = O_WRONLY;
            break;
        default:
            return 2;
        }
    }
    char **paths = argv + optind;
    uint64_t n_paths = (uint64_t)(argc - optind);
    if (n_paths == 0) {
        fprintf(stderr, "usage: hammer [-n OPENS] [-s SECONDS] [-f] [-w] PATH...\n");
        return 2;
    }
    struct tally *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (t == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    signal(SIGTERM, on_term);
    int64_t began = now();
    for (uint64_t i = 0; i < opens && !stop && now() - began < nanoseconds; i++) {
        if (forks)
            in_child(t, paths[i % n_paths], flags);
        else
            open_once(t, paths[i % n_paths], flags);
    }
    say(t, began);
    return 0;
}
