#include "policy/words.h"

#include "policy/heap.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Length of the quoted word at `s`, quotes included; `len` when it is never closed. */
static size_t quoted_len(const char *s, size_t len)
{
    for (size_t i = 1; i < len; i++) {
        if (s[i] == '\\')
            i++;
        else if (s[i] == '"')
            return i + 1;
    }
    return len;
}

size_t words_without_comment(const char *line, size_t len)
{
    size_t i = 0, end = 0; /* end: after the last byte that is no blank */
    bool at_word = true;
    while (i < len) {
        bool comment = (line[i] == '#' || line[i] == ';') && (i == 0 || is_blank(line[i - 1]));
        if (comment)
            break;
        if (is_blank(line[i]) || line[i] == '=') {
            at_word = true;
            end = line[i] == '=' ? i + 1 : end;
            i++;
            continue;
        }
        i += at_word && line[i] == '"' ? quoted_len(line + i, len - i) : 1;
        at_word = false;
        end = i;
    }
    return end;
}

/* What is between the quotes, with \" made a quote. */
static char *unquote(const char *s, size_t len)
{
    char *out = heap_check(malloc(len + 1));
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\\' && i + 1 < len) {
            if (s[i + 1] != '"')
                out[n++] = s[i];
            i++;
        }
        out[n++] = s[i];
    }
    out[n] = '\0';
    return out;
}

const char *words_split(const char *value, struct words *out)
{
    *out = (struct words){NULL, 0};
    size_t len = strlen(value);
    for (size_t i = 0; i < len;) {
        if (is_blank(value[i])) {
            i++;
            continue;
        }
        size_t start = i;
        if (value[i] == '"') {
            i += quoted_len(value + i, len - i);
            if (i - start < 2 || value[i - 1] != '"' || i > len)
                return "a quote is opened and not closed";
            if (i < len && !is_blank(value[i]))
                return "a closing quote must be followed by a blank";
            *HEAP_APPEND(out) = unquote(value + start + 1, i - start - 2);
            continue;
        }
        while (i < len && !is_blank(value[i]) && value[i] != '"')
            i++;
        if (i < len && value[i] == '"')
            return "a quote in the middle of a word: put the whole word in quotes, and a backslash before each quote "
                   "in it";
        *HEAP_APPEND(out) = heap_copy(value + start, i - start);
    }
    return NULL;
}

void words_free(struct words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->v[i]);
    free(w->v);
    *w = (struct words){NULL, 0};
}
