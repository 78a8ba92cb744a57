/* Loading a policy as every command does: read, checked against the file system, and written the way the kernel names
 * things. */
#ifndef FILEWARD_BASE_LOAD_H
#define FILEWARD_BASE_LOAD_H

#include <stdbool.h>
#include <stdio.h>

#include "policy/policy.h"

/* Reads the policy of `main_file` (NULL: /etc/fileward/fileward.ini) and all that belongs to it.
 *
 * The literal beginning of every watched, excluded and ruled path, and every home, is replaced by the real path, so
 * that /var/run and the kernel's /run are the same: symbolic links are followed only through directories that only
 * root can write. Programs stay as written: they are compared by inode. Watched paths on file systems where a reader of
 * events would itself be asked, or would wait for a network (FUSE, NFS, CIFS, 9p, autofs), or which are no files at all
 * (proc, sysfs), are errors; homes there are left out with a note.
 *
 * Nothing may run on the policy unless findings->errors is 0. Caller frees both (policy_free(), findings_free()). */
struct policy *policy_load(const char *main_file, struct findings *findings);

/* As policy_load(), with other sources: for tests. */
struct policy *policy_load_from(const struct policy_sources *sources, struct findings *findings);

/* The same, and hands over what was read: the bytes of all files in order (policy.file_sizes tells them apart). The
 * caller frees *contents. */
struct policy *policy_load_contents(const struct policy_sources *sources, struct findings *findings, char **contents);

/* Whether the caller may read that file; says so on standard error if not. */
bool policy_permitted(const char *main_file);

/* One line each. */
void findings_print(const struct findings *findings, FILE *out);

#endif
