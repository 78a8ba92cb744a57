/* Globs against a matcher that simply tries everything. Input: glob, NUL, path. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SMALL = 20 /* the simple matcher takes exponential time */ };

static bool set_has(const char *from, const char *to, unsigned char c)
{
    bool negated = *from == '!' || *from == '^', found = false;
    for (from += negated; from < to; from++) {
        if (*from == '\\' && from + 1 < to)
            from++;
        unsigned char low = (unsigned char)*from, high = low;
        if (from + 2 < to && from[1] == '-') {
            from += 2;
            if (*from == '\\' && from + 1 < to)
                from++;
            high = (unsigned char)*from;
        }
        found |= low <= c && c <= high;
    }
    return found != negated;
}

static const char *set_close(const char *g)
{
    const char *c = g + 1;
    c += *c == '!' || *c == '^';
    c += *c == ']';
    for (; *c && *c != ']'; c++) {
        if (*c == '/')
            return NULL;
        if (*c == '\\' && c[1])
            c++;
    }
    return *c ? c : NULL;
}

static bool simple(const char *g0, const char *g, const char *p0, const char *p)
{
    if (!*g)
        return !*p;
    if (g[0] == '*' && g[1] == '*') {
        if (simple(g0, g + 2, p0, p))
            return true;
        if (g[2] == '/' && g > g0 && g[-1] == '/' && p > p0 && p[-1] == '/' && simple(g0, g + 3, p0, p))
            return true;
        return *p && simple(g0, g, p0, p + 1);
    }
    if (*g == '*')
        return simple(g0, g + 1, p0, p) || (*p && *p != '/' && simple(g0, g, p0, p + 1));
    if (!*p)
        return false;
    if (*g == '?')
        return *p != '/' && simple(g0, g + 1, p0, p + 1);
    if (*g == '[') {
        const char *close = set_close(g);
        return close && *p != '/' && set_has(g + 1, close, (unsigned char)*p) && simple(g0, close + 1, p0, p + 1);
    }
    if (*g == '\\')
        return g[1] && g[1] == *p && simple(g0, g + 2, p0, p + 1);
    return *g == *p && simple(g0, g + 1, p0, p + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 2);
    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = text[size + 1] = '\0';
    const char *glob = text, *path = text + strlen(text) + 1;
    bool matches = glob_match(glob, path);
    if (strlen(glob) <= SMALL && strlen(path) <= SMALL && matches != simple(glob, glob, path, path))
        abort();
    struct home home = {0, (char *)"/h"};
    struct policy p = {.homes = &home, .n_homes = 1};
    for (int below_home = 0; below_home < 2; below_home++) {
        struct pattern pattern = {text, below_home, {"f", 1}};
        bool covers = pattern_covers(&p, &pattern, path);
        if (!below_home && matches && !covers)
            abort();
    }
    if (glob_literal_prefix(glob) > strlen(glob) || (glob_is_literal(glob) && !glob_is_valid(glob) && size < 4000))
        abort();
    char *escaped = glob_escape(path, strlen(path));
    if (!escaped || (strlen(escaped) <= GLOB_MAX_LEN && !glob_match(escaped, path)))
        abort();
    free(escaped);
    free(text);
    return 0;
}
