/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/utf8.h"
#include "base/bits.h"
#include <stdbool.h>

/* First bytes, and what is left of the second one when overlong forms, surrogates and what is above
 * U+10FFFF are excluded. All other bytes are 0x80..0xbf. */
static const struct utf8_row {
    uint8_t first_low;
    uint8_t first_high;
    uint8_t second_low;
    uint8_t second_high;
    uint8_t len;
} utf8_rows[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
    {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static const struct utf8_row *utf8_row_of(uint8_t first)
{
    for (size_t i = 0; i < ARRAY_LEN(utf8_rows); i++)
        if (first >= utf8_rows[i].first_low && first <= utf8_rows[i].first_high)
            return &utf8_rows[i];
    return NULL;
}

static bool utf8_continues(const struct utf8_row *row, size_t at, uint8_t byte)
{
    if (at == 1)
        return byte >= row->second_low && byte <= row->second_high;
    return byte >= 0x80 && byte <= 0xbf;
}

size_t utf8_decode(const char *text, size_t len, uint32_t *code)
{
    uint8_t first = (uint8_t)text[0];
    const struct utf8_row *row = utf8_row_of(first);

    *code = first < 0x80 ? first : UTF8_INVALID;
    if (row == NULL)
        return 1;
    uint32_t value = first & (0x7fu >> row->len);
    for (size_t at = 1; at < row->len; at++) {
        if (at == len) {
            *code = UTF8_CUT;
            return at;
        }
        uint8_t byte = (uint8_t)text[at];
        if (!utf8_continues(row, at, byte))
            return at;
        value = value << 6 | (byte & 0x3fu);
    }
    *code = value;
    return row->len;
}

size_t utf8_whole(const char *text, size_t len)
{
    uint32_t code;

    for (size_t n = 1; n < UTF8_MAX && n <= len; n++)
        if (utf8_decode(text + len - n, n, &code) == n && code == UTF8_CUT)
            return len - n;
    return len;
}
