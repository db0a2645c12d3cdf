/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A snapshot as it is in its file: header, the chunks' data one after the other, the table of the
 * chunks, trailer. Little-endian, nothing between. A page that is in no chunk is zero. Only
 * snapshot.c, snapshot_save.c and their tests read this.
 */
#ifndef SIM_SNAPSHOT_FORMAT_H
#define SIM_SNAPSHOT_FORMAT_H

#include "base/addr.h"
#include "sim/snapshot.h"

#define SNAPSHOT_FORMAT_MAGIC   "HALSNAPS"
#define SNAPSHOT_FORMAT_VERSION 1u

/* Room for those of any machine. */
#define SNAPSHOT_FORMAT_REGIONS 80u

struct snapshot_format_region {
    uint64_t base; /* address in the process */
    uint64_t len;
};

struct snapshot_format_header {
    char magic[8];
    uint32_t version;
    uint32_t nr_regions;
    struct snapshot_format_region region[SNAPSHOT_FORMAT_REGIONS];
    uint64_t ram_size;
    uint64_t seed;
    uint64_t dtb;
    uint32_t nr_cpus;
    uint32_t cpu_model;
    uint32_t traced; /* 0, 1 */
    uint32_t run_size;
    uint8_t build[SIM_BUILD_ID_SIZE];
    uint32_t reserved; /* 0 */
    uint8_t run[SNAPSHOT_RUN_MAX];
    uint64_t sum; /* XXH3-64 of the header before it */
};

/* Pages that follow each other. In the order of (region, offset), none over another. */
struct snapshot_format_chunk {
    uint64_t offset; /* in the region, whole pages */
    uint32_t region;
    uint32_t len;    /* whole pages, 1..SNAPSHOT_CHUNK_MAX */
    uint32_t stored; /* bytes in the file: an LZ4 block, or as it is if equal to len */
    uint32_t reserved;
    uint64_t sum; /* XXH3-64 of the stored bytes */
};

struct snapshot_format_trailer {
    uint64_t nr_chunks;
    uint64_t data_size; /* of all chunks in the file */
    uint64_t table_sum; /* XXH3-64 of the table */
    uint64_t sum;       /* XXH3-64 of the trailer before it */
};

/* What LZ4 packs and a thread unpacks at a time. Large enough for the ratio, small enough for a
 * cache and a stack. */
#define SNAPSHOT_CHUNK_MAX ((uint32_t)KIB(256))

_Static_assert(SIM_REGIONS_MAX <= SNAPSHOT_FORMAT_REGIONS, "any machine fits");
_Static_assert(sizeof(struct snapshot_format_header) == 5464, "the file's header has no padding");
_Static_assert(sizeof(struct snapshot_format_chunk) == 32, "the table has no padding");
_Static_assert(sizeof(struct snapshot_format_trailer) == 32, "the file's trailer has no padding");

#endif
