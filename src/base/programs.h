/* Which of the policy's programs a file is. A policy path is looked up in our own namespace (base/lookup.h) and compared by
 * device and inode; a name alone never counts. Nothing here allocates after programs_create(), opens a file for more than
 * its name, or changes anything. */
#ifndef FILEWARD_BASE_PROGRAMS_H
#define FILEWARD_BASE_PROGRAMS_H

#include "base/once.h"
#include "base/process.h"
#include "fileward/access.h"

struct lookup;
struct programs;

/* NULL when memory is out. Keeps pointers to all; `once` may be NULL: then a deleted program is none. */
struct programs *programs_create(const struct policy *p, struct lookup *names, struct once *once);
void programs_free(struct programs *t);

/* Fills `set` with the policy programs that `program` is. `path` gives its name when it is needed (process_program_path
 * of the process that runs it); whoever asks may have chosen it, so it counts only where it leads to this inode in our
 * own namespace. A program that has changed since the last look at the policy's names (a rename changes it) makes us look
 * again, so that an upgraded one is itself at once; all else, such as a symbolic link that leads elsewhere, is seen at
 * most a second later. A deleted one is what it was when somebody looked. False: it lies where nothing is looked up
 * (FUSE, a network), so that it is unknown. */
typedef ssize_t program_path(const void *ctx, char *out, size_t size);
bool programs_of(struct programs *t, const struct program *program, program_path *path, const void *ctx,
                 struct program_set *set);

/* For records: whether `name` is that of a policy program which is not in `set`. */
bool programs_impostor(const struct programs *t, const char *name, const struct program_set *set);

#endif
