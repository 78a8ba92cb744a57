/* Who asks for what, with the names that a person knows them by: what `explain` is about. */
#ifndef FILEWARD_CLI_PORTRAIT_H
#define FILEWARD_CLI_PORTRAIT_H

#include "fileward/access.h"

enum { PORTRAIT_ANCESTORS = 32 };

/* Not to be copied once filled: the subject points into it. */
struct portrait {
    struct subject subject;
    struct object object;
    struct program_set exe_set, parent_set, ancestor_set;
    uint32_t groups[GROUPS_MAX];
    char exe[PATH_MAX];    /* "" if not known */
    char parent[PATH_MAX]; /* "" if there is none */
    char ancestors[PORTRAIT_ANCESTORS][PATH_MAX];
    size_t n_ancestors;
    char unit[UNIT_MAX];
    char trust_why[512], code_why[512]; /* "" if it has not been looked at */
    char place[PATH_MAX];               /* real path of the object */
    bool is_directory;
};

/* Marks everything as known and nothing as there: uid and gid 0, no login, no unit, no ancestors. */
void portrait_init(struct portrait *w);

/* Adds to `set` each program of the policy that the file `path` is: the same inode as a plain path; of a glob, a real
 * path that it matches. A file that does not exist is compared by name. Writes its real path to `real`.
 * Returns whether the file exists. */
bool portrait_program(const struct policy *p, const char *path, struct program_set *set, char real[PATH_MAX]);

/* Fills object and place. A file that does not exist has no known owner. Returns whether it exists. */
bool portrait_object(struct portrait *w, const char *path);

#endif
