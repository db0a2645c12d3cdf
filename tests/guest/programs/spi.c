/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* SPIs made pending by software, and the UART's. */
#include "lib/con.h"
#include "lib/gic.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"

/* No device of the machine is wired to these. */
#define SPI_A 56u
#define SPI_B 57u
#define SPI_C 58u

static volatile bool seen_active;
static volatile bool seen_pending;
static volatile uint32_t seen_mis;

static void note_state(uint32_t intid)
{
    seen_active = gic_is_active(intid);
    seen_pending = gic_is_pending(intid);
}

static void test_pend(bool edge, const char *const names[4])
{
    gic_log_reset();
    gic_set_callback(note_state);
    gic_set_edge(SPI_A, edge);
    gic_enable(SPI_A);
    gic_set_pending(SPI_A);
    tap_ok(gic_is_pending(SPI_A), names[0]);
    gic_open_window();
    tap_ok(gic_log.taken == 1 && gic_log.order[0] == SPI_A, names[1]);
    tap_ok(seen_active && !seen_pending, names[2]);
    tap_ok(!gic_is_active(SPI_A) && !gic_is_pending(SPI_A), names[3]);
    gic_disable(SPI_A);
    gic_set_callback(NULL);
}

static void pend_again(uint32_t intid)
{
    if (gic_log.taken == 1) {
        gic_set_pending(intid);
        note_state(intid);
    }
}

static void test_pend_while_active(void)
{
    gic_log_reset();
    gic_set_edge(SPI_A, true);
    gic_enable(SPI_A);
    gic_set_callback(pend_again);
    gic_set_pending(SPI_A);
    gic_open_window();
    tap_ok(seen_active && seen_pending, "pended by its handler: active and pending");
    tap_eq(gic_log.taken, 2, "pended by its handler: arrives again");
    gic_disable(SPI_A);
    gic_set_callback(NULL);
}

static void test_enable(void)
{
    gic_log_reset();
    gic_set_pending(SPI_B);
    gic_open_window();
    tap_ok(gic_log.taken == 0 && gic_is_pending(SPI_B), "disabled: stays pending");
    gic_enable(SPI_B);
    gic_open_window();
    tap_ok(gic_log.taken == 1, "enabled: arrives");
    gic_set_pending(SPI_B);
    gic_clear_pending(SPI_B);
    gic_open_window();
    tap_ok(gic_log.taken == 1, "GICD_ICPENDR takes it back");
    mmio_write32(GICD_BASE + GICD_CTLR, GICD_CTLR_ARE);
    gic_set_pending(SPI_B);
    gic_open_window();
    tap_ok(gic_log.taken == 1, "GICD_CTLR.EnableGrp1 = 0 lets nothing through");
    mmio_write32(GICD_BASE + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_ENABLE_GRP1);
    gic_open_window();
    tap_ok(gic_log.taken == 2, "GICD_CTLR.EnableGrp1 = 1 does");
    gic_disable(SPI_B);
}

static void test_order(void)
{
    gic_log_reset();
    gic_set_priority(SPI_A, 0x90);
    gic_set_priority(SPI_B, 0x40);
    gic_set_priority(SPI_C, 0x60);
    gic_set_priority(3, 0x50);
    gic_enable(3);
    gic_enable(SPI_A);
    gic_enable(SPI_B);
    gic_enable(SPI_C);
    gic_set_pending(SPI_A);
    gic_set_pending(SPI_C);
    gic_send_self(3);
    gic_set_pending(SPI_B);
    gic_open_window();
    tap_ok(gic_log.taken == 4 && gic_log.order[0] == SPI_B && gic_log.order[1] == 3 &&
               gic_log.order[2] == SPI_C && gic_log.order[3] == SPI_A,
           "SPIs and an SGI arrive in the order of their priorities");
    gic_disable(3);
    gic_disable(SPI_A);
    gic_disable(SPI_B);
    gic_disable(SPI_C);
}

/* More SPIs pending at once than any implementation has list registers. */
static void test_many(void)
{
    bool ascending = true;

    gic_log_reset();
    for (uint32_t intid = 40; intid < 64; intid++) {
        gic_set_priority(intid, GIC_PRIORITY_DEFAULT);
        gic_enable(intid);
        gic_set_pending(intid);
    }
    gic_open_window();
    uint64_t seen = 0;
    for (unsigned i = 0; i < 24; i++) {
        ascending = ascending && gic_log.order[i] >= 40 && gic_log.order[i] < 64;
        seen |= 1UL << (gic_log.order[i] % 64);
    }
    tap_ok(gic_log.taken == 24 && ascending && seen == 0xffffff0000000000UL,
           "24 pending SPIs arrive once each");
    for (uint32_t intid = 40; intid < 64; intid++) {
        gic_disable(intid);
    }
}

static void on_uart(uint32_t intid)
{
    if (intid == INTID_UART) {
        seen_mis = mmio_read32(PL011_BASE + UART_MIS);
        mmio_write32(PL011_BASE + UART_ICR, UART_INT_TX);
    }
}

static void test_uart_tx(void)
{
    con_printf("# the UART's interrupt is level sensitive and raised by this line\n");
    gic_log_reset();
    gic_set_callback(on_uart);
    gic_enable(INTID_UART);
    mmio_write32(PL011_BASE + UART_ICR, UART_INT_TX);
    mmio_write32(PL011_BASE + UART_IMSC, UART_INT_TX);
    sys_irq_unmask();
    con_printf("# x\n");
    bool arrived = gic_wait_taken(1);
    timer_delay_us(1000);
    sys_irq_mask();
    mmio_write32(PL011_BASE + UART_IMSC, 0);
    mmio_write32(PL011_BASE + UART_ICR, 0x7ff);
    tap_ok(arrived && gic_log.order[0] == INTID_UART, "the UART's transmit interrupt arrives");
    tap_eq(seen_mis, UART_INT_TX, "UARTMIS says transmit");

    gic_log_reset();
    con_printf("# y\n");
    gic_open_window();
    tap_eq(gic_log.taken, 0, "masked in UARTIMSC, none arrives");
    tap_ok(!gic_is_pending(INTID_UART), "and none is pending");
    gic_disable(INTID_UART);
    gic_set_callback(NULL);
}

/* Takes its cause away only when it comes for the third time. */
static void on_stubborn_uart(uint32_t intid)
{
    if (intid == INTID_UART && gic_log.taken == 3) {
        mmio_write32(PL011_BASE + UART_IMSC, 0);
    }
}

static void test_level_again(void)
{
    gic_log_reset();
    gic_set_callback(on_stubborn_uart);
    gic_enable(INTID_UART);
    mmio_write32(PL011_BASE + UART_ICR, UART_INT_TX);
    mmio_write32(PL011_BASE + UART_IMSC, UART_INT_TX);
    sys_irq_unmask();
    con_printf("# z\n");
    bool arrived = gic_wait_taken(3);
    timer_delay_us(1000);
    sys_irq_mask();
    mmio_write32(PL011_BASE + UART_IMSC, 0);
    mmio_write32(PL011_BASE + UART_ICR, 0x7ff);
    tap_ok(arrived && gic_log.taken == 3, "a line that stays high interrupts until it is low");
    gic_disable(INTID_UART);
    gic_set_callback(NULL);
}

void guest_main(void)
{
    static const char *const level[] = {
        "level: GICD_ISPENDR makes it pending",
        "level: it arrives",
        "level: active and not pending in the handler",
        "level: neither afterwards",
    };
    static const char *const edge[] = {
        "edge: GICD_ISPENDR makes it pending",
        "edge: it arrives",
        "edge: active and not pending in the handler",
        "edge: neither afterwards",
    };

    gic_init();
    test_pend(false, level);
    test_pend(true, edge);
    test_pend_while_active();
    test_enable();
    test_order();
    test_many();
    test_uart_tx();
    test_level_again();
}
