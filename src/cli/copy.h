/* A policy written again, for other places: what `bench` measures is the user's rules on files that it makes itself. */
#ifndef FILEWARD_CLI_COPY_H
#define FILEWARD_CLI_COPY_H

#include <stdio.h>

#include "policy/policy.h"

struct copy {
    const char *top;  /* every watched, excluded or ruled path is taken below this directory, a "~" as its home/ */
    const char *exe;  /* each program of the policy that is this one ... */
    const char *self; /* ... is written as this; NULL: all stay */
    /* With `exe`: the hashes of both. A rule meant for `exe` asks for as much of self, and then holds: where the hash of
     * `exe` is listed self's is too, and behind each rule that wants a package's program stands one that does not.
     * exe_sha256 is NULL if there is none: then no list names it. */
    const uint8_t *exe_sha256, *self_sha256;
};

/* Writes [fileward], audit-only and without HTTP, then watches and rules. False: something in it cannot be written again. */
bool copy_policy(const struct policy *p, const struct copy *c, FILE *out);

/* A directory below `top` that the watch guards. False if none can be made up. */
bool copy_place(const struct policy *p, const struct watch *w, const struct copy *c, char place[PATH_MAX]);

#endif
