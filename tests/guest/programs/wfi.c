/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* WFI and WFE return when they have a reason to; nothing here hangs unless one does not. */
#include "lib/gic.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"

static void stop_timer(uint32_t intid)
{
    if (intid == INTID_VTIMER) {
        timer_set_ctl(TIMER_VIRTUAL, 0);
    } else if (intid == INTID_PTIMER) {
        timer_set_ctl(TIMER_PHYSICAL, 0);
    }
}

static void test_pending(void)
{
    gic_send_self(1);
    for (unsigned i = 0; i < 100; i++) {
        sys_wfi();
    }
    tap_ok(gic_log.taken == 0, "WFI returns 100 times while a masked SGI is pending");
    sys_irq_unmask();
    bool arrived = gic_wait_taken(1);
    sys_irq_mask();
    tap_ok(arrived && gic_log.taken == 1, "and the SGI arrives when unmasked");
    gic_log_reset();
}

static bool wait_with(enum timer_kind kind, bool masked)
{
    gic_log_reset();
    for (unsigned i = 1; i <= 100; i++) {
        uint64_t deadline = timer_count(kind) + timer_us(200);
        timer_set_cval(kind, deadline);
        timer_set_ctl(kind, TIMER_ENABLE);
        while (timer_count(kind) < deadline) {
            sys_wfi();
            if (!masked) {
                sys_irq_unmask();
                sys_irq_mask();
            }
        }
        sys_irq_unmask();
        bool arrived = gic_wait_taken(i);
        sys_irq_mask();
        if (!arrived || gic_log.taken != i || gic_log.order[0] != timer_intid(kind)) {
            return false;
        }
    }
    return true;
}

static void test_timers(void)
{
    gic_set_callback(stop_timer);
    gic_enable(INTID_VTIMER);
    gic_enable(INTID_PTIMER);
    tap_ok(wait_with(TIMER_VIRTUAL, false), "the virtual timer ends 100 waits");
    tap_ok(wait_with(TIMER_VIRTUAL, true), "the virtual timer ends 100 waits, masked at PSTATE");
    tap_ok(wait_with(TIMER_PHYSICAL, false), "the physical timer ends 100 waits");
    tap_ok(wait_with(TIMER_PHYSICAL, true), "the physical timer ends 100 waits, masked at PSTATE");
}

static void test_events(void)
{
    for (unsigned i = 0; i < 100; i++) {
        __asm__ volatile("sevl\n\twfe" ::: "memory");
    }
    tap_ok(true, "WFE returns after SEVL, 100 times");
    for (unsigned i = 0; i < 100; i++) {
        __asm__ volatile("sev\n\twfe" ::: "memory");
    }
    tap_ok(true, "WFE returns after SEV, 100 times");
    for (unsigned i = 0; i < 100; i++) {
        __asm__ volatile("yield" ::: "memory");
    }
    tap_ok(true, "YIELD returns");
}

void guest_main(void)
{
    gic_init();
    gic_enable(1);
    test_pending();
    test_timers();
    test_events();
}
