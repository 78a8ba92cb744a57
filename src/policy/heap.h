/* Memory for whoever reads a policy. Only commands and throw-away children do, at a time when nobody waits for them,
 * so there is nothing better to do without memory than to say so and leave. */
#ifndef FILEWARD_POLICY_HEAP_H
#define FILEWARD_POLICY_HEAP_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void *heap_check(void *p)
{
    if (!p) {
        fputs("fileward: out of memory while reading the policy\n", stderr);
        _Exit(1);
    }
    return p;
}
static inline char *heap_copy(const char *s, size_t len)
{
    char *copy = heap_check(malloc(len + 1));
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}
static inline char *heap_string(const char *s)
{
    return heap_copy(s, strlen(s));
}

/* Makes room for one more element behind the `n` there are; the new one is zeroed. */
static inline void *heap_grow(void *v, size_t n, size_t size)
{
    if ((n & (n - 1)) == 0) /* full at each power of two */
        v = heap_check(reallocarray(v, n ? 2 * n : 1, size));
    memset((char *)v + n * size, 0, size);
    return v;
}

/* Appends a zeroed element to `list` (a struct of v and n) and gives its address. */
#define HEAP_APPEND(list) ((list)->v = heap_grow((list)->v, (list)->n, sizeof *(list)->v), &(list)->v[(list)->n++])

#endif
