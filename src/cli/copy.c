#include "cli/copy.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "policy/glob.h"

/* "KEY = "VALUE"", made of three parts. False: it cannot be quoted. */
static bool put_value(FILE *out, const char *key, const char *a, const char *b, const char *c)
{
    fprintf(out, "%s = \"%s%s%s\"\n", key, a, b, c);
    return !strpbrk(c, "\"\n");
}

static const char *below(const struct pattern *p)
{
    return p->home ? "/home" : "";
}

static bool put_patterns(FILE *out, const char *key, const struct patterns *list, const struct copy *c)
{
    bool ok = true;
    for (size_t i = 0; i < list->n; i++)
        ok &= put_value(out, key, c->top, below(&list->v[i]), list->v[i].text);
    return ok;
}

static bool is_exe(const struct copy *c, const char *text)
{
    return c->exe && glob_match(text, c->exe);
}

static bool put_programs(FILE *out, const char *key, const struct policy *p, const struct program_list *list,
                         const struct copy *c)
{
    bool ok = true;
    for (size_t i = 0; i < list->n; i++) {
        const char *text = p->programs[list->v[i]].text;
        ok &= put_value(out, key, "", "", is_exe(c, text) ? c->self : text);
    }
    return ok;
}

static void put_hash(FILE *out, const uint8_t bytes[SHA256_BYTES])
{
    fputs("exe_sha256 = ", out);
    for (int i = 0; i < SHA256_BYTES; i++)
        fprintf(out, "%02x", bytes[i]);
    fputc('\n', out);
}

static void put_hashes(FILE *out, const struct sha256_list *list, const struct copy *c)
{
    for (size_t i = 0; i < list->n; i++) {
        put_hash(out, list->v[i].bytes);
        if (c->exe_sha256 && memcmp(list->v[i].bytes, c->exe_sha256, SHA256_BYTES) == 0)
            put_hash(out, c->self_sha256);
    }
}

static void put_ids(FILE *out, const char *key, const struct ids *ids)
{
    if (ids->owner)
        fprintf(out, "%s = owner\n", key);
    for (size_t i = 0; i < ids->n; i++)
        fprintf(out, "%s = %" PRIu32 "-%" PRIu32 "\n", key, ids->v[i].low, ids->v[i].high);
}

static bool put_units(FILE *out, const struct names *units)
{
    bool ok = true;
    for (size_t i = 0; i < units->n; i++)
        ok &= put_value(out, "unit", "", "", units->v[i]);
    return ok;
}

static void put_ops(FILE *out, unsigned ops)
{
    if (ops == OPS_ALL)
        return;
    fputs("op =", out);
    for (int op = 0; op < OP_COUNT; op++)
        if (ops & OP_BIT(op))
            fprintf(out, " %s", op_name((enum op)op));
    fputc('\n', out);
}

static bool put_rule(FILE *out, const struct policy *p, const struct rule *r, const char *name, unsigned conditions,
                     const struct copy *c)
{
    time_t t = (time_t)r->expires;
    struct tm tm;
    char text[64];
    fprintf(out, "[rule %s]\naction = %s\n", name, action_name(r->action));
    put_ops(out, r->ops);
    if ((conditions >> COND_EXPIRES & 1) && gmtime_r(&t, &tm) && strftime(text, sizeof text, "%FT%TZ", &tm) > 0)
        fprintf(out, "expires = %s\n", text);
    if (conditions >> COND_OBJECT & 1)
        fputs("object = public\n", out);
    if (conditions >> COND_TRUST & 1)
        fputs("trust = packaged\n", out);
    if (conditions >> COND_CODE & 1)
        fputs("code = intact\n", out);
    put_ids(out, "uid", &r->uid);
    put_ids(out, "gid", &r->gid);
    put_ids(out, "egid", &r->egid);
    put_ids(out, "loginuid", &r->loginuid);
    put_hashes(out, &r->exe_sha256, c);
    return put_programs(out, "exe", p, &r->exe, c) && put_programs(out, "parent", p, &r->parent, c) &&
           put_programs(out, "ancestor", p, &r->ancestor, c) && put_units(out, &r->unit) &&
           put_patterns(out, "path", &r->path, c);
}

/* Whether the rule holds for `exe` only if that is packaged. */
static bool trusts_exe(const struct policy *p, const struct rule *r, const struct copy *c)
{
    bool is = !(r->conditions >> COND_EXE & 1);
    for (size_t i = 0; i < r->exe.n && !is; i++)
        is = is_exe(c, p->programs[r->exe.v[i]].text);
    return c->exe && is && (r->conditions >> COND_TRUST & 1);
}

/* Behind a rule that asks for self's package, and may not find one, the same without that condition. */
static bool put_rules(FILE *out, const struct policy *p, const struct watch *w, const struct copy *c)
{
    bool ok = true;
    for (int i = w->first_rule; i < w->first_rule + w->rules && ok; i++) {
        const struct rule *r = &p->rules[i];
        char name[2 * NAME_MAX_LEN];
        ok = put_rule(out, p, r, r->name, r->conditions, c);
        if (!ok || !trusts_exe(p, r, c))
            continue;
        snprintf(name, sizeof name, "%s/fileward-bench-%d", w->name, i);
        ok = put_rule(out, p, r, name, r->conditions & ~(1u << COND_TRUST), c);
    }
    return ok;
}

static bool put_watch(FILE *out, const struct watch *w, const struct copy *c)
{
    fprintf(out, "[watch %s]\ndefault = %s\nguard = %s\ncoverage = %s\nlog = %s\non_timeout = %s\n", w->name,
            action_name(w->default_action), guard_name(w->guard), coverage_name(w->coverage), log_name(w->log),
            action_name(w->on_timeout));
    return put_patterns(out, "path", &w->path, c) && put_patterns(out, "exclude", &w->exclude, c);
}

bool copy_policy(const struct policy *p, const struct copy *c, FILE *out)
{
    bool ok = true;
    fprintf(out, "[fileward]\nmode = audit\nlisten = off\nsocket = %s/run/socket\nlog_file = %s/log/events.jsonl\n",
            c->top, c->top);
    fprintf(out, "timeout = %dms\nuser = %" PRIu32 "\n", p->settings.timeout_ms, p->settings.uid);
    for (int i = 0; i < p->n_watches && ok; i++) {
        const struct watch *w = &p->watches[i];
        ok = put_watch(out, w, c) && put_rules(out, p, w, c);
    }
    return ok && !ferror(out);
}

/* A name for which the pattern may hold: each component with a wildcard becomes "x". */
static void plain_name(const char *text, char out[PATH_MAX])
{
    size_t n = 0;
    while (*text && n + 2 < PATH_MAX) {
        size_t len = strcspn(text + 1, "/") + 1; /* with the slash before it */
        char component[PATH_MAX];
        snprintf(component, sizeof component, "%.*s", (int)len, text);
        int put = snprintf(out + n, PATH_MAX - n, "%s", glob_is_literal(component) ? component : "/x");
        n += put > 0 ? (size_t)put : 0;
        text += len;
    }
}

bool copy_place(const struct policy *p, const struct watch *w, const struct copy *c, char place[PATH_MAX])
{
    for (size_t i = 0; i < w->path.n; i++) {
        const struct pattern *pattern = &w->path.v[i];
        char name[PATH_MAX] = "";
        plain_name(pattern->text, name);
        if (!glob_match(pattern->text, name))
            continue;
        bool excluded = false;
        for (size_t k = 0; k < w->exclude.n && !excluded; k++) {
            const struct pattern plain = {.text = w->exclude.v[k].text};
            excluded = w->exclude.v[k].home == pattern->home && pattern_covers(p, &plain, name);
        }
        if (!excluded && snprintf(place, PATH_MAX, "%s%s%s", c->top, below(pattern), name) < PATH_MAX)
            return true;
    }
    return false;
}
