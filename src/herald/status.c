#include "herald/status.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stamp.h"
#include "base/text.h"
#include "policy/needs.h"
#include "policy/policy.h"

/* The keeper looks every timeout / 4; this much more means that it does not. */
static const int64_t fresh_ns = 2 * NS_PER_S;

static const struct {
    enum feature bit;
    const char *name, *without;
} features[] = {
    {FEATURE_DENY_ERRNO, "deny_errno",
     "An open that is released without a decision fails with EPERM, as if it were refused; with EBUSY from Linux 6.14 "
     "on."},
    {FEATURE_FD_ERROR, "fd_error",
     "When the kernel cannot prepare a question it refuses the open itself, and tells it only as an error of reading; "
     "from Linux 6.13 on each one is told."},
    {FEATURE_PIDFD_INFO, "pidfd_info",
     "Who asks is read from text in /proc, which is slower; by descriptor from Linux 6.13 on."},
    {FEATURE_PIDFD_THREAD, "pidfd_thread",
     "A thread is told from a later one of the same number by its start time, not by a descriptor; from Linux 6.9 on."},
    {FEATURE_LANDLOCK, "landlock", "The herald is confined by seccomp alone; this kernel has no Landlock."},
    {FEATURE_OVERLAY, "overlay",
     "Whoever can mount an overlay over a guarded directory reads its files unasked, in a user namespace every user; "
     "from "
     "Linux 6.5 on it is asked about. user.max_user_namespaces = 0 keeps users from it."},
};

const char *status_trouble(const struct state *s)
{
    const struct board *b = s->board;
    uint32_t state = atomic_load(&b->state);
    if (state == BOARD_STARTING)
        return "starting: marks are being placed";
    if (state == BOARD_STOPPING)
        return "stopping";
    if (atomic_load(&b->judge_stalled))
        return "the judge does not answer; the keeper is replacing it";
    if (s->now_ns - (int64_t)atomic_load(&b->keeper_tick_ns) >
        fresh_ns + s->policy->settings.timeout_ms * NS_PER_MS / 2)
        return "the keeper does not watch over the judge any more; restart fileward";
    return NULL;
}

static json_t *number(uint64_t n)
{
    return json_integer((json_int_t)(n > INT64_MAX ? INT64_MAX : n));
}

static void put_name(json_t *o, const char *key, const char *name, size_t max)
{
    char text[TEXT_UTF8_SIZE(OPENED_NAME_MAX)];
    size_t n = text_utf8(text, sizeof text, name, strnlen(name, max), NULL);
    json_object_set_new(o, key, json_stringn(text, n));
}

static json_t *watches_json(const struct state *s)
{
    json_t *a = json_array();
    for (int i = 0; i < s->policy->n_watches; i++) {
        const struct watch *w = &s->policy->watches[i];
        const struct board_watch *b = &s->board->watch[i];
        json_array_append_new(
            a, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "name", w->name, "mode",
                         mode_name(watch_mode(s->policy, w)), "guard", guard_name(w->guard), "coverage",
                         coverage_name(w->coverage), "on_timeout", action_name(w->on_timeout), "default",
                         action_name(w->default_action), "marks", number(atomic_load(&b->marks)), "unguarded",
                         number(atomic_load(&b->unguarded)), "timeouts", number(atomic_load(&b->timeouts)), "outside",
                         number(atomic_load(&b->outside)), "kernel_refused", number(atomic_load(&b->kernel_refused)),
                         "unwritten", number(atomic_load(&b->unwritten))));
    }
    return a;
}

static json_t *roles_json(const struct state *s)
{
    json_t *a = json_array();
    for (int i = 0; i < ROLE_COUNT; i++)
        json_array_append_new(a, json_pack("{s:s, s:o, s:o}", "name", role_name((enum role)i), "restarts",
                                           number(atomic_load(&s->board->restarts[i])), "records_dropped",
                                           number(s->dropped[i])));
    return a;
}

static json_t *features_json(const struct state *s, json_t *weaker)
{
    json_t *o = json_object();
    for (size_t i = 0; i < sizeof features / sizeof *features; i++) {
        bool has = s->board->features & features[i].bit;
        json_object_set_new(o, features[i].name, json_boolean(has));
        if (!has)
            json_array_append_new(weaker, json_string(features[i].without));
    }
    return o;
}

/* Where a watch wants more than can be had. */
static void add_unwritten(const struct state *s, json_t *weaker)
{
    for (int i = 0; i < s->policy->n_watches; i++) {
        uint64_t n = atomic_load(&s->board->watch[i].unwritten);
        if (n > 0)
            json_array_append_new(weaker,
                                  json_sprintf("[watch %s] wants guard = open+write: the writing of %" PRIu64 " file%s "
                                               "cannot be asked about, only the opening; that needs Linux 6.14 and "
                                               "ext4, xfs or btrfs.",
                                               s->policy->watches[i].name, n, n == 1 ? "" : "s"));
    }
}

static json_t *time_json(int64_t ns)
{
    char text[STAMP_BYTES];
    stamp_text(text, ns);
    return json_string(text);
}

/* The last time that a policy was read: at the start, or by a reload. */
static json_t *load_json(const struct board *b)
{
    return json_pack("{s:o, s:o, s:b, s:s}", "time", time_json(atomic_load(&b->loaded_ns)), "attempts",
                     number(atomic_load(&b->reloads)), "successful", !atomic_load(&b->reload_failed), "in_force",
                     b->last_good ? "last-good" : "on-disk");
}

/* The last time that nobody guarded, as far as anybody knows. */
static json_t *gap_json(const struct board *b)
{
    if (b->gap_from_ns == 0)
        return json_null();
    return json_pack("{s:o, s:o, s:o, s:s}", "from", time_json(b->gap_from_ns), "until", time_json(b->gap_until_ns),
                     "milliseconds", number((uint64_t)(b->gap_until_ns - b->gap_from_ns) / 1000000), "after",
                     b->gap_orderly ? "stop" : "death");
}

/* Names only where who asks is known: `first` is left out for HTTP. */
static json_t *opened_json(const struct state *s)
{
    static const char *const states[] = {"unknown", "looking", "complete", "cut-short"};
    const struct board_opened *b = &s->board->opened;
    uint32_t state = atomic_load(&b->state), told = atomic_load(&b->told);
    json_t *o = json_pack("{s:s, s:o, s:o}", "look", states[state <= OPENED_CUT_SHORT ? state : 0], "processes",
                          number(atomic_load(&b->processes)), "files", number(atomic_load(&b->files)));
    json_t *first = s->names ? json_array() : NULL;
    for (uint32_t i = 0; first && i < told && i < OPENED_TOLD; i++) {
        json_t *one = json_pack("{s:i}", "pid", (int)b->first[i].pid);
        put_name(one, "watch", b->first[i].watch, NAME_MAX_LEN);
        put_name(one, "exe", b->first[i].exe, OPENED_NAME_MAX);
        put_name(one, "path", b->first[i].path, OPENED_NAME_MAX);
        json_array_append_new(first, one);
    }
    if (first)
        json_object_set_new(o, "first", first);
    return o;
}

/* Indented, with its newline. Takes `o`. */
static char *line_of(json_t *o)
{
    char *text = o ? json_dumps(o, JSON_INDENT(2) | JSON_ENSURE_ASCII) : NULL;
    json_decref(o);
    char *line = NULL;
    if (text && asprintf(&line, "%s\n", text) < 0)
        line = NULL;
    free(text);
    return line;
}

char *status_json(const struct state *s)
{
    static const char *const states[] = {"starting", "serving", "stopping"};
    const struct board *b = s->board;
    const char *trouble = status_trouble(s);
    uint32_t state = atomic_load(&b->state);
    json_t *weaker = json_array();
    json_t *features_o = features_json(s, weaker);
    add_unwritten(s, weaker);
    int64_t up = (s->wall_ns - b->started_ns) / NS_PER_S;
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:b, s:s?, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "version",
                  FILEWARD_VERSION, "kernel", s->kernel, "state", states[state <= BOARD_STOPPING ? state : 0],
                  "healthy", trouble == NULL, "trouble", trouble, "mode", mode_name(s->policy->settings.mode),
                  "uptime_seconds", (json_int_t)(up > 0 ? up : 0), "policy",
                  json_sprintf("sha256:%s", s->policy->sha256), "watches", watches_json(s), "roles", roles_json(s),
                  "pending", number(atomic_load(&b->pending)), "rescues", number(atomic_load(&b->rescues)),
                  "journal_dropped", number(s->journal_dropped), "features", features_o, "weaker", weaker);
    json_object_set_new(o, "clerk", json_string(needs_clerk(s->policy) ? "needed" : "not-needed"));
    json_object_set_new(o, "rescans", number(atomic_load(&b->rescans)));
    json_object_set_new(o, "last_load", load_json(b));
    json_object_set_new(o, "last_gap", gap_json(b));
    json_object_set_new(o, "already_open", opened_json(s));
    return line_of(o);
}

char *reload_json(const struct state *s)
{
    const struct board *b = s->board;
    uint64_t attempts = atomic_load(&b->reloads);
    return line_of(json_pack("{s:b, s:o, s:b, s:s}", "under_way", atomic_load(&b->changing) != 0, "attempts",
                             number(attempts), "successful", !atomic_load(&b->reload_failed), "text", b->reload_text));
}
