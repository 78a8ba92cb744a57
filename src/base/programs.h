/* Which of the policy's programs a file is. A policy path is looked up in our own namespace (base/lookup.h) and compared by
 * device and inode; a name alone never counts. Nothing here allocates after programs_create(), opens a file for more than
 * its name, or changes anything. */
#ifndef FILEWARD_BASE_PROGRAMS_H
#define FILEWARD_BASE_PROGRAMS_H

#include "base/process.h"
#include "fileward/access.h"

struct lookup;
struct programs;

/* NULL when memory is out. Keeps pointers to both. */
struct programs *programs_create(const struct policy *p, struct lookup *names);
void programs_free(struct programs *t);

/* Fills `set` with the policy programs that `program` is. `path` gives its name when it is needed (process_program_path
 * of the process that runs it); whoever asks may have chosen it, so it counts only where it leads to this inode in our
 * own namespace. A result is looked up again after a second, so that an upgraded program is itself at most a second
 * later; a deleted one keeps what it was. False: it lies where nothing is looked up
 * (FUSE, a network), so that it is unknown. */
typedef ssize_t program_path(const void *ctx, char *out, size_t size);
bool programs_of(struct programs *t, const struct program *program, program_path *path, const void *ctx,
                 struct program_set *set);

/* For records: whether `name` is that of a policy program which is not in `set`. */
bool programs_impostor(const struct programs *t, const char *name, const struct program_set *set);

#endif
