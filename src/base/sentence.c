#include "base/sentence.h"

#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/text.h"

enum { ANCESTORS_TOLD = 4 };

static const char *word(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "?";
}

static bool word_is(const json_t *o, const char *key, const char *value)
{
    return strcmp(word(o, key), value) == 0;
}

static void say_escaped(FILE *f, const char *text)
{
    size_t n = strlen(text), size = TEXT_ESCAPE_SIZE(n);
    CLEAN_FREE char *out = malloc(size);
    if (out && text_escape(out, size, text, n))
        fputs(out, f);
}

static void say(FILE *f, const json_t *o, const char *key)
{
    say_escaped(f, word(o, key));
}

static void say_number(FILE *f, const json_t *o, const char *key)
{
    const json_t *n = json_object_get(o, key);
    if (json_is_integer(n))
        fprintf(f, "%" JSON_INTEGER_FORMAT, json_integer_value(n));
    else
        fputc('?', f);
}

static json_int_t number(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

enum outcome sentence_outcome(const json_t *o)
{
    if (!word_is(o, "kind", "access") && !word_is(o, "kind", "timeout"))
        return OUTCOME_NOTICE;
    if (word_is(o, "verdict", "deny"))
        return OUTCOME_DENIED;
    return word_is(o, "decision", "deny") ? OUTCOME_WOULD_DENY : OUTCOME_ALLOWED;
}

static void say_ancestors(FILE *f, const json_t *list)
{
    const json_t *a;
    size_t i;
    json_array_foreach(list, i, a)
    {
        if (i == ANCESTORS_TOLD) {
            fputs(" < ...", f);
            break;
        }
        const char *path = word(a, "exe");
        const char *slash = strrchr(path, '/');
        fputs(i ? " < " : " (", f);
        say_escaped(f, slash && slash[1] ? slash + 1 : path);
    }
    if (i)
        fputc(')', f);
}

/* The outcome in words; green, yellow or red. */
static void say_outcome(FILE *f, const json_t *o, bool colour)
{
    static const char *const words[] = {"allowed", "would deny", "denied"};
    static const char *const codes[] = {"\033[32m", "\033[33m", "\033[31m"};
    enum outcome what = sentence_outcome(o);
    fprintf(f, "%s%s%s", colour ? codes[what] : "", words[what], colour ? "\033[0m" : "");
}

static void say_question(FILE *f, const json_t *o, struct sentence_style style)
{
    const char *gap = style.wide ? "  " : " ";
    const json_t *subject = json_object_get(o, "subject");
    if (word_is(o, "kind", "timeout"))
        fprintf(f, "no decision in time, ");
    else if (word_is(o, "reason", "init") && sentence_outcome(o) == OUTCOME_WOULD_DENY)
        fprintf(f, "process 1 let through, ");
    say_outcome(f, o, style.colour);
    fputs(gap, f);
    say(f, o, "op");
    if (!subject) { /* a repeat whose original was not known any more */
        fprintf(f, "%sagain%srule ", gap, gap);
        say(f, o, "rule");
        return;
    }
    if (json_is_null(json_object_get(subject, "pid"))) { /* answered before anyone looked */
        fprintf(f, "%swatch ", gap);
        say(f, o, "watch");
        return;
    }
    fputs(gap, f);
    say(f, json_object_get(o, "object"), "path");
    fprintf(f, "%sby ", gap);
    say(f, subject, "exe");
    fputc('[', f);
    say_number(f, subject, "pid");
    fputs("] uid ", f);
    say_number(f, subject, "uid");
    say_ancestors(f, json_object_get(subject, "ancestors"));
    if (!word_is(o, "kind", "timeout")) {
        fprintf(f, "%srule ", gap);
        say(f, o, "rule");
    }
}

static void say_gap(FILE *f, const json_t *o)
{
    say_number(f, o, "lost");
    bool one = number(o, "lost") == 1;
    fputs(one ? " record of the " : " records of the ", f);
    say(f, o, "role");
    fputs(one ? " was lost" : " were lost", f);
    if (json_object_get(o, "reason")) {
        fputs(": ", f);
        say(f, o, "reason");
    }
}

static void say_rescue(FILE *f, const json_t *o)
{
    say_number(f, o, "count");
    fputs(number(o, "count") == 1 ? " waiting open was released without a decision"
                                  : " waiting opens were released without a decision",
          f);
    if (json_is_string(json_object_get(o, "watch"))) {
        fputs(", watch ", f);
        say(f, o, "watch");
    }
    fputs(": ", f);
    say(f, o, "reason");
}

static void say_start(FILE *f, const json_t *o)
{
    fputs("fileward ", f);
    say(f, o, "version");
    fputs(" guards ", f);
    say_number(f, o, "marks");
    fputs(number(o, "marks") == 1 ? " file or directory in " : " files and directories in ", f);
    say_number(f, o, "watches");
    fputs(number(o, "watches") == 1 ? " watch, mode " : " watches, mode ", f);
    say(f, o, "mode");
}

static void say_unguarded(FILE *f, const json_t *o)
{
    fputs("not guarded: ", f);
    say(f, o, "path");
    fputs(", watch ", f);
    say(f, o, "watch");
    fputs(": ", f);
    say(f, o, "reason");
}

static void say_open(FILE *f, const json_t *o)
{
    const json_t *subject = json_object_get(o, "subject");
    fputs("open before it was guarded: ", f);
    say(f, json_object_get(o, "object"), "path");
    fputs(" by ", f);
    say(f, subject, "exe");
    fputc('[', f);
    say_number(f, subject, "pid");
    fputs("] uid ", f);
    say_number(f, subject, "uid");
    fputs(", watch ", f);
    say(f, o, "watch");
}

static void say_rescan(FILE *f, const json_t *o)
{
    fputs("everything was looked at again, because changes were missed: ", f);
    say(f, o, "reason");
}

void sentence_write(FILE *f, const json_t *o, struct sentence_style style)
{
    if (sentence_outcome(o) != OUTCOME_NOTICE)
        say_question(f, o, style);
    else if (word_is(o, "kind", "gap"))
        say_gap(f, o);
    else if (word_is(o, "kind", "rescue"))
        say_rescue(f, o);
    else if (word_is(o, "kind", "start"))
        say_start(f, o);
    else if (word_is(o, "kind", "unguarded"))
        say_unguarded(f, o);
    else if (word_is(o, "kind", "open"))
        say_open(f, o);
    else if (word_is(o, "kind", "rescan"))
        say_rescan(f, o);
    else if (word_is(o, "kind", "stop")) {
        fputs("fileward stopped: ", f);
        say(f, o, "reason");
    } else {
        fputs("a record of kind ", f);
        say(f, o, "kind");
    }
    if (sentence_outcome(o) != OUTCOME_NOTICE && number(o, "count") > 1)
        fprintf(f, "%sx%" JSON_INTEGER_FORMAT, style.wide ? "  " : " ", number(o, "count"));
}
