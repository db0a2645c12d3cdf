/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any bytes as UTF-8: against a decoder that computes instead of looking up, in pieces that are
 * never read beyond. */
#include "base/utf8.h"
#include "fuzz.h"

#define NONE UINT32_MAX

/* How many bytes the first one says, 0: none. */
static size_t announced(uint8_t first)
{
    return first < 0x80   ? 1
           : first < 0xc0 ? 0
           : first < 0xe0 ? 2
           : first < 0xf0 ? 3
           : first < 0xf8 ? 4
                          : 0;
}

/* The character of exactly text[0..len), or NONE. */
static uint32_t reference(const uint8_t *text, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t code = len == 1 ? text[0] : text[0] & (0x7fu >> len);

    if (announced(text[0]) != len)
        return NONE;
    for (size_t i = 1; i < len; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return NONE;
        code = code << 6 | (text[i] & 0x3f);
    }
    return code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? NONE : code;
}

/* Whether some bytes behind text[0..len) would make it a character: of up to three, all are tried
 * that decide. */
static bool may_become_one(const uint8_t *text, size_t len)
{
    size_t wanted = announced(text[0]);
    uint8_t more[4];

    if (len >= wanted)
        return false;
    for (unsigned next = 0x80; next <= 0xbf; next++) {
        memset(more, (int)next, sizeof(more));
        memcpy(more, text, len);
        if (reference(more, wanted) != NONE)
            return true;
    }
    return false;
}

static size_t check_one(const uint8_t *text, size_t len)
{
    uint32_t code;
    size_t n = utf8_decode((const char *)text, len, &code);

    FUZZ_ASSERT(n >= 1 && n <= 4 && n <= len);
    if (code == UTF8_CUT)
        FUZZ_ASSERT(n == len && may_become_one(text, n));
    else if (code == UTF8_INVALID)
        FUZZ_ASSERT(n < len ? !may_become_one(text, n + 1) && reference(text, n) == NONE
                            : !may_become_one(text, n));
    else
        FUZZ_ASSERT(reference(text, n) == code);
    /* What is taken together as an error is the beginning of a character, or one byte. */
    FUZZ_ASSERT(code != UTF8_INVALID || n == 1 || may_become_one(text, n));
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *text = malloc(size > 0 ? size : 1); /* its own: a sanitizer guards its end */
    uint32_t code = 0;
    size_t whole, n = 0;

    FUZZ_ASSERT(text != NULL);
    memcpy(text, data, size);
    for (size_t at = 0; at < size; at += n)
        n = check_one(text + at, size - at);
    if (size > 0)
        (void)utf8_decode((const char *)text + size - n, n, &code);
    whole = utf8_whole((const char *)text, size);
    FUZZ_ASSERT(whole == (code == UTF8_CUT ? size - n : size));
    free(text);
    return 0;
}
