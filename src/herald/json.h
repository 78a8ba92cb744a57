/* A record as one line of JSON (docs/json.md). Pure: record in, ASCII bytes out. */
#ifndef FILEWARD_HERALD_JSON_H
#define FILEWARD_HERALD_JSON_H

#include <stddef.h>

#include "fileward/record.h"

enum { LINE_BYTES_MAX = 16384 }; /* of a line, newline included */

/* Each function writes one line of printable ASCII with its newline to `out` (LINE_BYTES_MAX bytes) and returns its
 * length; there is no NUL. 0 only when memory is out. A record's texts are hostile: invalid UTF-8 is replaced and kept
 * in hex beside, and what makes the line too long is cut and named in "cut". */

/* A record; `repeat` is NULL, or the RECORD_REPEAT whose original `r` is: its time, seq and count are told instead. */
size_t record_line(char *out, const struct record *r, const struct record *repeat);

/* Records `first` to `last` of a role never arrived. */
size_t gap_line(char *out, int64_t time_ns, enum role role, uint64_t first, uint64_t last);

/* `lost` lines that the herald made did not reach the log; `why` in words. */
size_t lost_line(char *out, int64_t time_ns, uint64_t lost, const char *why);

/* The herald's own word that nobody is left to report about. */
size_t stop_line(char *out, int64_t time_ns, const char *why);

#endif
