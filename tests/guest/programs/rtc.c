/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The PL031 as DDI 0224 describes it and Linux's rtc-pl031 uses it. */
#include "lib/gic.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"

#define RTC_BASE  0x09010000UL
#define INTID_RTC 34u

#define RTCDR   0x000u
#define RTCMR   0x004u
#define RTCLR   0x008u
#define RTCCR   0x00cu
#define RTCIMSC 0x010u
#define RTCRIS  0x014u
#define RTCMIS  0x018u
#define RTCICR  0x01cu

static uint32_t get(unsigned offset)
{
    return mmio_read32(RTC_BASE + offset);
}

static void set(unsigned offset, uint32_t value)
{
    mmio_write32(RTC_BASE + offset, value);
}

static void test_reset_state(void)
{
    tap_ok(get(RTCDR) > 1577836800, "RTCDR: a time after 2019");
    tap_eq(get(RTCMR), 0, "reset: RTCMR");
    tap_eq(get(RTCCR), 1, "reset: RTCCR: it runs");
    tap_eq(get(RTCIMSC), 0, "reset: RTCIMSC");
    tap_eq(get(RTCRIS), 0, "reset: RTCRIS");
    tap_eq(get(RTCMIS), 0, "reset: RTCMIS");
}

static void test_identification(void)
{
    static const uint32_t id[] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    bool right = true;

    for (unsigned i = 0; i < 8; i++) {
        right = right && get(0xfe0 + 4 * i) == id[i];
    }
    tap_ok(right, "RTCPeriphID0-3, RTCPCellID0-3");
}

static void test_registers(void)
{
    uint32_t now = get(RTCDR);

    set(RTCDR, 1);
    tap_ok(get(RTCDR) - now < 100, "RTCDR is read-only");
    set(RTCCR, 0);
    tap_eq(get(RTCCR), 1, "RTCCR: it cannot be stopped");
    set(RTCIMSC, ~0u);
    tap_eq(get(RTCIMSC), 1, "RTCIMSC has one bit");
    set(RTCIMSC, 0);
    set(RTCMR, 0x12345678);
    tap_eq(get(RTCMR), 0x12345678, "RTCMR reads back");
    set(RTCLR, 1000);
    tap_ok(get(RTCDR) - 1000 < 100, "RTCLR sets the clock");
    tap_ok(get(RTCLR) == 1000, "RTCLR reads back");
}

/* Again, if the second was over before the match was set. */
static void match_now(void)
{
    uint32_t now;

    do {
        now = get(RTCDR);
        set(RTCMR, now);
    } while (get(RTCDR) != now);
}

static void test_match_now(void)
{
    set(RTCICR, 1);
    tap_eq(get(RTCRIS), 0, "RTCICR clears");
    set(RTCLR, 2000);
    match_now();
    tap_eq(get(RTCRIS), 1, "RTCRIS: the match is now");
    tap_eq(get(RTCMIS), 0, "RTCMIS: nothing while masked");
    tap_ok(!gic_is_pending(INTID_RTC), "and nothing is pending");
    set(RTCIMSC, 1);
    tap_eq(get(RTCMIS), 1, "RTCMIS: unmasked");
    tap_ok(gic_is_pending(INTID_RTC), "and it is pending");
    set(RTCRIS, 0);
    set(RTCMIS, 0);
    tap_eq(get(RTCMIS), 1, "RTCRIS and RTCMIS are read-only");
    set(RTCICR, 1);
    tap_eq(get(RTCRIS), 0, "RTCICR clears it");
    tap_ok(!gic_is_pending(INTID_RTC), "and it is pending no more");
}

static volatile bool arrived;
static volatile uint32_t seen_at;

static void on_interrupt(uint32_t intid)
{
    if (intid == INTID_RTC) {
        arrived = true;
        seen_at = get(RTCDR);
        set(RTCICR, 1);
    } else {
        timer_set_ctl(TIMER_VIRTUAL, 0);
    }
}

/* Asleep, with the timer as a guard: a minute. */
static void sleep_until_it_arrives(void)
{
    uint64_t limit = timer_now() + 60 * timer_frequency();

    timer_set_cval(TIMER_VIRTUAL, limit);
    timer_set_ctl(TIMER_VIRTUAL, TIMER_ENABLE);
    while (!arrived && timer_now() < limit) {
        __asm__ volatile("wfi" ::: "memory");
        sys_irq_unmask();
        __asm__ volatile("isb" ::: "memory");
        sys_irq_mask();
    }
    timer_set_ctl(TIMER_VIRTUAL, 0);
}

static void test_match_later(void)
{
    gic_log_reset();
    gic_set_callback(on_interrupt);
    gic_enable(INTID_RTC);
    gic_enable(timer_intid(TIMER_VIRTUAL));
    set(RTCLR, 3000);
    set(RTCMR, 3002);
    sleep_until_it_arrives();
    tap_ok(arrived, "an alarm in two seconds wakes from WFI");
    tap_ok(seen_at >= 3002, "not before its time");
    tap_eq(gic_log.taken, 1, "once");
    tap_eq(get(RTCRIS), 0, "and its handler has cleared it");
    gic_disable(INTID_RTC);
}

void guest_main(void)
{
    gic_init();
    test_reset_state();
    test_identification();
    test_registers();
    test_match_now();
    test_match_later();
}
