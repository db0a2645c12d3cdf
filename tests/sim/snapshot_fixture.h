/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Snapshots byte by byte, for the tests and the fuzz target: what sim/snapshot_format.h says in
 * structures is said here in numbers.
 */
#ifndef TESTS_SIM_SNAPSHOT_FIXTURE_H
#define TESTS_SIM_SNAPSHOT_FIXTURE_H

#include "tests/sim/le_bytes.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <xxhash.h>

#define SNAP_HEADER     5464u
#define SNAP_VERSION    8u /* offsets in the header */
#define SNAP_NR_REGIONS 12u
#define SNAP_REGION     16u /* base, length; 80 times */
#define SNAP_RAM_SIZE   1296u
#define SNAP_SEED       1304u
#define SNAP_DTB        1312u
#define SNAP_CPUS       1320u
#define SNAP_MODEL      1324u
#define SNAP_TRACED     1328u
#define SNAP_RUN_SIZE   1332u
#define SNAP_BUILD      1336u
#define SNAP_RESERVED   1356u
#define SNAP_RUN        1360u
#define SNAP_HEADER_SUM 5456u

#define SNAP_CHUNK          32u /* an entry of the table; offsets in it: */
#define SNAP_CHUNK_REGION   8u
#define SNAP_CHUNK_LEN      12u
#define SNAP_CHUNK_STORED   16u
#define SNAP_CHUNK_RESERVED 20u
#define SNAP_CHUNK_SUM      24u

#define SNAP_TRAILER   32u /* at the end of the file; offsets in it: */
#define SNAP_DATA_SIZE 8u
#define SNAP_TABLE_SUM 16u
#define SNAP_SUM       24u

/* Where the table is, 0 if the sizes make no sense. */
static inline size_t snap_table(const uint8_t *file, size_t size, size_t *nr_chunks)
{
    uint64_t count;

    if (size < SNAP_HEADER + SNAP_TRAILER)
        return 0;
    count = le_get(file + size - SNAP_TRAILER, 8);
    if (count > (size - SNAP_HEADER - SNAP_TRAILER) / SNAP_CHUNK)
        return 0;
    *nr_chunks = (size_t)count;
    return size - SNAP_TRAILER - (size_t)count * SNAP_CHUNK;
}

/* The sums of the chunks that lie in the file; their table stays within the file. */
static inline void snap_seal_chunks(uint8_t *file, size_t table, size_t nr_chunks)
{
    size_t at = SNAP_HEADER;

    for (size_t i = 0; i < nr_chunks; i++) {
        uint8_t *chunk = file + table + i * SNAP_CHUNK;
        uint64_t stored = le_get(chunk + SNAP_CHUNK_STORED, 4);
        if (stored > table - at)
            return;
        le_put(chunk + SNAP_CHUNK_SUM, XXH3_64bits(file + at, stored), 8);
        at += stored;
    }
}

/* Makes all sums right again, as somebody would who changes a file on purpose. */
static inline void snap_seal(uint8_t *file, size_t size)
{
    size_t nr_chunks = 0;
    size_t table = snap_table(file, size, &nr_chunks);
    uint8_t *trailer = file + size - SNAP_TRAILER;

    if (size >= SNAP_HEADER)
        le_put(file + SNAP_HEADER_SUM, XXH3_64bits(file, SNAP_HEADER_SUM), 8);
    if (size < SNAP_HEADER + SNAP_TRAILER)
        return;
    if (table != 0) {
        snap_seal_chunks(file, table, nr_chunks);
        le_put(trailer + SNAP_TABLE_SUM, XXH3_64bits(file + table, nr_chunks * SNAP_CHUNK), 8);
    }
    le_put(trailer + SNAP_SUM, XXH3_64bits(trailer, SNAP_SUM), 8);
}

#endif
