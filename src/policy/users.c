#include "policy/users.h"

#include <grp.h>
#include <pwd.h>

#include "base/own.h"
#include "policy/heap.h"

/* Lines that begin so are for name services ("+::::::"), not users. */
static bool is_entry(const char *name)
{
    return name[0] && name[0] != '+' && name[0] != '-';
}

bool accounts_read_users(const char *passwd, struct accounts *out)
{
    *out = (struct accounts){NULL, 0};
    CLEAN_FILE FILE *file = fopen(passwd, "re");
    if (!file)
        return false;
    for (struct passwd *p = fgetpwent(file); p; p = fgetpwent(file)) {
        if (is_entry(p->pw_name))
            *HEAP_APPEND(out) = (struct account){heap_string(p->pw_name), p->pw_uid, p->pw_gid, heap_string(p->pw_dir)};
    }
    return true;
}

bool accounts_read_groups(const char *group, struct accounts *out)
{
    *out = (struct accounts){NULL, 0};
    CLEAN_FILE FILE *file = fopen(group, "re");
    if (!file)
        return false;
    for (struct group *g = fgetgrent(file); g; g = fgetgrent(file)) {
        if (is_entry(g->gr_name))
            *HEAP_APPEND(out) = (struct account){heap_string(g->gr_name), g->gr_gid, g->gr_gid, NULL};
    }
    return true;
}

void accounts_free(struct accounts *a)
{
    for (size_t i = 0; i < a->n; i++) {
        free(a->v[i].name);
        free(a->v[i].home);
    }
    free(a->v);
    *a = (struct accounts){NULL, 0};
}

const struct account *accounts_by_name(const struct accounts *a, const char *name)
{
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->v[i].name, name) == 0)
            return &a->v[i];
    }
    return NULL;
}

const struct account *accounts_by_id(const struct accounts *a, uint32_t id)
{
    for (size_t i = 0; i < a->n; i++) {
        if (a->v[i].id == id)
            return &a->v[i];
    }
    return NULL;
}

void users_range(const char *login_defs, uint32_t *low, uint32_t *high)
{
    *low = 1000;
    *high = 60000;
    CLEAN_FILE FILE *file = fopen(login_defs, "re");
    char line[512];
    while (file && fgets(line, sizeof line, file)) {
        unsigned value;
        if (sscanf(line, " UID_MIN %u", &value) == 1)
            *low = value;
        else if (sscanf(line, " UID_MAX %u", &value) == 1)
            *high = value;
    }
}

/* `home` without doubled and closing slashes; NULL if it is no plain absolute path or is `/`. */
static char *tidy(const char *home)
{
    char *out = heap_check(malloc(strlen(home) + 1));
    size_t n = 0;
    bool plain = home[0] == '/' && strlen(home) < PATH_MAX;
    for (const char *c = home; plain && *c;) {
        size_t slashes = strspn(c, "/"), len = strcspn(c + slashes, "/");
        const char *name = c + slashes;
        plain = !(len == 1 && name[0] == '.') && !(len == 2 && memcmp(name, "..", 2) == 0);
        if (len > 0) {
            out[n++] = '/';
            memcpy(out + n, name, len);
            n += len;
        }
        c = name + len;
    }
    out[n] = '\0';
    if (plain && n > 0)
        return out;
    free(out);
    return NULL;
}

static int by_path(const void *x, const void *y)
{
    const struct home *a = x, *b = y;
    int order = strcmp(a->path, b->path);
    return order ? order : (a->uid > b->uid) - (a->uid < b->uid);
}

void homes_sort(struct home *homes, size_t *n)
{
    size_t kept = 0;
    if (*n > 1)
        qsort(homes, *n, sizeof *homes, by_path);
    for (size_t i = 0; i < *n; i++) {
        if (kept > 0 && by_path(&homes[kept - 1], &homes[i]) == 0)
            free(homes[i].path);
        else
            homes[kept++] = homes[i];
    }
    *n = kept;
}

void homes_find(const struct accounts *users, uint32_t low, uint32_t high, struct home **out, size_t *n)
{
    struct {
        struct home *v;
        size_t n;
    } found = {NULL, 0};
    for (size_t i = 0; i < users->n; i++) {
        const struct account *user = &users->v[i];
        if (user->id != 0 && (user->id < low || user->id > high))
            continue;
        CLEAN_FREE char *path = tidy(user->home);
        if (path)
            *HEAP_APPEND(&found) = (struct home){user->id, STEAL_PTR(path)};
    }
    homes_sort(found.v, &found.n);
    *out = found.v;
    *n = found.n;
}

void homes_free(struct home *homes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(homes[i].path);
    free(homes);
}
