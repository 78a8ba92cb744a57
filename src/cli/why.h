/* Why a condition of a rule does not hold, in words. */
#ifndef FILEWARD_CLI_WHY_H
#define FILEWARD_CLI_WHY_H

#include "cli/portrait.h"

/* For example "exe: /usr/bin/cat is not /usr/bin/ssh or /usr/bin/ssh-add". Names are escaped for a terminal.
 * Caller frees; NULL: no memory. */
char *why_not(const struct policy *p, const struct rule *r, enum condition c, const struct portrait *w);

#endif
