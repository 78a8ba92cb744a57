/* What the clerk would say of a program, for `explain`. */
#ifndef FILEWARD_CLI_CONTENT_H
#define FILEWARD_CLI_CONTENT_H

#include "cli/portrait.h"

/* Fills in what rules of the policy ask for: of process `pid`, or where that is 0 of the program w->exe, whose code, since
 * nobody runs it, is taken for intact; a note says so. */
void portrait_content(const struct policy *p, int32_t pid, struct portrait *w);

#endif
