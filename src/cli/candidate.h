/* Whether a program can be made setgid to a private group, and what it takes. */
#ifndef FILEWARD_CLI_CANDIDATE_H
#define FILEWARD_CLI_CANDIDATE_H

#include <jansson.h>
#include <stdbool.h>

/* The group that a program shall have. */
struct private_group {
    const char *name;
    bool exists, has_members;
    unsigned gid; /* if it exists */
};

/* Looks `name` up in /etc/group itself: no name service is asked. */
struct private_group private_group_find(const char *name);

/* What there is to do for the program `path`: path, state ("harden", "done" or "left"), why (left, else null), mode (as
 * chmod takes it), package (its name in the package database, else null), warnings (sentences). */
json_t *candidate_json(const char *path, const struct private_group *group);

/* Fills in `package` of those that belong to a Debian package. One walk through the database, however many they are. */
void candidates_find_packages(json_t *programs);

#endif
