/* measure [-r ROUNDS] [-n OPENERS] [-f FILES] WHAT NAME=DIR...: does WHAT in each DIR in turn, and prints one JSON object
 * of how long it took in nanoseconds and how that compares with the first. WHAT is
 *   open            OPENERS processes open FILES files, over and over
 *   read            the same, and read a byte of each
 *   first           a process that has never opened anything opens one file
 *   storm           the longest that an opener waits beside OPENERS that only fork, open and end
 *   COMMAND TIMES   a shell command that does something TIMES times in the directory $1 */
#include <err.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/pairs.h"
#include "cli/workload.h"

struct job {
    const char *what;
    int times;
    struct workload w;
    char **names;
};

static double measure(void *ctx, int thing)
{
    const struct job *j = ctx;
    const char *dir = strchr(j->names[thing], '=') + 1;
    if (strcmp(j->what, "open") == 0 || strcmp(j->what, "read") == 0)
        return workload_opens(dir, &j->w);
    if (strcmp(j->what, "first") == 0)
        return workload_first_open(dir, &j->w);
    if (strcmp(j->what, "storm") == 0)
        return workload_storm(dir, &j->w, 2);
    return workload_command(dir, j->what, j->times);
}

static json_t *spread_json(const struct spread *s)
{
    return json_pack("{s:f, s:f, s:f}", "median", s->median, "low", s->low, "high", s->high);
}

int main(int argc, char **argv)
{
    struct job j = {.w = {.openers = 1, .files = 1}};
    int rounds = 15;
    for (int c; (c = getopt(argc, argv, "+r:n:f:")) != -1;) {
        if (c == 'r')
            rounds = atoi(optarg);
        else if (c == 'n')
            j.w.openers = atoi(optarg);
        else if (c == 'f')
            j.w.files = atoi(optarg);
        else
            return 2;
    }
    argv += optind, argc -= optind;
    j.what = argc > 0 ? *argv++ : "", argc--;
    j.w.read = strcmp(j.what, "read") == 0;
    if (strchr(j.what, ' '))
        j.times = argc > 0 ? atoi(*argv++) : 0, argc--;
    j.names = argv;
    if (argc < 1 || argc > PAIRS_THINGS_MAX || j.w.openers < 1 || j.w.files < 1 || (strchr(j.what, ' ') && j.times < 1))
        errx(2, "usage: measure [-r ROUNDS] [-n OPENERS] [-f FILES] WHAT [TIMES] NAME=DIR...");
    for (int i = 0; i < argc; i++)
        if (!strchr(argv[i], '='))
            errx(2, "%s is not NAME=DIR", argv[i]);

    struct pair result[PAIRS_THINGS_MAX];
    if (!pairs_run(rounds, argc, measure, &j, result))
        return 1;
    json_t *all = json_object();
    for (int i = 0; i < argc; i++) {
        size_t n = strcspn(argv[i], "=");
        argv[i][n] = '\0';
        json_object_set_new(
            all, argv[i],
            json_pack("{s:o, s:o}", "ns", spread_json(&result[i].value), "ratio", spread_json(&result[i].ratio)));
    }
    json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(all);
    return 0;
}
