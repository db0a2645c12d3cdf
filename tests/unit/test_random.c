/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/random.h"
#include "cases.h"

/* The published test vectors: key 00 01 .. 0f. */
static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

CASE(random, is_siphash_2_4_of_the_counter)
{
    struct random r = {.seeded = false};

    random_seed(&r, key);
    cr_assert(r.seeded);
    atomic_store(&r.count, UINT64_C(0x0706050403020100)); /* the message 00 01 .. 07 */
    cr_assert_eq(random_next(&r), UINT64_C(0x93f5f5799a932462));
    cr_assert_eq(atomic_load(&r.count), UINT64_C(0x0706050403020101));
}

CASE(random, sequences)
{
    const uint64_t other_key[2] = {key[0], key[1] ^ 1};
    struct random a = {.seeded = false};
    struct random b = {.seeded = false};
    struct random other = {.seeded = false};
    uint64_t last = 0;

    random_seed(&a, key);
    random_seed(&b, key);
    random_seed(&other, other_key);
    for (int i = 0; i < 100; i++) {
        uint64_t x = random_next(&a);
        cr_assert_neq(x, last);
        cr_assert_eq(x, random_next(&b));
        cr_assert_neq(x, random_next(&other));
        last = x;
    }
}

CASES_RUN(random, NULL, NULL)
