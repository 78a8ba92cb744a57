#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/places.h"
#include "cli/status.h"

static void say(FILE *f, const json_t *o, const char *key, int width)
{
    const char *s = json_string_value(json_object_get(o, key));
    char out[TEXT_ESCAPE_SIZE(256)];
    text_escape(out, sizeof out, s ? s : "?", s ? strlen(s) : 1);
    fprintf(f, "%-*s", width, out);
}

static void count(FILE *f, const json_t *o, const char *key, int width)
{
    fprintf(f, "%*" JSON_INTEGER_FORMAT, width, json_integer_value(json_object_get(o, key)));
}

static void say_uptime(FILE *f, json_int_t s)
{
    if (s >= 86400)
        fprintf(f, "%" JSON_INTEGER_FORMAT " d ", s / 86400);
    if (s >= 3600)
        fprintf(f, "%" JSON_INTEGER_FORMAT " h ", s / 3600 % 24);
    fprintf(f, "%" JSON_INTEGER_FORMAT " min %" JSON_INTEGER_FORMAT " s", s / 60 % 60, s % 60);
}

static void say_load(FILE *f, const json_t *o)
{
    const char *in_force = json_string_value(json_object_get(o, "in_force"));
    if (in_force && strcmp(in_force, "last-good") == 0) {
        fputs(
            "WARNING: the policy on disk had errors at the start: the last good one is in force; see: fileward check\n",
            f);
    } else if (json_is_false(json_object_get(o, "successful"))) {
        fputs("WARNING: the policy on disk was refused at ", f);
        say(f, o, "time", 0);
        fputs(": an earlier one is in force; see: fileward check\n", f);
    }
}

/* When nobody guarded: kill -9 of keeper and judge at once, or a stop. */
static void say_gap(FILE *f, const json_t *o)
{
    const char *after = json_string_value(json_object_get(o, "after"));
    json_int_t ms = json_integer_value(json_object_get(o, "milliseconds"));
    if (!json_is_object(o))
        return;
    fputs("last gap: nobody guarded from ", f);
    say(f, o, "from", 0);
    fprintf(f, " for %" JSON_INTEGER_FORMAT ".%03d s (%s)\n", ms / 1000, (int)(ms % 1000),
            after && strcmp(after, "stop") == 0 ? "it was stopped" : "its processes had died");
}

static void say_head(FILE *f, const json_t *o)
{
    bool healthy = json_is_true(json_object_get(o, "healthy"));
    fputs("fileward ", f);
    say(f, o, "version", 0);
    fputs(" on Linux ", f);
    say(f, o, "kernel", 0);
    fputs(healthy ? ": healthy, mode " : ": NOT HEALTHY: ", f);
    if (!healthy) {
        say(f, o, "trouble", 0);
        fputs(", mode ", f);
    }
    say(f, o, "mode", 0);
    fputs(", up ", f);
    say_uptime(f, json_integer_value(json_object_get(o, "uptime_seconds")));
    fputs("\npolicy ", f);
    say(f, o, "policy", 0);
    fputc('\n', f);
    say_load(f, json_object_get(o, "last_load"));
    say_gap(f, json_object_get(o, "last_gap"));
}

static void say_watches(FILE *f, const json_t *list)
{
    const json_t *w;
    size_t i;
    int width = 5;
    json_array_foreach(list, i, w)
    {
        size_t n = json_string_length(json_object_get(w, "name"));
        width = (int)n > width && n <= 64 ? (int)n : width;
    }
    fprintf(f, "\n%-*s  %-7s  %-10s  %-10s  %-7s  %-10s  %9s  %9s  %8s  %9s  %14s\n", width, "watch", "mode", "guard",
            "coverage", "default", "on_timeout", "marks", "unguarded", "timeouts", "outside", "kernel_refused");
    json_array_foreach(list, i, w)
    {
        say(f, w, "name", width + 2);
        say(f, w, "mode", 9);
        say(f, w, "guard", 12);
        say(f, w, "coverage", 12);
        say(f, w, "default", 9);
        say(f, w, "on_timeout", 10);
        count(f, w, "marks", 11);
        count(f, w, "unguarded", 11);
        count(f, w, "timeouts", 10);
        count(f, w, "outside", 11);
        count(f, w, "kernel_refused", 16);
        fputc('\n', f);
    }
}

static void say_roles(FILE *f, const json_t *o)
{
    const json_t *r;
    size_t i;
    fprintf(f, "\n%-8s  %8s  %15s\n", "role", "restarts", "records_dropped");
    json_array_foreach(json_object_get(o, "roles"), i, r)
    {
        say(f, r, "name", 8);
        count(f, r, "restarts", 10);
        count(f, r, "records_dropped", 17);
        fputc('\n', f);
    }
    fputs("\npending ", f);
    count(f, o, "pending", 0);
    fputs(", rescues ", f);
    count(f, o, "rescues", 0);
    fputs(", rescans ", f);
    count(f, o, "rescans", 0);
    fputs(", messages that journald did not take ", f);
    count(f, o, "journal_dropped", 0);
    fputc('\n', f);
}

/* What was open before it was guarded. */
static void say_opened(FILE *f, const json_t *o)
{
    const json_t *one;
    size_t i;
    json_int_t files = json_integer_value(json_object_get(o, "files"));
    const char *look = json_string_value(json_object_get(o, "look"));
    if (look && strcmp(look, "cut-short") == 0)
        fputs("\nThe look at who held guarded files open was cut short: there may be more.\n", f);
    if (files == 0)
        return;
    fputs("\nOpen before they were guarded, and not asked about as long as they stay so (fileward events has each): ",
          f);
    count(f, o, "files", 0);
    fputs(files == 1 ? " file, by " : " files, by ", f);
    count(f, o, "processes", 0);
    fputs(json_integer_value(json_object_get(o, "processes")) == 1 ? " process\n" : " processes\n", f);
    json_array_foreach(json_object_get(o, "first"), i, one)
    {
        fputs("- ", f);
        say(f, one, "path", 0);
        fputs(" by ", f);
        say(f, one, "exe", 0);
        fputc('[', f);
        count(f, one, "pid", 0);
        fputs("], watch ", f);
        say(f, one, "watch", 0);
        fputc('\n', f);
    }
}

static void say_weaker(FILE *f, const json_t *list)
{
    const json_t *s;
    size_t i;
    if (json_array_size(list) > 0)
        fputs("\nWeaker on this kernel:\n", f);
    json_array_foreach(list, i, s)
    {
        char out[TEXT_ESCAPE_SIZE(256)];
        text_escape(out, sizeof out, json_string_value(s), json_string_length(s));
        fprintf(f, "- %s\n", out);
    }
}

void status_text(FILE *f, const json_t *o)
{
    say_head(f, o);
    say_watches(f, json_object_get(o, "watches"));
    say_roles(f, o);
    say_opened(f, json_object_get(o, "already_open"));
    say_weaker(f, json_object_get(o, "weaker"));
}

static int ask(const char *socket, bool as_json)
{
    struct reply reply = {0};
    int rc = client_ask(socket, "/status", &reply);
    CLEAN_FREE char *body = reply.body;
    if (rc)
        return rc;
    json_t *o = json_loadb(body, reply.len, 0, NULL);
    if (!json_is_object(o)) {
        fputs("fileward: the daemon's answer is no JSON; is it of another version?\n", stderr);
        json_decref(o);
        return EXIT_FAILED;
    }
    if (as_json)
        fputs(body, stdout);
    else
        status_text(stdout, o);
    bool healthy = json_is_true(json_object_get(o, "healthy"));
    json_decref(o);
    return fflush(stdout) == 0 && healthy ? EXIT_SUCCESS : EXIT_FAILED;
}

static int usage(FILE *out)
{
    fputs("usage: fileward status [-c FILE] [--socket PATH] [--json]\n"
          "\n"
          "Says how the running daemon is: health, mode, marks, what was lost, what this kernel cannot do.\n"
          "  -c FILE        ask the daemon of this policy (/etc/fileward/fileward.ini)\n"
          "  --socket PATH  ask at this socket\n"
          "  --json         what the daemon answers, as it is\n"
          "Exit status: 0 verdicts are being given, 1 they are not, 3 not running, 4 not permitted.\n",
          out);
    return out == stdout ? EXIT_SUCCESS : EXIT_USAGE;
}

int cmd_status(int argc, char **argv)
{
    static const struct option known[] = {{"socket", required_argument, NULL, 's'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    const char *policy = NULL, *socket = NULL;
    bool as_json = false;
    optind = 1;
    for (int c; (c = getopt_long(argc, argv, "c:h", known, NULL)) != -1;) {
        if (c == 'c')
            policy = optarg;
        else if (c == 's')
            socket = optarg;
        else if (c == 'j')
            as_json = true;
        else
            return usage(c == 'h' ? stdout : stderr);
    }
    if (optind < argc)
        return usage(stderr);
    if (socket)
        return ask(socket, as_json);
    struct places places;
    int rc = places_read(policy, &places);
    if (rc != EXIT_SUCCESS)
        return rc;
    rc = places.socket ? ask(places.socket, as_json) : EXIT_FAILED;
    places_free(&places);
    return rc;
}
