/* The portrait of a process that runs now, for `explain --pid`: gathered as the judge does. */
#ifndef FILEWARD_CLI_LIVE_H
#define FILEWARD_CLI_LIVE_H

#include "cli/portrait.h"

/* Fills the subject. Returns 0, or the exit status after saying what is wrong. */
int portrait_process(const struct policy *p, int32_t pid, struct portrait *w);

#endif
