/* File handles: how the kernel names an inode that something happened to, also when it is gone already. Shortened to 64
 * bits, file system included, so that the register can keep one for each inode. */
#ifndef FILEWARD_SCOUT_HANDLE_H
#define FILEWARD_SCOUT_HANDLE_H

#include <stdbool.h>
#include <stdint.h>

struct file_handle;
struct mounts;
struct reg_handle;

/* Never 0. */
uint64_t handle_key(const int32_t fsid[2], const struct file_handle *h);

/* Of what an O_PATH descriptor shows, the whole and its key. bytes is 0 if it is too long or its file system opens none, the
 * key if it makes none. */
void handle_of_fd(int fd, struct reg_handle *out);

/* The file systems that were met, each by a name under which it can be reached, so that a handle can be opened. None is
 * held open: it could not be unmounted. */
struct reach {
    struct mounts *mounts; /* which of them are not to be touched by now */
    struct reach_row {
        int32_t fsid[2];
        char *path; /* NULL: free */
    } row[64];
    unsigned next;
    int fds;     /* the directory of our descriptors, where each can be named at once; -1: it cannot be opened */
    int open_fd; /* of the row in hand, between reach_open() and reach_let_go(); -1 */
    int32_t open_fsid[2];
};

void reach_init(struct reach *r, struct mounts *mounts);
void reach_free(struct reach *r);

/* `path` must be a directory that nobody but root can replace. What is known already stays. */
void reach_learn(struct reach *r, const int32_t fsid[2], const char *path);

/* An O_PATH descriptor of what the handle names; -1 with errno. ESTALE: it is gone; ENODEV: its file system cannot be
 * reached. */
int reach_open(struct reach *r, const int32_t fsid[2], const struct file_handle *h);

/* The same. EOPNOTSUPP also: it is not known. */
int reach_open_kept(struct reach *r, const struct reg_handle *h);

/* Closes what the last reach_open() needed. */
void reach_let_go(struct reach *r);

#endif
