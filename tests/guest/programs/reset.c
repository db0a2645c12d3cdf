/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * PSCI SYSTEM_RESET, from within an interrupt handler and with traces left everywhere: each life
 * looks for those of the last one. Nothing after the call may run.
 */
#include "lib/con.h"
#include "lib/gic.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"

#define TRACE    0x7472616365UL
#define SPI_LEFT 56u

static volatile bool reset_wanted;

/* Just below the end of memory, where nothing is loaded. */
static volatile uint64_t *left_word(void)
{
    return (volatile uint64_t *)(sys_ram_end() - sizeof(uint64_t));
}

/* Before anything is initialised. */
static void look_for_traces(void)
{
    tap_eq(*left_word(), 0, "memory is empty");
    tap_eq(mmio_read32(GICR_SGI_BASE + GIC_ISENABLER), 0, "no private interrupt is enabled");
    tap_eq(mmio_read32(GICR_SGI_BASE + GIC_ISPENDR), 0, "none is pending");
    tap_eq(mmio_read32(GICR_SGI_BASE + GIC_ISACTIVER), 0, "none is active");
    tap_ok(!gic_is_pending(SPI_LEFT), "no SPI is pending");
    tap_eq(SYS_READ(ICC_IGRPEN1), 0, "the CPU interface is closed");
    tap_eq(SYS_READ("tpidr_el1"), 0, "System registers are those of a reset");
    tap_eq(timer_get_ctl(TIMER_VIRTUAL) & TIMER_ENABLE, 0, "the virtual timer is off");
    tap_eq(timer_get_ctl(TIMER_PHYSICAL) & TIMER_ENABLE, 0, "the physical timer is off");
}

static void on_interrupt(uint32_t intid)
{
    if (intid == INTID_PTIMER) {
        timer_set_ctl(TIMER_PHYSICAL, 0);
    }
    if (intid == INTID_VTIMER && reset_wanted) {
        sys_hvc(PSCI_SYSTEM_RESET, 0);
        tap_fail("SYSTEM_RESET does not return", "it did");
    }
    timer_set_ctl(TIMER_VIRTUAL, 0);
}

/* The virtual timer's interrupt; the physical one ends a wait in vain. */
static void wait_for_timer(void)
{
    gic_log_reset();
    timer_set_cval(TIMER_PHYSICAL, timer_count(TIMER_PHYSICAL) + 2 * timer_frequency());
    timer_set_ctl(TIMER_PHYSICAL, TIMER_ENABLE);
    timer_set_cval(TIMER_VIRTUAL, timer_count(TIMER_VIRTUAL) + timer_us(20));
    timer_set_ctl(TIMER_VIRTUAL, TIMER_ENABLE);
    while (gic_log.taken == 0) {
        sys_wfi();
        sys_irq_unmask();
        sys_irq_mask();
    }
    timer_set_ctl(TIMER_PHYSICAL, 0);
}

/* What it leaves pending is not taken: only the timer's interrupt is important enough. */
static void leave_traces(void)
{
    gic_set_priority(INTID_VTIMER, 0x20);
    SYS_WRITE(ICC_PMR, 0x40);
    sys_isb();
    *left_word() = TRACE;
    SYS_WRITE("tpidr_el1", TRACE);
    gic_set_pending(SPI_LEFT);
    gic_enable(3);
    gic_send_self(3);
}

void guest_main(void)
{
    look_for_traces();
    gic_init();
    gic_set_callback(on_interrupt);
    gic_enable(INTID_VTIMER);
    gic_enable(INTID_PTIMER);
    wait_for_timer();
    tap_ok(gic_log.order[0] == INTID_VTIMER, "the virtual timer interrupts");
    tap_ok((int32_t)sys_hvc(PSCI_FEATURES, PSCI_SYSTEM_RESET) == 0, "SYSTEM_RESET is announced");
    tap_end();
    reset_wanted = true;
    leave_traces();
    wait_for_timer();
    tap_fail("the reset comes", "it did not");
}
