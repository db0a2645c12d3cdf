/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Which records of a trace are looked at. */
#ifndef SIM_TRACE_FILTER_H
#define SIM_TRACE_FILTER_H

#include "abi/trace.h"
#include "sim/trace/trace_field.h"
#include <stdbool.h>
#include <stdint.h>

/* Both ends belong to it. */
struct trace_range {
    uint64_t low;
    uint64_t high;
};

/* A record passes whose fields lie in all ranges, and whose class and outcome have their bits. */
struct trace_filter {
    struct trace_range range[TRACE_FIELDS];
    uint32_t classes;
    uint32_t outcomes;
};

/* Passes everything. */
void trace_filter_init(struct trace_filter *filter);
bool trace_filter_passes(const struct trace_filter *filter, const struct trace_record *record);

/* "N" or "LOW-HIGH", decimal or with 0x. False if it is neither, or LOW is above HIGH. */
bool trace_parse_range(const char *text, struct trace_range *out);
bool trace_parse_number(const char *text, uint64_t *out);

#endif
