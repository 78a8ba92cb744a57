/* Points in time as text: RFC 3339 in UTC. Not by libc, whose gmtime() opens /etc/localtime, which may be guarded. */
#ifndef FILEWARD_BASE_STAMP_H
#define FILEWARD_BASE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

enum { STAMP_BYTES = 28 }; /* "2026-11-22T04:00:00.123456Z" and NUL */

/* Nanoseconds since 1970, cut to microseconds. */
void stamp_text(char out[STAMP_BYTES], int64_t time_ns);

/* A time that a user or a record gives, against `now_ns`: "90s" "10m" "2h" "3d" ago; "04:00" or "04:00:30" of today;
 * "2026-11-22T04:00Z", with seconds and a fraction or without. */
bool stamp_parse(const char *text, int64_t now_ns, int64_t *time_ns);

#endif
