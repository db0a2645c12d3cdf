/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Recordings byte by byte, as docs of the format would have it, for the tests and the fuzz target:
 * what sim/record_format.h says in structures is said here in numbers.
 */
#ifndef TESTS_SIM_RECORD_FIXTURE_H
#define TESTS_SIM_RECORD_FIXTURE_H

#include "tests/sim/le_bytes.h"
#include <stdint.h>
#include <string.h>
#include <xxhash.h>

#define REC_HEADER     88u
#define REC_VERSION    8u /* offsets in the header */
#define REC_CPUS       12u
#define REC_SEED       16u
#define REC_RAM        24u
#define REC_START_TIME 32u
#define REC_MODEL      40u
#define REC_START      48u
#define REC_BUILD      64u

#define REC_FRAME      16u /* time, kind, length */
#define REC_KIND       8u
#define REC_LEN        12u
#define REC_KIND_INPUT 1u
#define REC_KIND_END   2u

#define REC_END              56u /* the last frame with its data */
#define REC_END_INSTRUCTIONS 16u
#define REC_END_EVENTS       24u
#define REC_END_HASH         32u
#define REC_END_SUM          48u

/* Makes the sum right again, as somebody would who changes a file on purpose. */
static inline void rec_seal(uint8_t *file, size_t size)
{
    if (size >= 8)
        le_put(file + size - 8, XXH3_64bits(file, size - 8), 8);
}

#endif
