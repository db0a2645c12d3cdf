/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/addr.h"
#include "base/bits.h"
#include "cases.h"
#include "prng.h"
#include <stdbool.h>

static bool bit_of(uint64_t v, unsigned n)
{
    return ((v >> n) & 1) != 0;
}

CASE(bits, masks)
{
    cr_assert_eq(BIT(0), UINT64_C(1));
    cr_assert_eq(BIT(63), UINT64_C(0x8000000000000000));
    cr_assert_eq(BITS(63, 0), UINT64_C(0xffffffffffffffff));
    cr_assert_eq(BITS(0, 0), UINT64_C(1));
    cr_assert_eq(BITS(63, 63), UINT64_C(0x8000000000000000));
    cr_assert_eq(BITS(47, 12), UINT64_C(0x0000fffffffff000));
    cr_assert_eq(BITS(31, 26), UINT64_C(0xfc000000));
}

CASE(bits, get_and_set_against_single_bits)
{
    uint64_t seed = 1;
    for (unsigned hi = 0; hi < 64; hi++) {
        for (unsigned lo = 0; lo <= hi; lo++) {
            uint64_t v = prng_next(&seed);
            uint64_t f = prng_next(&seed);
            uint64_t got = bits_get(v, hi, lo);
            uint64_t set = bits_set(v, hi, lo, f);
            for (unsigned n = 0; n < 64; n++) {
                bool inside = n >= lo && n <= hi;
                bool expect_get = n <= hi - lo && bit_of(v, n + lo);
                bool expect_set = inside ? bit_of(f, n - lo) : bit_of(v, n);
                cr_assert_eq(bit_of(got, n), expect_get, "get %u..%u bit %u", hi, lo, n);
                cr_assert_eq(bit_of(set, n), expect_set, "set %u..%u bit %u", hi, lo, n);
            }
        }
    }
}

CASE(bits, sign_extension)
{
    cr_assert_eq(sign_extend(0x80, 7), UINT64_C(0xffffffffffffff80));
    cr_assert_eq(sign_extend(0x7f, 7), UINT64_C(0x7f));
    cr_assert_eq(sign_extend(0xffff7f, 7), UINT64_C(0x7f));
    cr_assert_eq(sign_extend(0x80000000, 31), UINT64_C(0xffffffff80000000));
    cr_assert_eq(sign_extend(1, 0), UINT64_C(0xffffffffffffffff));
    cr_assert_eq(sign_extend(2, 0), UINT64_C(0));
    cr_assert_eq(sign_extend(UINT64_C(0x8000000000000001), 63), UINT64_C(0x8000000000000001));
}

CASE(bits, array_length)
{
    int a[7];

    cr_assert_eq(ARRAY_LEN(a), 7);
}

CASE(addr, constructors_and_sums)
{
    cr_assert_eq(pa(0x123).v, 0x123);
    cr_assert_eq(ipa(0x123).v, 0x123);
    cr_assert_eq(va(0x123).v, 0x123);
    cr_assert_eq(pa_add(pa(0x1000), 0x234).v, 0x1234);
    cr_assert_eq(ipa_add(ipa(0x1000), 0x234).v, 0x1234);
    cr_assert_eq(KIB(64), UINT64_C(65536));
    cr_assert_eq(MIB(2), UINT64_C(2097152));
    cr_assert_eq(GIB(4), UINT64_C(4294967296));
    cr_assert_eq(PAGE_SIZE, 4096);
    cr_assert_eq(PAGE_MASK, 0xfff);
}

CASE(addr, alignment)
{
    cr_assert(is_aligned(0, 4096));
    cr_assert(is_aligned(0x3000, 4096));
    cr_assert_not(is_aligned(0x3001, 4096));
    cr_assert_eq(align_down(0x3fff, 4096), 0x3000);
    cr_assert_eq(align_up(0x3001, 4096), 0x4000);
    cr_assert_eq(align_up(0x3000, 4096), 0x3000);
    cr_assert_eq(align_up(UINT64_MAX - 5, 4096), 0);
}

CASE(addr, ranges_that_leave_a_space)
{
    cr_assert_not(range_exceeds(0, 100, 100));
    cr_assert_not(range_exceeds(100, 0, 100));
    cr_assert(range_exceeds(1, 100, 100));
    cr_assert(range_exceeds(100, 1, 100));
    cr_assert(range_exceeds(0, 101, 100));
    cr_assert(range_exceeds(UINT64_MAX, 2, UINT64_MAX));
    cr_assert(range_exceeds(2, UINT64_MAX, UINT64_MAX));
    cr_assert_not(range_exceeds(0, UINT64_MAX, UINT64_MAX));
}

CASE(addr, overlap_against_single_bytes)
{
    for (uint64_t a = 0; a < 6; a++) {
        for (uint64_t a_len = 1; a_len < 5; a_len++) {
            for (uint64_t b = 0; b < 6; b++) {
                for (uint64_t b_len = 1; b_len < 5; b_len++) {
                    bool shared = false;
                    for (uint64_t n = 0; n < 12; n++)
                        shared |= n >= a && n - a < a_len && n >= b && n - b < b_len;
                    cr_assert_eq(ranges_overlap(a, a_len, b, b_len), shared);
                }
            }
        }
    }
}

CASES_RUN(bits, NULL, NULL)
