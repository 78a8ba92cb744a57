/* The last good policy: a copy of the files that checked, from which fileward starts when those on disk do not. */
#ifndef FILEWARD_KEEPER_LASTGOOD_H
#define FILEWARD_KEEPER_LASTGOOD_H

#include <stdbool.h>

#include "fileward/policy.h"

/* Where the copy of a policy's main file lies: below /var/lib/fileward/last-good, in a directory of this policy's own,
 * with its policy.d beside it. `main_file` is absolute. Caller frees; NULL if the name would be too long. */
char *last_good_path(const char *main_file);

/* Keeps the files of `p`, whose bytes are `contents` (policy_load_contents()), in place of what was kept before; all of
 * it or nothing. Temporary rules are left out: they are read anew, and expire. False with errno. */
bool last_good_save(const struct policy *p, const char *contents);

#endif
