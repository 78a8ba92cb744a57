/* The text files of the Debian package database, parsed. Pure functions over bytes; never past their end. */
#ifndef FILEWARD_CLERK_DPKG_H
#define FILEWARD_CLERK_DPKG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clerk/digest.h"

/* Part of a file that is in memory: not terminated, may hold any byte. */
struct span {
    const char *at;
    size_t len;
};
static inline struct span span_of(const char *at, size_t len)
{
    return (struct span){at, len};
}
bool span_is(struct span s, const char *text);
bool span_equal(struct span a, struct span b);

/* Takes the next line, without its newline, off `rest`. False at the end; a last line without a newline is no line: it
 * may be half a name. */
bool dpkg_line(struct span *rest, struct span *line);

/* One package of the status file. */
struct dpkg_package {
    struct span name, arch;
    bool in_place; /* all its files are unpacked, and none half-way */
    bool same;     /* Multi-Arch: same: its files of info/ are named with the architecture */
    bool valid;    /* the names are such as dpkg gives, and all fields are there */
};
/* Takes the next package off `rest`. False at the end. */
bool dpkg_package(struct span *rest, struct dpkg_package *out);

/* One diversion: three lines. `by` is ":" where no package made it. False at the end, or when it breaks off. */
struct dpkg_diversion {
    struct span from, to, by;
};
bool dpkg_diversion(struct span *rest, struct dpkg_diversion *out);

/* A line of a .list file that names something: absolute, no NUL, shorter than PATH_MAX. */
bool dpkg_listed(struct span line);

/* A line of a .md5sums file: the checksum, and the name without a leading slash. */
bool dpkg_checksum(struct span line, uint8_t md5[DIGEST_MD5_BYTES], struct span *name);

#endif
