/* Explaining a decision: every rule tried and the first condition of it that failed. */
#ifndef FILEWARD_CLI_EXPLAIN_H
#define FILEWARD_CLI_EXPLAIN_H

#include "cli/portrait.h"

/* Prints what the policy says of operation `op` by `who`, as lines or as one JSON object, to standard output.
 * Returns the exit status: 0, or EXIT_WOULD_DENY if any watch that covers the place decides so. */
int explain_decision(const struct policy *p, const struct portrait *who, enum op op, bool json);

#endif
