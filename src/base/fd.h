/* The name of a descriptor, by which the very file behind it is opened again, linked or marked. */
#ifndef FILEWARD_BASE_FD_H
#define FILEWARD_BASE_FD_H

#include <stdio.h>

enum { FD_NAME_SIZE = 32 };

/* Returns `out`. */
static inline const char *fd_name(char out[FD_NAME_SIZE], int fd)
{
    snprintf(out, FD_NAME_SIZE, "/proc/self/fd/%d", fd);
    return out;
}

#endif
