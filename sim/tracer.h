/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What becomes of core's trace records: into a file, the hash, and the counts. */
#ifndef SIM_TRACER_H
#define SIM_TRACER_H

#include "abi/trace.h"
#include "sim/trace/trace_file.h"
#include "sim/trace/trace_hash.h"
#include <stdint.h>

/* What of it belongs to the run: plain data, equal in equal runs, kept in snapshots. */
struct tracer_state {
    struct trace_hash hash;
    uint64_t exits[TRACE_CLASSES];
};

struct tracer {
    struct tracer_state state;
    struct trace_writer *writer; /* NULL: no file */
};

void tracer_take(struct tracer *tracer, const struct trace_record *record);

#endif
