/* The words of a value. They are separated by blanks; a word that holds a blank, `#`, `;` or begins with `"` is written
 * in double quotes, where \" is a quote and every other backslash stays (it belongs to the glob).
 * A blank followed by `#` or `;`, outside quotes, begins a comment. */
#ifndef FILEWARD_POLICY_WORDS_H
#define FILEWARD_POLICY_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct words {
    char **v;
    size_t n;
};

/* Length of `line` without its comment and the blanks before it. */
size_t words_without_comment(const char *line, size_t len);

/* Splits `value` (comment already gone). Returns NULL, or what is wrong with it (a static text).
 * Either way the caller frees `out` with words_free(). */
const char *words_split(const char *value, struct words *out);
void words_free(struct words *w);

#endif
