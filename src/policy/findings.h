/* Collecting what is wrong, or worth knowing, while a policy is read. */
#ifndef FILEWARD_POLICY_FINDINGS_H
#define FILEWARD_POLICY_FINDINGS_H

#include "policy/policy.h"

/* Adds "file:line: message" (a note: "file:line: note: message", a warning likewise; line 0: without line). The message is
 * escaped for a terminal as a whole, so hostile names may be given as they are. `at.file` must live as long as the
 * findings. */
void findings_error(struct findings *f, struct origin at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void findings_warning(struct findings *f, struct origin at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void findings_note(struct findings *f, struct origin at, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts them in the order of `files` (compared by address), then lines, then discovery. */
void findings_sort(struct findings *f, char *const *files, size_t n_files);

#endif
