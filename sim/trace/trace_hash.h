/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * One number for a sequence of trace records: two sequences with the same one are the same.
 *
 * XXH3-128 of the digest so far followed by the record, for each record. So the state is its own
 * digest: plain data without a pointer, which a snapshot can hold, and which can be compared at any
 * record on the way.
 */
#ifndef SIM_TRACE_HASH_H
#define SIM_TRACE_HASH_H

#include "abi/trace.h"
#include <stdint.h>

#define TRACE_HASH_SIZE      16u
#define TRACE_HASH_TEXT_SIZE 33u

/* All 0: of no records. */
struct trace_hash {
    uint64_t low;
    uint64_t high;
    uint64_t count; /* of records */
};

void trace_hash_add(struct trace_hash *hash, const struct trace_record *record);

/* The digest, most significant byte first; all 0 of no records. */
void trace_hash_digest(const struct trace_hash *hash, uint8_t out[TRACE_HASH_SIZE]);

/* The same in hexadecimal, terminated. Returns `out`. */
const char *trace_hash_text(const struct trace_hash *hash, char out[TRACE_HASH_TEXT_SIZE]);

#endif
