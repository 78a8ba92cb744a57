#include "cli/why.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "base/text.h"
#include "policy/needs.h"
#include "policy/policy.h"

enum { SHOWN_MAX = 6 }; /* of a list */

/* What stands between item `i` and the one before. Returns false when enough have been shown. */
static bool next_item(FILE *out, size_t i, size_t n)
{
    if (i == SHOWN_MAX && n > SHOWN_MAX + 1) {
        fprintf(out, " or %zu more", n - i);
        return false;
    }
    if (i > 0)
        fputs(i + 1 == n ? " or " : ", ", out);
    return true;
}

static void put_programs(FILE *out, const struct policy *p, const struct program_list *list)
{
    for (size_t i = 0; i < list->n && next_item(out, i, list->n); i++)
        text_print(out, p->programs[list->v[i]].text);
}

static void put_ids(FILE *out, const struct ids *ids)
{
    size_t n = ids->n + ids->owner;
    for (size_t i = 0; i < n && next_item(out, i, n); i++) {
        if (i == ids->n)
            fputs("the owner", out);
        else if (ids->v[i].low == ids->v[i].high)
            fprintf(out, "%" PRIu32, ids->v[i].low);
        else
            fprintf(out, "%" PRIu32 "-%" PRIu32, ids->v[i].low, ids->v[i].high);
    }
}

static void put_patterns(FILE *out, const struct patterns *list)
{
    for (size_t i = 0; i < list->n && next_item(out, i, list->n); i++) {
        fputs(list->v[i].home ? "~" : "", out);
        text_print(out, list->v[i].text);
    }
}

static void put_names(FILE *out, const struct names *list)
{
    for (size_t i = 0; i < list->n && next_item(out, i, list->n); i++)
        text_print(out, list->v[i]);
}

static void put_public(FILE *out, const struct object *o)
{
    if (o->uid != 0)
        fprintf(out, "it belongs to uid %" PRIu32 ", not to root", o->uid);
    else if (!(o->mode & 0004))
        fprintf(out, "others may not read it (mode %04o)", o->mode & 07777);
    else
        fprintf(out, "others than root may write it (mode %04o)", o->mode & 07777);
}

static void put_groups(FILE *out, const struct rule *r, const struct subject *s)
{
    fprintf(out, "none of the groups %" PRIu32, s->gid);
    if (s->egid != s->gid)
        fprintf(out, ", %" PRIu32, s->egid);
    for (size_t i = 0; i < s->n_groups; i++)
        fprintf(out, ", %" PRIu32, s->groups[i]);
    fputs(" is ", out);
    put_ids(out, &r->gid);
}

static void put_time(FILE *out, int64_t seconds)
{
    time_t t = (time_t)seconds;
    struct tm tm;
    char text[64];
    if (gmtime_r(&t, &tm) && strftime(text, sizeof text, "%Y-%m-%dT%H:%MZ", &tm) > 0)
        fprintf(out, "the time %s is over", text);
}

static void put_ancestors(FILE *out, const struct portrait *w)
{
    if (w->n_ancestors == 0)
        fputs("there is no ancestor, so none", out);
    for (size_t i = 0; i < w->n_ancestors && i < SHOWN_MAX; i++) {
        fputs(i ? ", " : "none of ", out);
        text_print(out, w->ancestors[i]);
    }
}

static void put_sha256(FILE *out, const struct rule *r, const struct sha256 *of)
{
    for (size_t i = 0; i < sizeof of->bytes; i++)
        fprintf(out, "%02x", of->bytes[i]);
    fputs(r->exe_sha256.n > 1 ? " is none of those that the rule names" : " is not the one that the rule names", out);
}

static void put_why(FILE *out, const struct policy *p, const struct rule *r, enum condition c, const struct portrait *w)
{
    const struct subject *s = &w->subject;
    switch (c) {
    case COND_EXPIRES:
        put_time(out, r->expires);
        return;
    case COND_OBJECT:
        put_public(out, &w->object);
        return;
    case COND_UID:
        fprintf(out, "%" PRIu32 " is not ", s->fsuid);
        put_ids(out, &r->uid);
        if (r->uid.owner)
            fprintf(out, " (uid %" PRIu32 ")", w->object.uid);
        return;
    case COND_EGID:
        fprintf(out, "%" PRIu32 " is not ", s->egid);
        put_ids(out, &r->egid);
        return;
    case COND_EXE:
        text_print(out, w->exe[0] ? w->exe : "an unknown program");
        fputs(" is not ", out);
        put_programs(out, p, &r->exe);
        return;
    case COND_GID:
        put_groups(out, r, s);
        return;
    case COND_PATH:
        text_print(out, w->place);
        fputs(" is not in ", out);
        put_patterns(out, &r->path);
        return;
    case COND_LOGINUID:
        if (s->loginuid == UINT32_MAX)
            fputs("nobody logged in, which is not ", out);
        else
            fprintf(out, "%" PRIu32 " is not ", s->loginuid);
        put_ids(out, &r->loginuid);
        return;
    case COND_UNIT:
        text_print(out, s->unit[0] ? s->unit : "no unit");
        fputs(" is not ", out);
        put_names(out, &r->unit);
        return;
    case COND_PARENT:
        text_print(out, w->parent[0] ? w->parent : "no parent");
        fputs(" is not ", out);
        put_programs(out, p, &r->parent);
        return;
    case COND_ANCESTOR:
        put_ancestors(out, w);
        fputs(" is ", out);
        put_programs(out, p, &r->ancestor);
        return;
    case COND_EXE_SHA256:
        put_sha256(out, r, &s->sha256);
        return;
    case COND_TRUST:
        text_print(out, w->trust_why);
        return;
    case COND_CODE:
        text_print(out, w->code_why);
        return;
    case COND_COUNT:
        return;
    }
}

char *why_not(const struct policy *p, const struct rule *r, enum condition c, const struct portrait *w)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fprintf(out, "%s: ", condition_name(c));
    unsigned failed = needs_of_condition(r, c) & (w->subject.failed | w->object.failed);
    if (failed & ATTR_OWNER)
        fputs("the owner and mode of the file are not known", out);
    else if (failed & ATTR_TRUST && w->trust_why[0])
        fprintf(out, "cannot be determined: %s", w->trust_why);
    else if (failed & ATTR_CODE && w->code_why[0])
        fprintf(out, "cannot be determined: %s", w->code_why);
    else if (failed)
        fputs("cannot be determined", out);
    else
        put_why(out, p, r, c, w);
    fclose(out);
    return text;
}
