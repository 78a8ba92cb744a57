/* The last lines, for /api/events: at most WINDOW_LINES of them and WINDOW_BYTES together. */
#ifndef FILEWARD_HERALD_WINDOW_H
#define FILEWARD_HERALD_WINDOW_H

#include <stddef.h>
#include <stdint.h>

enum { WINDOW_LINES = 1024, WINDOW_BYTES = 8 << 20 };

/* Lines are numbered from 1, for as long as this herald lives. All zero is an empty window. */
struct window {
    struct window_line {
        char *text; /* JSON without the newline */
        size_t len;
    } lines[WINDOW_LINES]; /* line n is at n % WINDOW_LINES */
    uint64_t first, next;  /* first <= n < next are there; 0, 0 at the start */
    size_t bytes;
};

/* Copies a line that ends in a newline. */
void window_add(struct window *w, const char *line, size_t len);

/* {"events":[...],"next":N}: the lines after number `after`, at most `limit`; N is the `after` of the next question. An
 * `after` that is not yet reached comes from an earlier herald and means 0. Caller frees; NULL when memory is out. */
char *window_json(const struct window *w, uint64_t after, uint64_t limit, size_t *len);

#endif
