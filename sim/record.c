/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#define _DEFAULT_SOURCE 1
#include "sim/record.h"
#include "sim/file_in.h"
#include "sim/record_format.h"
#include "sim/trace/file_out.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* --- Writing ----------------------------------------------------------------------------------*/

struct record_writer {
    struct file_out *out;
    XXH3_state_t *sum;
    uint64_t last; /* time of the event before */
    uint64_t nr_events;
    const char *misuse; /* why the recording would be refused when read, or NULL */
};

static void put(struct record_writer *writer, const void *data, size_t len)
{
    XXH3_64bits_update(writer->sum, data, len);
    (void)file_out_write(writer->out, data, len); /* record_commit() says it */
}

static void put_header(struct record_writer *writer, const struct record_identity *identity)
{
    struct record_format_header header = {
        .version = RECORD_FORMAT_VERSION,
        .nr_cpus = identity->nr_cpus,
        .seed = identity->seed,
        .ram_size = identity->ram_size,
        .start_time = identity->start_time,
        .cpu_model = identity->cpu_model,
    };

    memcpy(header.magic, RECORD_FORMAT_MAGIC, sizeof(header.magic));
    memcpy(header.start, identity->start, sizeof(header.start));
    memcpy(header.build, identity->build, sizeof(header.build));
    put(writer, &header, sizeof(header));
}

static void free_writer(struct record_writer *writer)
{
    XXH3_freeState(writer->sum);
    free(writer);
}

struct record_writer *record_create(const char *path, const struct record_identity *identity,
                                    char *reason)
{
    struct record_writer *writer = calloc(1, sizeof(*writer));

    if (writer != NULL)
        writer->sum = XXH3_createState();
    if (writer == NULL || writer->sum == NULL) {
        snprintf(reason, RECORD_REASON_MAX, "no memory for a recording");
        free(writer);
        return NULL;
    }
    writer->out = file_out_open(path, reason);
    if (writer->out == NULL) {
        free_writer(writer);
        return NULL;
    }
    XXH3_64bits_reset(writer->sum);
    writer->last = identity->start_time;
    put_header(writer, identity);
    return writer;
}

static const char *find_misuse(const struct record_writer *writer, uint64_t time, size_t len)
{
    uint64_t room = RECORD_FILE_MAX - sizeof(struct record_format_end);

    if (len == 0 || len > RECORD_DATA_MAX)
        return "an event has no bytes, or too many";
    if (time < writer->last)
        return "an event is older than the one before it";
    if (range_exceeds(file_out_size(writer->out), sizeof(struct record_frame) + len, room))
        return "it would be larger than a recording may be";
    return NULL;
}

static void append(struct record_writer *writer, enum record_frame_kind kind, uint64_t time,
                   const void *data, size_t len)
{
    struct record_frame frame = {.time = time, .kind = kind, .len = (uint32_t)len};

    if (writer->misuse == NULL)
        writer->misuse = find_misuse(writer, time, len);
    if (writer->misuse != NULL)
        return;
    put(writer, &frame, sizeof(frame));
    put(writer, data, len);
    writer->last = time;
    writer->nr_events++;
}

void record_append(struct record_writer *writer, uint64_t time, const void *data, size_t len)
{
    append(writer, RECORD_FRAME_INPUT, time, data, len);
}

void record_append_net(struct record_writer *writer, uint64_t time, const void *data, size_t len)
{
    append(writer, RECORD_FRAME_NET, time, data, len);
}

static void put_end(struct record_writer *writer, const struct record_end *end)
{
    struct record_format_end last = {
        .frame = {.time = end->time, .kind = RECORD_FRAME_END, .len = RECORD_FRAME_END_LEN},
        .instructions = end->instructions,
        .nr_events = writer->nr_events,
    };

    memcpy(last.hash, end->hash, sizeof(last.hash));
    put(writer, &last, offsetof(struct record_format_end, sum));
    last.sum = XXH3_64bits_digest(writer->sum);
    put(writer, &last.sum, sizeof(last.sum));
}

bool record_commit(struct record_writer *writer, const struct record_end *end, char *reason)
{
    bool good = false;

    if (writer->misuse == NULL && end->time < writer->last)
        writer->misuse = "it ends before its last event";
    if (writer->misuse != NULL) {
        snprintf(reason, RECORD_REASON_MAX, "the recording is not kept: %s", writer->misuse);
        file_out_discard(writer->out);
    } else {
        put_end(writer, end);
        good = file_out_commit(writer->out, reason);
    }
    free_writer(writer);
    return good;
}

void record_discard(struct record_writer *writer)
{
    if (writer == NULL)
        return;
    file_out_discard(writer->out);
    free_writer(writer);
}

/* --- Reading ----------------------------------------------------------------------------------*/

#define CUT_OFF "cut off: the run that made it did not end in order, or the copy is incomplete"

struct record_reader {
    uint8_t *file;
    size_t events_end; /* where the frame begins that ends the file */
    size_t at;         /* of the frame after `event` */
    struct record_identity identity;
    struct record_end end;
    bool has_event;
    struct record_event event;
};

static struct record_frame frame_at(const struct record_reader *reader, size_t at)
{
    struct record_frame frame;

    memcpy(&frame, reader->file + at, sizeof(frame));
    return frame;
}

/* NULL, or what is wrong with the header. */
static const char *take_header(struct record_reader *reader, size_t size)
{
    struct record_format_header header;

    if (size < sizeof(header) || memcmp(reader->file, RECORD_FORMAT_MAGIC, 8) != 0)
        return "not a recording";
    memcpy(&header, reader->file, sizeof(header));
    if (header.version != RECORD_FORMAT_VERSION)
        return "a recording of another version of halcyon-sim: record it anew";
    reader->identity = (struct record_identity){
        .seed = header.seed,
        .ram_size = header.ram_size,
        .start_time = header.start_time,
        .nr_cpus = header.nr_cpus,
        .cpu_model = header.cpu_model,
    };
    memcpy(reader->identity.start, header.start, sizeof(header.start));
    memcpy(reader->identity.build, header.build, sizeof(header.build));
    return NULL;
}

/* NULL, or what is wrong with the end; the sum speaks for all bytes before it. */
static const char *take_end(struct record_reader *reader, size_t size, uint64_t *nr_events)
{
    struct record_format_end last;

    if (size < sizeof(struct record_format_header) + sizeof(last))
        return CUT_OFF;
    reader->events_end = size - sizeof(last);
    memcpy(&last, reader->file + reader->events_end, sizeof(last));
    if (last.frame.kind != RECORD_FRAME_END || last.frame.len != RECORD_FRAME_END_LEN)
        return CUT_OFF;
    if (last.sum != XXH3_64bits(reader->file, size - sizeof(last.sum)))
        return "damaged: its sum is wrong";
    reader->end.time = last.frame.time;
    reader->end.instructions = last.instructions;
    memcpy(reader->end.hash, last.hash, sizeof(last.hash));
    *nr_events = last.nr_events;
    return NULL;
}

/* NULL, or what is wrong with the events: afterwards record_next() need not look. */
static const char *check_events(const struct record_reader *reader, uint64_t nr_events)
{
    uint64_t last = reader->identity.start_time;
    uint64_t found = 0;
    size_t at = sizeof(struct record_format_header);

    for (; at < reader->events_end; found++) {
        size_t left = reader->events_end - at;
        if (left < sizeof(struct record_frame))
            return "damaged: an event is none";
        struct record_frame frame = frame_at(reader, at);
        if ((frame.kind != RECORD_FRAME_INPUT && frame.kind != RECORD_FRAME_NET) ||
            frame.len == 0 || frame.len > RECORD_DATA_MAX ||
            (frame.kind == RECORD_FRAME_NET && frame.len > HAL_NET_FRAME_MAX) ||
            frame.len > left - sizeof(frame))
            return "damaged: an event is none";
        if (frame.time < last)
            return "damaged: an event is older than the one before it";
        last = frame.time;
        at += sizeof(frame) + frame.len;
    }
    if (found != nr_events)
        return "damaged: its events and their number do not agree";
    return reader->end.time < last ? "damaged: it ends before its last event" : NULL;
}

static const char *take_file(struct record_reader *reader, size_t size)
{
    uint64_t nr_events = 0;
    const char *wrong = take_header(reader, size);

    if (wrong == NULL)
        wrong = take_end(reader, size, &nr_events);
    if (wrong == NULL)
        wrong = check_events(reader, nr_events);
    return wrong;
}

/* Reads all of the file into memory: it is small, and what was checked stays what it was. */
static bool read_all(struct record_reader *reader, const char *path, size_t *size, char *reason)
{
    struct file_in in;
    bool good = false;

    if (!file_in_open(&in, path, RECORD_FILE_MAX, reason))
        return false;
    *size = (size_t)in.size;
    reader->file = malloc(*size);
    if (reader->file == NULL)
        snprintf(reason, RECORD_REASON_MAX, "no memory for the recording");
    else
        good = file_in_read(&in, reader->file, reason);
    file_in_close(&in);
    return good;
}

struct record_reader *record_open(const char *path, char *reason)
{
    struct record_reader *reader = calloc(1, sizeof(*reader));
    size_t size = 0;
    const char *wrong;

    if (reader == NULL) {
        snprintf(reason, RECORD_REASON_MAX, "no memory for the recording");
        return NULL;
    }
    if (!read_all(reader, path, &size, reason)) {
        record_close(reader);
        return NULL;
    }
    wrong = take_file(reader, size);
    if (wrong != NULL) {
        snprintf(reason, RECORD_REASON_MAX, "%.130s: %s", path, wrong);
        record_close(reader);
        return NULL;
    }
    reader->at = sizeof(struct record_format_header);
    record_next(reader);
    return reader;
}

void record_close(struct record_reader *reader)
{
    if (reader == NULL)
        return;
    free(reader->file);
    free(reader);
}

void record_next(struct record_reader *reader)
{
    struct record_frame frame;

    reader->has_event = reader->at < reader->events_end;
    if (!reader->has_event)
        return;
    frame = frame_at(reader, reader->at);
    reader->event.time = frame.time;
    reader->event.net = frame.kind == RECORD_FRAME_NET;
    reader->event.len = frame.len;
    memcpy(reader->event.data, reader->file + reader->at + sizeof(frame), frame.len);
    reader->at += sizeof(frame) + frame.len;
}

const struct record_event *record_peek(const struct record_reader *reader)
{
    return reader->has_event ? &reader->event : NULL;
}

const struct record_end *record_ended(const struct record_reader *reader)
{
    return &reader->end;
}

/* --- Whose recording it is --------------------------------------------------------------------*/

static bool say_number(char *reason, const char *what, uint64_t then, uint64_t now)
{
    if (then != now)
        snprintf(reason, RECORD_REASON_MAX,
                 "the recording was made with %s %" PRIu64 ", this run has %" PRIu64, what, then,
                 now);
    return then == now;
}

bool record_matches(const struct record_reader *reader, const struct record_identity *identity,
                    char *reason)
{
    const struct record_identity *then = &reader->identity;

    if (memcmp(then->build, identity->build, sizeof(then->build)) != 0) {
        snprintf(reason, RECORD_REASON_MAX,
                 "the recording was made by another build of halcyon-sim: record it anew");
        return false;
    }
    if (!say_number(reason, "memory of", then->ram_size, identity->ram_size) ||
        !say_number(reason, "CPUs:", then->nr_cpus, identity->nr_cpus) ||
        !say_number(reason, "CPU model", then->cpu_model, identity->cpu_model) ||
        !say_number(reason, "seed", then->seed, identity->seed) ||
        !say_number(reason, "a start at", then->start_time, identity->start_time))
        return false;
    if (memcmp(then->start, identity->start, sizeof(then->start)) != 0) {
        snprintf(
            reason, RECORD_REASON_MAX,
            "the recording was made with another kernel, initrd, command line, bundle, disk, epoch "
            "or snapshot than this run has");
        return false;
    }
    return true;
}
