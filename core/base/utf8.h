/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* UTF-8 that may be anything but that: RFC 3629, and table 3-7 of the Unicode Standard. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_MAX         4u                   /* bytes of a character */
#define UTF8_REPLACEMENT "\xef\xbf\xbd"       /* U+FFFD */
#define UTF8_INVALID     UINT32_C(0xffffffff) /* no character */
#define UTF8_CUT         (UTF8_INVALID - 1u)  /* the text ends within a character */

/*
 * What text[0..len) begins with, len > 0: *code becomes the character, or UTF8_INVALID or UTF8_CUT.
 * Returns the bytes that belong to it, 1..4: of what is no character the longest part that one
 * could begin with, which stands for one error, or one byte.
 */
size_t utf8_decode(const char *text, size_t len, uint32_t *code);

/* How much of text[0..len) there is before the character within which it ends; len if it does not.
 */
size_t utf8_whole(const char *text, size_t len);

#endif
