/* Path patterns: `*` and `?` stay within a component, `[...]` is one character of a set (`[!...]` or `[^...]` one that
 * is not), never a slash; `**` crosses directories, and the component `**` may stand for none at all: /a/.../b with two
 * stars for the dots names /a/b too. A leading dot is nothing special. A backslash takes the next byte as it is.
 * A pattern names what it matches and everything below it. Paths are bytes, not text; any byte but NUL may occur. */
#ifndef FILEWARD_POLICY_GLOB_H
#define FILEWARD_POLICY_GLOB_H

#include "fileward/policy.h"

enum { GLOB_MAX_LEN = 4095 }; /* longer globs match nothing; the parser refuses them */

/* The whole path matches the whole glob (nothing "below"). Takes at most path length times glob length steps,
 * whatever either holds, and no memory but the stack. */
bool glob_match(const char *glob, const char *path);

/* The glob is well formed: every `[` is closed, no backslash at the end, not too long. */
bool glob_is_valid(const char *glob);

/* `path` is what the pattern names, or lies below it. "~" patterns are tried at each of the policy's homes. */
bool pattern_covers(const struct policy *p, const struct pattern *pattern, const char *path);
bool patterns_cover(const struct policy *p, const struct patterns *list, const char *path);

/* Length of the leading part of `glob` that has no glob character (backslash included), cut back to a whole component
 * ("/a/b*" -> "/a"); 0 when not even the first component is plain. */
size_t glob_literal_prefix(const char *glob);
bool glob_is_literal(const char *glob);

/* Writes `path` as a glob that matches nothing but it. Returns a string that the caller frees; NULL: no memory. */
char *glob_escape(const char *path, size_t len);

#endif
