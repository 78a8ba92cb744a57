/* An open through io_uring. */
#ifndef FILEWARD_SELFTEST_URING_H
#define FILEWARD_SELFTEST_URING_H

#include <stdbool.h>

enum uring {
    URING_INLINE,
    URING_ASYNC,
    URING_LINKED,
    URING_SQPOLL,
    URING_OPENAT2,
    URING_DISGUISED, /* it begins when something else happens, while the thread opens another file for reading */
};

/* A descriptor or -errno. *made: there was a ring to ask through. */
int uring_open(const char *path, int flags, enum uring how, bool *made);

#endif
