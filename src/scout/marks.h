/* Inode marks, and the register entry that belongs to each. */
#ifndef FILEWARD_SCOUT_MARKS_H
#define FILEWARD_SCOUT_MARKS_H

#include <stdbool.h>

#include "base/mounts.h"
#include "base/process.h"
#include "fileward/scout.h"
#include "scout/budget.h"
#include "scout/feeds.h"
#include "scout/limbo.h"

/* Something on the way of a walk, held as an O_PATH descriptor: opened, but nothing happens to it. */
struct node {
    int fd;
    struct file_id id;
    uint32_t uid, mode, links;
    uint64_t mount;
    bool loose;               /* at or below a directory that a non-root user can write */
    bool sheltered;           /* nobody but root can put another in its place */
    bool of_user;             /* its device may be a subvolume that a user has made */
    struct reg_handle handle; /* once asked for */
    uint32_t entry;           /* in the register, once guarded */
    const char *refused;      /* why it was not even opened (fd is -1); NULL: it was */
};

/* What the marks of all watches share. */
struct land {
    const struct scout_setup *is;
    struct mounts *mounts;
    struct reach reach;
    struct limbo limbo;
    struct budgets budgets;
    struct feed feed[SCOUT_FEEDS_MAX];
    bool
        blind; /* since everything was last looked at: a directory could not be followed, and the register cannot say so
                 * (reg_set_blind()); not because of what users have made */
    int64_t began_ns; /* wall clock: when this scout did */
    int64_t beat_ns;  /* when the keeper last heard of us */
};

/* Of one watch. */
struct marks {
    const struct scout_setup *is;
    struct land *land;
    int watch;
    struct user_count {
        uint32_t uid;
        uint32_t n;       /* inodes marked in directories that users can write */
        uint32_t awaited; /* by marks_await() */
        bool used;
    } users[256];
    uint64_t told;         /* unguarded records since */
    int64_t told_since_ns; /* ... */
    uint64_t seen;         /* by marks_review() */
    uint32_t neighbours;   /* ... */
    uint64_t *met;         /* entries that a walk has met since marks_review(), one bit each; NULL: none goes on */
    struct covered {
        struct file_id on;
        bool marked;      /* by the keeper; or it is not to be asked */
        int64_t asked_ns; /* ... when it was asked, since the mounts last changed; 0: it was not */
        uint32_t entry;   /* something there */
        bool of_user;     /* it may be a subvolume that a user has made */
    } covered[16];        /* devices of which the keeper has been asked */
    int n_covered;
};

/* Adds to the mark that a group has on a node, or makes one. 0, or -1 with errno. */
int marks_add(const struct land *l, int group, const struct node *n, uint64_t mask);

/* Guards a directory (with what is opened in it) or a file. False if it could not be marked (recorded). `path` is its
 * place, `parent` its directory's register entry or 0, `name` its last component. */
bool marks_guard(struct marks *m, struct node *n, const char *path, uint32_t parent, const char *name);

/* Marks a directory only for the names in it: a guarded file may appear there. Its own opening is not asked about. */
void marks_neighbourhood(struct marks *m, struct node *dir, const char *path);

/* Makes the kernel tell us of names that appear in a directory: one of them may lead to what the watch guards. Nobody is
 * asked about anything for it. */
void marks_outpost(struct marks *m, struct node *dir, const char *path);

/* What is left unguarded may come to be guarded when it gets another owner: makes the kernel tell us. It is counted in the
 * share of user `uid`. */
void marks_await(struct marks *m, const struct node *n, uint32_t uid);

/* The inode of a register entry of this watch is gone, and its marks with it. */
void marks_gone(struct marks *m, uint32_t entry);

/* Before a walk of everything: counts what is marked for this watch. */
void marks_review(struct marks *m);

/* After it: gives up entries whose inodes went while nobody looked, and settles which the policy still means. Without a
 * walk: only the first, and not where file systems are marked. */
void marks_sweep(struct marks *m);

/* Gives up the entries of watches that the policy has no more. To be called when their groups are closed. */
void marks_forget_dropped(const struct land *l);

/* Tells the keeper, once a second, that a walk goes on. */
void marks_beat(struct marks *m);

/* Records that `path` stays unguarded, and why. */
void marks_unguarded(struct marks *m, const char *path, const char *why);

#endif
