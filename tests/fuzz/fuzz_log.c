/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Text that comes from outside: level specifications, names in log lines; and number formatting
 * against the host's. */
#include "base/fmt.h"
#include "base/log.h"
#include "fuzz.h"

static void check_line(void *ctx, const char *text, size_t len)
{
    unsigned *lines = ctx;

    FUZZ_ASSERT(len > 0 && len <= LOG_LINE_MAX && text[len - 1] == '\n');
    for (size_t i = 0; i < len - 1; i++)
        FUZZ_ASSERT(text[i] >= ' ' && text[i] <= '~');
    ++*lines;
}

static uint64_t no_time(void *ctx)
{
    (void)ctx;
    return UINT64_MAX;
}

static void check_levels(const char *text)
{
    unsigned lines = 0;
    const struct log_sink sink = {check_line, no_time, &lines};
    struct log log;
    uint8_t before[LOG_MOD_COUNT];

    log_init(&log, &sink);
    memcpy(before, log.level, sizeof(before));
    if (log_set_levels(&log, text) != HV_OK)
        FUZZ_ASSERT(memcmp(before, log.level, sizeof(before)) == 0);
    for (unsigned i = 0; i < LOG_MOD_COUNT; i++)
        FUZZ_ASSERT(log.level[i] < LOG_LEVEL_COUNT);
    log_write(&log, LOG_MOD_BOOT, LOG_ERROR, "%s", text);
    FUZZ_ASSERT(lines == 1);
}

static void check_escape(const uint8_t *data, size_t size, size_t out_size)
{
    char *out = malloc(out_size + 1);

    FUZZ_ASSERT(out != NULL);
    out[out_size] = 'x';
    FUZZ_ASSERT(log_escape(out, out_size, (const char *)data, size) == out);
    FUZZ_ASSERT(out[out_size] == 'x');
    if (out_size > 0) {
        size_t len = strnlen(out, out_size);
        FUZZ_ASSERT(len < out_size);
        for (size_t i = 0; i < len; i++)
            FUZZ_ASSERT(out[i] >= ' ' && out[i] <= '~');
    }
    free(out);
}

/* A conversion with whatever flags, width and precision the input says, and what libc makes of it.
 */
static void check_number(struct fuzz_input *in)
{
    static const char *const conversions[] = {"lld", "llu", "llx", "llX", "lli"};
    unsigned width = fuzz_take_below(in, 90);
    unsigned precision = fuzz_take_below(in, 90);
    unsigned flags = (unsigned)fuzz_take(in, 1);
    unsigned conversion = fuzz_take_below(in, 5);
    unsigned size = fuzz_take_below(in, 100);
    unsigned long long value = fuzz_take(in, 8);
    char format[32];
    char expected[128];
    char actual[128];

    /* '#' with a signed or decimal conversion is undefined. */
    snprintf(format, sizeof(format), "%%%s%s%s%u%s%s", flags & 1 ? "-" : "", flags & 2 ? "0" : "",
             (flags & 4) != 0 && conversions[conversion][2] != 'd' && conversion > 1 &&
                     conversion < 4
                 ? "#"
                 : "",
             width + 1, flags & 8 ? ".*" : "", conversions[conversion]);
    memset(actual, 'x', sizeof(actual));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int want = (flags & 8) != 0 ? snprintf(expected, size, format, (int)precision, value)
                                : snprintf(expected, size, format, value);
    int got = (flags & 8) != 0 ? fmt_snprintf(actual, size, format, (int)precision, value)
                               : fmt_snprintf(actual, size, format, value);
#pragma GCC diagnostic pop
    FUZZ_ASSERT(got == want);
    FUZZ_ASSERT(size == 0 || strcmp(actual, expected) == 0);
    FUZZ_ASSERT(actual[size] == 'x');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    char *text = malloc(size + 1);

    FUZZ_ASSERT(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    check_levels(text);
    free(text);
    check_escape(data, size, size / 2);
    check_escape(data, size, 4 * size + 1);
    do {
        check_number(&in);
    } while (in.left > 0);
    return 0;
}
