/* fileward explain: what the policy decides, and why. */
#include "cli/explain.h"

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/load.h"
#include "base/own.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/content.h"
#include "cli/json.h"
#include "cli/live.h"
#include "cli/why.h"
#include "policy/decide.h"
#include "policy/glob.h"
#include "policy/needs.h"
#include "policy/users.h"
#include "policy/values.h"

/* --- the decision, as JSON; lines are made of that --- */

static json_t *trial_json(const struct rule *r, const char *result)
{
    json_t *trial = json_pack("{s:s}", "rule", r->name);
    json_put_name(trial, "file", r->at.file);
    json_object_update_new(trial, json_pack("{s:i, s:s}", "line", r->at.line, "result", result));
    return trial;
}

/* Tries one rule. Returns whether it decides. */
static bool try_rule(const struct policy *p, const struct rule *r, const struct portrait *who, enum op op,
                     json_t *trials)
{
    unsigned why = 0;
    if (!(r->ops & OP_BIT(op))) {
        json_array_append_new(trials, trial_json(r, "other-op"));
        return false;
    }
    if (rule_try(p, r, &who->subject, &who->object, time(NULL), &why) == TRIAL_HOLDS) {
        json_array_append_new(trials, trial_json(r, "holds"));
        return true;
    }
    CLEAN_FREE char *words = why_not(p, r, (enum condition)why, who);
    json_t *trial = trial_json(r, "fails");
    json_object_set_new(trial, "condition", json_string(condition_name((enum condition)why)));
    json_object_set_new(trial, "why", json_string(words ? words : ""));
    json_array_append_new(trials, trial);
    return false;
}

/* What a question to the watch may ask for, and which rule asks for it first. */
static json_t *needs_json(const struct policy *p, const struct watch *w)
{
    json_t *all = json_array();
    for (int i = 0; i < NEEDS; i++) {
        const struct rule *r = needs_first(p, w, needs[i].bit);
        if (r)
            json_array_append_new(
                all, json_pack("{s:s, s:s, s:i}", "what", needs[i].name, "rule", r->name, "about_us", needs[i].us));
    }
    return all;
}

/* What one watch says of a place that it covers. */
static json_t *watch_json(const struct policy *p, int watch, const struct portrait *who, enum op op)
{
    const struct watch *w = &p->watches[watch];
    json_t *trials = json_array();
    int rule = RULE_DEFAULT;
    for (int i = w->first_rule; i < w->first_rule + w->rules && rule == RULE_DEFAULT; i++) {
        if (try_rule(p, &p->rules[i], who, op, trials))
            rule = i;
    }
    const struct rule *r = rule == RULE_DEFAULT ? NULL : &p->rules[rule];
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:o}", "watch", w->name, "mode", mode_name(watch_mode(p, w)), "decision",
                  action_name(r ? r->action : w->default_action), "rule", rule_name(p, watch, rule), "tried", trials);
    if (r && r->reason)
        json_put_name(json, "reason", r->reason);
    json_object_set_new(json, "needs", needs_json(p, w));
    return json;
}

/* Adds each watch that covers the place, or would if it did not exclude it. */
static void add_watches(const struct policy *p, const struct portrait *who, enum op op, json_t *watches)
{
    for (int i = 0; i < p->n_watches; i++) {
        const struct watch *w = &p->watches[i];
        if (!patterns_cover(p, &w->path, who->place))
            continue;
        if (patterns_cover(p, &w->exclude, who->place))
            json_array_append_new(watches, json_pack("{s:s, s:b}", "watch", w->name, "excluded", 1));
        else
            json_array_append_new(watches, watch_json(p, i, who, op));
    }
}

/* --- lines --- */

static const char *get(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void print_trial(const json_t *trial)
{
    const char *result = get(trial, "result"), *file = get(trial, "file"), *slash = strrchr(file, '/');
    printf("  %s (", get(trial, "rule"));
    text_print(stdout, slash ? slash + 1 : file);
    printf(":%d) ", (int)json_integer_value(json_object_get(trial, "line")));
    if (strcmp(result, "holds") == 0)
        puts("holds");
    else if (strcmp(result, "other-op") == 0)
        puts("does not name this operation");
    else
        printf("fails: %s\n", get(trial, "why"));
}

static const char *words_of_need(const char *name)
{
    for (int i = 0; i < NEEDS; i++)
        if (strcmp(needs[i].name, name) == 0)
            return needs[i].words;
    return name;
}

static void print_needs(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *need = json_array_get(list, i);
        int us = (int)json_integer_value(json_object_get(need, "about_us"));
        printf("  may ask for %s, from %s on", words_of_need(get(need, "what")), get(need, "rule"));
        if (us > 0)
            printf(": about %d us", us);
        putchar('\n');
    }
}

static void print_watch(const json_t *watch)
{
    const json_t *tried = json_object_get(watch, "tried");
    if (json_object_get(watch, "excluded")) {
        printf("watch %s: the place is excluded\n", get(watch, "watch"));
        return;
    }
    bool deny = strcmp(get(watch, "decision"), "deny") == 0, audit = strcmp(get(watch, "mode"), "audit") == 0;
    printf("watch %s, mode %s\n", get(watch, "watch"), get(watch, "mode"));
    for (size_t i = 0; i < json_array_size(tried); i++)
        print_trial(json_array_get(tried, i));
    printf("  %s by %s", get(watch, "decision"), get(watch, "rule"));
    if (json_object_get(watch, "reason")) {
        fputs(" (", stdout);
        text_print(stdout, get(watch, "reason"));
        putchar(')');
    }
    puts(!deny ? "" : audit ? ": audited, so allowed and recorded" : ": refused");
    print_needs(json_object_get(watch, "needs"));
}

static void print_lines(const json_t *all, const struct portrait *who)
{
    const json_t *watches = json_object_get(all, "watches");
    printf("%s of ", get(all, "op"));
    text_print(stdout, who->place);
    fputs(" by ", stdout);
    text_print(stdout, who->exe[0] ? who->exe : "(unknown)");
    putchar('\n');
    for (size_t i = 0; i < json_array_size(watches); i++)
        print_watch(json_array_get(watches, i));
    if (!json_is_true(json_object_get(all, "guarded")))
        puts("not guarded: no watch covers this path");
}

int explain_decision(const struct policy *p, const struct portrait *who, enum op op, bool json)
{
    json_t *watches = json_array();
    bool guarded = false, deny = false;
    add_watches(p, who, op, watches);
    for (size_t i = 0; i < json_array_size(watches); i++) {
        const json_t *watch = json_array_get(watches, i);
        guarded |= !json_object_get(watch, "excluded");
        deny |= strcmp(get(watch, "decision"), "deny") == 0;
    }
    json_t *all = json_object();
    json_put_name(all, "path", who->place);
    json_put_name(all, "exe", who->exe);
    json_object_update_new(all, json_pack("{s:s, s:b, s:s, s:o}", "op", op_name(op), "guarded", guarded, "decision",
                                          deny ? "deny" : "allow", "watches", watches));
    if (json)
        json_print(all);
    else
        print_lines(all, who);
    json_decref(all);
    return deny ? EXIT_WOULD_DENY : 0;
}

/* --- the command --- */

struct options {
    const char *policy, *path, *pid, *exe, *uid, *gid, *egid, *loginuid, *unit, *op, *parent;
    const char *ancestors[PORTRAIT_ANCESTORS];
    size_t n_ancestors;
    bool json;
};

static int usage(FILE *out)
{
    fputs("usage: fileward explain [-c FILE] --path P --exe E [OPTION]...\n"
          "       fileward explain [-c FILE] --path P --pid PID [--op OP] [--json]\n"
          "\n"
          "Says what the policy decides when program E opens P, with each rule tried and the first condition that "
          "failed.\n"
          "  --op OP          read (a directory: list), write, exec or list\n"
          "  --uid U          number or name; without it, whoever asks\n"
          "  --gid G          the only group; without it, the groups of the user\n"
          "  --egid G         the effective group, where it differs\n"
          "  --loginuid U     who logged in; without it, nobody\n"
          "  --unit NAME      the unit of the service manager; without it, none\n"
          "  --parent E       the program of the parent\n"
          "  --ancestor E     the program of someone further above; may be repeated\n"
          "  --json           one JSON object instead of lines\n"
          "Exit status: 0 allowed or not guarded, 5 would be denied.\n",
          out);
    return out == stdout ? 0 : EXIT_USAGE;
}

static bool read_id(const char *option, const char *word, const struct accounts *names, uint32_t *out)
{
    struct id_range range = {0, 0};
    const char *fault = value_ids(word, names, &range);
    if (!fault && range.low != range.high)
        fault = "must be one";
    if (fault) {
        fprintf(stderr, "fileward: --%s: `", option);
        text_print(stderr, word);
        fprintf(stderr, "`: %s\n", fault);
    }
    *out = range.low;
    return !fault;
}

/* The groups of the user, from the machine's own file. */
static void add_groups(struct portrait *w, const struct account *user)
{
    CLEAN_FILE FILE *file = fopen("/etc/group", "re");
    for (struct group *g = file ? fgetgrent(file) : NULL; g; g = fgetgrent(file)) {
        for (char **m = g->gr_mem; *m && w->subject.n_groups < GROUPS_MAX; m++) {
            if (strcmp(*m, user->name) == 0)
                w->groups[w->subject.n_groups++] = g->gr_gid;
        }
    }
}

/* Returns false after saying what is wrong. */
static bool read_ids(const struct options *o, struct portrait *w)
{
    struct accounts users, groups;
    struct subject *s = &w->subject;
    accounts_read_users("/etc/passwd", &users);
    accounts_read_groups("/etc/group", &groups);
    s->fsuid = getuid();
    bool ok = !o->uid || read_id("uid", o->uid, &users, &s->fsuid);
    const struct account *user = accounts_by_id(&users, s->fsuid);
    s->ruid = s->fsuid;
    s->gid = user ? user->gid : 0;
    if (o->gid)
        ok = ok && read_id("gid", o->gid, &groups, &s->gid);
    else if (user)
        add_groups(w, user);
    s->rgid = s->egid = s->sgid = s->gid;
    ok = ok && (!o->egid || read_id("egid", o->egid, &groups, &s->egid));
    ok = ok && (!o->loginuid || read_id("loginuid", o->loginuid, &users, &s->loginuid));
    accounts_free(&users);
    accounts_free(&groups);
    return ok;
}

static void note_missing(const char *what, const char *path, const char *consequence)
{
    fprintf(stderr, "fileward: note: %s ", what);
    text_print(stderr, path);
    fprintf(stderr, " does not exist: %s\n", consequence);
}

static void add_ancestor(const struct policy *p, struct portrait *w, const char *path)
{
    char *real = w->ancestors[w->n_ancestors++];
    if (!portrait_program(p, path, &w->ancestor_set, real))
        note_missing("program", path, "compared by name");
}

/* Programs are compared with the policy's, which are absolute; where this command runs says nothing of them. */
static bool is_absolute(const char *option, const char *path)
{
    if (path[0] == '/')
        return true;
    fprintf(stderr, "fileward: --%s: `", option);
    text_print(stderr, path);
    fputs("`: give the program's absolute path\n", stderr);
    return false;
}

static bool programs_are_absolute(const struct options *o)
{
    bool ok = is_absolute("exe", o->exe) && (!o->parent || is_absolute("parent", o->parent));
    for (size_t i = 0; ok && i < o->n_ancestors; i++)
        ok = is_absolute("ancestor", o->ancestors[i]);
    return ok;
}

/* Who asks, as the options describe it. Returns 0, or the exit status after saying what is wrong. */
static int draw_subject(const struct options *o, const struct policy *p, struct portrait *w)
{
    if (!programs_are_absolute(o) || !read_ids(o, w))
        return EXIT_USAGE;
    if (o->unit)
        snprintf(w->unit, sizeof w->unit, "%s", o->unit);
    if (!portrait_program(p, o->exe, &w->exe_set, w->exe))
        note_missing("program", o->exe, "compared by name");
    if (o->parent) {
        portrait_program(p, o->parent, &w->parent_set, w->parent);
        add_ancestor(p, w, o->parent);
    } else {
        w->subject.parent = NULL;
    }
    for (size_t i = 0; i < o->n_ancestors && w->n_ancestors < PORTRAIT_ANCESTORS; i++)
        add_ancestor(p, w, o->ancestors[i]);
    return 0;
}

static int draw_process(const char *pid, const struct policy *p, struct portrait *w)
{
    char *end;
    errno = 0;
    long n = strtol(pid, &end, 10);
    if (*end || errno || n < 1 || n > INT32_MAX) {
        fputs("fileward: --pid: it is the number of a process\n", stderr);
        return EXIT_USAGE;
    }
    return portrait_process(p, (int32_t)n, w);
}

static int draw(const struct options *o, const struct policy *p, struct portrait *w)
{
    portrait_init(w);
    int status = o->pid ? draw_process(o->pid, p, w) : draw_subject(o, p, w);
    if (status == 0)
        portrait_content(p, o->pid ? atoi(o->pid) : 0, w);
    if (status == 0 && !portrait_object(w, o->path))
        note_missing("path", o->path, "its owner and mode are not known");
    return status;
}

static bool read_op(const char *word, bool directory, enum op *op)
{
    *op = directory ? OP_LIST : OP_READ;
    for (int i = 0; word && i < OP_COUNT; i++) {
        *op = (enum op)i;
        if (strcmp(word, op_name(*op)) == 0)
            return true;
    }
    if (word)
        fputs("fileward: --op: it is one of read, write, exec, list\n", stderr);
    return !word;
}

static int explain(const struct options *o)
{
    if (!policy_permitted(o->policy))
        return EXIT_NOT_PERMITTED;
    struct findings findings;
    struct policy *p = policy_load(o->policy, &findings);
    CLEAN_FREE struct portrait *who = malloc(sizeof *who);
    enum op op;
    int status = who ? 0 : EXIT_FAILED;
    if (findings.errors > 0) {
        findings_print(&findings, stderr);
        status = EXIT_POLICY;
    }
    if (status == 0)
        status = draw(o, p, who);
    if (status == 0)
        status = read_op(o->op, who->is_directory, &op) ? explain_decision(p, who, op, o->json) : EXIT_USAGE;
    findings_free(&findings);
    policy_free(p);
    return status;
}

/* One of program and process, and nothing about the process that it knows better itself. */
static bool options_agree(const struct options *o)
{
    bool described = o->exe || o->uid || o->gid || o->egid || o->loginuid || o->unit || o->parent || o->n_ancestors;
    return o->path && (o->pid ? !described : o->exe != NULL);
}

int cmd_explain(int argc, char **argv)
{
    static const struct option known[] = {
        {"path", required_argument, NULL, 'p'},     {"exe", required_argument, NULL, 'e'},
        {"pid", required_argument, NULL, 'i'},      {"uid", required_argument, NULL, 'u'},
        {"gid", required_argument, NULL, 'g'},      {"egid", required_argument, NULL, 'G'},
        {"loginuid", required_argument, NULL, 'l'}, {"unit", required_argument, NULL, 'U'},
        {"op", required_argument, NULL, 'o'},       {"parent", required_argument, NULL, 'P'},
        {"ancestor", required_argument, NULL, 'a'}, {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},           {0},
    };
    struct options o = {0};
    struct {
        int option;
        const char **field;
    } fields[] = {{'c', &o.policy}, {'p', &o.path},     {'e', &o.exe},  {'i', &o.pid}, {'u', &o.uid},   {'g', &o.gid},
                  {'G', &o.egid},   {'l', &o.loginuid}, {'U', &o.unit}, {'o', &o.op},  {'P', &o.parent}};
    for (int c; (c = getopt_long(argc, argv, "c:h", known, NULL)) != -1;) {
        if (c == 'h')
            return usage(stdout);
        if (c == '?' || (c == 'a' && o.n_ancestors == PORTRAIT_ANCESTORS))
            return usage(stderr);
        if (c == 'a')
            o.ancestors[o.n_ancestors++] = optarg;
        o.json |= c == 'j';
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
            if (fields[i].option == c)
                *fields[i].field = optarg;
        }
    }
    return optind < argc || !options_agree(&o) ? usage(stderr) : explain(&o);
}
