#include "herald/window.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void drop_first(struct window *w)
{
    struct window_line *l = &w->lines[w->first++ % WINDOW_LINES];
    w->bytes -= l->len;
    free(l->text);
    *l = (struct window_line){0};
}

void window_add(struct window *w, const char *line, size_t len)
{
    char *text = len > 1 ? malloc(len - 1) : NULL;
    if (!text)
        return;
    memcpy(text, line, len - 1);
    if (w->next == 0)
        w->first = w->next = 1;
    while (w->first < w->next && (w->next - w->first >= WINDOW_LINES || w->bytes + len > WINDOW_BYTES))
        drop_first(w);
    w->lines[w->next++ % WINDOW_LINES] = (struct window_line){.text = text, .len = len - 1};
    w->bytes += len - 1;
}

char *window_json(const struct window *w, uint64_t after, uint64_t limit, size_t *len)
{
    char *out = NULL;
    FILE *f = open_memstream(&out, len);
    if (!f)
        return NULL;
    uint64_t n = after >= w->next ? w->first : after + 1;
    if (n < w->first)
        n = w->first;
    fputs("{\"events\":[", f);
    for (uint64_t told = 0; n < w->next && told < limit; n++, told++) {
        const struct window_line *l = &w->lines[n % WINDOW_LINES];
        if (told)
            fputc(',', f);
        fwrite(l->text, 1, l->len, f);
    }
    fprintf(f, "],\"next\":%" PRIu64 "}\n", n ? n - 1 : 0);
    if (fclose(f) == 0)
        return out;
    free(out);
    return NULL;
}
