/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The few functions of <string.h> that freestanding C, core and libfdt need, and what Debian's
 * libfdt was compiled to expect. */
#include "base/check.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WORD  sizeof(uint64_t)
#define BLOCK (8 * WORD)

typedef uint64_t __attribute__((may_alias)) word_t;

typedef uint32_t __attribute__((may_alias)) half_t;

static bool both_aligned(const void *a, const void *b, size_t to)
{
    return (((uintptr_t)a | (uintptr_t)b) & (to - 1)) == 0;
}

/* Whole blocks of so many bytes, four pairs of registers at a time. Returns how much. */
static size_t copy_blocks(unsigned char *d, const unsigned char *s, size_t n)
{
    size_t done = 0;

    for (; n - done >= BLOCK; done += BLOCK) {
        const word_t *from = (const word_t *)(const void *)(s + done);
        word_t *to = (word_t *)(void *)(d + done);
        word_t a = from[0], b = from[1], c = from[2], e = from[3];
        word_t f = from[4], g = from[5], h = from[6], i = from[7];
        to[0] = a, to[1] = b, to[2] = c, to[3] = e;
        to[4] = f, to[5] = g, to[6] = h, to[7] = i;
    }
    return done;
}

/* Images within a devicetree are aligned to no more than this. */
static size_t copy_halves(unsigned char *d, const unsigned char *s, size_t n)
{
    size_t done = 0;

    for (; n - done >= 4 * sizeof(half_t); done += 4 * sizeof(half_t)) {
        const half_t *from = (const half_t *)(const void *)(s + done);
        half_t *to = (half_t *)(void *)(d + done);
        half_t a = from[0], b = from[1], c = from[2], e = from[3];
        to[0] = a, to[1] = b, to[2] = c, to[3] = e;
    }
    return done;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    unsigned char *d = to;
    const unsigned char *s = from;

    if (both_aligned(d, s, WORD)) {
        if (n >= BLOCK) {
            size_t done = copy_blocks(d, s, n);
            d += done, s += done, n -= done;
        }
        for (; n >= 2 * WORD; n -= 2 * WORD, d += 2 * WORD, s += 2 * WORD) {
            word_t a = ((const word_t *)(const void *)s)[0];
            word_t b = ((const word_t *)(const void *)s)[1];
            ((word_t *)(void *)d)[0] = a;
            ((word_t *)(void *)d)[1] = b;
        }
    } else if (both_aligned(d, s, sizeof(half_t))) {
        size_t done = copy_halves(d, s, n);
        d += done, s += done, n -= done;
    }
    while (n-- > 0)
        *d++ = *s++;
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    unsigned char *d = to;
    const unsigned char *s = from;

    if ((uintptr_t)d - (uintptr_t)s >= n)
        return memcpy(to, from, n);
    while (n-- > 0)
        d[n] = s[n];
    return to;
}

/* Whole blocks of zeroes go by DC ZVA (Arm ARM DDI 0487, D7.5.9): guest memory is zeroed by the
 * gigabyte. */
static size_t zero_blocks(unsigned char *d, size_t n)
{
    uint64_t dczid;

    __asm__("mrs %0, dczid_el0" : "=r"(dczid));
    size_t block = (size_t)4 << (dczid & 15);
    if ((dczid & 16) != 0 || ((uintptr_t)d & (block - 1)) != 0)
        return 0;
    size_t done = n & ~(block - 1);
    for (const unsigned char *end = d + done; d != end; d += block)
        __asm__ volatile("dc zva, %0" ::"r"(d) : "memory");
    return done;
}

void *memset(void *to, int byte, size_t n)
{
    unsigned char *d = to;
    uint64_t pattern = (unsigned char)byte * UINT64_C(0x0101010101010101);

    while (n > 0 && ((uintptr_t)d & (WORD - 1)) != 0) {
        *d++ = (unsigned char)byte;
        n--;
    }
    if (byte == 0 && n >= 1024) {
        size_t done = zero_blocks(d, n);
        d += done;
        n -= done;
    }
    for (; n >= WORD; n -= WORD, d += WORD)
        *(word_t *)(void *)d = pattern;
    while (n-- > 0)
        *d++ = (unsigned char)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a;
    const unsigned char *y = b;

    for (; n > 0; n--, x++, y++)
        if (*x != *y)
            return *x < *y ? -1 : 1;
    return 0;
}

void *memchr(const void *s, int c, size_t n)
{
    const unsigned char *p = s;

    for (; n > 0; n--, p++)
        if (*p == (unsigned char)c)
            return (void *)(uintptr_t)p;
    return NULL;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n] != '\0')
        n++;
    return n;
}

/* POSIX, not ISO C: <string.h> hides it here. */
size_t strnlen(const char *s, size_t max);

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n] != '\0')
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (int)(unsigned char)*a - (int)(unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0; n--, a++, b++) {
        if (*a != *b)
            return (int)(unsigned char)*a - (int)(unsigned char)*b;
        if (*a == '\0')
            break;
    }
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)(uintptr_t)s;
        if (*s == '\0')
            return NULL;
    }
}

char *strrchr(const char *s, int c)
{
    const char *last = NULL;

    for (;; s++) {
        if (*s == (char)c)
            last = s;
        if (*s == '\0')
            return (char *)(uintptr_t)last;
    }
}

/* Debian builds libfdt with stack protection. The canary is fixed: there is no entropy this early.
 */
extern const uint64_t __stack_chk_guard;
const uint64_t __stack_chk_guard = UINT64_C(0x00ff0a0d5bd1e995);

_Noreturn void __stack_chk_fail(void);

_Noreturn void __stack_chk_fail(void)
{
    hv_check_failed("stack canary intact", "libfdt", 0);
}
