/* fileward check: everything that is wrong with a policy, in one run. */
#include <getopt.h>
#include <stdio.h>
#include <time.h>

#include "base/load.h"
#include "cli/cli.h"
#include "cli/coverage.h"
#include "cli/json.h"
#include "cli/lint.h"

struct options {
    const char *file; /* NULL: the usual one */
    bool strict, json;
};

static int usage(FILE *out)
{
    fputs(
        "usage: fileward check [-c FILE] [--strict] [--json]\n"
        "\n"
        "Reads the policy (/etc/fileward/fileward.ini, or FILE) with all that belongs to it and reports every error.\n"
        "  --strict  also warn of what is allowed and still unwise; exit status 1 if there is any;\n"
        "            and note which rules make a watch dear\n"
        "  --json    one JSON object instead of lines\n",
        out);
    return out == stdout ? 0 : EXIT_USAGE;
}

static void add_json(json_t *list, const struct findings *f, const char *other)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct finding *one = &f->v[i];
        json_t *o = json_pack("{s:s}", "severity", one->fatal ? "error" : other);
        json_put_name(o, "file", one->file);
        json_object_update_new(o, json_pack("{s:i, s:s}", "line", one->line, "text", one->text));
        json_array_append_new(list, o);
    }
}

static void print_json(const struct policy *p, const struct findings *findings, const struct findings *warnings,
                       const struct findings *costs)
{
    json_t *list = json_array();
    add_json(list, findings, "note");
    add_json(list, warnings, "warning");
    add_json(list, costs, "note");
    char policy[80];
    snprintf(policy, sizeof policy, "sha256:%s", p->sha256);
    json_t *all = json_pack("{s:b, s:s, s:i, s:i, s:o}", "ok", findings->errors == 0, "policy", policy, "watches",
                            p->n_watches, "rules", p->n_rules, "findings", list);
    json_print(all);
    json_decref(all);
}

static void print_lines(const struct policy *p, const struct findings *findings, const struct findings *warnings,
                        const struct findings *costs)
{
    findings_print(findings, stderr);
    findings_print(warnings, stderr);
    findings_print(costs, stderr);
    if (findings->errors > 0)
        fprintf(stderr, "fileward: the policy has %zu error%s\n", findings->errors, findings->errors == 1 ? "" : "s");
    else
        printf("policy ok: %d watch%s, %d rule%s\n", p->n_watches, p->n_watches == 1 ? "" : "es", p->n_rules,
               p->n_rules == 1 ? "" : "s");
}

static int check(const struct options *o)
{
    if (!policy_permitted(o->file))
        return EXIT_NOT_PERMITTED;
    struct findings findings, warnings = {0}, costs = {0};
    struct policy *p = policy_load(o->file, &findings);
    if (findings.errors == 0) {
        lint_packages(p, &costs);
        check_writing(p, &costs);
    }
    if (o->strict && findings.errors == 0) {
        lint(p, time(NULL), &warnings);
        lint_costs(p, &costs);
        lint_coverage(p, &warnings, &costs);
    }
    if (o->json)
        print_json(p, &findings, &warnings, &costs);
    else
        print_lines(p, &findings, &warnings, &costs);
    int status = findings.errors > 0 ? EXIT_POLICY : warnings.n > 0 ? EXIT_FAILED : 0;
    findings_free(&costs);
    findings_free(&warnings);
    findings_free(&findings);
    policy_free(p);
    return status;
}

int cmd_check(int argc, char **argv)
{
    static const struct option known[] = {
        {"strict", no_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    struct options o = {0};
    for (int c; (c = getopt_long(argc, argv, "c:h", known, NULL)) != -1;) {
        switch (c) {
        case 'c':
            o.file = optarg;
            break;
        case 's':
            o.strict = true;
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
    return optind < argc ? usage(stderr) : check(&o);
}
