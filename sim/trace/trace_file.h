/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Traces in files: written whole or not at all (file_out.h), read record by record in constant
 * memory, from files and pipes of any size. What is read is hostile: every record that comes out is
 * one that core could have made, as far as its fields have ranges.
 */
#ifndef SIM_TRACE_FILE_H
#define SIM_TRACE_FILE_H

#include "abi/trace.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Size of every `reason`: a line without its newline that names the file. */
#define TRACE_REASON_MAX 256u

/* --- Writing --- */

struct trace_writer;

/* NULL with the reason. counter_hz: of the counter in the records, never 0. */
struct trace_writer *trace_writer_open(const char *path, uint64_t counter_hz, char *reason);
/* Appends, buffered. A failure is remembered for trace_writer_commit(); after it nothing is
 * written. */
void trace_writer_add(struct trace_writer *writer, const struct trace_record *record);
/* Ends with the file complete in its place, or (false, with the reason) as it was before the open.
 * The writer is gone in both cases. */
bool trace_writer_commit(struct trace_writer *writer, char *reason);
/* Ends with the file as it was before the open. NULL is nothing. */
void trace_writer_discard(struct trace_writer *writer);

/* --- Reading --- */

struct trace_reader;

/* A trace file, or the memory of a struct trace_buffer with what follows it. "-" is standard
 * input. NULL with the reason. */
struct trace_reader *trace_reader_open(const char *path, char *reason);
/* The same of an open stream, which becomes the reader's, also if this fails. name: for messages,
 * copied. */
struct trace_reader *trace_reader_start(FILE *stream, const char *name, char *reason);

enum trace_read { TRACE_READ_RECORD, TRACE_READ_END, TRACE_READ_BAD };
/* The next record; or the orderly end; or the reason why there is no more, which may come after any
 * number of good records. After END and BAD it may not be called again. */
enum trace_read trace_reader_next(struct trace_reader *reader, struct trace_record *record,
                                  char *reason);

/* Of the counter in the records, never 0. */
uint64_t trace_reader_hz(const struct trace_reader *reader);
/* Records that were made after the last one here, and lost. Known at TRACE_READ_END. */
uint64_t trace_reader_lost(const struct trace_reader *reader);
const char *trace_reader_name(const struct trace_reader *reader);
/* NULL is nothing. */
void trace_reader_close(struct trace_reader *reader);

#endif
