/* The Debian package database: which installed package a file belongs to, and the checksum recorded for it. It is read
 * from the files that dpkg keeps, and only while they are root's and nobody else can write them.
 *
 * In memory is one small entry for each name that a package lists; checksums are read when they are asked for. The
 * recorded checksum is MD5, because that is what the database has. To make a second file with the MD5 of a given one is
 * still out of reach; to make two files of one MD5 is not, but whoever can put one of them into a package that root
 * installs has other ways. */
#ifndef FILEWARD_CLERK_PACKAGES_H
#define FILEWARD_CLERK_PACKAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clerk/digest.h"

enum { PACKAGE_NAME_MAX = 128 }; /* with the closing NUL; "name" or "name:arch" */

struct packages;

struct packages_count {
    size_t packages; /* whose files are all in place */
    size_t names;    /* listed by them */
    size_t odd;      /* lines and packages that were passed over because they make no sense */
};

/* Reads the database below `root`, a directory without symbolic links in its name ("" is our own namespace's root).
 * NULL after *why (static text; errno where it says so): there is none, it is not root's alone, memory is out, the beat
 * ended it. */
struct packages *packages_read(const char *root, clerk_beat *beat, void *ctx, const char **why);

/* The same when it has changed: what did not is taken over from `old`, which stays as it is, so that it costs a tenth. */
struct packages *packages_read_again(const struct packages *old, clerk_beat *beat, void *ctx, const char **why);
void packages_free(struct packages *p);
struct packages_count packages_count(const struct packages *p);
const char *packages_root(const struct packages *p);

/* Whether the database on disk is another than the one that was read; cheap (a few stat calls), to be asked before each
 * use. True also when it cannot be told. */
bool packages_changed(const struct packages *p);

/* The later, the more it says. */
enum packaged_end {
    PACKAGED_NOT,         /* no installed package has this file */
    PACKAGED_NO_CHECKSUM, /* one has (a configuration file, or a package without checksums) */
    PACKAGED_FAILED,      /* the database could not be read: errno */
    PACKAGED_FOUND,
};
struct packaged {
    char package[PACKAGE_NAME_MAX];
    uint8_t md5[DIGEST_MD5_BYTES];
};

/* The package of `path`: absolute below the root, without symbolic links, so that with a merged /usr it is /usr/bin/ls
 * also where the package lists /bin/ls. Diversions are followed: a file is its package's under the name to which it was
 * diverted. With several owners (packages of several architectures) the first that has a checksum for it is told. */
enum packaged_end packages_find(const struct packages *p, const char *path, struct packaged *out);

#endif
