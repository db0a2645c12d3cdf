/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The PL011 as DDI 0183 describes it and Linux's amba-pl011 uses it. */
#include "lib/con.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"

static uint32_t get(unsigned offset)
{
    return mmio_read32(PL011_BASE + offset);
}

static void set(unsigned offset, uint32_t value)
{
    mmio_write32(PL011_BASE + offset, value);
}

static bool wait_flag(uint32_t mask, uint32_t want)
{
    uint64_t start = timer_now();

    while ((get(UART_FR) & mask) != want) {
        if (timer_now() - start > timer_frequency()) {
            return false;
        }
    }
    return true;
}

/* Taken before the first character is printed: the console sets the UART up. */
struct reset_state {
    uint32_t fr, cr, lcr_h, ifls, imsc, ris, mis, rsr;
};

static struct reset_state read_reset_state(void)
{
    return (struct reset_state){
        .fr = get(UART_FR),
        .cr = get(UART_CR),
        .lcr_h = get(UART_LCR_H),
        .ifls = get(UART_IFLS),
        .imsc = get(UART_IMSC),
        .ris = get(UART_RIS),
        .mis = get(UART_MIS),
        .rsr = get(UART_RSR),
    };
}

static void test_reset_state(const struct reset_state *state)
{
    tap_eq(state->fr & 0xf8, UART_FR_TXFE | UART_FR_RXFE,
           "reset: UARTFR: both FIFOs empty, not busy");
    tap_eq(state->cr, 0x300, "reset: UARTCR: transmit and receive enabled, UART off");
    tap_eq(state->lcr_h, 0, "reset: UARTLCR_H");
    tap_eq(state->ifls, 0x12, "reset: UARTIFLS: half full");
    tap_eq(state->imsc, 0, "reset: UARTIMSC: all masked");
    tap_eq(state->ris & ~0xfu, 0, "reset: UARTRIS");
    tap_eq(state->mis, 0, "reset: UARTMIS");
    tap_eq(state->rsr, 0, "reset: UARTRSR");
}

static void test_identification(void)
{
    static const uint32_t cell[] = {0x0d, 0xf0, 0x05, 0xb1};
    bool right = true;

    for (unsigned i = 0; i < 4; i++) {
        right = right && get(UART_PCELLID0 + 4 * i) == cell[i];
    }
    tap_ok(right, "UARTPCellID0-3");
    tap_eq(get(UART_PERIPHID0), 0x11, "UARTPeriphID0: part 0x11");
    tap_eq(get(UART_PERIPHID0 + 4), 0x10, "UARTPeriphID1: part 0, designer 0x1");
    tap_eq(get(UART_PERIPHID0 + 8) & 0xf, 4, "UARTPeriphID2: designer 0x4");
    tap_eq(get(UART_PERIPHID0 + 12), 0, "UARTPeriphID3");
}

static bool reads_back(unsigned offset, uint32_t bits)
{
    bool good = true;

    for (uint32_t bit = 1; bit != 0 && bit <= bits; bit <<= 1) {
        if ((bits & bit) != 0) {
            set(offset, bit);
            good = good && get(offset) == bit;
        }
    }
    set(offset, bits);
    good = good && get(offset) == bits;
    set(offset, 0);
    return good && get(offset) == 0;
}

static void test_read_back(void)
{
    bool ibrd = reads_back(UART_IBRD, 0xffff);
    bool fbrd = reads_back(UART_FBRD, 0x3f);
    bool lcr_h = reads_back(UART_LCR_H, 0xfe);
    bool ifls = reads_back(UART_IFLS, 0x3f);
    bool imsc = reads_back(UART_IMSC, 0x7f0);

    con_init();
    tap_ok(ibrd, "UARTIBRD reads back");
    tap_ok(fbrd, "UARTFBRD reads back");
    tap_ok(lcr_h, "UARTLCR_H reads back");
    tap_ok(ifls, "UARTIFLS reads back");
    tap_ok(imsc, "UARTIMSC reads back");
    tap_eq(get(UART_CR) & 0x301, 0x301, "UARTCR reads back");
    tap_eq(get(UART_LCR_H), 0x70, "FIFOs are on");
}

static void test_transmit(void)
{
    con_printf("# 64 characters: ");
    for (unsigned i = 0; i < 64; i++) {
        con_putc((char)('!' + i));
    }
    con_printf("\n");
    tap_ok(wait_flag(UART_FR_BUSY | UART_FR_TXFF | UART_FR_TXFE, UART_FR_TXFE),
           "the transmit FIFO drains");
    tap_eq(get(UART_FR) & (UART_FR_RXFE | UART_FR_RXFF), UART_FR_RXFE, "the receive FIFO is empty");
    set(UART_LCR_H, 0x60);
    con_printf("# FIFOs off\n");
    tap_ok(wait_flag(UART_FR_BUSY | UART_FR_TXFF | UART_FR_TXFE, UART_FR_TXFE),
           "without FIFOs too");
    con_init();
}

static void test_interrupts(void)
{
    wait_flag(UART_FR_BUSY, 0);
    set(UART_ICR, 0x7ff);
    uint32_t cleared = get(UART_RIS) & 0x7f0;
    con_printf("# interrupt\n");
    wait_flag(UART_FR_BUSY | UART_FR_TXFE, UART_FR_TXFE);
    uint32_t raised = get(UART_RIS);
    uint32_t masked = get(UART_MIS);
    set(UART_IMSC, UART_INT_TX);
    uint32_t unmasked = get(UART_MIS);
    set(UART_IMSC, 0x7f0 & ~UART_INT_TX);
    uint32_t others = get(UART_MIS);
    set(UART_IMSC, 0);
    set(UART_ICR, UART_INT_RX);
    uint32_t other_cleared = get(UART_RIS) & UART_INT_TX;
    set(UART_ICR, UART_INT_TX);
    uint32_t again = get(UART_RIS) & UART_INT_TX;
    set(UART_RIS, ~0u);
    set(UART_MIS, ~0u);
    uint32_t read_only = get(UART_RIS) & 0x7f0;

    tap_eq(cleared, 0, "UARTICR clears all");
    tap_eq(raised & UART_INT_TX, UART_INT_TX, "UARTRIS: transmit after the FIFO drained");
    tap_eq(masked, 0, "UARTMIS: nothing while masked");
    tap_eq(unmasked, UART_INT_TX, "UARTMIS: transmit when unmasked");
    tap_eq(others, 0, "UARTMIS: nothing with all others unmasked");
    tap_eq(other_cleared, UART_INT_TX, "UARTICR of another leaves it");
    tap_eq(again, 0, "UARTICR clears it");
    tap_eq(read_only, 0, "UARTRIS and UARTMIS are read-only");
}

void guest_main(void)
{
    struct reset_state state = read_reset_state();

    test_reset_state(&state);
    test_identification();
    test_read_back();
    test_transmit();
    test_interrupts();
}
