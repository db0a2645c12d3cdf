/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Two traces side by side, up to the first difference. */
#include "sim/trace/tool.h"
#include "sim/trace/trace_text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct side {
    struct tool_source source;
    struct tool_item item;
    enum trace_read got;
};

struct diff {
    const struct tool_options *options;
    struct side side[2];
    struct tool_item before[TOOL_CONTEXT_MAX]; /* the last ones that were equal, of the first */
    uint64_t equal;
};

static void print_item(char mark, const struct tool_item *item)
{
    char line[TRACE_TEXT_MAX];

    printf("%c %s\n", mark, trace_text_line(&item->record, item->number, line));
}

static void print_before(const struct diff *diff)
{
    uint64_t context = diff->options->context;
    uint64_t n = diff->equal < context ? diff->equal : context;

    for (uint64_t i = diff->equal - n; i < diff->equal; i++)
        print_item(' ', &diff->before[i % context]);
}

/* The record where they part, and what follows it. False if the input is bad. */
static bool print_after(const struct diff *diff, struct side *side, char mark)
{
    for (uint64_t i = 0; side->got == TRACE_READ_RECORD && i <= diff->options->context; i++) {
        print_item(mark, &side->item);
        if (i < diff->options->context)
            side->got = tool_source_next(&side->source, &side->item);
    }
    return side->got != TRACE_READ_BAD;
}

static void print_fields(const struct side *side, uint32_t fields)
{
    for (unsigned i = 0; i < TRACE_FIELDS; i++)
        if ((fields >> i & 1) != 0)
            printf("  %-8s 0x%" PRIx64 " | 0x%" PRIx64 "\n", trace_field_name(i),
                   trace_field_get(&side[0].item.record, (enum trace_field)i),
                   trace_field_get(&side[1].item.record, (enum trace_field)i));
}

static void print_names(const struct side *side, uint32_t fields)
{
    const char *separator = ": ";

    printf("@@ record %" PRIu64 " | record %" PRIu64, side[0].item.number, side[1].item.number);
    for (unsigned i = 0; i < TRACE_FIELDS; i++)
        if ((fields >> i & 1) != 0) {
            printf("%s%s", separator, trace_field_name(i));
            separator = ", ";
        }
    printf(" @@\n");
}

static enum tool_status report(struct diff *diff, uint32_t fields)
{
    struct side *side = diff->side;
    bool good;

    printf("--- %s\n+++ %s\n", trace_reader_name(side[0].source.reader),
           trace_reader_name(side[1].source.reader));
    if (side[0].got == TRACE_READ_END || side[1].got == TRACE_READ_END)
        printf("@@ %s ends after %" PRIu64 " records @@\n",
               trace_reader_name(side[side[0].got == TRACE_READ_END ? 0 : 1].source.reader),
               diff->equal);
    else
        print_names(side, fields);
    print_before(diff);
    if (fields != 0)
        print_fields(side, fields);
    good = print_after(diff, &side[0], '-');
    good = print_after(diff, &side[1], '+') && good;
    return good ? TOOL_DIFFERENT : TOOL_TROUBLE;
}

static enum tool_status compare(struct diff *diff)
{
    struct side *side = diff->side;

    for (;; diff->equal++) {
        uint32_t fields = 0;

        for (int i = 0; i < 2; i++) {
            side[i].got = tool_source_next(&side[i].source, &side[i].item);
            if (side[i].got == TRACE_READ_BAD)
                return TOOL_TROUBLE;
        }
        if (side[0].got == TRACE_READ_END && side[1].got == TRACE_READ_END) {
            printf("no difference in %" PRIu64 " records\n", diff->equal);
            return TOOL_GOOD;
        }
        if (side[0].got == side[1].got)
            fields = trace_field_differ(&side[0].item.record, &side[1].item.record) &
                     ~diff->options->ignore;
        if (fields != 0 || side[0].got != side[1].got)
            return report(diff, fields);
        if (diff->options->context > 0)
            diff->before[diff->equal % diff->options->context] = side[0].item;
    }
}

enum tool_status tool_diff(const struct tool_options *options)
{
    static struct diff diff; /* large, and one a process */
    enum tool_status status = TOOL_TROUBLE;

    diff.options = options;
    if (!tool_source_open(&diff.side[0].source, options->paths[0], options))
        return TOOL_TROUBLE;
    if (tool_source_open(&diff.side[1].source, options->paths[1], options)) {
        status = compare(&diff);
        for (int i = 0; i < 2; i++)
            if (diff.side[i].got == TRACE_READ_END)
                tool_source_warn_lost(&diff.side[i].source);
        tool_source_close(&diff.side[1].source);
    }
    tool_source_close(&diff.side[0].source);
    return status;
}
