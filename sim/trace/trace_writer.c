/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/trace/file_out.h"
#include "sim/trace/trace_file.h"
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are written as they are");
_Static_assert(TRACE_REASON_MAX >= FILE_OUT_REASON_MAX, "reasons are passed on");

struct trace_writer {
    struct file_out *out;
    uint64_t count;
};

struct trace_writer *trace_writer_open(const char *path, uint64_t counter_hz, char *reason)
{
    struct trace_file_header header = {
        .version = TRACE_VERSION,
        .record_size = sizeof(struct trace_record),
        .counter_hz = counter_hz,
    };
    struct trace_writer *writer = malloc(sizeof(*writer));

    if (writer == NULL) {
        snprintf(reason, TRACE_REASON_MAX, "cannot write %.150s: out of memory", path);
        return NULL;
    }
    writer->count = 0;
    writer->out = file_out_open(path, reason);
    if (writer->out == NULL) {
        free(writer);
        return NULL;
    }
    memcpy(header.magic, TRACE_FILE_MAGIC, sizeof(header.magic));
    (void)file_out_write(writer->out, &header, sizeof(header));
    return writer;
}

void trace_writer_add(struct trace_writer *writer, const struct trace_record *record)
{
    writer->count++;
    (void)file_out_write(writer->out, record, sizeof(*record));
}

bool trace_writer_commit(struct trace_writer *writer, char *reason)
{
    const struct trace_record end = {.addr = writer->count, .class = TRACE_FILE_END};
    bool good;

    (void)file_out_write(writer->out, &end, sizeof(end));
    good = file_out_commit(writer->out, reason);
    free(writer);
    return good;
}

void trace_writer_discard(struct trace_writer *writer)
{
    if (writer == NULL)
        return;
    file_out_discard(writer->out);
    free(writer);
}
