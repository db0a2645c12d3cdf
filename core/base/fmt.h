/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Formatted text without libc. */
#ifndef BASE_FMT_H
#define BASE_FMT_H

#include <stdarg.h>
#include <stddef.h>

/*
 * Writes at most `size` bytes to `buf`, always NUL-terminated when size > 0, and returns the length
 * that the whole text would have had (as snprintf). Understands %d %i %u %x %X %c %s %p %% with
 * flags '-' '0' '#', width, '*' width, precision ('*' too) for %s and integers, and lengths hh h l
 * ll z j for integers. An unknown conversion is copied as it stands, and the rest of the text with
 * it: it is a bug of the caller, which must be visible, and must not read arguments. A NULL string
 * prints "(null)", a pointer prints as 0x and hexadecimal digits, NULL too. A length that an int
 * cannot hold is returned as INT_MAX. `buf` may be NULL when size is 0. Safe to call anywhere; uses
 * the stack only.
 */
int fmt_snprintf(char *buf, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int fmt_vsnprintf(char *buf, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

#endif
