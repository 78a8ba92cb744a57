/* Inode marks, and the register entry that belongs to each. */
#ifndef FILEWARD_SCOUT_MARKS_H
#define FILEWARD_SCOUT_MARKS_H

#include <stdbool.h>

#include "base/process.h"
#include "fileward/scout.h"

/* Something on the way of a walk, held as an O_PATH descriptor: opened, but nothing happens to it. */
struct node {
    int fd;
    struct file_id id;
    uint32_t uid, mode;
    uint64_t mount;
    bool loose;          /* at or below a directory that a non-root user can write */
    uint32_t entry;      /* in the register, once guarded */
    const char *refused; /* why it was not even opened (fd is -1); NULL: it was */
};

struct marks {
    const struct scout_setup *is;
    int watch;
    struct user_count {
        uint32_t uid;
        uint32_t n;
        bool used;
    } users[256];        /* inodes marked in directories that users can write */
    uint64_t told;       /* unguarded records so far */
    uint64_t seen;       /* by marks_review() */
    uint32_t neighbours; /* ... */
    int64_t beat_ns;     /* when the keeper last heard of us */
};

/* Guards a directory (with what is opened in it) or a file. False if it could not be marked (recorded). `path` is its
 * place, `parent` its directory's register entry or 0, `name` its last component. */
bool marks_guard(struct marks *m, struct node *n, const char *path, uint32_t parent, const char *name);

/* Marks a directory only for the names in it: a guarded file may appear there. Its own opening is not asked about. */
bool marks_neighbourhood(struct marks *m, const struct node *dir, const char *path);

/* Before a walk: counts what an earlier scout has marked for this watch, and looks which of it the policy still means. */
void marks_review(struct marks *m);

/* Tells the keeper, once a second, that a walk goes on. */
void marks_beat(struct marks *m);

/* Records that `path` stays unguarded, and why. */
void marks_unguarded(struct marks *m, const char *path, const char *why);

#endif
