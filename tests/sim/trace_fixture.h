/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Traces byte by byte, as docs/trace.md has them: little-endian, no padding. */
#ifndef TESTS_SIM_TRACE_FIXTURE_H
#define TESTS_SIM_TRACE_FIXTURE_H

#include "tests/sim/le_bytes.h"
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TR_SIZE 64u /* of a header and of a record */

/* Offsets in a record. */
#define TR_TIME     0u
#define TR_PC       8u
#define TR_ADDR     16u
#define TR_ARG      24u
#define TR_VALUE    32u
#define TR_ESR      40u
#define TR_PSTATE   44u
#define TR_VM       48u
#define TR_VCPU     50u
#define TR_PCPU     52u
#define TR_CLASS    54u
#define TR_OUTCOME  55u
#define TR_RESERVED 56u

/* Offsets in both kinds of header, and in that of a buffer. */
#define TR_VERSION  8u
#define TR_RECSIZE  12u
#define TR_HZ       16u
#define TR_CAPACITY 24u
#define TR_COUNT    32u

#define TR_END 0xffu

static inline void tr_header(uint8_t *at, const char *magic)
{
    memset(at, 0, TR_SIZE);
    memcpy(at, magic, 8);
    le_put(at + TR_VERSION, 1, 4);
    le_put(at + TR_RECSIZE, 64, 4);
    le_put(at + TR_HZ, 62500000, 8);
}

/* A record that differs from others in all its fields. */
static inline void tr_record(uint8_t *at, unsigned n)
{
    memset(at, 0, TR_SIZE);
    le_put(at + TR_TIME, 1000 + 10 * n, 8);
    le_put(at + TR_PC, UINT64_C(0xffff800008000000) + 4 * n, 8);
    le_put(at + TR_ADDR, UINT64_C(0x0a000000) + n, 8);
    le_put(at + TR_ARG, UINT64_C(0xffff800010000000) + n, 8);
    le_put(at + TR_VALUE, UINT64_C(0x1111111111111111) * (n % 16), 8);
    le_put(at + TR_ESR, UINT64_C(0x93c08007) + n, 4);
    le_put(at + TR_PSTATE, UINT64_C(0x600003c5) + n, 4);
    le_put(at + TR_VM, n, 2);
    le_put(at + TR_VCPU, n + 1, 2);
    le_put(at + TR_PCPU, n + 2, 2);
    at[TR_CLASS] = (uint8_t)(n % 9);
    at[TR_OUTCOME] = (uint8_t)(n % 5);
}

/* What ends a file. */
static inline void tr_end(uint8_t *at, uint64_t count, uint64_t lost)
{
    memset(at, 0, TR_SIZE);
    le_put(at + TR_ADDR, count, 8);
    le_put(at + TR_VALUE, lost, 8);
    at[TR_CLASS] = TR_END;
}

/* A good file with n records; returns its size. */
static inline size_t tr_file(uint8_t *at, unsigned n)
{
    tr_header(at, "HALTRACE");
    for (unsigned i = 0; i < n; i++)
        tr_record(at + TR_SIZE * (1 + i), i);
    tr_end(at + TR_SIZE * (1 + n), n, 0);
    return TR_SIZE * (n + 2);
}

/* A good buffer with n records of `made`; returns its size. */
static inline size_t tr_buffer(uint8_t *at, unsigned n, uint64_t capacity, uint64_t made)
{
    tr_header(at, "HALTRBUF");
    le_put(at + TR_CAPACITY, capacity, 8);
    le_put(at + TR_COUNT, made, 8);
    for (unsigned i = 0; i < n; i++)
        tr_record(at + TR_SIZE * (1 + i), i);
    return TR_SIZE * (n + 1);
}

#endif
