/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/tracer.h"

void tracer_take(struct tracer *tracer, const struct trace_record *record)
{
    trace_hash_add(&tracer->state.hash, record);
    if (record->class < TRACE_CLASSES)
        tracer->state.exits[record->class]++;
    if (tracer->writer != NULL)
        trace_writer_add(tracer->writer, record);
}
