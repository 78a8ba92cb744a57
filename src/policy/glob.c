#include "policy/glob.h"

#include <stdlib.h>
#include <string.h>

/* A glob is matched as the set of all offsets in it at which a match may go on: one pass over the path, each step over
 * the set. Nothing is ever tried twice, so no pattern and no name can make it slow. */
enum { STATE_WORDS = (GLOB_MAX_LEN + 1 + 63) / 64 };

struct states {
    uint64_t bits[STATE_WORDS];
    size_t words; /* how many of them the glob needs */
};

static bool is_special(char c)
{
    return c == '*' || c == '?' || c == '[' || c == '\\';
}

/* Offset just after the `]` that closes the set at glob[at] == '[', or 0 when none does within this component. */
static size_t set_end(const char *glob, size_t at)
{
    size_t i = at + 1;
    if (glob[i] == '!' || glob[i] == '^')
        i++;
    if (glob[i] == ']')
        i++;
    for (; glob[i] && glob[i] != ']' && glob[i] != '/'; i++) {
        if (glob[i] == '\\' && glob[i + 1])
            i++;
    }
    return glob[i] == ']' ? i + 1 : 0;
}

static bool set_has(const char *glob, size_t at, size_t end, unsigned char c)
{
    size_t i = at + 1;
    bool negated = glob[i] == '!' || glob[i] == '^';
    if (negated)
        i++;
    bool found = false;
    while (i < end - 1) {
        if (glob[i] == '\\' && i + 1 < end - 1)
            i++;
        unsigned char low = (unsigned char)glob[i++], high = low;
        if (glob[i] == '-' && i + 1 < end - 1) {
            i++;
            if (glob[i] == '\\' && i + 1 < end - 1)
                i++;
            high = (unsigned char)glob[i++];
        }
        found |= low <= c && c <= high;
    }
    return found != negated;
}

static void add(struct states *s, size_t at)
{
    s->bits[at / 64] |= (uint64_t)1 << (at % 64);
}

static bool has(const struct states *s, size_t at)
{
    return s->bits[at / 64] >> (at % 64) & 1;
}

/* Adds what can be reached from offset `at` without taking a byte. It always lies further on. `after_slash`: the path
 * is at the start of a component, where a component of two stars and its slash may stand for nothing. */
static void add_free_moves(struct states *s, const char *glob, size_t at, bool after_slash)
{
    if (glob[at] != '*')
        return;
    if (glob[at + 1] != '*') {
        add(s, at + 1);
        return;
    }
    add(s, at + 2);
    if (after_slash && glob[at + 2] == '/' && at > 0 && glob[at - 1] == '/')
        add(s, at + 3);
}

/* Adds to `next` where offset `at` leads when the path's next byte is `c`. */
static void take(struct states *next, const char *glob, size_t at, char c)
{
    switch (glob[at]) {
    case '\0':
        return;
    case '*':
        if (glob[at + 1] == '*' || c != '/')
            add(next, at);
        return;
    case '?':
        if (c != '/')
            add(next, at + 1);
        return;
    case '[': {
        size_t end = set_end(glob, at);
        if (end && c != '/' && set_has(glob, at, end, (unsigned char)c))
            add(next, end);
        return;
    }
    case '\\':
        if (glob[at + 1] && glob[at + 1] == c)
            add(next, at + 2);
        return;
    default:
        if (glob[at] == c)
            add(next, at + 1);
    }
}

/* Completes the set with the moves that take nothing. They only lead forward, so one pass does. */
static void complete(struct states *s, const char *glob, bool after_slash)
{
    for (size_t w = 0; w < s->words; w++) {
        uint64_t done = 0;
        while (s->bits[w] & ~done) {
            size_t bit = (size_t)__builtin_ctzll(s->bits[w] & ~done);
            done |= (uint64_t)1 << bit;
            add_free_moves(s, glob, w * 64 + bit, after_slash);
        }
    }
}

/* Steps every state over `c`. Returns whether any is left. */
static bool step(const struct states *now, struct states *next, const char *glob, char c)
{
    bool alive = false;
    memset(next->bits, 0, next->words * sizeof next->bits[0]);
    for (size_t w = 0; w < now->words; w++) {
        for (uint64_t rest = now->bits[w]; rest; rest &= rest - 1)
            take(next, glob, w * 64 + (size_t)__builtin_ctzll(rest), c);
    }
    for (size_t w = 0; w < next->words; w++)
        alive |= next->bits[w] != 0;
    return alive;
}

/* Does `glob` match all of `path`, or, when `below`, a leading part of it that ends before a slash? */
static bool match(const char *glob, const char *path, bool below)
{
    size_t at = 0;
    while (glob[at] && !is_special(glob[at])) { /* the plain beginning, which is most of most patterns */
        if (glob[at] != path[at])
            return false;
        at++;
    }
    if (!glob[at])
        return !path[at] || (below && path[at] == '/');
    size_t len = strlen(glob);
    if (len > GLOB_MAX_LEN)
        return false;

    struct states sets[2], *now = &sets[0], *next = &sets[1];
    now->words = next->words = len / 64 + 1;
    memset(now->bits, 0, now->words * sizeof now->bits[0]);
    add(now, at);
    for (const char *c = path + at;; c++) {
        complete(now, glob, c > path && c[-1] == '/');
        if ((!*c || (below && *c == '/')) && has(now, len))
            return true;
        if (!*c || !step(now, next, glob, *c))
            return false;
        struct states *swap = now;
        now = next;
        next = swap;
    }
}

bool glob_match(const char *glob, const char *path)
{
    return match(glob, path, false);
}

bool glob_is_valid(const char *glob)
{
    if (strlen(glob) > GLOB_MAX_LEN)
        return false;
    for (size_t i = 0; glob[i]; i++) {
        if (glob[i] == '\\') {
            if (!glob[++i])
                return false;
        } else if (glob[i] == '[') {
            size_t end = set_end(glob, i);
            if (!end)
                return false;
            i = end - 1;
        }
    }
    return true;
}

/* The home whose path is the first `len` bytes of `path`. */
static bool is_home(const struct policy *p, const char *path, size_t len)
{
    size_t low = 0, high = p->n_homes;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *home = p->homes[middle].path;
        int order = strncmp(home, path, len);
        if (order == 0 && home[len])
            order = 1;
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool pattern_covers(const struct policy *p, const struct pattern *pattern, const char *path)
{
    if (!pattern->home)
        return match(pattern->text, path, true);
    for (size_t len = 1; path[0] == '/' && path[len - 1]; len++) {
        bool boundary = path[len] == '/' || !path[len];
        if (boundary && is_home(p, path, len) && match(pattern->text, path + len, true))
            return true;
    }
    return false;
}

bool patterns_cover(const struct policy *p, const struct patterns *list, const char *path)
{
    for (size_t i = 0; i < list->n; i++) {
        if (pattern_covers(p, &list->v[i], path))
            return true;
    }
    return false;
}

size_t glob_literal_prefix(const char *glob)
{
    size_t plain = 0, i = 0;
    for (; glob[i] && !is_special(glob[i]); i++) {
        if (glob[i] == '/')
            plain = i;
    }
    return glob[i] ? plain : i;
}

bool glob_is_literal(const char *glob)
{
    return !strpbrk(glob, "*?[\\");
}

char *glob_escape(const char *path, size_t len)
{
    char *out = malloc(2 * len + 1);
    if (!out)
        return NULL;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (is_special(path[i]))
            out[n++] = '\\';
        out[n++] = path[i];
    }
    out[n] = '\0';
    return out;
}
