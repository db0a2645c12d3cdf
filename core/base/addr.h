/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Address spaces that the compiler keeps apart. A conversion is always spelled out. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>

/* Physical address of the machine. */
typedef struct pa {
    uint64_t v;
} pa_t;

/* Intermediate physical address: what a guest believes to be physical. */
typedef struct ipa {
    uint64_t v;
} ipa_t;

/* Virtual address of a guest's stage-1 regime. */
typedef struct va {
    uint64_t v;
} va_t;

#define PAGE_SHIFT 12u
#define PAGE_SIZE  (UINT64_C(1) << PAGE_SHIFT)
#define PAGE_MASK  (PAGE_SIZE - 1)

#define KIB(n) (UINT64_C(n) << 10)
#define MIB(n) (UINT64_C(n) << 20)
#define GIB(n) (UINT64_C(n) << 30)

static inline pa_t pa(uint64_t v)
{
    return (pa_t){v};
}

static inline ipa_t ipa(uint64_t v)
{
    return (ipa_t){v};
}

static inline va_t va(uint64_t v)
{
    return (va_t){v};
}

static inline pa_t pa_add(pa_t a, uint64_t n)
{
    return (pa_t){a.v + n};
}

static inline ipa_t ipa_add(ipa_t a, uint64_t n)
{
    return (ipa_t){a.v + n};
}

/* `align` is a power of two. */
static inline bool is_aligned(uint64_t v, uint64_t align)
{
    return (v & (align - 1)) == 0;
}

static inline uint64_t align_down(uint64_t v, uint64_t align)
{
    return v & ~(align - 1);
}

/* Wraps to 0 when the result does not fit: callers bound `v` first. */
static inline uint64_t align_up(uint64_t v, uint64_t align)
{
    return (v + align - 1) & ~(align - 1);
}

/* True if [base, base + len) wraps around or ends above `limit` (exclusive end allowed to equal
 * limit). */
static inline bool range_exceeds(uint64_t base, uint64_t len, uint64_t limit)
{
    return len > limit || base > limit - len;
}

/* True if the half-open ranges share a byte. Neither wraps. */
static inline bool ranges_overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
    return a < b + b_len && b < a + a_len;
}

#endif
