/* What the herald uses of the machine, for the process_* metrics: read from a descriptor that was opened before the
 * sandbox closed. */
#ifndef FILEWARD_HERALD_SELF_H
#define FILEWARD_HERALD_SELF_H

#include <stdint.h>

struct self {
    int stat_fd; /* /proc/self/stat, -1 if it could not be opened */
    int64_t ticks_per_s, page_bytes;
    uint64_t max_fds;
    int64_t boot_ns; /* CLOCK_REALTIME of the machine's start */
};

/* All zero where /proc did not say. */
struct self_usage {
    uint64_t cpu_ns, resident_bytes, virtual_bytes, open_fds, max_fds;
    int64_t started_ns; /* since 1970 */
};

/* Opens; never fails, but may know little. */
void self_open(struct self *s);
struct self_usage self_usage(const struct self *s);
void self_close(struct self *s);

/* The numbers in a text of /proc/PID/stat; the rest of `u` is untouched. proc(5). Exposed for tests. */
void self_parse_stat(const struct self *s, const char *text, struct self_usage *u);

#endif
