/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Random numbers for tests: from a seed the same sequence on every machine. */
#ifndef TESTS_PRNG_H
#define TESTS_PRNG_H

#include <stdint.h>

/* xorshift64*, 64 bits of it. The state is the seed at first, which must not be 0. */
static inline uint64_t prng_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

#endif
