/* What the selftest says, as a table and as JSON. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/own.h"
#include "cli/json.h"
#include "selftest/selftest.h"

static const char *const cells[RESULTS] = {[RESULT_CLOSED] = "closed",
                                           [RESULT_KNOWN] = "open",
                                           [RESULT_OPEN] = "OPEN",
                                           [RESULT_WRONG] = "WRONG",
                                           [RESULT_NOT_TRIED] = "-"};
static const char *const results[RESULTS] = {[RESULT_CLOSED] = "closed",
                                             [RESULT_KNOWN] = "known",
                                             [RESULT_OPEN] = "open",
                                             [RESULT_WRONG] = "wrong",
                                             [RESULT_NOT_TRIED] = "not-tried"};

static const char *who_name(const struct tried *t)
{
    return t->who == BY_ROOT ? "root" : "user";
}

static bool same_line(const struct tried *a, const struct tried *b)
{
    return a->route == b->route && a->who == b->who && a->setting == b->setting;
}

/* Whether an earlier one is the same in what `same` looks at. */
static bool seen_before(const struct report *r, int n, bool (*same)(const struct tried *, const struct tried *))
{
    for (int i = 0; i < n; i++)
        if (same(&r->tried[i], &r->tried[n]))
            return true;
    return false;
}

static int count(const struct report *r, enum result result)
{
    int n = 0;
    for (int i = 0; i < r->n_tried; i++)
        n += r->tried[i].result == result;
    return n;
}

static bool is_well(const struct report *r)
{
    bool well = count(r, RESULT_OPEN) == 0 && count(r, RESULT_WRONG) == 0 && count(r, RESULT_CLOSED) > 0;
    for (int i = 0; i < r->n_deaths; i++)
        well &= !r->deaths[i].why[0];
    return well;
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

/* A column for each file system; where it is only open on some, expected says so. */
static void print_line(const struct plan *p, const struct report *r, const struct tried *first)
{
    bool some_open = false, some_closed = false;
    char line[FS_COUNT][8] = {{0}};
    for (int i = 0; i < r->n_tried; i++) {
        const struct tried *t = &r->tried[i];
        if (!same_line(t, first))
            continue;
        some_open |= t->expected_open;
        some_closed |= !t->expected_open;
        snprintf(line[t->fs - p->fs], sizeof *line, "%s", cells[t->result]);
    }
    printf("%-22s %-4s %-8s", first->route->name, who_name(first),
           some_open && some_closed ? "differs"
           : some_open              ? "open"
                                    : "closed");
    for (int f = 0; f < FS_COUNT; f++)
        if (!p->fs[f].why[0])
            printf(" %-6s", line[f]);
    printf(" %s\n", first->route->what);
}

static void print_round(const struct plan *p, const struct report *r, const struct setting *s)
{
    printf(s->closes == CLOSED ? "Ways to a guarded file, with %s\n" : "What %s is said to close, with it\n", s->words);
    printf("%-22s %-4s %-8s", "route", "who", "expected");
    for (int f = 0; f < FS_COUNT; f++)
        if (!p->fs[f].why[0])
            printf(" %-6s", p->fs[f].name);
    puts("");
    for (int i = 0; i < r->n_tried; i++)
        if (r->tried[i].setting == s && !seen_before(r, i, same_line))
            print_line(p, r, &r->tried[i]);
    puts("");
}

static bool same_setting(const struct tried *a, const struct tried *b)
{
    return a->setting == b->setting;
}

static bool same_route_open(const struct tried *a, const struct tried *b)
{
    return a->route == b->route && a->setting == b->setting && a->result == RESULT_KNOWN;
}

/* How bad it is, of a way that something should have closed. */
static int badness(enum result result)
{
    return result == RESULT_NOT_TRIED ? 0 : result + 1;
}

/* The same way in the round of what closes it; NULL if there is none. `fs` NULL: the worst on any, by anybody. */
static const struct tried *remedy_of(const struct report *r, const struct tried *open, const struct fs *fs)
{
    const struct tried *worst = NULL;
    for (int i = 0; i < r->n_tried; i++) {
        const struct tried *t = &r->tried[i];
        if (t->route == open->route && t->setting->closes != CLOSED && (!fs || (t->fs == fs && t->who == open->who)) &&
            (!worst || badness(t->result) > badness(worst->result)))
            worst = t;
    }
    return worst;
}

static void print_known(const struct report *r)
{
    bool any = false;
    for (int i = 0; i < r->n_tried; i++) {
        const struct tried *t = &r->tried[i];
        if (t->result != RESULT_KNOWN || seen_before(r, i, same_route_open))
            continue;
        if (!any)
            puts("Open, as expected, with why and what closes it");
        any = true;
        printf("%-22s %s\n%-22s closed by: %s", t->route->name, t->route->limit, "", t->route->closes);
        const struct tried *remedy = remedy_of(r, t, NULL);
        if (remedy)
            printf(" (with %s: %s)", remedy->setting->words, results[remedy->result]);
        puts("");
    }
    if (any)
        puts("");
}

static void print_rest(const struct plan *p, const struct report *r)
{
    for (int f = 0; f < FS_COUNT; f++)
        if (p->fs[f].why[0])
            printf("not tried: %s: %s\n", p->fs[f].name, p->fs[f].why);
    for (int i = 0; i < r->n_tried; i++) {
        const struct tried *t = &r->tried[i];
        if (t->result == RESULT_NOT_TRIED)
            printf("not tried: %s on %s by %s: %s\n", t->route->name, t->fs->name, who_name(t), t->why);
    }
    for (int i = 0; i < r->n_tried; i++) {
        const struct tried *t = &r->tried[i];
        if (t->result == RESULT_OPEN || t->result == RESULT_WRONG)
            printf("%s: %s on %s by %s, with %s: %s\n", cells[t->result], t->route->name, t->fs->name, who_name(t),
                   t->setting->words, t->why[0] ? t->why : "one who may not got through");
    }
}

static void print_deaths(const struct report *r)
{
    if (r->n_deaths > 0)
        printf("\nDeaths, while files are opened\n%-8s %-7s %-8s %-9s %-7s %s\n", "mode", "process", "", "forbidden",
               "refused", "longest (bound) ms");
    for (int i = 0; i < r->n_deaths; i++) {
        const struct death *d = &r->deaths[i];
        printf("%-8s %-7s %-8s %-9llu %-7llu %d (%d)%s%s\n", d->mode, d->role, d->what, (unsigned long long)d->opened,
               (unsigned long long)d->refused, d->longest_ms, d->bound_ms, d->why[0] ? "  FAILED: " : "", d->why);
    }
}

static void print_features(const struct report *r)
{
    puts("\nThis kernel");
    for (int i = 0; i < r->n_features; i++) {
        const struct feature *f = &r->features[i];
        printf("%-22s %-8s %s\n", f->name, f->found, f->weakens);
    }
}

static void print_all(const struct plan *p, const struct report *r)
{
    struct utsname u;
    uname(&u);
    printf("fileward " FILEWARD_VERSION " on Linux %s\n\n", u.release);
    for (int i = 0; i < r->n_tried; i++)
        if (!seen_before(r, i, same_setting))
            print_round(p, r, r->tried[i].setting);
    print_known(r);
    print_features(r);
    print_deaths(r);
    puts("");
    print_rest(p, r);
    printf("%d closed, %d open as expected, %d OPEN, %d WRONG, %d not tried: %s\n", count(r, RESULT_CLOSED),
           count(r, RESULT_KNOWN), count(r, RESULT_OPEN), count(r, RESULT_WRONG), count(r, RESULT_NOT_TRIED),
           is_well(r) ? "all that this kernel can close is closed" : "FAILED");
}

/* --- JSON --------------------------------------------------------------------------------------------------------- */

static json_t *text_or_null(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

static json_t *seen_json(int seen)
{
    return seen == CANNOT ? json_null() : seen == 0 ? json_string("open") : json_string(strerror(-seen));
}

static json_t *tried_json(const struct report *r, const struct tried *t)
{
    bool known = t->result == RESULT_KNOWN;
    const struct tried *remedy = known ? remedy_of(r, t, t->fs) : NULL;
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "route", t->route->name, "what",
        t->route->what, "file_system", t->fs->name, "who", who_name(t), "setting", t->setting->words, "expected",
        t->expected_open ? "open" : "closed", "result", results[t->result], "unguarded",
        seen_json(t->seen[TRIAL_CONTROL]), "allowed", seen_json(t->seen[TRIAL_ALLOWED]), "refused",
        seen_json(t->seen[TRIAL_REFUSED]), "why", text_or_null(known ? t->route->limit : t->why), "closed_by",
        text_or_null(known ? t->route->closes : NULL), "remedy", text_or_null(remedy ? results[remedy->result] : NULL));
}

static void print_json(const struct plan *p, const struct report *r)
{
    struct utsname u;
    uname(&u);
    json_t *systems = json_array(), *features = json_array(), *routes = json_array(), *deaths = json_array();
    for (int f = 0; f < FS_COUNT; f++)
        json_array_append_new(systems, json_pack("{s:s, s:b, s:o}", "name", p->fs[f].name, "tried", !p->fs[f].why[0],
                                                 "why", text_or_null(p->fs[f].why)));
    for (int i = 0; i < r->n_features; i++) {
        json_t *o = json_pack("{s:s}", "name", r->features[i].name);
        json_put_name(o, "weakens", r->features[i].weakens);
        json_put_name(o, "found", r->features[i].found);
        json_array_append_new(features, o);
    }
    for (int i = 0; i < r->n_tried; i++)
        json_array_append_new(routes, tried_json(r, &r->tried[i]));
    for (int i = 0; i < r->n_deaths; i++) {
        const struct death *d = &r->deaths[i];
        json_array_append_new(deaths, json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:i, s:i, s:o}", "mode", d->mode,
                                                "role", d->role, "what", d->what, "ok", !d->why[0], "opened",
                                                (json_int_t)d->opened, "refused", (json_int_t)d->refused, "longest_ms",
                                                d->longest_ms, "bound_ms", d->bound_ms, "why", text_or_null(d->why)));
    }
    json_t *counts = json_object();
    for (int i = 0; i < RESULTS; i++)
        json_object_set_new(counts, results[i], json_integer(count(r, (enum result)i)));
    json_t *all = json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "version", FILEWARD_VERSION, "kernel",
                            u.release, "ok", is_well(r), "count", counts, "file_systems", systems, "features", features,
                            "routes", routes, "deaths", deaths);
    json_print(all);
    json_decref(all);
}

bool report_print(const struct plan *p, const struct report *r, bool json)
{
    if (json)
        print_json(p, r);
    else
        print_all(p, r);
    return is_well(r);
}

void report_free(struct report *r)
{
    free(r->tried);
    free(r->deaths);
}
