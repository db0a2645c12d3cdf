/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Any bytes as a trace, read as halcyon-trace reads it: every record that comes out has words, a
 * place in a hash, and an answer of a filter; what is refused has a reason. By the first byte the
 * header is made good, so that what is behind it is reached.
 */
#define _GNU_SOURCE 1
#include "abi/trace.h"
#include "fuzz.h"
#include "sim/trace/trace_file.h"
#include "sim/trace/trace_filter.h"
#include "sim/trace/trace_hash.h"
#include "sim/trace/trace_text.h"
#include "tests/sim/le_bytes.h"

#define HEADER 64u

struct seen {
    struct trace_hash hash;
    struct trace_filter filter;
    uint64_t number;
};

static void check_text(const char *text, size_t max)
{
    FUZZ_ASSERT(strlen(text) < max);
    for (; *text != '\0'; text++)
        FUZZ_ASSERT(*text >= ' ' && *text <= '~');
}

static void look_at(struct seen *seen, const struct trace_record *record)
{
    char line[TRACE_TEXT_MAX];
    struct trace_record copy = *record;

    FUZZ_ASSERT(record->class < TRACE_CLASSES && record->outcome < TRACE_OUTCOMES);
    check_text(trace_text_line(record, seen->number++, line), sizeof(line));
    trace_hash_add(&seen->hash, record);
    (void)trace_filter_passes(&seen->filter, record);
    trace_field_clear(&copy, (UINT32_C(1) << TRACE_FIELDS) - 1);
    FUZZ_ASSERT((trace_field_differ(record, &copy) != 0) ==
                (memcmp(record, &copy, sizeof(copy)) != 0));
}

static void read_all(FILE *stream)
{
    char reason[TRACE_REASON_MAX] = "";
    struct trace_reader *reader = trace_reader_start(stream, "input", reason);
    struct seen seen = {.number = 0};
    struct trace_record record;
    enum trace_read got;

    if (reader == NULL) {
        FUZZ_ASSERT(reason[0] != '\0');
        check_text(reason, sizeof(reason));
        return;
    }
    trace_filter_init(&seen.filter);
    while ((got = trace_reader_next(reader, &record, reason)) == TRACE_READ_RECORD)
        look_at(&seen, &record);
    FUZZ_ASSERT(seen.hash.count == seen.number);
    FUZZ_ASSERT(trace_reader_hz(reader) != 0);
    if (got == TRACE_READ_BAD)
        check_text(reason, sizeof(reason));
    FUZZ_ASSERT(got == TRACE_READ_END || reason[0] != '\0');
    trace_reader_close(reader);
}

/* What the first byte asks for: bit 0 a file's header, bit 1 a buffer's; bit 2 records of classes
 * and outcomes that exist. */
static void mend(uint8_t *data, size_t size, unsigned how)
{
    if (size < HEADER || (how & 3) == 0)
        return;
    memset(data, 0, HEADER);
    memcpy(data, (how & 1) != 0 ? TRACE_FILE_MAGIC : TRACE_BUFFER_MAGIC, 8);
    le_put(data + 8, 1, 4);
    le_put(data + 12, 64, 4);
    le_put(data + 16, 1000, 8);
    if ((how & 1) == 0) {
        le_put(data + 24, size / 128, 8);
        le_put(data + 32, size / 64, 8);
    }
    for (size_t at = HEADER; (how & 4) != 0 && at + 64 <= size; at += 64) {
        data[at + 54] %= 9;
        data[at + 55] %= 5;
        le_put(data + at + 56, 0, 8);
    }
}

/* The input as text: an option's argument. */
static void parse(const uint8_t *data, size_t size)
{
    char text[64] = "";
    struct trace_range range;
    uint32_t bits;

    memcpy(text, data, size < sizeof(text) - 1 ? size : sizeof(text) - 1);
    if (trace_parse_range(text, &range))
        FUZZ_ASSERT(range.low <= range.high);
    if (trace_parse_names(text, trace_class_name, &bits))
        FUZZ_ASSERT(bits != 0 && bits >> TRACE_CLASSES == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy;
    FILE *stream;

    if (size < 2)
        return 0;
    parse(data + 1, size - 1);
    copy = malloc(size - 1);
    FUZZ_ASSERT(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    mend(copy, size - 1, data[0]);
    stream = fmemopen(copy, size - 1, "rb");
    FUZZ_ASSERT(stream != NULL);
    read_all(stream);
    free(copy);
    return 0;
}
