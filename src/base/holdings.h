/* Which processes hold guarded files open already: by descriptors and by mappings. Looks at /proc alone: no held file is
 * opened, and none is asked for anything unless its inode number is one of the register's. */
#ifndef FILEWARD_BASE_HOLDINGS_H
#define FILEWARD_BASE_HOLDINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/process.h"
#include "base/register.h"

enum {
    HOLDING_READ = 1u << 0,
    HOLDING_WRITE = 1u << 1,
    HOLDING_PATH = 1u << 2, /* O_PATH: whoever opens it again is asked about */
    HOLDING_MAPPING = 1u << 3,
};

/* A process and one file that it holds. */
struct holding {
    const struct process *process;
    int watch;      /* index into numbers */
    uint32_t entry; /* of the register */
    struct file_id id;
    unsigned by; /* HOLDING_x, all that it holds it by */
};

struct holdings_search {
    int proc; /* /proc */
    const struct reg *reg;
    const int *numbers; /* of the watches in the register */
    int n;
    const int32_t *left_out; /* processes that are not looked at; ends with 0 */
    int32_t after;           /* only processes with a larger number */
    void (*each)(void *ctx, const struct holding *h);
    void (*begin)(void *ctx, int32_t pid); /* it is about to look at this one; may be NULL */
    void *ctx;
};

/* Processes in the order of their numbers. False, with errno: /proc could not be read, or no memory. */
bool holdings_find(const struct holdings_search *s);

#endif
