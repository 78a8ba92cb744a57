#include "clerk/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/lookup.h"
#include "base/own.h"
#include "base/process.h"
#include "policy/trail.h"

const char *trust_words(enum trust t)
{
    static const char *const words[TRUST_COUNT] = {
        [TRUST_PACKAGED] = "it is an installed package's, unchanged",
        [TRUST_NOT_PACKAGED] = "no installed package has it under this name",
        [TRUST_DELETED] = "it has been removed or replaced",
        [TRUST_NO_CHECKSUM] = "its package has no checksum for it",
        [TRUST_WRONG_OWNER] = "it is not root's",
        [TRUST_WRITABLE] = "it, or a directory above it, can be written by others than root",
        [TRUST_CHANGED] = "its content is not what its package recorded",
        [TRUST_UNREADABLE] = "it cannot be read as a whole",
        [TRUST_NO_DATABASE] = "the package database cannot be read",
        [TRUST_STOPPED] = "the look at it was interrupted",
    };
    return words[t];
}

bool trust_is_inodes(enum trust t)
{
    return t == TRUST_PACKAGED || t == TRUST_WRONG_OWNER;
}

bool trust_name_of(int fd, char out[PATH_MAX])
{
    char link[FD_NAME_SIZE];
    ssize_t n = readlink(fd_name(link, fd), out, PATH_MAX);
    if (n <= 0 || n == PATH_MAX || out[0] != '/' || memchr(out, '\0', (size_t)n))
        return false;
    out[n] = '\0';
    return true;
}

/* Its access control list too, because where there is one the group's bits of the
 * mode are the most that it grants to anybody but owner and others. */
enum trust trust_of_inode(const struct statx *st)
{
    if (!S_ISREG(st->stx_mode))
        return TRUST_UNREADABLE;
    if (st->stx_uid != 0)
        return TRUST_WRONG_OWNER;
    return st->stx_mode & (S_IWGRP | S_IWOTH) ? TRUST_WRITABLE : TRUST_PACKAGED;
}

/* The content, read through our own name of it, which leads nowhere that others than root chose. */
static enum trust of_content(int fd, const uint8_t md5[DIGEST_MD5_BYTES], struct digest_work *work, clerk_beat *beat,
                             void *ctx)
{
    char link[FD_NAME_SIZE];
    struct digest d;
    CLEAN_FD int content = open(fd_name(link, fd), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (content < 0)
        return TRUST_UNREADABLE;
    switch (digest_go_on(work, content, DIGEST_MD5, &d, beat, ctx)) {
    case DIGEST_DONE:
        return memcmp(d.md5, md5, sizeof d.md5) == 0 ? TRUST_PACKAGED : TRUST_CHANGED;
    case DIGEST_STOPPED:
        return TRUST_STOPPED;
    default:
        return TRUST_UNREADABLE;
    }
}

static enum trust of_package(enum packaged_end end)
{
    switch (end) {
    case PACKAGED_FOUND:
        return TRUST_PACKAGED;
    case PACKAGED_NO_CHECKSUM:
        return TRUST_NO_CHECKSUM;
    case PACKAGED_FAILED:
        return TRUST_NO_DATABASE;
    default:
        return TRUST_NOT_PACKAGED;
    }
}

enum trust trust_file(const struct packages *p, struct lookup *names, int fd, struct packaged *out,
                      struct digest_work *work, clerk_beat *beat, void *ctx)
{
    struct packaged found = {.package = ""};
    struct statx st;
    char name[PATH_MAX];
    struct trail t;
    if (out)
        *out = found;
    if (!p)
        return TRUST_NO_DATABASE;
    if (stat_identity(fd, "", AT_EMPTY_PATH, &st) < 0)
        return TRUST_UNREADABLE;
    enum trust so_far = trust_of_inode(&st);
    if (so_far != TRUST_PACKAGED)
        return so_far;
    if (st.stx_nlink == 0)
        return TRUST_DELETED;
    if (!trust_name_of(fd, name))
        return TRUST_NOT_PACKAGED;
    trail_follow(name, false, lookup_guard(names), &t);
    CLEAN_FD int here = t.fd;
    if (t.end == TRAIL_END_UNTRUSTED)
        return TRUST_WRITABLE;
    if (here < 0 && errno == EREMOTE)
        return TRUST_UNREADABLE;
    struct file_id asked = file_id_of(&st), named = file_id_of(&t.st);
    if (here < 0 || !file_id_equal(&asked, &named))
        return TRUST_NOT_PACKAGED;
    const char *root = packages_root(p);
    size_t above = strlen(root);
    if (strncmp(t.real, root, above) != 0)
        return TRUST_NOT_PACKAGED;
    so_far = of_package(packages_find(p, t.real + above, &found));
    if (out)
        *out = found;
    return so_far == TRUST_PACKAGED ? of_content(here, found.md5, work, beat, ctx) : so_far;
}
