/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _DEFAULT_SOURCE 1
#include "cases.h"
#include "prng.h"
#include "record_fixture.h"
#include "scratch.h"
#include "sim/record.h"
#include <sys/stat.h>
#include <unistd.h>

static char reason[RECORD_REASON_MAX];
static struct record_identity identity;
static struct record_end end;

static void setup(void)
{
    scratch_begin();
    memset(reason, 0, sizeof(reason));
    identity = (struct record_identity){
        .seed = 0x1122334455667788, .ram_size = 512 << 20, .start_time = 1000, .nr_cpus = 2};
    memset(identity.build, 0xb1, sizeof(identity.build));
    memset(identity.start, 0x57, sizeof(identity.start));
    end = (struct record_end){.time = 99999, .instructions = 77};
    memset(end.hash, 0x4a, sizeof(end.hash));
}

/* "ab" at 1000, "c" at 1000, "def" at 5000: the events start at these offsets. */
#define FIRST  REC_HEADER
#define SECOND (FIRST + REC_FRAME + 2)
#define THIRD  (SECOND + REC_FRAME + 1)
#define ENDING (THIRD + REC_FRAME + 3)
#define SIZE   (ENDING + REC_END)

static const char *make_small(void)
{
    const char *path = scratch_path("recording");
    struct record_writer *writer = record_create(path, &identity, reason);

    cr_assert_not_null(writer, "%s", reason);
    record_append(writer, 1000, "ab", 2);
    record_append(writer, 1000, "c", 1);
    record_append(writer, 5000, "def", 3);
    cr_assert(record_commit(writer, &end, reason), "%s", reason);
    return path;
}

static void expect_event(struct record_reader *reader, uint64_t time, const void *data, size_t len)
{
    const struct record_event *event = record_peek(reader);

    cr_assert_not_null(event);
    cr_expect_eq(event->time, time);
    cr_assert_eq(event->len, len);
    cr_expect_arr_eq(event->data, data, len);
    record_next(reader);
}

static void expect_refused(const char *path, const char *word)
{
    struct record_reader *reader;

    reason[0] = '\0';
    reader = record_open(path, reason);
    cr_expect_null(reader, "%s was accepted, expected: %s", path, word);
    cr_expect_not_null(strstr(reason, word), "\"%s\" has no \"%s\"", reason, word);
    cr_expect_lt(strlen(reason), RECORD_REASON_MAX);
    record_close(reader);
}

CASE(record, what_was_written_is_read)
{
    struct record_reader *reader = record_open(make_small(), reason);

    cr_assert_not_null(reader, "%s", reason);
    cr_expect(record_matches(reader, &identity, reason));
    expect_event(reader, 1000, "ab", 2);
    expect_event(reader, 1000, "c", 1);
    cr_expect_eq(record_peek(reader), record_peek(reader));
    expect_event(reader, 5000, "def", 3);
    cr_expect_null(record_peek(reader));
    record_next(reader);
    cr_expect_null(record_peek(reader));
    cr_expect_eq(record_ended(reader)->time, 99999);
    cr_expect_eq(record_ended(reader)->instructions, 77);
    cr_expect_arr_eq(record_ended(reader)->hash, end.hash, sizeof(end.hash));
    record_close(reader);
    record_close(NULL);
    cr_expect_eq(scratch_count(), 1);
}

CASE(record, the_bytes_of_the_file)
{
    struct scratch_bytes file = scratch_read(make_small());

    cr_assert_eq(file.size, SIZE);
    cr_expect_arr_eq(file.data, "HALRECRD", 8);
    cr_expect_eq(le_get(file.data + REC_VERSION, 4), 1);
    cr_expect_eq(le_get(file.data + REC_SEED, 8), 0x1122334455667788);
    cr_expect_eq(le_get(file.data + REC_START_TIME, 8), 1000);
    cr_expect_eq(le_get(file.data + THIRD, 8), 5000);
    cr_expect_eq(le_get(file.data + THIRD + REC_KIND, 4), REC_KIND_INPUT);
    cr_expect_eq(le_get(file.data + THIRD + REC_LEN, 4), 3);
    cr_expect_arr_eq(file.data + THIRD + REC_FRAME, "def", 3);
    cr_expect_eq(le_get(file.data + ENDING, 8), 99999);
    cr_expect_eq(le_get(file.data + ENDING + REC_END_EVENTS, 8), 3);
    cr_expect_eq(le_get(file.data + ENDING + REC_END_SUM, 8),
                 XXH3_64bits(file.data, file.size - 8));
    free(file.data);
}

CASE(record, a_run_without_input)
{
    struct record_writer *writer = record_create(scratch_path("empty"), &identity, reason);
    struct record_reader *reader;

    end.time = identity.start_time;
    cr_assert(record_commit(writer, &end, reason));
    reader = record_open(scratch_path("empty"), reason);
    cr_assert_not_null(reader, "%s", reason);
    cr_expect_null(record_peek(reader));
    cr_expect_eq(record_ended(reader)->time, 1000);
    record_close(reader);
}

CASE(record, many_events_of_all_sizes)
{
    struct record_writer *writer = record_create(scratch_path("many"), &identity, reason);
    struct record_reader *reader;
    static uint8_t data[RECORD_DATA_MAX];
    uint64_t seed = 7;
    uint64_t time = 1000;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)prng_next(&seed);
    for (size_t len = 1; len <= RECORD_DATA_MAX; len += len < 100 ? 1 : 37)
        record_append(writer, time += len % 3, data + RECORD_DATA_MAX - len, len);
    record_append(writer, time, data, RECORD_DATA_MAX);
    cr_assert(record_commit(writer, &end, reason));
    reader = record_open(scratch_path("many"), reason);
    cr_assert_not_null(reader, "%s", reason);
    time = 1000;
    for (size_t len = 1; len <= RECORD_DATA_MAX; len += len < 100 ? 1 : 37)
        expect_event(reader, time += len % 3, data + RECORD_DATA_MAX - len, len);
    expect_event(reader, time, data, RECORD_DATA_MAX);
    cr_expect_null(record_peek(reader));
    record_close(reader);
}

/* --- Recordings that are not kept -------------------------------------------------------------*/

CASE(record, discarded)
{
    struct record_writer *writer;

    scratch_write(scratch_path("old"), "old", 3);
    writer = record_create(scratch_path("old"), &identity, reason);
    record_append(writer, 2000, "x", 1);
    record_discard(writer);
    record_discard(NULL);
    scratch_expect(scratch_path("old"), "old");
    cr_expect_eq(scratch_count(), 1);
}

/* What would be refused when it is read is not written. */
CASE(record, misuse_is_said_at_the_end)
{
    static const struct {
        uint64_t time;
        size_t len;
        uint64_t end;
        const char *word;
    } rows[] = {
        {2000, 0, 9999, "no bytes"},
        {2000, RECORD_DATA_MAX + 1, 9999, "too many"},
        {1999, 1, 9999, "older"},
        {2000, 1, 1999, "ends before"},
    };

    scratch_write(scratch_path("old"), "old", 3);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static uint8_t data[RECORD_DATA_MAX + 1];
        struct record_writer *writer = record_create(scratch_path("old"), &identity, reason);
        record_append(writer, 2000, data, 1);
        record_append(writer, rows[i].time, data, rows[i].len);
        record_append(writer, 2000, data, 1);
        end.time = rows[i].end;
        cr_expect_not(record_commit(writer, &end, reason));
        cr_expect_not_null(strstr(reason, rows[i].word), "%s", reason);
        scratch_expect(scratch_path("old"), "old");
    }
    cr_expect_eq(scratch_count(), 1);
}

CASE(record, nothing_is_older_than_the_start)
{
    struct record_writer *writer = record_create(scratch_path("new"), &identity, reason);

    record_append(writer, 999, "x", 1);
    cr_expect_not(record_commit(writer, &end, reason));
    cr_expect_not_null(strstr(reason, "older"), "%s", reason);
    writer = record_create(scratch_path("new"), &identity, reason);
    end.time = 999;
    cr_expect_not(record_commit(writer, &end, reason));
    cr_expect_eq(scratch_count(), 0);
}

CASE(record, larger_than_it_may_be)
{
    static uint8_t data[RECORD_DATA_MAX];
    struct record_writer *writer = record_create("/dev/null", &identity, reason);

    for (unsigned i = 0; i < 256 * 256; i++)
        record_append(writer, 2000, data, sizeof(data));
    cr_expect_not(record_commit(writer, &end, reason));
    cr_expect_not_null(strstr(reason, "larger"), "%s", reason);
}

CASE(record, a_full_disk_is_said)
{
    struct record_writer *writer = record_create("/dev/full", &identity, reason);

    cr_assert_not_null(writer);
    record_append(writer, 2000, "x", 1);
    cr_expect_not(record_commit(writer, &end, reason));
    cr_expect_not_null(strstr(reason, "/dev/full"), "%s", reason);
    cr_expect_null(record_create("/nowhere/at/all", &identity, reason));
    cr_expect_not_null(strstr(reason, "/nowhere/at/all"), "%s", reason);
}

/* --- Files that are refused -------------------------------------------------------------------*/

CASE(record, cut_off_anywhere)
{
    const char *path = make_small();

    for (off_t size = SIZE - 1; size >= 0; size--) {
        cr_assert_eq(truncate(path, size), 0);
        expect_refused(path, size == 0 ? "empty" : size < REC_HEADER ? "" : "cut off");
    }
}

CASE(record, each_damaged_byte)
{
    struct scratch_bytes file = scratch_read(make_small());
    const char *path = scratch_path("damaged");

    for (size_t i = 0; i < file.size; i++) {
        file.data[i] ^= 0x10;
        scratch_write(path, file.data, file.size);
        expect_refused(path, path);
        file.data[i] ^= 0x10;
    }
    scratch_write(path, file.data, file.size);
    record_close(record_open(path, reason));
    free(file.data);
}

/* With the right sum, so that what is behind it is reached. */
CASE(record, made_on_purpose)
{
    static const struct {
        size_t at;
        size_t bytes;
        uint64_t value;
        const char *word;
    } rows[] = {
        {0, 1, 'X', "not a recording"},
        {REC_VERSION, 4, 0, "another version"},
        {REC_VERSION, 4, 2, "another version"},
        {FIRST, 8, 999, "older"},
        {SECOND, 8, 999, "older"},
        {THIRD, 8, 100000, "ends before"},
        {SECOND, 8, UINT64_MAX, "older"},
        {FIRST + REC_KIND, 4, 0, "none"},
        {FIRST + REC_KIND, 4, REC_KIND_END, "none"},
        {FIRST + REC_LEN, 4, 0, "none"},
        {FIRST + REC_LEN, 4, RECORD_DATA_MAX + 1, "none"},
        {FIRST + REC_LEN, 4, UINT32_MAX, "none"},
        {THIRD + REC_LEN, 4, 4, "none"},
        {THIRD + REC_LEN, 4, 2, "none"},
        {ENDING, 8, 4999, "ends before"},
        {ENDING + REC_KIND, 4, REC_KIND_INPUT, "cut off"},
        {ENDING + REC_LEN, 4, 39, "cut off"},
        {ENDING + REC_END_EVENTS, 8, 2, "do not agree"},
        {ENDING + REC_END_EVENTS, 8, 4, "do not agree"},
        {ENDING + REC_END_EVENTS, 8, UINT64_MAX, "do not agree"},
    };
    struct scratch_bytes good = scratch_read(make_small());
    const char *path = scratch_path("edited");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t file[SIZE];
        memcpy(file, good.data, SIZE);
        le_put(file + rows[i].at, rows[i].value, rows[i].bytes);
        rec_seal(file, SIZE);
        scratch_write(path, file, SIZE);
        expect_refused(path, rows[i].word);
    }
    free(good.data);
}

/* Less than a frame between the last event and the end. */
CASE(record, bytes_that_are_no_frame)
{
    struct scratch_bytes good = scratch_read(make_small());
    const char *path = scratch_path("edited");

    for (size_t more = 1; more < REC_FRAME; more++) {
        uint8_t file[SIZE + REC_FRAME] = {0};
        memcpy(file, good.data, ENDING);
        le_put(file + ENDING, 6000, more < 8 ? more : 8); /* looks like a frame as far as it goes */
        if (more > REC_KIND)
            file[ENDING + REC_KIND] = REC_KIND_INPUT;
        memcpy(file + ENDING + more, good.data + ENDING, REC_END);
        le_put(file + ENDING + more + REC_END_EVENTS, 4, 8);
        rec_seal(file, SIZE + more);
        scratch_write(path, file, SIZE + more);
        expect_refused(path, "none");
    }
    free(good.data);
}

CASE(record, no_recording_at_all)
{
    const char *path = scratch_path("fifo");

    expect_refused("/nowhere/at/all", "/nowhere/at/all");
    expect_refused("/", "not a regular file");
    expect_refused("/dev/zero", "not a regular file");
    cr_assert_eq(mkfifo(path, 0600), 0);
    expect_refused(path, "not a regular file");
    scratch_write(scratch_path("text"), "HALTRACE and so on", 18);
    expect_refused(scratch_path("text"), "not a recording");
    cr_assert_eq(truncate(scratch_path("text"), (off_t)(UINT64_C(1) << 40)), 0);
    expect_refused(scratch_path("text"), "MiB");
}

CASE(record, of_another_run)
{
    static const struct {
        size_t at;
        size_t bytes;
        const char *word;
    } rows[] = {
        {REC_BUILD, 1, "another build"},    {REC_BUILD + 19, 1, "another build"},
        {REC_START, 1, "another kernel"},   {REC_START + 15, 1, "another kernel"},
        {REC_SEED, 8, "seed 99"},           {REC_RAM, 8, "memory of 99"},
        {REC_CPUS, 4, "CPUs: 99"},          {REC_MODEL, 4, "model 99"},
        {REC_START_TIME, 8, "start at 99"},
    };
    struct scratch_bytes good = scratch_read(make_small());
    const char *path = scratch_path("other");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t file[SIZE];
        struct record_reader *reader;
        memcpy(file, good.data, SIZE);
        le_put(file + rows[i].at, 99, rows[i].bytes);
        rec_seal(file, SIZE);
        scratch_write(path, file, SIZE);
        reader = record_open(path, reason);
        cr_assert_not_null(reader, "%s", reason);
        cr_expect_not(record_matches(reader, &identity, reason));
        cr_expect_not_null(strstr(reason, rows[i].word), "%s", reason);
        record_close(reader);
    }
    free(good.data);
}

CASE(record, frames_of_the_network)
{
    const char *path = scratch_path("recording");
    struct record_writer *writer = record_create(path, &identity, reason);
    struct record_reader *reader;

    cr_assert_not_null(writer, "%s", reason);
    record_append_net(writer, 1000, "frame", 5);
    record_append(writer, 1000, "key", 3);
    cr_assert(record_commit(writer, &end, reason), "%s", reason);
    reader = record_open(path, reason);
    cr_assert_not_null(reader, "%s", reason);
    cr_assert(record_peek(reader)->net);
    expect_event(reader, 1000, "frame", 5);
    cr_assert(!record_peek(reader)->net);
    expect_event(reader, 1000, "key", 3);
    record_close(reader);
}

CASE(record, a_frame_that_is_too_long)
{
    static const char frame[1519];
    const char *path = scratch_path("recording");
    struct record_writer *writer = record_create(path, &identity, reason);

    record_append_net(writer, 1000, frame, sizeof(frame));
    cr_assert(record_commit(writer, &end, reason), "%s", reason);
    expect_refused(path, "an event is none");
}

CASES_RUN(record, setup, scratch_end)
