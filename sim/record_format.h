/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A recording as it is in its file: a header, frames, and the frame that ends it. Little-endian,
 * nothing between. Only record.c and its tests read this.
 */
#ifndef SIM_RECORD_FORMAT_H
#define SIM_RECORD_FORMAT_H

#include "sim/record.h"

#define RECORD_FORMAT_MAGIC   "HALRECRD"
#define RECORD_FORMAT_VERSION 1u

/* Of the whole file: it is held in memory when it is read. */
#define RECORD_FILE_MAX MIB(256)

struct record_format_header {
    char magic[8];
    uint32_t version;
    uint32_t nr_cpus;
    uint64_t seed;
    uint64_t ram_size;
    uint64_t start_time;
    uint32_t cpu_model;
    uint32_t reserved; /* 0 */
    uint8_t start[RECORD_DIGEST_SIZE];
    uint8_t build[SIM_BUILD_ID_SIZE];
    uint32_t reserved2; /* 0 */
};

enum record_frame_kind { RECORD_FRAME_INPUT = 1, RECORD_FRAME_END = 2, RECORD_FRAME_NET = 3 };

/* Before its data. */
struct record_frame {
    uint64_t time;
    uint32_t kind;
    uint32_t len; /* of the data that follow */
};

/* The last frame with its data: the file ends with it. */
struct record_format_end {
    struct record_frame frame;
    uint64_t instructions;
    uint64_t nr_events;
    uint8_t hash[RECORD_DIGEST_SIZE];
    uint64_t sum; /* XXH3-64 of all of the file before it */
};

#define RECORD_FRAME_END_LEN (sizeof(struct record_format_end) - sizeof(struct record_frame))

_Static_assert(sizeof(struct record_format_header) == 88, "the file's header has no padding");
_Static_assert(sizeof(struct record_frame) == 16, "a frame has no padding");
_Static_assert(sizeof(struct record_format_end) == 56, "the file's end has no padding");

#endif
