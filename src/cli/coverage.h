/* Where coverage = filesystem costs much, and where it would cost nothing. */
#ifndef FILEWARD_CLI_COVERAGE_H
#define FILEWARD_CLI_COVERAGE_H

#include "policy/findings.h"
#include "policy/policy.h"

/* Looks at what the watches name now: warns of a watch that asks about the whole file system of the machine, and notes
 * one that has a file system of its own and does not ask about it. */
void lint_coverage(const struct policy *p, struct findings *warnings, struct findings *notes);

#endif
