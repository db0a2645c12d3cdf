/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Numbers that a guest cannot predict from those that another guest got: SipHash-2-4 (Aumasson and
 * Bernstein, 2012) of a counter, under a key that the machine's firmware or the simulator's seed
 * provides. Without a key there are none.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t key[2];
    _Atomic uint64_t count;
    bool seeded;
};

/* Before other pCPUs use it. */
void random_seed(struct random *random, const uint64_t key[2]);

/* The next number; `random` is seeded. Any pCPU, no lock. The same key gives the same sequence. */
uint64_t random_next(struct random *random);

#endif
