/* A policy written again, for other places: what `bench` measures is the user's rules on files that it makes itself. */
#ifndef FILEWARD_CLI_COPY_H
#define FILEWARD_CLI_COPY_H

#include <stdio.h>

#include "policy/policy.h"

struct copy {
    const char *top;  /* every watched, excluded or ruled path is taken below this directory, a "~" as its home/ */
    const char *exe;  /* each program of the policy that is this one ... */
    const char *self; /* ... is written as this; NULL: all stay */
    /* With `exe`: self's hash. A rule meant for `exe` asks for as much of self, and then holds: every exe_sha256 has this
     * one too, and behind each rule that wants a package's program stands one that does not. */
    const uint8_t *self_sha256;
};

/* Writes [fileward], audit-only and without HTTP, then watches and rules. False: something in it cannot be written again. */
bool copy_policy(const struct policy *p, const struct copy *c, FILE *out);

/* A directory below `top` that the watch guards. False if none can be made up. */
bool copy_place(const struct policy *p, const struct watch *w, const struct copy *c, char place[PATH_MAX]);

#endif
