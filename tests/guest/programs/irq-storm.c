/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Many interrupts, each counted: none lost, none twice. */
#include "lib/gic.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"

static enum timer_kind kind;
static unsigned ticks_left;
static volatile unsigned per_sgi[16];

static void on_sgi(uint32_t intid)
{
    if (intid < 16) {
        per_sgi[intid]++;
    }
}

static void on_tick(uint32_t intid)
{
    if (intid != timer_intid(kind)) {
        return;
    }
    if (--ticks_left == 0) {
        timer_set_ctl(kind, 0);
    } else {
        timer_set_cval(kind, timer_count(kind) + timer_us(20));
    }
}

static void test_sgis(void)
{
    bool arrived = true;

    gic_set_callback(on_sgi);
    sys_irq_unmask();
    for (unsigned i = 1; i <= 10000 && arrived; i++) {
        gic_send_self(i % 16);
        arrived = gic_wait_taken(i);
    }
    timer_delay_us(1000);
    sys_irq_mask();
    tap_ok(arrived, "10000 SGIs arrive");
    tap_eq(gic_log.taken, 10000, "and no more than 10000");
    bool even = true;
    for (unsigned i = 0; i < 16; i++) {
        even = even && per_sgi[i] == 625;
    }
    tap_ok(even, "625 of each number");
}

static void test_bursts(void)
{
    bool even = true;

    gic_log_reset();
    for (unsigned i = 0; i < 16; i++) {
        per_sgi[i] = 0;
    }
    /* More pending at once than any GIC has list registers. */
    for (unsigned round = 1; round <= 100; round++) {
        for (unsigned sgi = 0; sgi < 16; sgi++) {
            gic_send_self(sgi);
            gic_send_self(sgi);
        }
        sys_irq_unmask();
        even = even && gic_wait_taken(16 * round);
        sys_irq_mask();
    }
    for (unsigned i = 0; i < 16; i++) {
        even = even && per_sgi[i] == 100;
    }
    tap_ok(even, "100 bursts of 16 SGIs, each sent twice, arrive once each");
    tap_eq(gic_log.taken, 1600, "and no more than 1600");
}

static void test_ticks(enum timer_kind tested, const char *arrive, const char *no_more)
{
    kind = tested;
    ticks_left = 1000;
    gic_log_reset();
    gic_set_callback(on_tick);
    gic_enable(timer_intid(kind));
    timer_set_cval(kind, timer_count(kind));
    timer_set_ctl(kind, TIMER_ENABLE);
    sys_irq_unmask();
    tap_ok(gic_wait_taken(1000), arrive);
    timer_delay_us(1000);
    sys_irq_mask();
    tap_eq(gic_log.taken, 1000, no_more);
    gic_disable(timer_intid(kind));
}

void guest_main(void)
{
    gic_init();
    for (unsigned sgi = 0; sgi < 16; sgi++) {
        gic_enable(sgi);
    }
    test_sgis();
    test_bursts();
    test_ticks(TIMER_VIRTUAL, "1000 virtual timer interrupts arrive",
               "virtual timer: and no more than 1000");
    test_ticks(TIMER_PHYSICAL, "1000 physical timer interrupts arrive",
               "physical timer: and no more than 1000");
}
