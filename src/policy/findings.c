#include "policy/findings.h"

#include <stdarg.h>

#include "base/own.h"
#include "base/text.h"
#include "policy/heap.h"

static char *escaped(const char *s, size_t len)
{
    char *out = heap_check(malloc(TEXT_ESCAPE_SIZE(len)));
    text_escape(out, TEXT_ESCAPE_SIZE(len), s, len);
    return out;
}

/* `kind` stands before the message; "" is an error. */
__attribute__((format(printf, 4, 0))) static void add(struct findings *f, struct origin at, const char *kind,
                                                      const char *format, va_list args)
{
    CLEAN_FREE char *raw = NULL;
    char line[16] = "";
    int len = vasprintf(&raw, format, args);
    heap_check(len < 0 ? NULL : raw);
    CLEAN_FREE char *message = escaped(raw, (size_t)len);
    CLEAN_FREE char *file = escaped(at.file, strlen(at.file));
    if (at.line > 0)
        snprintf(line, sizeof line, ":%d", at.line);

    bool fatal = !kind[0];
    struct finding *one = HEAP_APPEND(f);
    *one = (struct finding){.file = at.file, .line = at.line, .fatal = fatal};
    if (asprintf(&one->text, "%s%s: %s%s", file, line, kind, message) < 0)
        one->text = heap_check(NULL);
    f->errors += fatal;
}

void findings_error(struct findings *f, struct origin at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(f, at, "", format, args);
    va_end(args);
}

void findings_note(struct findings *f, struct origin at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(f, at, "note: ", format, args);
    va_end(args);
}

void findings_warning(struct findings *f, struct origin at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(f, at, "warning: ", format, args);
    va_end(args);
}

/* A finding with its place in the order. */
struct placed {
    struct finding finding;
    size_t file, found;
};

static int compare(const void *x, const void *y)
{
    const struct placed *a = x, *b = y;
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    if (a->finding.line != b->finding.line)
        return a->finding.line < b->finding.line ? -1 : 1;
    return a->found < b->found ? -1 : 1;
}

void findings_sort(struct findings *f, char *const *files, size_t n_files)
{
    if (f->n < 2)
        return;
    CLEAN_FREE struct placed *order = heap_check(calloc(f->n, sizeof *order));
    for (size_t i = 0; i < f->n; i++) {
        size_t file = 0;
        while (file < n_files && files[file] != f->v[i].file)
            file++;
        order[i] = (struct placed){f->v[i], file, i};
    }
    qsort(order, f->n, sizeof *order, compare);
    for (size_t i = 0; i < f->n; i++)
        f->v[i] = order[i].finding;
}

void findings_free(struct findings *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->v[i].text);
    free(f->v);
    *f = (struct findings){0};
}
