/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The machine's PL011 (DDI 0183) as console. Line settings are the firmware's. */
#include "hal/hal.h"
#include "internal.h"

#define UARTDR   0x000u
#define UARTFR   0x018u
#define UARTLCRH 0x02cu
#define UARTCR   0x030u
#define UARTIFLS 0x034u
#define UARTIMSC 0x038u
#define UARTICR  0x044u

#define FR_RXFE (UINT32_C(1) << 4)
#define FR_TXFF (UINT32_C(1) << 5)
#define INT_RX  (UINT32_C(1) << 4)
#define INT_RT  (UINT32_C(1) << 6)

static volatile char *uart; /* NULL: no console */

void uart_init(uint64_t base)
{
    volatile char *regs = (volatile char *)base;

    uart = NULL;
    if (base == 0)
        return;
    mmio_write32(regs, UARTICR, 0x7ff);
    mmio_write32(regs, UARTLCRH, mmio_read32(regs, UARTLCRH) | 0x70); /* 8 bits, FIFOs */
    mmio_write32(regs, UARTIFLS, 0);                                  /* interrupt at 1/8 full */
    mmio_write32(regs, UARTCR, 0x301);                                /* enable, TX, RX */
    mmio_write32(regs, UARTIMSC, INT_RX | INT_RT);
    uart = regs;
}

void hal_console_write(const char *text, size_t len)
{
    if (uart == NULL)
        return;
    for (size_t i = 0; i < len; i++) {
        while ((mmio_read32(uart, UARTFR) & FR_TXFF) != 0) {
        }
        mmio_write32(uart, UARTDR, (uint32_t)(unsigned char)text[i]);
    }
}

size_t hal_console_read(char *buf, size_t size)
{
    size_t n = 0;

    if (uart == NULL)
        return 0;
    mmio_write32(uart, UARTICR, INT_RT);
    while (n < size && (mmio_read32(uart, UARTFR) & FR_RXFE) == 0)
        buf[n++] = (char)mmio_read32(uart, UARTDR);
    return n;
}
