/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Both EL1 timers: expiry, masks, compare values in the past, interrupts, WFI. */
#include "lib/timer.h"

#include "lib/con.h"
#include "lib/gic.h"
#include "lib/sys.h"
#include "lib/tap.h"

static enum timer_kind kind;
static const char *kind_name;
static uint64_t period;
static unsigned ticks_left;

static void check(bool condition, const char *what)
{
    /* tap names are constant strings; this one is put together from two. */
    static char name[96];
    unsigned length = 0;

    for (const char *from = kind_name; *from != '\0'; from++) {
        name[length++] = *from;
    }
    for (const char *from = what; *from != '\0' && length < sizeof(name) - 1; from++) {
        name[length++] = *from;
    }
    name[length] = '\0';
    tap_ok(condition, name);
}

static void on_one_shot(uint32_t intid)
{
    if (intid == timer_intid(kind)) {
        timer_set_ctl(kind, TIMER_ENABLE | TIMER_IMASK);
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
        timer_set_cval(kind, timer_get_cval(kind) + period);
    }
}

static void stop(void)
{
    timer_set_ctl(kind, 0);
    sys_irq_mask();
    gic_log_reset();
}

static void test_status(void)
{
    timer_set_ctl(kind, 0);
    timer_set_cval(kind, timer_count(kind) + 100 * timer_frequency());
    check(timer_get_ctl(kind) == 0, "disabled reads back as 0");
    timer_set_ctl(kind, TIMER_ENABLE | TIMER_IMASK);
    check(timer_get_ctl(kind) == (TIMER_ENABLE | TIMER_IMASK),
          "ISTATUS is clear before the compare value");
    timer_set_cval(kind, timer_count(kind) + timer_us(1000));
    check(timer_wait_status(kind), "ISTATUS is set after the compare value");
    check(timer_count(kind) >= timer_get_cval(kind), "not before its time");
    timer_set_cval(kind, 0);
    check(timer_get_ctl(kind) == (TIMER_ENABLE | TIMER_IMASK | TIMER_ISTATUS),
          "compare value 0 has passed");
    timer_set_cval(kind, ~0UL);
    check((timer_get_ctl(kind) & TIMER_ISTATUS) == 0, "compare value ~0 has not");
    timer_set_tval(kind, -1);
    check((timer_get_ctl(kind) & TIMER_ISTATUS) != 0, "TVAL -1 has passed");
    uint64_t before = timer_count(kind);
    timer_set_tval(kind, 0x7fffffff);
    uint64_t after = timer_count(kind);
    uint64_t cval = timer_get_cval(kind);
    check(cval >= before + 0x7fffffff && cval <= after + 0x7fffffff,
          "TVAL is relative to the counter");
    timer_set_ctl(kind, 0);
}

static void test_one_shot(void)
{
    gic_set_callback(on_one_shot);
    timer_set_cval(kind, timer_count(kind) + timer_us(1000));
    timer_set_ctl(kind, TIMER_ENABLE);
    sys_irq_unmask();
    check(gic_wait_taken(1), "one-shot interrupt arrives");
    timer_delay_us(2000);
    check(gic_log.taken == 1 && gic_log.order[0] == timer_intid(kind),
          "once, with its PPI's number");
    stop();
}

static void test_past(void)
{
    timer_set_cval(kind, timer_count(kind) - 1);
    sys_irq_unmask();
    timer_set_ctl(kind, TIMER_ENABLE);
    check(gic_wait_taken(1), "compare value in the past interrupts at once");
    timer_delay_us(1000);
    check(gic_log.taken == 1, "once");
    stop();
}

static void test_imask(void)
{
    sys_irq_unmask();
    timer_set_cval(kind, timer_count(kind) + timer_us(100));
    timer_set_ctl(kind, TIMER_ENABLE | TIMER_IMASK);
    timer_wait_status(kind);
    timer_delay_us(1000);
    check(gic_log.taken == 0, "IMASK holds the interrupt back");
    timer_set_ctl(kind, TIMER_ENABLE);
    check(gic_wait_taken(1), "clearing IMASK lets it through");
    stop();
}

/* An emulated timer's line may rise somewhat after its status, and on a loaded host much later. */
static bool wait_pending(void)
{
    uint64_t deadline = timer_now() + timer_frequency();

    while (!gic_is_pending(timer_intid(kind))) {
        if (timer_now() > deadline) {
            return false;
        }
    }
    return true;
}

static void test_disabled(void)
{
    gic_disable(timer_intid(kind));
    sys_irq_unmask();
    timer_set_cval(kind, timer_count(kind) + timer_us(100));
    timer_set_ctl(kind, TIMER_ENABLE);
    timer_wait_status(kind);
    timer_delay_us(1000);
    check(gic_log.taken == 0, "disabled in the GIC: no interrupt");
    check(wait_pending(), "but pending");
    gic_enable(timer_intid(kind));
    check(gic_wait_taken(1), "enabled in the GIC: interrupt");
    stop();
}

/* Expired while masked, then put off or turned off before it is taken: the line falls, and with it
 * what is pending. */
static void test_withdrawn(void)
{
    unsigned missed = 0;
    unsigned left = 0;

    for (unsigned i = 0; i < 100; i++) {
        timer_set_cval(kind, timer_count(kind) + timer_us(20));
        timer_set_ctl(kind, TIMER_ENABLE);
        timer_wait_status(kind);
        missed += !wait_pending();
        if (i % 2 == 0) {
            timer_set_cval(kind, timer_count(kind) + 100 * timer_frequency());
        } else {
            timer_set_ctl(kind, 0);
        }
        left += gic_is_pending(timer_intid(kind));
        gic_open_window();
    }
    check(missed == 0, "expired 100 times while masked: pending each time");
    check(left == 0, "reprogrammed before it was taken: no longer pending");
    check(gic_log.taken == 0 && gic_log.spurious == 0, "and no interrupt comes of it");
    gic_set_callback(on_one_shot);
    timer_set_cval(kind, timer_count(kind) + timer_us(100));
    timer_set_ctl(kind, TIMER_ENABLE);
    sys_irq_unmask();
    check(gic_wait_taken(1), "the next one comes");
    stop();
}

static void test_repeated(void)
{
    gic_set_callback(on_tick);
    ticks_left = 20;
    period = timer_us(500);
    timer_set_cval(kind, timer_count(kind) + period);
    timer_set_ctl(kind, TIMER_ENABLE);
    sys_irq_unmask();
    check(gic_wait_taken(20), "20 periodic interrupts");
    timer_delay_us(2000);
    check(gic_log.taken == 20, "and no more");
    stop();
}

static void test_wfi(void)
{
    uint64_t deadline = timer_count(kind) + timer_us(2000);

    gic_set_callback(on_one_shot);
    timer_set_cval(kind, deadline);
    timer_set_ctl(kind, TIMER_ENABLE);
    while (gic_log.taken == 0 && timer_count(kind) < deadline + timer_frequency()) {
        /* Masked while deciding to wait: WFI wakes for a masked interrupt too, so none is slept
         * through. */
        sys_wfi();
        sys_irq_unmask();
        sys_irq_mask();
    }
    check(gic_log.taken == 1, "wakes from WFI");
    stop();
}

static void test_kind(enum timer_kind tested, const char *name)
{
    kind = tested;
    kind_name = name;
    gic_init();
    gic_enable(timer_intid(kind));
    test_status();
    test_one_shot();
    test_past();
    test_imask();
    test_disabled();
    test_withdrawn();
    test_repeated();
    test_wfi();
    gic_disable(timer_intid(kind));
}

static void test_counters(void)
{
    bool monotonic = true;

    tap_ok(timer_frequency() != 0, "CNTFRQ is set");
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t virtual_count = timer_count(TIMER_VIRTUAL);
        uint64_t physical_count = timer_count(TIMER_PHYSICAL);
        monotonic = monotonic && timer_count(TIMER_VIRTUAL) >= virtual_count &&
                    timer_count(TIMER_PHYSICAL) >= physical_count;
    }
    tap_ok(monotonic, "counters do not go back");
}

void guest_main(void)
{
    test_counters();
    test_kind(TIMER_VIRTUAL, "virtual timer: ");
    test_kind(TIMER_PHYSICAL, "physical timer: ");
}
