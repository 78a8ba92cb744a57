/* opens ROUNDS OPENERS NAME=FILE...: how many times a second OPENERS processes open and close FILE. The files take
 * turns, a short while each, ROUNDS times and each time in another order, so that whatever else the machine does meets
 * all alike. Prints for each the median, the spread, and the median of its ratio to the first of the same round. */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FILES_MAX = 8, ROUNDS_MAX = 1000, WINDOW_NS = 100000000 };

static long long now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The first opens of a new process are another question than the rate; they are not counted. */
static void open_for_a_while(const char *file, long long *count)
{
    for (int i = 0; i < 20; i++)
        close(open(file, O_RDONLY | O_CLOEXEC));
    long long n = 0, end = now_ns() + WINDOW_NS;
    for (; now_ns() < end; n++) {
        int fd = open(file, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            err(1, "%s", file);
        close(fd);
    }
    *count = n;
}

static double opens_per_second(const char *file, int openers, long long *counts)
{
    for (int i = 0; i < openers; i++) {
        pid_t pid = fork();
        if (pid < 0)
            err(1, "fork");
        if (pid == 0) {
            open_for_a_while(file, &counts[i]);
            _exit(0);
        }
    }
    double sum = 0;
    for (int i = 0; i < openers; i++) {
        int status;
        if (wait(&status) < 0 || status != 0)
            errx(1, "%s could not be opened", file);
    }
    for (int i = 0; i < openers; i++)
        sum += (double)counts[i];
    return sum * 1e9 / WINDOW_NS;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *name, double *rate, double *ratio, int rounds)
{
    qsort(rate, (size_t)rounds, sizeof *rate, by_value);
    qsort(ratio, (size_t)rounds, sizeof *ratio, by_value);
    printf("%-24.*s %10.0f opens/s  (%.0f to %.0f)   mean %6.2f us   ratio %.3f (%.3f to %.3f)\n",
           (int)strcspn(name, "="), name, rate[rounds / 2], rate[rounds / 10], rate[rounds - 1 - rounds / 10],
           1e6 / rate[rounds / 2], ratio[rounds / 2], ratio[rounds / 10], ratio[rounds - 1 - rounds / 10]);
}

int main(int argc, char **argv)
{
    int rounds = argc > 3 ? atoi(argv[1]) : 0, openers = argc > 3 ? atoi(argv[2]) : 0, files = argc - 3;
    if (rounds < 1 || rounds > ROUNDS_MAX || openers < 1 || files > FILES_MAX)
        errx(2, "usage: opens ROUNDS OPENERS NAME=FILE...");
    static double rate[FILES_MAX][ROUNDS_MAX], ratio[FILES_MAX][ROUNDS_MAX];
    long long *counts =
        mmap(NULL, (size_t)openers * sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED)
        err(1, "mmap");
    for (int r = 0; r < rounds; r++) {
        for (int i = 0; i < files; i++) {
            int f = (i + r) % files;
            const char *equals = strchr(argv[3 + f], '=');
            rate[f][r] = opens_per_second(equals ? equals + 1 : argv[3 + f], openers, counts);
        }
        for (int f = 0; f < files; f++)
            ratio[f][r] = rate[f][r] / rate[0][r];
    }
    for (int f = 0; f < files; f++)
        report(argv[3 + f], rate[f], ratio[f], rounds);
    return 0;
}
