/* FNV-1a: for tables, and to tell what is damaged; whoever wants to can forge it. */
#ifndef FILEWARD_BASE_FNV_H
#define FILEWARD_BASE_FNV_H

#include <stddef.h>
#include <stdint.h>

#define FNV_BEGIN UINT64_C(0xCBF29CE484222325)

/* Goes on from `h`, FNV_BEGIN at first. */
static inline uint64_t fnv(uint64_t h, const void *bytes, size_t n)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ b[i]) * UINT64_C(0x100000001B3);
    return h;
}

#endif
