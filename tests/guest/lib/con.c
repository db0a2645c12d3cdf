/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/con.h"

#include "lib/sys.h"

static bool con_ready;

static uint32_t uart_read(unsigned offset)
{
    return mmio_read32(PL011_BASE + offset);
}

static void uart_write(unsigned offset, uint32_t value)
{
    mmio_write32(PL011_BASE + offset, value);
}

void con_init(void)
{
    uart_write(UART_CR, 0);
    uart_write(UART_IMSC, 0);
    uart_write(UART_ICR, 0x7ff);
    uart_write(UART_IBRD, 13);
    uart_write(UART_FBRD, 1);
    uart_write(UART_LCR_H, 0x70); /* 8 bits, FIFOs on */
    uart_write(UART_IFLS, 0x12);
    uart_write(UART_CR, 0x301); /* UARTEN, TXE, RXE */
    con_ready = true;
}

void con_putc(char character)
{
    if (!con_ready) {
        con_init();
    }
    while ((uart_read(UART_FR) & UART_FR_TXFF) != 0) {
    }
    uart_write(UART_DR, (unsigned char)character);
}

static void con_puts(const char *text)
{
    while (*text != '\0') {
        con_putc(*text++);
    }
}

static void con_put_number(uint64_t value, unsigned base)
{
    char digits[24];
    unsigned count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (count > 0) {
        con_putc(digits[--count]);
    }
}

/* Prints one conversion whose letter (after an optional l) is at `format`; returns the letter's
 * address. */
static const char *con_convert(const char *format, va_list *args)
{
    bool is_long = *format == 'l';
    if (is_long) {
        format++;
    }
    switch (*format) {
    case 's':
        con_puts(va_arg(*args, const char *));
        break;
    case 'c':
        con_putc((char)va_arg(*args, int));
        break;
    case 'u':
    case 'x':
        con_put_number(is_long ? va_arg(*args, unsigned long) : va_arg(*args, unsigned int),
                       *format == 'x' ? 16 : 10);
        break;
    default:
        con_putc(*format);
        break;
    }
    return format;
}

void con_vprintf(const char *format, va_list args)
{
    va_list copy;

    va_copy(copy, args);
    for (; *format != '\0'; format++) {
        if (*format == '%' && format[1] != '\0') {
            format = con_convert(format + 1, &copy);
        } else {
            con_putc(*format);
        }
    }
    va_end(copy);
}

void con_printf(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    con_vprintf(format, args);
    va_end(args);
}
