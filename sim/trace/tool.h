/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of the program halcyon-trace share: its options, its input, its ends. */
#ifndef SIM_TRACE_TOOL_H
#define SIM_TRACE_TOOL_H

#include "sim/trace/trace_file.h"
#include "sim/trace/trace_filter.h"
#include <stdbool.h>
#include <stdint.h>

/* As diff(1) has them. */
enum tool_status {
    TOOL_GOOD = 0,
    TOOL_DIFFERENT = 1, /* diff; of the others: standard output could not be written */
    TOOL_TROUBLE = 2    /* usage, or input that is no trace */
};

struct tool_command;

struct tool_options {
    const struct tool_command *command;
    struct trace_filter filter;
    uint64_t limit;   /* records that pass the filter, after which no more is read */
    uint64_t context; /* diff: records shown before and after, 0..TOOL_CONTEXT_MAX */
    uint32_t ignore;  /* bits of fields that are taken for 0 */
    const char *paths[2];
};

#define TOOL_CONTEXT_MAX 1000u

/* One row a subcommand. */
struct tool_command {
    const char *name;
    unsigned nr_paths;
    enum tool_status (*run)(const struct tool_options *options);
};
extern const struct tool_command tool_commands[];
extern const unsigned tool_nr_commands;

/* What the command line says: true; or an end with *status, after help or a message. */
bool tool_options_parse(int argc, char **argv, struct tool_options *out, int *status);

/* Prints "halcyon-trace: ..." with a newline on standard error. */
void tool_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- Input: the records of a trace that the options let through --- */

struct tool_source {
    struct trace_reader *reader;
    const struct tool_options *options;
    uint64_t number; /* of the next record in the file */
    uint64_t passed; /* how many passed */
    bool limited;    /* --limit was the end */
};

struct tool_item {
    struct trace_record record;
    uint64_t number; /* in the file, from 0 */
};

/* False after a message. */
bool tool_source_open(struct tool_source *source, const char *path,
                      const struct tool_options *options);
/* The next record as it is in the file; TRACE_READ_END also at the limit; TRACE_READ_BAD after a
 * message. */
enum trace_read tool_source_next(struct tool_source *source, struct tool_item *item);
/* At the end of the input: warns if records were lost behind it. */
void tool_source_warn_lost(const struct tool_source *source);
void tool_source_close(struct tool_source *source);

/* tool_diff.c */
enum tool_status tool_diff(const struct tool_options *options);

#endif
