/* What file systems and kernel make of coverage = filesystem and guard = open+write. */
#ifndef FILEWARD_CLI_COVERAGE_H
#define FILEWARD_CLI_COVERAGE_H

#include "policy/findings.h"
#include "policy/policy.h"

/* Looks at what the watches name now: warns of a watch that asks about the whole file system of the machine, and notes
 * one that has a file system of its own and does not ask about it. */
void lint_coverage(const struct policy *p, struct findings *warnings, struct findings *notes);

/* Notes where guard = open+write cannot be, because of the kernel or of the file system. */
void check_writing(const struct policy *p, struct findings *notes);

/* Whether this kernel can ask about writing, on some file system. */
bool coverage_of_writing(void);

#endif
