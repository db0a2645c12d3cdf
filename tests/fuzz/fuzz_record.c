/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Any bytes as a recording. The sum is made right, or nothing behind it would be reached: an input
 * whose first bit is clear is the whole file, else it is a list of changes of a good one.
 */
#define _GNU_SOURCE 1
#include "fuzz.h"
#include "sim/record.h"
#include "tests/sim/record_fixture.h"
#include <sys/mman.h>
#include <unistd.h>

#define FILE_MAX 16384u

static uint8_t file[FILE_MAX];

static size_t put_event(size_t at, uint64_t time, uint32_t kind, uint32_t len)
{
    le_put(file + at, time, 8);
    le_put(file + at + REC_KIND, kind, 4);
    le_put(file + at + REC_LEN, len, 4);
    return at + REC_FRAME + len;
}

/* Three events; returns the size. */
static size_t make_good(void)
{
    size_t at = REC_HEADER;

    memset(file, 0, sizeof(file));
    memcpy(file, "HALRECRD", 8);
    le_put(file + REC_VERSION, 1, 4);
    at = put_event(at, 10, REC_KIND_INPUT, 1);
    at = put_event(at, 10, REC_KIND_INPUT, 30);
    at = put_event(at, 500, REC_KIND_INPUT, 4);
    le_put(file + at + REC_END_EVENTS, 3, 8);
    return put_event(at, 600, REC_KIND_END, REC_END - REC_FRAME);
}

static size_t make_changed(struct fuzz_input *in)
{
    static const size_t widths[] = {1, 2, 4, 8};
    size_t size = make_good();

    while (in->left > 0) {
        size_t width = widths[fuzz_take_below(in, 4)];
        size_t at = fuzz_take_below(in, (unsigned)(size - width));
        le_put(file + at, fuzz_take(in, width), width);
    }
    return size;
}

static void read_all(struct record_reader *reader, size_t size)
{
    static const struct record_identity other = {.nr_cpus = 77};
    const struct record_event *event;
    char reason[RECORD_REASON_MAX] = "";
    uint64_t last = 0;
    size_t bytes = REC_HEADER + REC_END;

    for (; (event = record_peek(reader)) != NULL; record_next(reader)) {
        FUZZ_ASSERT(event->len > 0 && event->len <= RECORD_DATA_MAX);
        FUZZ_ASSERT(event->time >= last);
        last = event->time;
        bytes += REC_FRAME + event->len;
    }
    FUZZ_ASSERT(bytes == size);
    FUZZ_ASSERT(record_ended(reader)->time >= last);
    if (le_get(file + REC_CPUS, 4) != 77)
        FUZZ_ASSERT(!record_matches(reader, &other, reason) && reason[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    char reason[RECORD_REASON_MAX] = "";
    struct record_reader *reader;
    char path[64];
    size_t file_size;
    int fd = memfd_create("recording", 0);

    if (fuzz_take(&in, 1) & 1) {
        file_size = make_changed(&in);
    } else {
        file_size = in.left < FILE_MAX ? in.left : FILE_MAX;
        memcpy(file, in.data, file_size);
    }
    rec_seal(file, file_size);
    FUZZ_ASSERT(fd >= 0 && write(fd, file, file_size) == (ssize_t)file_size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    reader = record_open(path, reason);
    if (reader != NULL)
        read_all(reader, file_size);
    else
        FUZZ_ASSERT(reason[0] != '\0' && strlen(reason) < sizeof(reason));
    record_close(reader);
    close(fd);
    return 0;
}
