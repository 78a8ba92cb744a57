/* One word of a policy made a value. Each function returns NULL, or what is wrong in a few words that can follow
 * "`word`: " in a message (a static text). */
#ifndef FILEWARD_POLICY_VALUES_H
#define FILEWARD_POLICY_VALUES_H

#include "policy/users.h"

const char *value_duration(const char *word, int *ms);      /* 200ms, 2s; 10ms to 10s */
const char *value_time(const char *word, int64_t *seconds); /* 2026-12-01T00:00Z, seconds allowed; since 1970, UTC */
const char *value_listen(const char *word);                 /* 127.0.0.1:9842, [::1]:9842 */
const char *value_plain_path(const char *word);             /* an absolute path without glob characters */
const char *value_unit(const char *word);                   /* the name of a unit: ssh.service */
const char *value_sha256(const char *word, struct sha256 *out); /* 64 hexadecimal digits */

/* Number, range of numbers or name. The largest number is that of no user. */
const char *value_ids(const char *word, const struct accounts *names, struct id_range *out);

/* A path or glob, absolute or below `~`: *text (caller frees) is what is kept of it in struct pattern. A closing slash
 * is dropped; components that are empty, `.` or `..` are refused, and so is `/`. */
const char *value_pattern(const char *word, char **text, bool *home);

#endif
