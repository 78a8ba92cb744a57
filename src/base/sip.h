/* SipHash-1-3 of words, for tables in which nobody shall choose what meets in one place. Without the length at the end:
 * that is always the same for one kind of key. */
#ifndef FILEWARD_BASE_SIP_H
#define FILEWARD_BASE_SIP_H

#include <stdint.h>

static inline uint64_t sip_rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = sip_rotate(v[1], 13) ^ v[0], v[0] = sip_rotate(v[0], 32);
    v[2] += v[3], v[3] = sip_rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = sip_rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = sip_rotate(v[1], 17) ^ v[2], v[2] = sip_rotate(v[2], 32);
}

/* `seed` is random, and nobody else's to know. */
static inline uint32_t sip_words(const uint64_t seed[2], const uint64_t *words, int n)
{
    uint64_t v[4] = {seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
                     seed[0] ^ UINT64_C(0x6c7967656e657261), seed[1] ^ UINT64_C(0x7465646279746573)};
    for (int i = 0; i < n; i++) {
        v[3] ^= words[i];
        sip_round(v);
        v[0] ^= words[i];
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return (uint32_t)(v[0] ^ v[1] ^ v[2] ^ v[3]);
}

#endif
