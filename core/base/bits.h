/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Bit fields of registers and descriptors. */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <stdint.h>

#define BIT(n) (UINT64_C(1) << (n))
/* Mask of bits hi..lo, both included, 63 >= hi >= lo. */
#define BITS(hi, lo) ((~UINT64_C(0) >> (63 - (hi))) & (~UINT64_C(0) << (lo)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Bits hi..lo of v, shifted down. */
static inline uint64_t bits_get(uint64_t v, unsigned hi, unsigned lo)
{
    return (v & BITS(hi, lo)) >> lo;
}

/* v with bits hi..lo replaced by the low bits of `field`. */
static inline uint64_t bits_set(uint64_t v, unsigned hi, unsigned lo, uint64_t field)
{
    return (v & ~BITS(hi, lo)) | ((field << lo) & BITS(hi, lo));
}

/* v sign-extended from bit `bit` (0..63). */
static inline uint64_t sign_extend(uint64_t v, unsigned bit)
{
    unsigned shift = 63 - bit;
    return (uint64_t)((int64_t)(v << shift) >> shift);
}

#endif
