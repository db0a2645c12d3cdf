/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/fmt.h"
#include "cases.h"
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The formats here are made at run time, or wrong on purpose. */
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
#ifdef __clang__
#pragma GCC diagnostic ignored "-Wformat-invalid-specifier"
#else
#pragma GCC diagnostic ignored "-Wformat-extra-args"
#pragma GCC diagnostic ignored "-Wformat-overflow"
#pragma GCC diagnostic ignored "-Wformat-truncation"
#endif

#define EXPECT(text, ...)                                                                          \
    do {                                                                                           \
        char out_[256];                                                                            \
        int len_ = fmt_snprintf(out_, sizeof(out_), __VA_ARGS__);                                  \
        cr_assert_str_eq(out_, text);                                                              \
        cr_assert_eq(len_, (int)strlen(text));                                                     \
    } while (0)

CASE(fmt, plain_text_and_percent)
{
    EXPECT("", "%s", "");
    EXPECT("plain", "plain");
    EXPECT("100% of %d", "100%% of %%d");
}

CASE(fmt, integers)
{
    EXPECT("0 -1 42", "%d %i %u", 0, -1, 42u);
    EXPECT("-2147483648", "%d", INT_MIN);
    EXPECT("-9223372036854775808", "%lld", LLONG_MIN);
    EXPECT("18446744073709551615", "%llu", ULLONG_MAX);
    EXPECT("ffffffffffffffff FFFFFFFFFFFFFFFF", "%lx %lX", ULONG_MAX, ULONG_MAX);
    EXPECT("-1 255 -1 65535", "%hhd %hhu %hd %hu", 255, 0x1ff, 65535, 0x1ffff);
    EXPECT("-5 7", "%jd %zu", (intmax_t)-5, (size_t)7);
    EXPECT("-6", "%zd", (size_t)-6);
}

CASE(fmt, flags_width_precision)
{
    EXPECT("    42|42    |000042", "%6d|%-6d|%06d", 42, 42, 42);
    EXPECT("-00042|  -042", "%06d|%6.3d", -42, -42);
    EXPECT("0x2a|0X2A|0", "%#x|%#X|%#x", 42u, 42u, 0u);
    EXPECT("0x0000002a|      0x2a", "%#010x|%#10x", 42u, 42u);
    EXPECT("||  ", "%.0d|%.d|%2.0x", 0, 0, 0u);
    EXPECT("    7|7    |    7", "%*d|%*d|%*.*d", 5, 7, -5, 7, 5, -1, 7);
    EXPECT("00007", "%.*d", 5, 7);
}

CASE(fmt, characters_and_strings)
{
    EXPECT("x  |  x", "%-3c|%3c", 'x', 'x');
    EXPECT("  abc|abc  |ab", "%5s|%-5s|%.2s", "abc", "abc", "abc");
    EXPECT("(null)|(nu", "%s|%.3s", (char *)NULL, (char *)NULL);
    EXPECT("ab||abc", "%.*s|%.0s|%.*s", 2, "abc", "abc", -1, "abc");
}

CASE(fmt, a_nul_character_is_part_of_the_text)
{
    char out[4];

    cr_assert_eq(fmt_snprintf(out, sizeof(out), "a%cb", '\0'), 3);
    cr_assert_eq(memcmp(out, "a\0b", 4), 0);
}

CASE(fmt, a_precision_bounds_what_is_read)
{
    /* Under AddressSanitizer, a read of text[4] stops the test. */
    char *text = malloc(4);

    memcpy(text, "abcd", 4);
    EXPECT("abcd", "%.4s", text);
    EXPECT("abc", "%.*s", 3, text);
    free(text);
}

CASE(fmt, pointers)
{
    EXPECT("0x0", "%p", NULL);
    EXPECT("0x1234abcd", "%p", (void *)(uintptr_t)0x1234abcd);
    EXPECT("    0xff|0xff    ", "%8p|%-8p", (void *)(uintptr_t)255, (void *)(uintptr_t)255);
}

/* From the unknown conversion on, everything is copied; none of these calls passes an argument. */
CASE(fmt, unknown_conversions_are_visible_and_read_nothing)
{
    const char *const formats[] = {
        "%",     "%q",     "%n",   "%f then %s", "%5",    "%-",    "%.",   "%ls %d",
        "%lc",   "%hhs",   "%zp",  "%+d %s",     "% d",   "%o %d", "%Lf",  "%5%",
        "%*q%d", "%.*q%d", "%*5d", "%lllu",      "%hhhd", "%'d",   "%1$d", "%td",
        "%jc",   "%#",     "%*.*", "%-%",        "%\xff", "%h",    "%ll",  "%#lld%b"};
    char out[64];
    /* The last one starts with a known conversion. */
    size_t count = sizeof(formats) / sizeof(formats[0]) - 1;

    for (size_t i = 0; i < count; i++) {
        int len = fmt_snprintf(out, sizeof(out), formats[i]);
        cr_assert_str_eq(out, formats[i]);
        cr_assert_eq(len, (int)strlen(formats[i]));
    }
    EXPECT("-3%b %d", "%#lld%b %d", -3LL);
    EXPECT("1 %q 100%% %s", "%d %q 100%% %s", 1);
}

CASE(fmt, every_buffer_size)
{
    const char expect[] = "id=-42 name=guest 0x00ff";
    char out[64];

    for (size_t size = 0; size < sizeof(out); size++) {
        memset(out, '#', sizeof(out));
        int len = fmt_snprintf(out, size, "id=%d name=%-5s 0x%04x", -42, "guest", 255u);
        cr_assert_eq(len, (int)strlen(expect));
        size_t shown = size == 0 ? 0 : size - 1 < strlen(expect) ? size - 1 : strlen(expect);
        cr_assert_eq(memcmp(out, expect, shown), 0, "size %zu", size);
        if (size > 0)
            cr_assert_eq(out[shown], '\0', "size %zu", size);
        for (size_t i = size; i < sizeof(out); i++)
            cr_assert_eq(out[i], '#', "size %zu wrote at %zu", size, i);
    }
    cr_assert_eq(fmt_snprintf(NULL, 0, "%d", 12345), 5);
}

CASE(fmt, huge_widths_end_soon_and_saturate)
{
    char out[8];

    cr_assert_eq(fmt_snprintf(out, sizeof(out), "%2147483647d", 1), INT_MAX);
    cr_assert_str_eq(out, "       ");
    cr_assert_eq(fmt_snprintf(out, sizeof(out), "%99999999999999999999999d", 1), INT_MAX);
    cr_assert_eq(fmt_snprintf(out, sizeof(out), "%-*d|", INT_MIN, 1), INT_MAX);
    cr_assert_str_eq(out, "1      ");
    cr_assert_eq(fmt_snprintf(out, sizeof(out), "%.2147483647d%s", 1, "more"), INT_MAX);
    cr_assert_str_eq(out, "0000000");
    cr_assert_eq(fmt_snprintf(out, sizeof(out), "%d%2147483647d%2147483647d", 5, 1, 1), INT_MAX);
    cr_assert_str_eq(out, "5      ");
}

/* One random conversion, as text and as what it needs of arguments. */
struct sample {
    char format[64];
    bool width_arg;
    bool precision_arg;
    int width;
    int precision;
    unsigned length; /* index into length_names */
    char conversion;
};

static const char *const length_names[] = {"", "hh", "h", "l", "ll", "z", "j"};

static void append(char *to, const char *text)
{
    strcat(to, text);
}

static void append_number(char *to, int n)
{
    sprintf(to + strlen(to), "%d", n);
}

/* Only what C11 defines: '#' for hexadecimal, '0' for numbers, lengths for integers. */
static struct sample sample_make(void)
{
    struct sample s = {.conversion = "diuxXcs"[rand() % 7]};
    bool number = s.conversion != 'c' && s.conversion != 's';
    const char conversion[] = {s.conversion, '\0'};

    append(s.format, rand() % 2 ? "<%" : "a%%b%");
    if (rand() % 3 == 0)
        append(s.format, "-");
    if (number && rand() % 3 == 0)
        append(s.format, "0");
    if ((s.conversion | 0x20) == 'x' && rand() % 2)
        append(s.format, "#");
    s.width = rand() % 3 ? rand() % 30 : rand() % 3;
    s.precision = rand() % 3 ? rand() % 30 : rand() % 3;
    int width = rand() % 4;
    if (width == 1 && s.width > 0)
        append_number(s.format, s.width);
    if (width == 2) {
        s.width_arg = true;
        s.width = rand() % 2 ? s.width : -s.width;
        append(s.format, "*");
    }
    int precision = s.conversion == 'c' ? 0 : rand() % 5;
    if (precision > 0)
        append(s.format, precision == 4 ? "" : ".");
    if (precision == 1)
        append_number(s.format, s.precision);
    if (precision == 2) {
        s.precision_arg = true;
        s.precision = rand() % 4 ? s.precision : -s.precision;
        append(s.format, "*");
    }
    s.length = number ? (unsigned)rand() % 7 : 0;
    append(s.format, length_names[s.length]);
    append(s.format, conversion);
    append(s.format, rand() % 2 ? ">" : "");
    return s;
}

static uint64_t sample_value(void)
{
    static const uint64_t edges[] = {
        0, 1, 9, 10, 127, 128, 255, 256, 32767, 32768, 65535, INT32_MAX, UINT32_MAX, INT64_MAX,
    };
    uint64_t value = 0;

    switch (rand() % 3) {
    case 0:
        value = edges[(size_t)rand() % (sizeof(edges) / sizeof(edges[0]))];
        return rand() % 2 ? value : ~value;
    case 1:
        return (uint64_t)rand() % 1000;
    default:
        for (int i = 0; i < 5; i++)
            value = (value << 15) ^ (uint64_t)(rand() & 0x7fff);
        return value >> (rand() % 64);
    }
}

#define BOTH(...)                                                                                  \
    do {                                                                                           \
        expect_len = snprintf(expect, size, s->format, __VA_ARGS__);                               \
        got_len = fmt_snprintf(got, size, s->format, __VA_ARGS__);                                 \
    } while (0)

#define COMPARE(value)                                                                             \
    do {                                                                                           \
        if (s->width_arg && s->precision_arg)                                                      \
            BOTH(s->width, s->precision, value);                                                   \
        else if (s->width_arg)                                                                     \
            BOTH(s->width, value);                                                                 \
        else if (s->precision_arg)                                                                 \
            BOTH(s->precision, value);                                                             \
        else                                                                                       \
            BOTH(value);                                                                           \
    } while (0)

static void sample_check(const struct sample *s, uint64_t value, size_t size)
{
    static const char *const strings[] = {"", "a", "hello",
                                          "a longer text, of forty characters......"};
    char expect[128];
    char got[128];
    int expect_len = 0;
    int got_len = 0;

    memset(expect, '#', sizeof(expect));
    memset(got, '#', sizeof(got));
    if (s->conversion == 's') {
        COMPARE(strings[value % 4]);
    } else if (s->conversion == 'c') {
        COMPARE((int)(value % 95 + 32));
    } else {
        switch (s->length) {
        case 0:
        case 1:
        case 2:
            COMPARE((unsigned)value);
            break;
        case 3:
            COMPARE((unsigned long)value);
            break;
        case 4:
            COMPARE((unsigned long long)value);
            break;
        case 5:
            COMPARE((size_t)value);
            break;
        default:
            COMPARE((uintmax_t)value);
            break;
        }
    }
    cr_assert_eq(got_len, expect_len, "\"%s\" of 0x%lx: %d, not %d", s->format, value, got_len,
                 expect_len);
    cr_assert_eq(memcmp(got, expect, sizeof(got)), 0, "\"%s\" of 0x%lx in %zu bytes: [%s] [%s]",
                 s->format, value, size, size > 0 ? got : "", size > 0 ? expect : "");
}

CASE(fmt, random_conversions_against_libc)
{
    srand(4);
    for (int i = 0; i < 100000; i++) {
        struct sample s = sample_make();
        size_t size = rand() % 4 ? 128 : (size_t)rand() % 40;
        sample_check(&s, sample_value(), size);
    }
}

/* Any bytes at all: the text is bounded and terminated, and nothing is read without an argument
 * being there. */
CASE(fmt, random_formats_stay_in_the_buffer)
{
    static const char alphabet[] = "%%%%%-0#.*159dxsclhzj q\xff";
    char format[24];
    char out[32];

    srand(5);
    for (int i = 0; i < 100000; i++) {
        size_t len = (size_t)rand() % (sizeof(format) - 1);
        unsigned stars = 0;
        unsigned percents = 0;
        for (size_t n = 0; n < len; n++) {
            format[n] = alphabet[(size_t)rand() % (sizeof(alphabet) - 1)];
            stars += format[n] == '*';
            percents += format[n] == '%';
            /* Every argument below is a pointer to text, and enough of them. */
            if (stars + percents > 8 || (format[n] == '*'))
                format[n] = 'x';
        }
        format[len] = '\0';
        size_t size = (size_t)rand() % (sizeof(out) - 1) + 1;
        memset(out, '#', sizeof(out));
        int total = fmt_snprintf(out, size, format, "a", "b", "c", "d", "e", "f", "g", "h", "i");
        cr_assert_geq(total, 0);
        cr_assert_not_null(memchr(out, '\0', size));
        for (size_t n = size; n < sizeof(out); n++)
            cr_assert_eq(out[n], '#');
    }
}

CASES_RUN(fmt, NULL, NULL)
