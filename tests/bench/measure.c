/* measure [-r ROUNDS] [-n OPENERS] [-f FILES] WHAT NAME=DIR[,OPENERS[,FILES]]...: does WHAT in each DIR in turn, and prints
 * one JSON object of how long it took in nanoseconds and how that compares with the first. WHAT is
 *   open            OPENERS processes open FILES files, over and over
 *   read            the same, and read a byte of each
 *   turns           OPENERS processes that take turns open one file each
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
    struct workload w; /* of a thing that does not say it for itself */
    struct thing {
        char *name, *dir;
        struct workload w;
    } things[PAIRS_THINGS_MAX];
};

static double measure(void *ctx, int thing)
{
    const struct job *j = ctx;
    const char *dir = j->things[thing].dir;
    const struct workload *w = &j->things[thing].w;
    if (strcmp(j->what, "open") == 0 || strcmp(j->what, "read") == 0)
        return workload_opens(dir, w);
    if (strcmp(j->what, "turns") == 0)
        return workload_turns(dir, w);
    if (strcmp(j->what, "first") == 0)
        return workload_first_open(dir, w);
    if (strcmp(j->what, "storm") == 0)
        return workload_storm(dir, w, 2);
    return workload_command(dir, j->what, j->times);
}

static struct thing parse(const struct job *j, char *arg)
{
    struct thing t = {.name = arg, .w = j->w};
    char *equal = strchr(arg, '=');
    if (!equal)
        errx(2, "%s is not NAME=DIR", arg);
    *equal = '\0';
    t.dir = equal + 1;
    char *openers = strchr(t.dir, ','), *files = openers ? strchr(openers + 1, ',') : NULL;
    if (openers) {
        *openers = '\0';
        t.w.openers = atoi(openers + 1);
    }
    if (files)
        t.w.files = atoi(files + 1);
    return t;
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
    if (argc < 1 || argc > PAIRS_THINGS_MAX || j.w.openers < 1 || j.w.files < 1 || (strchr(j.what, ' ') && j.times < 1))
        errx(2, "usage: measure [-r ROUNDS] [-n OPENERS] [-f FILES] WHAT [TIMES] NAME=DIR[,OPENERS[,FILES]]...");
    for (int i = 0; i < argc; i++)
        j.things[i] = parse(&j, argv[i]);

    struct pair result[PAIRS_THINGS_MAX];
    if (!pairs_run(rounds, argc, measure, &j, result))
        return 1;
    json_t *all = json_object();
    for (int i = 0; i < argc; i++)
        json_object_set_new(
            all, j.things[i].name,
            json_pack("{s:o, s:o}", "ns", spread_json(&result[i].value), "ratio", spread_json(&result[i].ratio)));
    json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(all);
    return 0;
}
