#include "herald/metrics.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "policy/policy.h"

void seconds_text(char out[SECONDS_BYTES], uint64_t ns)
{
    char digits[24];
    int exponent = -9; /* value = digits * 10^exponent */
    while (ns && ns % 10 == 0) {
        ns /= 10;
        exponent++;
    }
    int n = snprintf(digits, sizeof digits, "%" PRIu64, ns);
    int leading = n - 1 + exponent; /* exponent of the first digit */
    if (ns == 0)
        snprintf(out, SECONDS_BYTES, "0");
    else if (leading < -4)
        snprintf(out, SECONDS_BYTES, "%c%s%.20se-%02d", digits[0], n > 1 ? "." : "", digits + 1, -leading);
    else if (exponent >= 0)
        snprintf(out, SECONDS_BYTES, "%.20s%.*s", digits, exponent, "0000000000");
    else if (n + exponent > 0)
        snprintf(out, SECONDS_BYTES, "%.*s.%.20s", n + exponent, digits, digits + n + exponent);
    else
        snprintf(out, SECONDS_BYTES, "0.%.*s%.20s", -exponent - n, "000000000", digits);
}

static void head(FILE *f, const char *name, const char *type, const char *help)
{
    fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(FILE *f, const char *name, const char *type, const char *help, uint64_t value)
{
    head(f, name, type, help);
    fprintf(f, "%s %" PRIu64 "\n", name, value);
}

static void single_seconds(FILE *f, const char *name, const char *type, const char *help, uint64_t ns)
{
    char text[SECONDS_BYTES];
    seconds_text(text, ns);
    head(f, name, type, help);
    fprintf(f, "%s %s\n", name, text);
}

/* A label's value. Names of a policy need no escaping, but that is the parser's promise and not ours. */
static void label(FILE *f, const char *key, const char *value)
{
    fprintf(f, "%s=\"", key);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            fputc('\\', f);
        if (*value == '\n')
            fputs("\\n", f);
        else
            fputc(*value, f);
    }
    fputc('"', f);
}

static void by_label(FILE *f, const char *name, const char *key, const char *value, uint64_t n)
{
    fprintf(f, "%s{", name);
    label(f, key, value);
    fprintf(f, "} %" PRIu64 "\n", n);
}

/* A series per operation and verdict that can occur; and any that did occur all the same, for that would be a bug that
 * must be seen. */
static void slot(FILE *f, const struct state *s, int watch, int rule)
{
    const struct policy *p = s->policy;
    const struct watch *w = &p->watches[watch];
    unsigned ops = rule == RULE_DEFAULT ? OPS_ALL : p->rules[rule].ops;
    enum action decision = rule == RULE_DEFAULT ? w->default_action : p->rules[rule].action;
    const struct board_slot *b = board_slot((struct board *)s->board, p, watch, rule);
    for (int op = 0; op <= OP_COUNT; op++) {
        bool asked = op == OP_ANY ? (ops & OP_BIT(OP_READ)) && (ops & OP_BIT(OP_WRITE)) : ops >> op & 1;
        for (int verdict = ACTION_ALLOW; verdict <= ACTION_DENY; verdict++) {
            /* A refusal is written only when it was decided and is enforced; process 1 is let through even then. */
            bool possible = verdict == ACTION_ALLOW || (decision == ACTION_DENY && watch_mode(p, w) == MODE_ENFORCE);
            uint64_t n = atomic_load(&b->n[op][verdict]);
            if (!(asked && possible) && n == 0)
                continue;
            fputs("fileward_decisions_total{", f);
            label(f, "watch", w->name);
            fputc(',', f);
            label(f, "rule", rule_name(p, watch, rule));
            fprintf(f, ",op=\"%s\",decision=\"%s\",verdict=\"%s\"} %" PRIu64 "\n", op_name((enum op)op),
                    action_name(decision), action_name((enum action)verdict), n);
        }
    }
}

static void decisions(FILE *f, const struct state *s)
{
    const struct policy *p = s->policy;
    head(f, "fileward_decisions_total", "counter",
         "Questions answered, by what the policy decided and what was told to the kernel.");
    for (int i = 0; i < p->n_rules; i++)
        slot(f, s, p->rules[i].watch, i);
    for (int i = 0; i < p->n_watches; i++)
        slot(f, s, i, RULE_DEFAULT);
}

static void durations(FILE *f, const struct board *b)
{
    static const char name[] = "fileward_decision_duration_seconds";
    char text[SECONDS_BYTES];
    uint64_t n = 0;
    head(f, name, "histogram", "Time from reading a question to having answered it.");
    for (int i = 0; i < BUCKETS; i++) {
        n += atomic_load(&b->bucket[i]);
        seconds_text(text, board_bucket_ns[i]);
        fprintf(f, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", name, text, n);
    }
    n += atomic_load(&b->bucket[BUCKETS]);
    seconds_text(text, atomic_load(&b->latency_sum_ns));
    fprintf(f, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %s\n%s_count %" PRIu64 "\n", name, n, name, text, name, n);
}

static void watches(FILE *f, const struct state *s)
{
    const struct policy *p = s->policy;
    const struct board *b = s->board;
    head(f, "fileward_timeouts_total", "counter", "Questions answered by on_timeout because their time was over.");
    for (int i = 0; i < p->n_watches; i++)
        by_label(f, "fileward_timeouts_total", "watch", p->watches[i].name, atomic_load(&b->watch[i].timeouts));
    head(f, "fileward_outside_total", "counter", "Questions about files that the watch does not guard, let through.");
    for (int i = 0; i < p->n_watches; i++)
        by_label(f, "fileward_outside_total", "watch", p->watches[i].name, atomic_load(&b->watch[i].outside));
    head(f, "fileward_kernel_refused_total", "counter", "Opens that the kernel refused without asking.");
    for (int i = 0; i < p->n_watches; i++)
        by_label(f, "fileward_kernel_refused_total", "watch", p->watches[i].name,
                 atomic_load(&b->watch[i].kernel_refused));
    head(f, "fileward_marks", "gauge", "Files and directories that are guarded.");
    for (int i = 0; i < p->n_watches; i++)
        by_label(f, "fileward_marks", "watch", p->watches[i].name, atomic_load(&b->watch[i].marks));
    head(f, "fileward_unguarded", "gauge", "Files and directories that were left unguarded, each with a record.");
    for (int i = 0; i < p->n_watches; i++)
        by_label(f, "fileward_unguarded", "watch", p->watches[i].name, atomic_load(&b->watch[i].unguarded));
    head(f, "fileward_unwritten", "gauge", "Files whose writing cannot be asked about, though guard = open+write.");
    for (int i = 0; i < p->n_watches; i++)
        by_label(f, "fileward_unwritten", "watch", p->watches[i].name, atomic_load(&b->watch[i].unwritten));
    head(f, "fileward_mode", "gauge", "1 for the mode in force.");
    for (int i = 0; i < p->n_watches; i++)
        for (int mode = MODE_AUDIT; mode <= MODE_ENFORCE; mode++) {
            fputs("fileward_mode{", f);
            label(f, "watch", p->watches[i].name);
            fprintf(f, ",mode=\"%s\"} %d\n", mode_name((enum mode)mode), (int)watch_mode(p, &p->watches[i]) == mode);
        }
}

static void roles(FILE *f, const struct state *s)
{
    head(f, "fileward_restarts_total", "counter", "Processes that had to be replaced.");
    for (int i = 0; i < ROLE_COUNT; i++)
        by_label(f, "fileward_restarts_total", "role", role_name((enum role)i), atomic_load(&s->board->restarts[i]));
    head(f, "fileward_records_dropped_total", "counter", "Records lost on the way to the log.");
    for (int i = 0; i < ROLE_COUNT; i++)
        by_label(f, "fileward_records_dropped_total", "role", role_name((enum role)i), s->dropped[i]);
}

static void about(FILE *f, const struct state *s)
{
    head(f, "fileward_policy_info", "gauge", "The policy in force.");
    by_label(f, "fileward_policy_info", "sha256", s->policy->sha256, 1);
    single(f, "fileward_policy_last_reload_successful", "gauge", "Whether the policy was last loaded without errors.",
           !atomic_load(&s->board->reload_failed));
    single_seconds(f, "fileward_policy_last_reload_timestamp_seconds", "gauge", "When the policy was last loaded.",
                   (uint64_t)atomic_load(&s->board->loaded_ns));
    head(f, "fileward_build_info", "gauge", "Version and kernel.");
    fputs("fileward_build_info{", f);
    label(f, "version", FILEWARD_VERSION);
    fputc(',', f);
    label(f, "kernel", s->kernel);
    fputs("} 1\n", f);
}

static void process(FILE *f, const struct self_usage *u)
{
    single_seconds(f, "process_cpu_seconds_total", "counter", "Processor time of the herald.", u->cpu_ns);
    single(f, "process_resident_memory_bytes", "gauge", "Resident memory of the herald.", u->resident_bytes);
    single(f, "process_virtual_memory_bytes", "gauge", "Virtual memory of the herald.", u->virtual_bytes);
    single(f, "process_open_fds", "gauge", "Open descriptors of the herald.", u->open_fds);
    single(f, "process_max_fds", "gauge", "The herald's limit of descriptors.", u->max_fds);
    single_seconds(f, "process_start_time_seconds", "gauge", "When the herald started, since 1970.",
                   (uint64_t)u->started_ns);
}

void metrics_write(FILE *f, const struct state *s)
{
    const struct board *b = s->board;
    decisions(f, s);
    durations(f, b);
    watches(f, s);
    single(f, "fileward_pending", "gauge", "Questions unread or unanswered.", atomic_load(&b->pending));
    single(f, "fileward_rescues_total", "counter", "Times that the keeper released openers without a decision.",
           atomic_load(&b->rescues));
    single(f, "fileward_rescans_total", "counter",
           "Times that the scout looked at everything again, because changes were missed.", atomic_load(&b->rescans));
    single(f, "fileward_answer_errors_total", "counter", "Answers that the kernel did not take.",
           atomic_load(&b->answer_errors));
    single(f, "fileward_cache_hits_total", "counter", "Processes that the judge knew from an earlier question.",
           atomic_load(&b->cache_hits));
    single(f, "fileward_cache_misses_total", "counter", "Processes that it had to open.",
           atomic_load(&b->cache_misses));
    single(f, "fileward_decision_cache_hits_total", "counter",
           "Decisions that the judge knew from an earlier question.", atomic_load(&b->decision_hits));
    single(f, "fileward_decision_cache_misses_total", "counter", "Decisions for which it went through the rules.",
           atomic_load(&b->decision_misses));
    roles(f, s);
    about(f, s);
    process(f, &s->usage);
}
