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

/* PeriphID0-1 and PCellID0-3 (3.3.13-3.3.14): the part number, and the class of all PrimeCells. */
bool uart_is_pl011(uint64_t base)
{
    static const uint8_t cell_id[] = {0x0d, 0xf0, 0x05, 0xb1};
    const volatile char *regs = (const volatile char *)base;

    if ((mmio_read32(regs, 0xfe0) & 0xff) != 0x11 || (mmio_read32(regs, 0xfe4) & 0x0f) != 0)
        return false;
    for (uint64_t i = 0; i < sizeof(cell_id); i++)
        if ((mmio_read32(regs, 0xff0 + 4 * i) & 0xff) != cell_id[i])
            return false;
    return true;
}

void uart_init(uint64_t base)
{
    volatile char *regs = (volatile char *)base;

    uart = NULL;
    if (base == 0)
        return;
    /* Reception stays raised: with bytes in the FIFO it would not be raised again. */
    mmio_write32(regs, UARTICR, 0x7ff & ~(INT_RX | INT_RT));
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
        panic_hold_off();
        mmio_write32(uart, UARTDR, (uint32_t)(unsigned char)text[i]);
        panic_release();
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
