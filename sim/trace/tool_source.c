/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/trace/tool.h"
#include <inttypes.h>

bool tool_source_open(struct tool_source *source, const char *path,
                      const struct tool_options *options)
{
    char reason[TRACE_REASON_MAX];

    *source = (struct tool_source){.options = options};
    source->reader = trace_reader_open(path, reason);
    if (source->reader == NULL)
        tool_complain("%s", reason);
    return source->reader != NULL;
}

enum trace_read tool_source_next(struct tool_source *source, struct tool_item *item)
{
    char reason[TRACE_REASON_MAX];
    enum trace_read got = TRACE_READ_RECORD;

    if (source->passed == source->options->limit) {
        source->limited = true;
        return TRACE_READ_END;
    }
    while ((got = trace_reader_next(source->reader, &item->record, reason)) == TRACE_READ_RECORD) {
        item->number = source->number++;
        if (trace_filter_passes(&source->options->filter, &item->record)) {
            source->passed++;
            return got;
        }
    }
    if (got == TRACE_READ_BAD)
        tool_complain("%s", reason);
    return got;
}

void tool_source_warn_lost(const struct tool_source *source)
{
    uint64_t lost = trace_reader_lost(source->reader);

    if (!source->limited && lost != 0)
        tool_complain("%s: there was no room for the last %" PRIu64 " records",
                      trace_reader_name(source->reader), lost);
}

void tool_source_close(struct tool_source *source)
{
    trace_reader_close(source->reader);
}
