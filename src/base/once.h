/* Programs that once were what the policy names: so that one whose file is gone, since it was upgraded while it ran, is still
 * known, also to judges that come later. Lies in the register's memory; the judge that serves writes it. */
#ifndef FILEWARD_BASE_ONCE_H
#define FILEWARD_BASE_ONCE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/register.h"

enum { ONCE_MAX = 1024 /* the eldest gives way */ };

struct once {
    _Atomic uint32_t next;
    struct {
        _Atomic uint64_t pattern; /* once_pattern() of the policy's text; 0: free */
        struct file_id id;
    } entry[ONCE_MAX];
};

uint64_t once_pattern(const char *text);

/* An inode whose file system keeps no birth times is not remembered: its number may be given to another. */
void once_add(struct once *o, uint64_t pattern, const struct file_id *id);

/* Calls `each` with every pattern whose program this inode was. */
typedef void once_each(void *ctx, uint64_t pattern);
void once_find(const struct once *o, const struct file_id *id, once_each *each, void *ctx);

#endif
