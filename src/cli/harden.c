/* fileward harden: what it takes to let a rule ask for a group that only its programs have. Prints, and runs nothing. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/load.h"
#include "base/own.h"
#include "base/text.h"
#include "cli/candidate.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "policy/glob.h"

enum { GROUP_MAX = 32 /* more is refused by groupadd */ };

/* --- the plan, as JSON; lines are made of that --- */

/* "fw-ssh-tools"; a long one ends in a number that tells it from others. */
static void choose_group(const char *rule, char out[GROUP_MAX + 1])
{
    uint32_t hash = 2166136261;
    int n = snprintf(out, GROUP_MAX + 1, "fw-%s", rule);
    for (const char *c = rule; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619;
    for (char *c = out; *c; c++)
        *c = isalnum((unsigned char)*c) || *c == '_' ? (char)tolower((unsigned char)*c) : '-';
    if (n > GROUP_MAX)
        snprintf(out + GROUP_MAX - 9, 10, "-%08x", hash);
}

static void add_programs(const char *pattern, const struct private_group *group, json_t *programs, json_t *warnings)
{
    glob_t found = {0};
    if (glob_is_literal(pattern)) {
        json_array_append_new(programs, candidate_json(pattern, group));
    } else if (strstr(pattern, "**")) {
        json_t *text = json_sprintf("`%s` cannot be spelled out here: name its programs", pattern);
        json_array_append_new(warnings, text ? text : json_string("a glob cannot be spelled out here"));
    } else {
        glob(pattern, 0, NULL, &found);
        for (size_t i = 0; i < found.gl_pathc; i++)
            json_array_append_new(programs, candidate_json(found.gl_pathv[i], group));
        globfree(&found);
    }
}

/* The same program may stand there under several names. */
static void drop_repeats(json_t *programs)
{
    for (size_t i = 0; i < json_array_size(programs); i++) {
        json_t *path = json_object_get(json_array_get(programs, i), "path");
        for (size_t k = json_array_size(programs) - 1; k > i; k--)
            if (json_equal(path, json_object_get(json_array_get(programs, k), "path")))
                json_array_remove(programs, k);
    }
}

static void add_command(json_t *commands, const char *words, const char *path)
{
    json_t *line = json_array();
    CLEAN_FREE char *copy = strdup(words);
    char *rest = NULL;
    for (char *w = copy ? strtok_r(copy, " ", &rest) : NULL; w; w = strtok_r(NULL, " ", &rest))
        json_array_append_new(line, json_string(w));
    if (path)
        json_array_append_new(line, json_string(path));
    json_array_append_new(commands, line);
}

/* chgrp first: it takes the setgid bit away. */
static json_t *commands_json(const json_t *programs, const struct private_group *group)
{
    json_t *commands = json_array();
    const json_t *o;
    size_t i;
    char words[160];
    snprintf(words, sizeof words, "groupadd --system %s", group->name);
    if (!group->exists)
        add_command(commands, words, NULL);
    json_array_foreach(programs, i, o)
    {
        const char *path = json_string_value(json_object_get(o, "path"));
        const char *mode = json_string_value(json_object_get(o, "mode"));
        const char *package = json_string_value(json_object_get(o, "package"));
        if (!mode)
            continue;
        snprintf(words, sizeof words, "chgrp %s", group->name);
        add_command(commands, words, path);
        snprintf(words, sizeof words, "chmod %s", mode);
        add_command(commands, words, path);
        snprintf(words, sizeof words, "dpkg-statoverride --force-statoverride-add --add root %s %s", group->name, mode);
        if (package)
            add_command(commands, words, package);
    }
    return commands;
}

static bool is_key(const char *line, const char *key)
{
    line += strspn(line, " \t");
    size_t n = strlen(key);
    return strncmp(line, key, n) == 0 && line[n + strspn(line + n, " \t")] == '=';
}

/* The rule as it stands in its file, and the group. */
static json_t *rule_text(const struct rule *r, const char *group)
{
    json_t *lines = json_array();
    CLEAN_FILE FILE *f = fopen(r->at.file, "re");
    CLEAN_FREE char *line = NULL;
    size_t room = 0;
    int number = 0;
    for (ssize_t len; f && (len = getline(&line, &room, f)) > 0;) {
        if (++number < r->at.line)
            continue;
        if (number > r->at.line && line[strspn(line, " \t")] == '[')
            break;
        while (len > 0 && isspace((unsigned char)line[len - 1]))
            line[--len] = '\0';
        CLEAN_FREE char *text = malloc(TEXT_UTF8_SIZE((size_t)len));
        if (!text || is_key(line, "egid"))
            continue;
        text_utf8(text, TEXT_UTF8_SIZE((size_t)len), line, (size_t)len, NULL);
        json_array_append_new(lines, json_string(text));
    }
    /* What follows the last key (blank lines, the next section's comment) is not the rule's. */
    size_t n = json_array_size(lines);
    for (const char *last; n > 1 && (last = json_string_value(json_array_get(lines, n - 1))) != NULL; n--) {
        if (!strchr("#;", last[strspn(last, " \t")])) /* finds the closing NUL too */
            break;
        json_array_remove(lines, n - 1);
    }
    json_array_append_new(lines, json_sprintf("egid = %s", group));
    return lines;
}

static void add_warnings(const struct rule *r, const struct private_group *group, json_t *warnings)
{
    const unsigned who = 1u << COND_UID | 1u << COND_GID | 1u << COND_LOGINUID | 1u << COND_UNIT;
    if (!(r->conditions & who))
        json_array_append_new(warnings, json_string("the rule names no uid, gid, loginuid or unit: whoever may run "
                                                    "these programs has the group while they run"));
    if (group->has_members)
        json_array_append_new(warnings,
                              json_string("the group has members, who can take it without these programs (newgrp): "
                                          "choose another with --group, or empty it"));
    if (r->conditions >> COND_EGID & 1)
        json_array_append_new(warnings, json_string("the rule asks for egid already: what it asks for is replaced"));
}

static json_t *plan(const struct policy *p, const struct rule *r, const struct private_group *group)
{
    json_t *programs = json_array(), *warnings = json_array();
    for (size_t i = 0; i < r->exe.n; i++)
        add_programs(p->programs[r->exe.v[i]].text, group, programs, warnings);
    drop_repeats(programs);
    candidates_find_packages(programs);
    add_warnings(r, group, warnings);
    json_t *all = json_pack("{s:s, s:s, s:b}", "rule", r->name, "group", group->name, "group_exists", group->exists);
    json_put_name(all, "file", r->at.file);
    json_object_update_new(all, json_pack("{s:i, s:o, s:o, s:o, s:o}", "line", r->at.line, "programs", programs,
                                          "commands", commands_json(programs, group), "rule_text",
                                          rule_text(r, group->name), "warnings", warnings));
    return all;
}

/* --- for people, and for sh ------------------------------------------------------------------------------------- */

/* Within quotes unless it is plain. */
static void print_word(const char *word)
{
    if (word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+,@:=-")] == '\0') {
        fputs(word, stdout);
        return;
    }
    putchar('\'');
    for (; *word; word++) {
        if (*word == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*word);
    }
    putchar('\'');
}

static void print_command(const json_t *command)
{
    const json_t *word;
    size_t i;
    json_array_foreach(command, i, word)
    {
        if (i > 0)
            putchar(' ');
        print_word(json_string_value(word));
    }
    putchar('\n');
}

static const char *member(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static void print_programs(const json_t *all)
{
    const json_t *o, *w;
    size_t i, k;
    json_array_foreach(json_object_get(all, "programs"), i, o)
    {
        fputs("#   ", stdout);
        text_print(stdout, member(o, "path"));
        if (strcmp(member(o, "state"), "left") == 0)
            printf(": left as it is, and the changed rule does not hold for it: it %s", member(o, "why"));
        else if (strcmp(member(o, "state"), "done") == 0)
            fputs(": has the group already", stdout);
        else if (!json_is_string(json_object_get(o, "package")))
            fputs(": belongs to no package; whoever replaces it must do this again", stdout);
        putchar('\n');
        json_array_foreach(json_object_get(o, "warnings"), k, w)
        {
            printf("#     warning: %s\n", json_string_value(w));
        }
    }
}

/* Comments and commands, so that the whole can be given to `sh -e` after it was read. */
static void print_lines(const json_t *all)
{
    const json_t *one;
    size_t i;
    printf("# [rule %s], ", member(all, "rule"));
    text_print(stdout, member(all, "file"));
    printf(":%d: its programs, setgid to a private group of their own, %s\n",
           (int)json_integer_value(json_object_get(all, "line")), member(all, "group"));
    print_programs(all);
    json_array_foreach(json_object_get(all, "warnings"), i, one)
    {
        fputs("# warning: ", stdout);
        text_print(stdout, json_string_value(one));
        putchar('\n');
    }
    fputs("\n# As root; nothing here has been run. The group has no member and no password, and stays so.\n", stdout);
    json_array_foreach(json_object_get(all, "commands"), i, one)
    {
        print_command(one);
    }
    fputs("\n# Then change the rule to this (fileward check && fileward reload), and start its programs again:\n",
          stdout);
    json_array_foreach(json_object_get(all, "rule_text"), i, one)
    {
        fputs("#   ", stdout);
        text_print(stdout, json_string_value(one));
        putchar('\n');
    }
    fputs("#\n"
          "# The kernel gives the group to who runs such a program, and not where it is traced, started in a user\n"
          "# namespace or without new privileges; preloaded code is ignored. A child keeps the group until it gives it "
          "up,\n"
          "# so `exe` stays in the rule. Some programs give it up at once or refuse to start with it (ssh-agent, what\n"
          "# uses GTK): try one first. Back: dpkg-statoverride --remove PROGRAM, chgrp root PROGRAM, chmod g-s "
          "PROGRAM.\n",
          stdout);
}

/* --- the command ------------------------------------------------------------------------------------------------ */

struct options {
    const char *file; /* NULL: the usual one */
    const char *group;
    bool json;
};

static int usage(FILE *out)
{
    fputs(
        "usage: fileward harden RULE [-c FILE] [--group NAME] [--json]\n"
        "\n"
        "Prints what it takes to give the programs of an allow rule (WATCH/NAME) a private group, by setgid, and the\n"
        "rule that asks for it. Runs nothing.\n"
        "  -c FILE       the policy (default /etc/fileward/fileward.ini)\n"
        "  --group NAME  the group; without it, fw-WATCH-NAME\n"
        "  --json        one JSON object instead of lines\n",
        out);
    return out == stdout ? 0 : EXIT_USAGE;
}

static const struct rule *find_rule(const struct policy *p, const char *name)
{
    for (int i = 0; i < p->n_rules; i++)
        if (strcmp(p->rules[i].name, name) == 0)
            return &p->rules[i];
    fputs("fileward: there is no rule `", stderr);
    text_print(stderr, name);
    fputs("`; these there are:", stderr);
    for (int i = 0; i < p->n_rules && i < 20; i++)
        fprintf(stderr, " %s", p->rules[i].name);
    fprintf(stderr, "%s\n", p->n_rules > 20 ? " ..." : "");
    return NULL;
}

static int harden(const struct policy *p, const char *name, const struct options *o)
{
    char usual[GROUP_MAX + 1];
    const struct rule *r = find_rule(p, name);
    if (!r)
        return EXIT_FAILED;
    if (r->action != ACTION_ALLOW || r->exe.n == 0) {
        fprintf(stderr, "fileward: [rule %s] %s\n", r->name,
                r->exe.n == 0 ? "names no program (exe): there is nothing to give a group to"
                              : "denies: a group makes an allow rule stronger, and a deny rule weaker");
        return EXIT_FAILED;
    }
    choose_group(r->name, usual);
    struct private_group group = private_group_find(o->group ? o->group : usual);
    json_t *all = plan(p, r, &group);
    if (o->json)
        json_print(all);
    else
        print_lines(all);
    bool any = false;
    const json_t *one;
    size_t i;
    json_array_foreach(json_object_get(all, "programs"), i, one) any |= strcmp(member(one, "state"), "left") != 0;
    json_decref(all);
    return any ? 0 : EXIT_FAILED;
}

static bool is_group_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return n > 0 && n <= GROUP_MAX && name[n] == '\0' && (isalpha((unsigned char)name[0]) || name[0] == '_');
}

static int load_and_harden(const char *name, const struct options *o)
{
    if (!policy_permitted(o->file))
        return EXIT_NOT_PERMITTED;
    struct findings findings = {0};
    struct policy *p = policy_load(o->file, &findings);
    int status = EXIT_POLICY;
    if (findings.errors > 0)
        findings_print(&findings, stderr);
    else
        status = harden(p, name, o);
    findings_free(&findings);
    policy_free(p);
    return status;
}

int cmd_harden(int argc, char **argv)
{
    static const struct option known[] = {{"group", required_argument, NULL, 'g'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    struct options o = {0};
    for (int c; (c = getopt_long(argc, argv, "c:h", known, NULL)) != -1;) {
        switch (c) {
        case 'c':
            o.file = optarg;
            break;
        case 'g':
            o.group = optarg;
            break;
        case 'j':
            o.json = true;
            break;
        case 'h':
            return usage(stdout);
        default:
            return usage(stderr);
        }
    }
    if (optind + 1 != argc || (o.group && !is_group_name(o.group)))
        return usage(stderr);
    return load_and_harden(argv[optind], &o);
}
