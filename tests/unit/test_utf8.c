/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/utf8.h"
#include "cases.h"
#include <string.h>

#define INVALID UINT32_C(0xffffffff)
#define CUT     UINT32_C(0xfffffffe)

/* By its definition: RFC 3629, section 3. */
static size_t encode(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)((0xf00u >> len & 0xff) | code);
    return len;
}

/* cr_assert() is slow where it holds. */
#define MUST(condition, what)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            cr_assert_fail("%s: %x", #condition, what);                                            \
    } while (0)

CASE(utf8, every_character)
{
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        char text[5] = {0, 0, 0, 0, 'x'};
        uint32_t got;
        size_t len = encode(code, text);
        if (code >= 0xd800 && code <= 0xdfff)
            continue;
        MUST(utf8_decode(text, sizeof(text), &got) == len && got == code, code);
        MUST(utf8_whole(text, len) == len, code);
        for (size_t part = 1; part < len; part++) {
            MUST(utf8_decode(text, part, &got) == part && got == CUT, code);
            MUST(utf8_whole(text, part) == 0, code);
        }
    }
}

/* Any three bytes, and one behind them: what decodes is what encodes to them. */
CASE(utf8, nothing_else)
{
    unsigned valid = 0;

    for (uint32_t n = 0; n < 1u << 24; n++) {
        char text[4] = {(char)(n >> 16), (char)(n >> 8), (char)n, '\xbf'};
        char again[4];
        uint32_t code;
        size_t len = utf8_decode(text, sizeof(text), &code);
        MUST(len >= 1 && len <= 4 && code != CUT, n);
        if (code == INVALID)
            continue;
        valid++;
        MUST(code <= 0x10ffff && (code < 0xd800 || code > 0xdfff), n);
        MUST(encode(code, again) == len && memcmp(text, again, len) == 0, n);
    }
    /* Of one byte 128, of two 30 * 64; of three 16 * 64 beginnings less 32 that are overlong and 32
     * of surrogates; of four 5 * 64 less 16 that are overlong and 48 above U+10FFFF. */
    cr_assert_eq(valid,
                 128 * 65536 + 30 * 64 * 256 + (16 * 64 - 32 - 32) * 64 + (5 * 64 - 16 - 48) * 64);
}

CASE(utf8, what_is_no_character)
{
    static const struct {
        const char *text;
        size_t len;
    } rows[] = {
        {"\x80", 1},
        {"\xbf\x80", 1},
        {"\xc0\x80", 1},
        {"\xc1\xbf", 1},
        {"\xc2 ", 1},
        {"\xc2\xc2\xa0", 1},
        {"\xe0\x9f\xbf", 1},
        {"\xe0\xa0 ", 2},
        {"\xed\xa0\x80", 1},
        {"\xef\xbf\xc0", 2},
        {"\xf0\x8f\xbf\xbf", 1},
        {"\xf0\x90\x80z", 3},
        {"\xf4\x90\x80\x80", 1},
        {"\xf5\x80\x80\x80", 1},
        {"\xff", 1},
        {"\xfe", 1},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t code;
        cr_expect_eq(utf8_decode(rows[i].text, strlen(rows[i].text), &code), rows[i].len, "row %u",
                     i);
        cr_expect_eq(code, INVALID, "row %u", i);
    }
}

CASE(utf8, whole)
{
    cr_expect_eq(utf8_whole("", 0), 0);
    cr_expect_eq(utf8_whole("abc", 3), 3);
    cr_expect_eq(utf8_whole("a\xc3\xa9", 3), 3);
    cr_expect_eq(utf8_whole("a\xc3", 2), 1);
    cr_expect_eq(utf8_whole("\xc3\xa9\xf0\x9f\x90", 5), 2);
    cr_expect_eq(utf8_whole("a\x80\x80\x80", 4), 4, "no beginning");
    cr_expect_eq(utf8_whole("\xe2\x80\x80\x80", 4), 4);
}

CASES_RUN(utf8, NULL, NULL)
