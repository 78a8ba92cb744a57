/* `trust = packaged`: whether a file is an installed package's, unchanged, and nobody's but root's to change. */
#ifndef FILEWARD_CLERK_TRUST_H
#define FILEWARD_CLERK_TRUST_H

#include <limits.h>

#include "clerk/packages.h"

struct lookup;

enum trust {
    TRUST_PACKAGED,
    TRUST_NOT_PACKAGED, /* its name here is no installed package's, or leads to another file: a copy, a bind mount in
                           another namespace, a hard link elsewhere */
    TRUST_DELETED,      /* it has no name any more: removed or replaced, by an upgrade too, or a memfd */
    TRUST_NO_CHECKSUM,  /* its package has none for it */
    TRUST_WRONG_OWNER,  /* it is not root's */
    TRUST_WRITABLE,     /* it, or a directory above it, can be written by others than root */
    TRUST_CHANGED,      /* its content is not the recorded one */
    TRUST_UNREADABLE,   /* or changing while it is read, too large, or on a file system that is not looked at */
    TRUST_NO_DATABASE,
    TRUST_STOPPED, /* by the beat: not known */
    TRUST_COUNT,
};

/* One line for people: "its content is not what its package recorded". */
const char *trust_words(enum trust t);

/* Whether an answer holds for the inode, as long as its ctime stays and the package database does not change. The others
 * depend on the name by which it was reached, or on the moment. They must not be remembered for whoever reaches it
 * otherwise: anyone can make a process run /usr/bin/wc through another name. */
bool trust_is_inodes(enum trust t);

/* Whether root alone can change what is in the file, by its owner and mode: TRUST_PACKAGED if so. */
struct statx;
enum trust trust_of_inode(const struct statx *st);

/* The name of `fd` as the kernel formats it, which may be that of another mount tree. False: it has none. */
bool trust_name_of(int fd, char out[PATH_MAX]);

/* Judges the file behind `fd`, for which O_PATH is enough and better: nothing is opened for reading before it is known
 * to be root's, at a name in our own namespace that only root can change. `p` may be NULL (TRUST_NO_DATABASE); `names`
 * keeps us from file systems that may not answer. `out` (may be NULL) tells the package where one was found. What the
 * beat stops is gone on with by the same `work`. */
enum trust trust_file(const struct packages *p, struct lookup *names, int fd, struct packaged *out,
                      struct digest_work *work, clerk_beat *beat, void *ctx);

#endif
