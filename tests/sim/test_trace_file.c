/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _DEFAULT_SOURCE 1
#include "cases.h"
#include "scratch.h"
#include "sim/trace/trace_file.h"
#include "trace_fixture.h"
#include <pthread.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORDS 40u

static char reason[TRACE_REASON_MAX];
static uint8_t bytes[TR_SIZE * (RECORDS + 4)];

static void setup(void)
{
    scratch_begin();
    memset(reason, 0, sizeof(reason));
    memset(bytes, 0, sizeof(bytes));
}

static struct trace_reader *open_bytes(size_t size)
{
    const char *path = scratch_path("in");

    scratch_write(path, bytes, size);
    return trace_reader_open(path, reason);
}

/* All that is refused says so with its name, in one line. */
static void expect_reason(const char *text)
{
    cr_expect_not_null(strstr(reason, text), "%s", reason);
    cr_expect_not_null(strstr(reason, "/in: "), "%s", reason);
    cr_expect_null(strchr(reason, '\n'));
    memset(reason, 0, sizeof(reason));
}

static void expect_refused(size_t size, const char *text)
{
    struct trace_reader *reader = open_bytes(size);

    cr_expect_null(reader, "%s", text);
    trace_reader_close(reader);
    expect_reason(text);
}

/* Reads `n` records as tr_record() makes them. */
static void read_records(struct trace_reader *reader, unsigned n)
{
    struct trace_record record;
    uint8_t expected[TR_SIZE];

    for (unsigned i = 0; i < n; i++) {
        cr_assert_eq(trace_reader_next(reader, &record, reason), TRACE_READ_RECORD, "%s", reason);
        tr_record(expected, i);
        cr_assert_arr_eq(&record, expected, TR_SIZE, "record %u", i);
    }
}

/* The file is good for `n` records; then it is bad. */
static void expect_bad_after(size_t size, unsigned n, const char *text)
{
    struct trace_reader *reader = open_bytes(size);
    struct trace_record record;

    cr_assert_not_null(reader, "%s: %s", text, reason);
    read_records(reader, n);
    cr_expect_eq(trace_reader_next(reader, &record, reason), TRACE_READ_BAD, "%s", text);
    expect_reason(text);
    trace_reader_close(reader);
}

static void expect_good(size_t size, unsigned n, uint64_t lost)
{
    struct trace_reader *reader = open_bytes(size);
    struct trace_record record;

    cr_assert_not_null(reader, "%s", reason);
    read_records(reader, n);
    cr_expect_eq(trace_reader_next(reader, &record, reason), TRACE_READ_END, "%s", reason);
    cr_expect_eq(trace_reader_lost(reader), lost);
    cr_expect_eq(trace_reader_hz(reader), 62500000);
    trace_reader_close(reader);
}

/* --- Files --- */

CASE(trace_file, what_is_written_is_the_format)
{
    struct trace_writer *writer = trace_writer_open(scratch_path("out"), 62500000, reason);
    struct trace_record record;

    cr_assert_not_null(writer, "%s", reason);
    size_t size = tr_file(bytes, RECORDS);
    for (unsigned i = 0; i < RECORDS; i++) {
        memcpy(&record, bytes + TR_SIZE * (1 + i), TR_SIZE);
        trace_writer_add(writer, &record);
    }
    cr_assert_eq(scratch_count(), 1, "not in its place yet");
    cr_assert_neq(access(scratch_path("out"), F_OK), 0);
    cr_assert(trace_writer_commit(writer, reason), "%s", reason);
    struct scratch_bytes out = scratch_read(scratch_path("out"));
    cr_assert_eq(out.size, size);
    cr_expect_arr_eq(out.data, bytes, size);
    free(out.data);
    cr_expect_eq(scratch_count(), 1);
}

CASE(trace_file, without_a_record)
{
    struct trace_writer *writer = trace_writer_open(scratch_path("out"), 1, reason);
    struct trace_reader *reader;
    struct trace_record record;

    cr_assert_not_null(writer);
    cr_assert(trace_writer_commit(writer, reason));
    reader = trace_reader_open(scratch_path("out"), reason);
    cr_assert_not_null(reader, "%s", reason);
    cr_expect_eq(trace_reader_next(reader, &record, reason), TRACE_READ_END);
    cr_expect_eq(trace_reader_hz(reader), 1);
    trace_reader_close(reader);
}

CASE(trace_file, discarded)
{
    scratch_write(scratch_path("out"), "old", 3);
    struct trace_writer *writer = trace_writer_open(scratch_path("out"), 1, reason);

    cr_assert_not_null(writer);
    trace_writer_add(writer, &(struct trace_record){.pc = 4});
    trace_writer_discard(writer);
    trace_writer_discard(NULL);
    scratch_expect(scratch_path("out"), "old");
    cr_expect_eq(scratch_count(), 1);
}

CASE(trace_file, that_cannot_be_written)
{
    cr_expect_null(trace_writer_open(scratch_path("none/out"), 1, reason));
    cr_expect_not_null(strstr(reason, "none/out"), "%s", reason);
    struct trace_writer *writer = trace_writer_open("/dev/full", 1, reason);
    cr_assert_not_null(writer);
    trace_writer_add(writer, &(struct trace_record){.pc = 4});
    reason[0] = '\0';
    cr_expect_not(trace_writer_commit(writer, reason));
    cr_expect_not_null(strstr(reason, "/dev/full"), "%s", reason);
}

CASE(trace_file, good_ones)
{
    for (unsigned n = 0; n <= RECORDS; n++)
        expect_good(tr_file(bytes, n), n, 0);
    size_t size = tr_file(bytes, 3);
    tr_end(bytes + 4 * TR_SIZE, 3, 12);
    expect_good(size, 3, 12);
}

CASE(trace_file, cut_off_anywhere)
{
    size_t size = tr_file(bytes, 3);

    for (size_t cut = 0; cut < TR_SIZE; cut++)
        expect_refused(cut, "shorter than a trace's header");
    for (size_t cut = TR_SIZE; cut < size; cut++)
        expect_bad_after(cut, (unsigned)(cut / TR_SIZE) - 1, "cut off");
}

CASE(trace_file, foreign_or_damaged_header)
{
    size_t size = tr_file(bytes, 3);

    for (size_t bit = 0; bit < 8 * TR_SIZE; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (bit / 8 < TR_VERSION)
            expect_refused(size, "not a trace");
        else if (bit / 8 < TR_RECSIZE)
            expect_refused(size, "this program reads version 1");
        else if (bit / 8 < TR_HZ || bit / 8 >= TR_HZ + 8)
            expect_refused(size, "its header makes no sense");
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    le_put(bytes + TR_HZ, 0, 8);
    expect_refused(size, "its header makes no sense");
}

CASE(trace_file, damaged_records)
{
    size_t size = tr_file(bytes, 3);
    uint8_t *record = bytes + 3 * TR_SIZE;

    for (unsigned none = 9; none < 255; none += 41) {
        record[TR_CLASS] = (uint8_t)none;
        expect_bad_after(size, 2, "record 2 is none");
    }
    record[TR_CLASS] = 8;
    record[TR_OUTCOME] = 5;
    expect_bad_after(size, 2, "record 2 is none");
    record[TR_OUTCOME] = 0;
    record[TR_RESERVED + 7] = 1;
    expect_bad_after(size, 2, "record 2 is none");
}

CASE(trace_file, damaged_end)
{
    size_t size = tr_file(bytes, 3);
    uint8_t *end = bytes + 4 * TR_SIZE;

    for (size_t i = 0; i < TR_SIZE; i++) {
        if ((i >= TR_VALUE && i < TR_VALUE + 8) || i == TR_CLASS)
            continue;
        end[i] ^= 1;
        expect_bad_after(size, 3, "its end does not fit its 3 records");
        end[i] ^= 1;
    }
    bytes[size] = 0;
    expect_bad_after(size + 1, 3, "it goes on behind its end");
}

CASE(trace_file, what_is_no_file)
{
    cr_expect_null(trace_reader_open(scratch_path("in"), reason));
    expect_reason("No such file");
    cr_assert_eq(mkdir(scratch_path("in"), 0700), 0);
    cr_expect_null(trace_reader_open(scratch_path("in"), reason));
    expect_reason("Is a directory");
    cr_assert_eq(rmdir(scratch_path("in")), 0);
}

static void *feed(void *path)
{
    FILE *pipe = fopen(path, "wb");

    /* In pieces that are no records. */
    for (size_t at = 0, size = TR_SIZE * (RECORDS + 2); at < size; at += 100) {
        (void)fwrite(bytes + at, 1, size - at < 100 ? size - at : 100, pipe);
        (void)fflush(pipe);
    }
    (void)fclose(pipe);
    return NULL;
}

CASE(trace_file, from_a_pipe)
{
    char path[128];
    struct trace_reader *reader;
    struct trace_record record;
    pthread_t thread;

    (void)tr_file(bytes, RECORDS);
    snprintf(path, sizeof(path), "%s", scratch_path("in"));
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_assert_eq(pthread_create(&thread, NULL, feed, path), 0);
    reader = trace_reader_open(path, reason);
    cr_assert_not_null(reader, "%s", reason);
    read_records(reader, RECORDS);
    cr_expect_eq(trace_reader_next(reader, &record, reason), TRACE_READ_END, "%s", reason);
    trace_reader_close(reader);
    cr_assert_eq(pthread_join(thread, NULL), 0);
}

/* --- Buffers --- */

CASE(trace_file, buffers)
{
    expect_good(tr_buffer(bytes, 0, 10, 0), 0, 0);
    expect_good(tr_buffer(bytes, 3, 10, 3), 3, 0);
    expect_good(tr_buffer(bytes, 10, 10, 10), 10, 0);
    expect_good(tr_buffer(bytes, 10, 10, 35), 10, 25);
    expect_good(tr_buffer(bytes, 0, 0, 35), 0, 35);
    /* A dump of all of it: what is behind the records is none. */
    size_t size = tr_buffer(bytes, 3, 10, 3);
    memset(bytes + size, 0xa5, 2 * TR_SIZE);
    expect_good(size + 2 * TR_SIZE, 3, 0);
}

CASE(trace_file, damaged_buffers)
{
    size_t size = tr_buffer(bytes, 3, 10, 4);

    expect_bad_after(size, 3, "cut off");
    (void)tr_buffer(bytes, 3, UINT64_MAX, UINT64_MAX);
    expect_bad_after(size, 3, "cut off");
    (void)tr_buffer(bytes, 3, 10, 3);
    bytes[2 * TR_SIZE + TR_CLASS] = TR_END;
    expect_bad_after(size, 1, "record 1 is none");
    (void)tr_buffer(bytes, 3, 10, 3);
    bytes[TR_COUNT + 8] = 1;
    expect_refused(size, "its header makes no sense");
    (void)tr_buffer(bytes, 3, 10, 3);
    bytes[TR_VERSION] = 2;
    expect_refused(size, "version 2: this program reads version 1");
}

CASES_RUN(trace_file, setup, scratch_end)
