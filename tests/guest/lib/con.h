/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Polled PL011 console (DDI 0183). */
#ifndef GUEST_CON_H
#define GUEST_CON_H

#include <stdarg.h>

/* Register offsets. */
#define UART_DR        0x00u
#define UART_RSR       0x04u
#define UART_FR        0x18u
#define UART_IBRD      0x24u
#define UART_FBRD      0x28u
#define UART_LCR_H     0x2cu
#define UART_CR        0x30u
#define UART_IFLS      0x34u
#define UART_IMSC      0x38u
#define UART_RIS       0x3cu
#define UART_MIS       0x40u
#define UART_ICR       0x44u
#define UART_PERIPHID0 0xfe0u
#define UART_PCELLID0  0xff0u

#define UART_FR_BUSY (1u << 3)
#define UART_FR_RXFE (1u << 4)
#define UART_FR_TXFF (1u << 5)
#define UART_FR_RXFF (1u << 6)
#define UART_FR_TXFE (1u << 7)
#define UART_INT_RX  (1u << 4)
#define UART_INT_TX  (1u << 5)

/**
 * Puts the UART into 8N1 with FIFOs, interrupts masked. Done by the first con_putc too, so a
 * program that looks at the UART's reset state must do so before it prints.
 */
void con_init(void);

/** Sends one character, waiting for room in the FIFO. */
void con_putc(char character);

/** printf with %s %c %u %x %lu %lx %%. */
void con_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void con_vprintf(const char *format, va_list args);

#endif
