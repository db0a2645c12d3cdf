/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Computes, while the virtual timer ticks every millisecond, for `ms` milliseconds of the command
 * line. Every 50 it says so. No tick may be late by more than `late` microseconds, if that is
 * given.
 */
#include "lib/con.h"
#include "lib/gic.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"

#define MILLISECOND 1000u
#define ROUND       50u
#define PATIENCE    10000000u /* microseconds */

static volatile uint64_t due;
static volatile uint64_t latest; /* how late a tick was at most */

static void on_tick(uint32_t intid)
{
    uint64_t now = timer_count(TIMER_VIRTUAL);

    if (intid != INTID_VTIMER) {
        return;
    }
    if (now - due > latest) {
        latest = now - due;
    }
    while (due <= now) {
        due += timer_us(MILLISECOND);
    }
    timer_set_cval(TIMER_VIRTUAL, due);
}

static void compute_until(uint64_t when)
{
    while (timer_now() < when) {
        for (unsigned i = 0; i < 10; i++) {
            __asm__ volatile(".rept 200\nnop\n.endr"); /* few branches: emulated, those cost most */
        }
    }
}

void guest_main(void)
{
    uint64_t rounds = sys_argument("ms", 100) / ROUND;
    uint64_t late = sys_argument("late", 0);
    uint64_t start;
    uint64_t end;

    gic_init();
    gic_set_callback(on_tick);
    gic_enable(INTID_VTIMER);
    start = timer_now();
    end = start + timer_us(rounds * ROUND * MILLISECOND);
    due = start + timer_us(MILLISECOND);
    timer_set_cval(TIMER_VIRTUAL, due);
    timer_set_ctl(TIMER_VIRTUAL, TIMER_ENABLE);
    sys_irq_unmask();
    for (uint64_t i = 1; i <= rounds; i++) {
        compute_until(start + timer_us(i * ROUND * MILLISECOND));
        con_printf("# %u ms\n", (unsigned)(i * ROUND));
    }
    /* On QEMU the host may take its time over the last one. */
    while (due <= end && timer_now() < end + timer_us(PATIENCE)) {
        compute_until(timer_now() + timer_us(MILLISECOND));
    }
    sys_irq_mask();
    tap_ok(due > end, "the timer ticks");
    if (late != 0) {
        if (latest > timer_us(late)) {
            con_printf("# %u ticks of the counter late\n", (unsigned)latest);
        }
        tap_ok(latest <= timer_us(late), "no tick is late");
    }
}
