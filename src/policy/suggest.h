/* "Did you mean": the known word nearest to a misspelt one. */
#ifndef FILEWARD_POLICY_SUGGEST_H
#define FILEWARD_POLICY_SUGGEST_H

#include <stddef.h>

/* The candidate that is at most a third of the word (but at least one letter) away, counting a letter added, left out,
 * replaced or two swapped as one, and taking capitals for small ones; NULL when none is so near. */
const char *suggest(const char *word, const char *const *candidates, size_t n);

#endif
