/* A root directory with a package database of its own. */
#ifndef FILEWARD_TESTS_PACKAGES_FIXTURE_H
#define FILEWARD_TESTS_PACKAGES_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "clerk/digest.h"

struct root {
    char dir[32];
};

static inline const char *in_root(const struct root *r, const char *path)
{
    static char full[4][PATH_MAX];
    static int next;
    char *out = full[next++ % 4];
    snprintf(out, PATH_MAX, "%s%s", r->dir, path);
    return out;
}

/* Makes the directories above too. */
static inline void put_bytes(const struct root *r, const char *path, const char *bytes, size_t len, mode_t mode)
{
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%s", in_root(r, path));
    for (char *slash = full + strlen(r->dir) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        assert_true(mkdir(full, 0755) == 0 || errno == EEXIST);
        *slash = '/';
    }
    int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static inline void put(const struct root *r, const char *path, const char *text)
{
    put_bytes(r, path, text, strlen(text), 0644);
}

static inline void put_link(const struct root *r, const char *path, const char *target)
{
    assert_int_equal(symlink(target, in_root(r, path)), 0);
}

static inline void make_root(struct root *r)
{
    umask(022);
    strcpy(r->dir, "/tmp/fileward-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    assert_int_equal(chmod(r->dir, 0755), 0);
}

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st;
    (void)kind;
    (void)walk;
    return remove(path);
}

static inline void remove_root(const struct root *r)
{
    assert_int_equal(nftw(r->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* As `printf TEXT | md5sum` prints it. */
#define MD5_A "7fc56270e7a70fa81a5935b72eacbe29" /* "A" */
#define MD5_B "9d5ed678fe57bcca610140957afab571" /* "B" */

static inline uint8_t first_of(const char *hex)
{
    char two[3] = {hex[0], hex[1], '\0'};
    return (uint8_t)strtoul(two, NULL, 16);
}

#endif
