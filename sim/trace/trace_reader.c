/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "sim/trace/trace_file.h"
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records are read as they are");

#define NAME_MAX_SHOWN 150

/* Both kinds of header in one piece of memory, told apart by their magic. */
union header {
    uint8_t magic[8];
    struct trace_file_header file;
    struct trace_buffer buffer;
};
_Static_assert(sizeof(union header) == 64, "either kind is read at once");

struct trace_reader {
    FILE *stream;
    char *name;
    uint64_t hz;
    uint64_t done;  /* records read */
    uint64_t count; /* of a buffer: records that it holds */
    uint64_t lost;
    bool is_buffer;
};

__attribute__((format(printf, 3, 4))) static enum trace_read
refuse(const struct trace_reader *reader, char *reason, const char *format, ...)
{
    va_list args;
    int used = snprintf(reason, TRACE_REASON_MAX, "%.*s: ", NAME_MAX_SHOWN, reader->name);

    va_start(args, format);
    (void)vsnprintf(reason + used, TRACE_REASON_MAX - (size_t)used, format, args);
    va_end(args);
    return TRACE_READ_BAD;
}

/* Reads `size` bytes. False at an error, or at the end before the last of them. */
static bool read_all(struct trace_reader *reader, void *out, size_t size, const char *what,
                     char *reason)
{
    errno = 0;
    if (fread(out, 1, size, reader->stream) == size)
        return true;
    if (ferror(reader->stream))
        (void)refuse(reader, reason, "%s", errno != 0 ? strerror(errno) : "cannot be read");
    else
        (void)refuse(reader, reason, "%s", what);
    return false;
}

static bool is_zero(const uint64_t *words, size_t n)
{
    uint64_t all = 0;

    for (size_t i = 0; i < n; i++)
        all |= words[i];
    return all == 0;
}

/* What both kinds of header have. */
static bool check_header(const struct trace_reader *reader, uint32_t version, uint32_t record_size,
                         bool reserved_zero, char *reason)
{
    if (version != TRACE_VERSION)
        (void)refuse(reader, reason, "version %" PRIu32 ": this program reads version %" PRIu32,
                     version, TRACE_VERSION);
    else if (record_size != sizeof(struct trace_record) || reader->hz == 0 || !reserved_zero)
        (void)refuse(reader, reason, "damaged: its header makes no sense");
    else
        return true;
    return false;
}

static bool start_file(struct trace_reader *reader, const struct trace_file_header *header,
                       char *reason)
{
    reader->hz = header->counter_hz;
    return check_header(reader, header->version, header->record_size,
                        is_zero(header->reserved, sizeof(header->reserved) / 8), reason);
}

static bool start_buffer(struct trace_reader *reader, const struct trace_buffer *header,
                         char *reason)
{
    uint64_t count = header->count;

    reader->is_buffer = true;
    reader->hz = header->counter_hz;
    reader->count = count < header->capacity ? count : header->capacity;
    reader->lost = count - reader->count;
    return check_header(reader, header->version, header->record_size,
                        is_zero(header->reserved, sizeof(header->reserved) / 8), reason);
}

static bool start(struct trace_reader *reader, char *reason)
{
    union header header;

    if (!read_all(reader, &header, sizeof(header), "not a trace: shorter than a trace's header",
                  reason))
        return false;
    if (memcmp(header.magic, TRACE_FILE_MAGIC, sizeof(header.magic)) == 0)
        return start_file(reader, &header.file, reason);
    if (memcmp(header.magic, TRACE_BUFFER_MAGIC, sizeof(header.magic)) == 0)
        return start_buffer(reader, &header.buffer, reason);
    (void)refuse(reader, reason, "not a trace");
    return false;
}

struct trace_reader *trace_reader_start(FILE *stream, const char *name, char *reason)
{
    struct trace_reader *reader = calloc(1, sizeof(*reader));
    char *copy = strdup(name);

    if (reader == NULL || copy == NULL) {
        snprintf(reason, TRACE_REASON_MAX, "%.*s: out of memory", NAME_MAX_SHOWN, name);
        free(reader);
        free(copy);
        (void)fclose(stream);
        return NULL;
    }
    reader->stream = stream;
    reader->name = copy;
    if (start(reader, reason))
        return reader;
    trace_reader_close(reader);
    return NULL;
}

struct trace_reader *trace_reader_open(const char *path, char *reason)
{
    if (strcmp(path, "-") == 0)
        return trace_reader_start(stdin, "standard input", reason);
    FILE *stream = fopen(path, "rbe");
    if (stream == NULL) {
        snprintf(reason, TRACE_REASON_MAX, "%.*s: %s", NAME_MAX_SHOWN, path, strerror(errno));
        return NULL;
    }
    return trace_reader_start(stream, path, reason);
}

/* The record that ends a file, and nothing behind it. */
static enum trace_read finish_file(struct trace_reader *reader, const struct trace_record *end,
                                   char *reason)
{
    struct trace_record expected = {
        .addr = reader->done, .value = end->value, .class = TRACE_FILE_END};

    if (memcmp(end, &expected, sizeof(expected)) != 0)
        return refuse(reader, reason, "damaged: its end does not fit its %" PRIu64 " records",
                      reader->done);
    if (getc(reader->stream) != EOF)
        return refuse(reader, reason, "damaged: it goes on behind its end");
    if (ferror(reader->stream))
        return refuse(reader, reason, "cannot be read");
    reader->lost = end->value;
    return TRACE_READ_END;
}

enum trace_read trace_reader_next(struct trace_reader *reader, struct trace_record *record,
                                  char *reason)
{
    if (reader->is_buffer && reader->done == reader->count)
        return TRACE_READ_END;
    if (!read_all(reader, record, sizeof(*record), "cut off: its end is missing", reason))
        return TRACE_READ_BAD;
    if (!reader->is_buffer && record->class == TRACE_FILE_END)
        return finish_file(reader, record, reason);
    if (record->class >= TRACE_CLASSES || record->outcome >= TRACE_OUTCOMES ||
        record->reserved != 0)
        return refuse(reader, reason, "damaged: record %" PRIu64 " is none", reader->done);
    reader->done++;
    return TRACE_READ_RECORD;
}

uint64_t trace_reader_hz(const struct trace_reader *reader)
{
    return reader->hz;
}

uint64_t trace_reader_lost(const struct trace_reader *reader)
{
    return reader->lost;
}

const char *trace_reader_name(const struct trace_reader *reader)
{
    return reader->name;
}

void trace_reader_close(struct trace_reader *reader)
{
    if (reader == NULL)
        return;
    (void)fclose(reader->stream);
    free(reader->name);
    free(reader);
}
