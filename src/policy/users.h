/* The users and groups of this machine, from its own files: no name service is ever asked, since a name service may
 * open what is guarded, or wait for the network. */
#ifndef FILEWARD_POLICY_USERS_H
#define FILEWARD_POLICY_USERS_H

#include "fileward/policy.h"

struct account {
    char *name;
    uint32_t id;
    uint32_t gid; /* of a user: the primary group */
    char *home;   /* of a user */
};
struct accounts {
    struct account *v;
    size_t n;
};

/* Read a passwd or group file. Return false, with errno, when it cannot be opened. Freed by accounts_free(). */
bool accounts_read_users(const char *passwd, struct accounts *out);
bool accounts_read_groups(const char *group, struct accounts *out);
void accounts_free(struct accounts *a);

/* NULL if there is none. */
const struct account *accounts_by_name(const struct accounts *a, const char *name);
const struct account *accounts_by_id(const struct accounts *a, uint32_t id);

/* UID_MIN and UID_MAX of login.defs; 1000 and 60000 where it does not say. */
void users_range(const char *login_defs, uint32_t *low, uint32_t *high);

/* What `~` may mean: the home of each user with uid 0 or low to high that is not `/`, as written. Whether it is there and
 * theirs base/load.c finds out. Sorted by path, then uid. Caller frees with homes_free(). */
void homes_find(const struct accounts *users, uint32_t low, uint32_t high, struct home **out, size_t *n);
void homes_sort(struct home *homes, size_t *n); /* sorts anew and drops what is there twice */
void homes_free(struct home *homes, size_t n);

#endif
