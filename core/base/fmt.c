/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "base/fmt.h"
#include <stdbool.h>
#include <stdint.h>

/* Where the text goes. `len` counts on past `room`, so that the caller learns the length of the
 * whole text. */
struct fmt_out {
    char *buf;
    size_t room; /* without the terminating NUL */
    size_t len;
};

enum fmt_length { LENGTH_INT, LENGTH_HH, LENGTH_H, LENGTH_L, LENGTH_LL, LENGTH_Z, LENGTH_J };

/* One conversion specification. Arguments for '*' are read only after the whole of it proved to be
 * known. */
struct fmt_spec {
    bool left;
    bool zero;
    bool alt;
    bool width_arg;
    bool precision_arg;
    bool has_precision;
    char conversion;
    enum fmt_length length;
    size_t width;
    size_t precision;
};

static void fmt_put(struct fmt_out *out, char c)
{
    if (out->len < out->room)
        out->buf[out->len] = c;
    out->len++;
}

/* Costs no more than the buffer has room for, however large `count` is. */
static void fmt_pad(struct fmt_out *out, char c, size_t count)
{
    size_t left = out->len < out->room ? out->room - out->len : 0;
    size_t visible = count < left ? count : left;

    for (size_t i = 0; i < visible; i++)
        out->buf[out->len + i] = c;
    out->len += count;
}

static size_t fmt_fill(const struct fmt_spec *spec, size_t body)
{
    return spec->width > body ? spec->width - body : 0;
}

/* Text of a %s or %c, of known length. */
static void fmt_text(struct fmt_out *out, const struct fmt_spec *spec, const char *text, size_t len)
{
    size_t fill = fmt_fill(spec, len);

    if (!spec->left)
        fmt_pad(out, ' ', fill);
    for (size_t i = 0; i < len; i++)
        fmt_put(out, text[i]);
    if (spec->left)
        fmt_pad(out, ' ', fill);
}

static void fmt_string(struct fmt_out *out, const struct fmt_spec *spec, const char *text)
{
    size_t len = 0;

    if (text == NULL)
        text = "(null)";
    /* With a precision, the text need not be terminated. */
    while ((!spec->has_precision || len < spec->precision) && text[len] != '\0')
        len++;
    fmt_text(out, spec, text, len);
}

/* Writes the digits of `value` to the end of `digits` and returns how many there are; none for 0.
 */
static size_t fmt_digits(char digits[20], uint64_t value, bool hex, bool upper)
{
    const char *alphabet = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    size_t count = 0;

    while (value != 0) {
        count++;
        digits[20 - count] = alphabet[hex ? value & 15 : value % 10];
        value = hex ? value >> 4 : value / 10;
    }
    return count;
}

/* `prefix` is a sign, "0x" or nothing. */
static void fmt_number(struct fmt_out *out, const struct fmt_spec *spec, const char *prefix,
                       uint64_t value)
{
    bool upper = spec->conversion == 'X';
    bool hex = upper || spec->conversion == 'x' || spec->conversion == 'p';
    char digits[20];
    size_t count = fmt_digits(digits, value, hex, upper);
    size_t prefix_len = 0;
    size_t least = spec->has_precision ? spec->precision : 1;
    size_t zeros = least > count ? least - count : 0;

    while (prefix[prefix_len] != '\0')
        prefix_len++;
    size_t fill = fmt_fill(spec, prefix_len + zeros + count);
    /* C11 7.21.6.1: '-' and, for integers, a precision override '0'. */
    if (spec->zero && !spec->left && !spec->has_precision) {
        zeros += fill;
        fill = 0;
    }
    if (!spec->left)
        fmt_pad(out, ' ', fill);
    for (size_t i = 0; i < prefix_len; i++)
        fmt_put(out, prefix[i]);
    fmt_pad(out, '0', zeros);
    for (size_t i = 0; i < count; i++)
        fmt_put(out, digits[20 - count + i]);
    if (spec->left)
        fmt_pad(out, ' ', fill);
}

static int64_t fmt_arg_signed(va_list *args, enum fmt_length length)
{
    switch (length) {
    case LENGTH_INT:
        break;
    case LENGTH_HH:
        return (signed char)va_arg(*args, int);
    case LENGTH_H:
        return (short)va_arg(*args, int);
    case LENGTH_L:
        return va_arg(*args, long);
    case LENGTH_LL:
        return va_arg(*args, long long);
    case LENGTH_Z:
        return (ptrdiff_t)va_arg(*args, size_t);
    case LENGTH_J:
        return va_arg(*args, intmax_t);
    }
    return va_arg(*args, int);
}

static uint64_t fmt_arg_unsigned(va_list *args, enum fmt_length length)
{
    switch (length) {
    case LENGTH_INT:
        break;
    case LENGTH_HH:
        return (unsigned char)va_arg(*args, unsigned);
    case LENGTH_H:
        return (unsigned short)va_arg(*args, unsigned);
    case LENGTH_L:
        return va_arg(*args, unsigned long);
    case LENGTH_LL:
        return va_arg(*args, unsigned long long);
    case LENGTH_Z:
        return va_arg(*args, size_t);
    case LENGTH_J:
        return va_arg(*args, uintmax_t);
    }
    return va_arg(*args, unsigned);
}

/* Decimal digits at *at; saturates where an int would overflow. */
static size_t fmt_parse_number(const char **at)
{
    size_t value = 0;

    for (; **at >= '0' && **at <= '9'; (*at)++) {
        value = value * 10 + (size_t)(**at - '0');
        if (value > INT32_MAX)
            value = INT32_MAX;
    }
    return value;
}

static enum fmt_length fmt_parse_length(const char **at)
{
    const char *s = *at;

    if (s[0] == 'h' || s[0] == 'l') {
        bool twice = s[1] == s[0];
        *at += twice ? 2 : 1;
        if (s[0] == 'h')
            return twice ? LENGTH_HH : LENGTH_H;
        return twice ? LENGTH_LL : LENGTH_L;
    }
    if (s[0] == 'z' || s[0] == 'j') {
        *at += 1;
        return s[0] == 'z' ? LENGTH_Z : LENGTH_J;
    }
    return LENGTH_INT;
}

static void fmt_parse_flags(const char **at, struct fmt_spec *spec)
{
    for (;; (*at)++) {
        if (**at == '-')
            spec->left = true;
        else if (**at == '0')
            spec->zero = true;
        else if (**at == '#')
            spec->alt = true;
        else
            return;
    }
}

/* True if the text that `*at` was compared with stood there and has been skipped. */
static bool fmt_accept(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

static bool fmt_conversion_known(const struct fmt_spec *spec)
{
    switch (spec->conversion) {
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'X':
        return true;
    case 'c':
    case 's':
    case 'p':
        return spec->length == LENGTH_INT;
    default:
        return false;
    }
}

/* Parses what follows a '%'. Returns the rest of the format, or NULL if the conversion is not
 * known. */
static const char *fmt_parse(const char *at, struct fmt_spec *spec)
{
    fmt_parse_flags(&at, spec);
    spec->width_arg = fmt_accept(&at, '*');
    if (!spec->width_arg)
        spec->width = fmt_parse_number(&at);
    spec->has_precision = fmt_accept(&at, '.');
    if (spec->has_precision) {
        spec->precision_arg = fmt_accept(&at, '*');
        if (!spec->precision_arg)
            spec->precision = fmt_parse_number(&at);
    }
    spec->length = fmt_parse_length(&at);
    spec->conversion = *at;
    return fmt_conversion_known(spec) ? at + 1 : NULL;
}

/* A negative width means '-', a negative precision means none (C11 7.21.6.1). */
static void fmt_resolve_args(struct fmt_spec *spec, va_list *args)
{
    if (spec->width_arg) {
        int64_t width = va_arg(*args, int);
        spec->left = spec->left || width < 0;
        spec->width = (size_t)(width < 0 ? -width : width);
    }
    if (spec->precision_arg) {
        int precision = va_arg(*args, int);
        spec->has_precision = precision >= 0;
        spec->precision = precision >= 0 ? (size_t)precision : 0;
    }
}

static void fmt_signed(struct fmt_out *out, const struct fmt_spec *spec, int64_t value)
{
    if (value < 0)
        fmt_number(out, spec, "-", UINT64_C(0) - (uint64_t)value);
    else
        fmt_number(out, spec, "", (uint64_t)value);
}

static void fmt_unsigned(struct fmt_out *out, const struct fmt_spec *spec, uint64_t value)
{
    bool prefixed = spec->alt && value != 0;

    if (prefixed && spec->conversion == 'x')
        fmt_number(out, spec, "0x", value);
    else if (prefixed && spec->conversion == 'X')
        fmt_number(out, spec, "0X", value);
    else
        fmt_number(out, spec, "", value);
}

static void fmt_convert(struct fmt_out *out, struct fmt_spec *spec, va_list *args)
{
    fmt_resolve_args(spec, args);
    switch (spec->conversion) {
    case 'd':
    case 'i':
        fmt_signed(out, spec, fmt_arg_signed(args, spec->length));
        break;
    case 'c': {
        char c = (char)va_arg(*args, int);
        fmt_text(out, spec, &c, 1);
        break;
    }
    case 's':
        fmt_string(out, spec, va_arg(*args, const char *));
        break;
    case 'p':
        fmt_number(out, spec, "0x", (uintptr_t)va_arg(*args, void *));
        break;
    default:
        fmt_unsigned(out, spec, fmt_arg_unsigned(args, spec->length));
        break;
    }
}

static void fmt_run(struct fmt_out *out, const char *format, va_list *args)
{
    bool verbatim = false;

    while (*format != '\0') {
        struct fmt_spec spec = {0};
        const char *rest;

        if (verbatim || *format != '%') {
            fmt_put(out, *format++);
        } else if (format[1] == '%') {
            fmt_put(out, '%');
            format += 2;
        } else if ((rest = fmt_parse(format + 1, &spec)) != NULL) {
            fmt_convert(out, &spec, args);
            format = rest;
        } else {
            verbatim = true;
        }
    }
}

int fmt_vsnprintf(char *buf, size_t size, const char *format, va_list args)
{
    struct fmt_out out = {.buf = buf, .room = size > 0 ? size - 1 : 0, .len = 0};
    va_list own;

    /* va_list may be an array type, whose parameter has decayed: only a copy can be passed by its
     * address. */
    va_copy(own, args);
    fmt_run(&out, format, &own);
    va_end(own);
    if (size > 0)
        buf[out.len < out.room ? out.len : out.room] = '\0';
    return out.len > INT32_MAX ? INT32_MAX : (int)out.len;
}

int fmt_snprintf(char *buf, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = fmt_vsnprintf(buf, size, format, args);
    va_end(args);
    return len;
}
