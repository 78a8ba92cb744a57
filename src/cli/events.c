#include "cli/events.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/sentence.h"
#include "base/stamp.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/lines.h"
#include "cli/places.h"

enum { LAST = 20, FOLLOW_MS = 200 };

static void own_json(json_t **j)
{
    json_decref(*j);
}
#define CLEAN_JSON __attribute__((cleanup(own_json)))

/* Everything that the herald writes is printable ASCII: other bytes are not its, and could play with the terminal. */
static json_t *parse(struct viewer *v, const char *line, size_t len)
{
    bool printable = true;
    for (size_t i = 0; i < len; i++)
        printable = printable && line[i] >= ' ' && line[i] <= '~';
    json_t *o = printable ? json_loadb(line, len, 0, NULL) : NULL;
    if (json_is_object(o))
        return o;
    json_decref(o);
    v->malformed += len > 0;
    return NULL;
}

static int64_t time_of(const json_t *o)
{
    const char *text = json_string_value(json_object_get(o, "time"));
    int64_t ns;
    return text && stamp_parse(text, 0, &ns) ? ns : 0;
}

static bool wanted(const struct viewer *v, const json_t *o)
{
    const char *decision = json_string_value(json_object_get(o, "decision"));
    if (v->denied && !(decision && strcmp(decision, "deny") == 0))
        return false;
    return v->since_ns == 0 || time_of(o) >= v->since_ns;
}

bool viewer_wants(struct viewer *v, const char *line, size_t len)
{
    CLEAN_JSON json_t *o = parse(v, line, len);
    return o && wanted(v, o);
}

/* The time of day; the day itself in a line of its own when it is another than before. */
static void print_time(struct viewer *v, int64_t ns)
{
    char stamp[STAMP_BYTES];
    stamp_text(stamp, ns);
    if (strncmp(v->day, stamp, 10) != 0) {
        snprintf(v->day, sizeof v->day, "%.10s", stamp);
        fprintf(v->out, "%s (UTC)\n", v->day);
    }
    fprintf(v->out, "%.8s ", stamp + 11);
}

bool viewer_line(struct viewer *v, const char *line, size_t len)
{
    CLEAN_JSON json_t *o = parse(v, line, len);
    if (!o || !wanted(v, o))
        return false;
    if (v->json) {
        fwrite(line, 1, len, v->out);
    } else {
        print_time(v, time_of(o));
        sentence_write(v->out, o, (struct sentence_style){.wide = true, .colour = v->colour});
    }
    fputc('\n', v->out);
    return true;
}

/* --- the last ones ------------------------------------------------------------------------------------------------ */

struct last {
    char *lines[LAST];
    size_t n; /* all that were kept, ever */
};

static void keep(struct last *last, const char *line, size_t len)
{
    char **place = &last->lines[last->n % LAST];
    char *copy = strndup(line, len);
    if (!copy)
        return;
    free(*place);
    *place = copy;
    last->n++;
}

static void print_last(struct viewer *v, struct last *last)
{
    for (size_t i = last->n > LAST ? last->n - LAST : 0; i < last->n; i++)
        viewer_line(v, last->lines[i % LAST], strlen(last->lines[i % LAST]));
    for (size_t i = 0; i < LAST; i++)
        free(last->lines[i]);
}

static void show_last(struct viewer *v, struct lines *l)
{
    struct last last = {0};
    const char *line;
    size_t len;
    if (!v->denied) /* then the last ones are at the end, whatever they say */
        lines_seek_tail(l, (off_t)LAST * (LINES_LONGEST + 1));
    while (lines_next(l, &line, &len))
        if (viewer_wants(v, line, len))
            keep(&last, line, len);
    print_last(v, &last);
}

/* --- following ---------------------------------------------------------------------------------------------------- */

static void show_all(struct viewer *v, struct lines *l)
{
    const char *line;
    size_t len;
    while (lines_next(l, &line, &len))
        viewer_line(v, line, len);
}

static void tell_malformed(struct viewer *v, struct lines *l)
{
    size_t n = v->malformed + l->malformed;
    if (n)
        fprintf(stderr, "fileward: %zu %s and %s passed over\n", n,
                n == 1 ? "line is no record" : "lines are no records", n == 1 ? "was" : "were");
    v->malformed = l->malformed = 0;
}

static int follow(struct viewer *v, struct lines *l)
{
    for (;;) {
        while (lines_follow(l))
            show_all(v, l);
        tell_malformed(v, l);
        if (fflush(v->out) != 0)
            return EXIT_FAILED;
        nanosleep(&(struct timespec){.tv_nsec = FOLLOW_MS * NS_PER_MS}, NULL);
    }
}

static int cannot_read(const char *path, int error)
{
    char name[TEXT_ESCAPE_SIZE(256)];
    text_escape(name, sizeof name, path, strlen(path));
    fprintf(stderr, "fileward: cannot read %s: %s%s\n", name, strerror(error),
            error == EACCES || error == EPERM
                ? "; use root, or a member of the service's group"
                : "; the daemon writes it, name another one with --log or its policy with -c");
    return error == EACCES || error == EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED;
}

static int show(struct viewer *v, const char *path, bool keep_on)
{
    static struct lines l;
    if (lines_open(&l, path) < 0 && !(keep_on && errno == ENOENT))
        return cannot_read(path, errno);
    if (v->since_ns)
        show_all(v, &l);
    else
        show_last(v, &l);
    if (keep_on)
        return follow(v, &l);
    tell_malformed(v, &l);
    lines_close(&l);
    return fflush(v->out) == 0 ? EXIT_SUCCESS : EXIT_FAILED;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

struct options {
    struct viewer viewer;
    const char *policy, *log;
    bool follow;
};

static int usage(FILE *out)
{
    fputs("usage: fileward events [-f] [--since TIME] [--denied] [--json] [-c FILE] [--log FILE]\n"
          "\n"
          "Shows what was recorded: the last records of the log, also when the daemon is down. Times are UTC.\n"
          "  -f            go on as it happens\n"
          "  --since TIME  all from then on: 10m, 2h, 3d (ago), 04:00 (today) or 2026-11-22T04:00Z\n"
          "  --denied      only what the policy denies, refused or not\n"
          "  --json        the lines of the log as they are\n"
          "  -c FILE       the log of this policy (/etc/fileward/fileward.ini)\n"
          "  --log FILE    this log\n",
          out);
    return out == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

static int not_a_time(const char *word)
{
    fputs("fileward: --since: `", stderr);
    text_print(stderr, word);
    fputs("` is not a time; a time is 90s, 10m, 2h or 3d (ago), 04:00 (today) or 2026-11-22T04:00Z, in UTC\n", stderr);
    return EXIT_USAGE;
}

/* -1 to go on, or the exit status. */
static int read_options(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {
        {"since", required_argument, NULL, 't'}, {"denied", no_argument, NULL, 'd'}, {"json", no_argument, NULL, 'j'},
        {"log", required_argument, NULL, 'l'},   {"help", no_argument, NULL, 'h'},   {0}};
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "fc:h", known, NULL)) != -1;) {
        if (c == 'f')
            o->follow = true;
        else if (c == 'c')
            o->policy = optarg;
        else if (c == 'l')
            o->log = optarg;
        else if (c == 'd')
            o->viewer.denied = true;
        else if (c == 'j')
            o->viewer.json = true;
        else if (c == 'h')
            return usage(stdout);
        else if (c != 't')
            return usage(stderr);
        else if (!stamp_parse(optarg, clock_wall(), &o->viewer.since_ns))
            return not_a_time(optarg);
    }
    return optind < argc ? usage(stderr) : -1;
}

int cmd_events(int argc, char **argv)
{
    const char *no_color = getenv("NO_COLOR");
    struct options o = {.viewer = {.out = stdout, .colour = isatty(STDOUT_FILENO) && !(no_color && *no_color)}};
    int rc = read_options(argc, argv, &o);
    if (rc >= 0)
        return rc;
    if (o.log)
        return show(&o.viewer, o.log, o.follow);
    struct places places;
    rc = places_read(o.policy, &places);
    if (rc != EXIT_SUCCESS)
        return rc;
    rc = places.log_file ? show(&o.viewer, places.log_file, o.follow) : EXIT_FAILED;
    places_free(&places);
    return rc;
}
