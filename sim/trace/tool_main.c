/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* halcyon-trace: prints, compares, hashes and counts traces. */
#include "base/bits.h"
#include "sim/trace/tool.h"
#include "sim/trace/trace_hash.h"
#include "sim/trace/trace_text.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Calls `each` for all records of the one file. It may end that by returning false. */
static enum tool_status walk(const struct tool_options *options,
                             bool (*each)(void *ctx, const struct tool_item *item), void *ctx)
{
    struct tool_source source;
    struct tool_item item;
    enum trace_read got = TRACE_READ_END;

    if (!tool_source_open(&source, options->paths[0], options))
        return TOOL_TROUBLE;
    while ((got = tool_source_next(&source, &item)) == TRACE_READ_RECORD)
        if (!each(ctx, &item))
            break;
    if (got == TRACE_READ_END)
        tool_source_warn_lost(&source);
    tool_source_close(&source);
    return got == TRACE_READ_BAD ? TOOL_TROUBLE : TOOL_GOOD;
}

/* ctx: of the error that ended it, as when the disk is full. */
static bool print_record(void *ctx, const struct tool_item *item)
{
    char line[TRACE_TEXT_MAX];
    int *error = ctx;

    if (puts(trace_text_line(&item->record, item->number, line)) >= 0)
        return true;
    *error = errno;
    return false;
}

static enum tool_status print(const struct tool_options *options)
{
    int error = 0;
    enum tool_status status = walk(options, print_record, &error);

    errno = error;
    return status;
}

struct hashing {
    struct trace_hash hash;
    uint32_t ignore;
};

static bool hash_record(void *ctx, const struct tool_item *item)
{
    struct hashing *hashing = ctx;
    struct trace_record record = item->record;

    trace_field_clear(&record, hashing->ignore);
    trace_hash_add(&hashing->hash, &record);
    return true;
}

static enum tool_status hash(const struct tool_options *options)
{
    struct hashing hashing = {.ignore = options->ignore};
    char text[TRACE_HASH_TEXT_SIZE];
    enum tool_status status = walk(options, hash_record, &hashing);

    if (status == TOOL_GOOD)
        printf("%s  %" PRIu64 "\n", trace_hash_text(&hashing.hash, text), hashing.hash.count);
    return status;
}

struct counts {
    uint64_t of[TRACE_CLASSES][TRACE_OUTCOMES];
    uint64_t all;
    uint64_t first, last; /* times */
};

static bool count_record(void *ctx, const struct tool_item *item)
{
    struct counts *counts = ctx;
    const struct trace_record *record = &item->record;

    counts->of[record->class][record->outcome]++;
    if (counts->all++ == 0)
        counts->first = record->time;
    counts->last = record->time;
    return true;
}

/* A row with its sum at the end. */
static void print_counts(const char *name, const uint64_t *counts)
{
    uint64_t sum = 0;

    printf("%-8s", name);
    for (unsigned i = 0; i < TRACE_OUTCOMES; i++) {
        printf(" %10" PRIu64, counts[i]);
        sum += counts[i];
    }
    printf(" %10" PRIu64 "\n", sum);
}

static enum tool_status stats(const struct tool_options *options)
{
    struct counts counts = {.all = 0};
    uint64_t sums[TRACE_OUTCOMES] = {0};
    enum tool_status status = walk(options, count_record, &counts);

    if (status != TOOL_GOOD)
        return status;
    printf("%" PRIu64 " records, time %" PRIu64 " to %" PRIu64 "\n", counts.all, counts.first,
           counts.last);
    printf("%-8s", "");
    for (unsigned i = 0; i < TRACE_OUTCOMES; i++)
        printf(" %10s", trace_outcome_name(i));
    printf(" %10s\n", "all");
    for (unsigned row = 0; row < TRACE_CLASSES; row++) {
        print_counts(trace_class_name(row), counts.of[row]);
        for (unsigned i = 0; i < TRACE_OUTCOMES; i++)
            sums[i] += counts.of[row][i];
    }
    print_counts("all", sums);
    return status;
}

const struct tool_command tool_commands[] = {
    {"print", 1, print},
    {"diff", 2, tool_diff},
    {"hash", 1, hash},
    {"stats", 1, stats},
};
const unsigned tool_nr_commands = ARRAY_LEN(tool_commands);

/* `status`, unless what was printed did not all get out. A reader who has gone ends the program by
 * SIGPIPE, without a word, before it comes here. */
static int finish_output(int status, int failure)
{
    int error = errno;

    if (!ferror(stdout)) {
        if (fflush(stdout) == 0)
            return status;
        error = errno;
    }
    tool_complain("standard output: %s", error != 0 ? strerror(error) : "cannot be written");
    return failure > status ? failure : status;
}

int main(int argc, char **argv)
{
    struct tool_options options;
    int status;

    if (!tool_options_parse(argc, argv, &options, &status))
        return finish_output(status, 1);
    status = (int)options.command->run(&options);
    return finish_output(status, options.command->run == tool_diff ? TOOL_TROUBLE : 1);
}
