/* What is allowed in a policy and still unwise. */
#ifndef FILEWARD_CLI_LINT_H
#define FILEWARD_CLI_LINT_H

#include "policy/policy.h"

/* Adds warnings about a policy without errors:
 * - rules that are never reached, that are past their time, that rest on what the asking process can choose, or that hash
 *   whatever program comes;
 * - programs that are missing, that others than root can replace, or that interpret whatever they are given;
 * - watched paths that do not exist or are single files, exclusions that nothing else guards, sets that nobody uses.
 * Looks at the file system. `now`: seconds since 1970. */
void lint(const struct policy *p, int64_t now, struct findings *warnings);

/* Adds a note when a rule rests on installed packages and there is no database of them here. */
void lint_packages(const struct policy *p, struct findings *notes);

/* Adds notes: which rule first makes a watch ask for something dear. Not unwise, only good to know: what rules before it
 * decide is spared that. */
void lint_costs(const struct policy *p, struct findings *notes);

/* Is the last component an interpreter's name, with or without a version? */
bool lint_is_interpreter(const char *path);

#endif
