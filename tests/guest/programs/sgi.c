/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* SGIs to self through ICC_SGI1R_EL1, and what the CPU interface makes of them. */
#include "lib/con.h"
#include "lib/gic.h"
#include "lib/sys.h"
#include "lib/tap.h"
#include "lib/timer.h"
#include "lib/trap.h"

#define ICC_CTLR_EOIMODE 2u
#define RPR_IDLE         0xffu

static volatile uint64_t seen_rpr;
static volatile bool seen_active;
static volatile bool seen_pending;

static void test_each(void)
{
    bool right = true;

    sys_irq_unmask();
    for (unsigned sgi = 0; sgi < 16; sgi++) {
        gic_log_reset();
        gic_send_self(sgi);
        right = right && gic_wait_taken(1) && gic_log.order[0] == sgi;
    }
    sys_irq_mask();
    tap_ok(right, "SGI 0 to 15 arrive with their number");
}

static void test_priority_order(void)
{
    bool right = true;

    gic_log_reset();
    for (unsigned sgi = 0; sgi < 16; sgi++) {
        /* 7 is coprime to 16: neither ascending nor descending by number. */
        gic_set_priority((sgi * 7) % 16, (uint8_t)(0x40 + 8 * sgi));
    }
    for (unsigned sgi = 0; sgi < 16; sgi++) {
        gic_send_self(sgi);
    }
    tap_eq(SYS_READ(ICC_HPPIR1), 0, "ICC_HPPIR1 names the highest priority pending");
    gic_open_window();
    for (unsigned i = 0; i < 16; i++) {
        right = right && gic_log.order[i] == (i * 7) % 16;
    }
    tap_ok(right && gic_log.taken == 16, "16 pending SGIs arrive in the order of their priorities");
    tap_eq(SYS_READ(ICC_HPPIR1), GIC_SPURIOUS, "ICC_HPPIR1 is 1023 when nothing is pending");
    tap_eq(SYS_READ(ICC_IAR1), GIC_SPURIOUS, "ICC_IAR1 is 1023 when nothing is pending");
    tap_eq(SYS_READ(ICC_RPR), RPR_IDLE, "ICC_RPR is idle when nothing is active");
}

static void test_mask(void)
{
    gic_log_reset();
    gic_set_priority(1, 0x40);
    gic_set_priority(2, 0x80);
    gic_set_priority(3, 0xc0);
    SYS_WRITE(ICC_PMR, 0x80);
    sys_isb();
    tap_eq(SYS_READ(ICC_PMR), 0x80, "ICC_PMR reads back");
    gic_send_self(3);
    gic_send_self(2);
    gic_send_self(1);
    gic_open_window();
    tap_ok(gic_log.taken == 1 && gic_log.order[0] == 1, "only a priority above ICC_PMR gets in");
    tap_ok(gic_is_pending(2) && gic_is_pending(3) && !gic_is_pending(1), "the others stay pending");
    SYS_WRITE(ICC_PMR, 0xf8);
    sys_isb();
    gic_open_window();
    tap_ok(gic_log.taken == 3 && gic_log.order[1] == 2 && gic_log.order[2] == 3,
           "and arrive when ICC_PMR is raised");
    SYS_WRITE(ICC_IGRPEN1, 0);
    sys_isb();
    gic_send_self(2);
    gic_open_window();
    tap_ok(gic_log.taken == 3, "ICC_IGRPEN1 = 0 lets nothing in");
    SYS_WRITE(ICC_IGRPEN1, 1);
    sys_isb();
    gic_open_window();
    tap_ok(gic_log.taken == 4, "ICC_IGRPEN1 = 1 does");
}

static void test_pending_bits(void)
{
    gic_log_reset();
    gic_set_pending(5);
    tap_ok(gic_is_pending(5), "GICR_ISPENDR0 makes an SGI pending");
    gic_open_window();
    tap_ok(gic_log.taken == 1 && gic_log.order[0] == 5, "and it arrives");
    tap_ok(!gic_is_pending(5), "and is no longer pending");
    gic_send_self(6);
    tap_ok(gic_is_pending(6), "a sent SGI reads as pending");
    gic_clear_pending(6);
    tap_ok(!gic_is_pending(6), "GICR_ICPENDR0 takes it back");
    gic_open_window();
    tap_ok(gic_log.taken == 1, "and it does not arrive");
}

static void note_state(uint32_t intid)
{
    seen_rpr = SYS_READ(ICC_RPR);
    seen_active = gic_is_active(intid);
    seen_pending = gic_is_pending(intid);
}

static void test_active(void)
{
    gic_log_reset();
    gic_set_callback(note_state);
    gic_set_priority(7, 0x58);
    gic_send_self(7);
    gic_open_window();
    tap_ok(gic_log.taken == 1 && seen_active, "active between acknowledge and end");
    tap_ok(!seen_pending, "not pending then");
    tap_eq(seen_rpr, 0x58, "ICC_RPR is its priority then");
    tap_ok(!gic_is_active(7), "not active after the end");
    gic_set_callback(NULL);
}

static void send_again(uint32_t intid)
{
    if (gic_log.taken < 3) {
        gic_send_self(intid);
        seen_pending = gic_is_pending(intid);
        seen_active = gic_is_active(intid);
    }
}

static void test_pending_while_active(void)
{
    gic_log_reset();
    gic_set_callback(send_again);
    gic_send_self(8);
    gic_open_window();
    tap_ok(seen_pending && seen_active, "sent by its own handler: active and pending");
    tap_eq(gic_log.taken, 3, "sent by its own handler twice: arrives three times");
    gic_set_callback(NULL);
}

static void preempt(uint32_t intid)
{
    if (intid == 10) {
        gic_send_self(11); /* lower priority: has to wait */
        gic_send_self(9);  /* higher: comes at once */
        sys_irq_unmask();
        timer_delay_us(200);
        sys_irq_mask();
        seen_pending = gic_log.taken == 2;
    }
}

/* The handler unmasks, so ELR and SPSR of the outer exception live in its frame on the stack. */
static void test_preemption(void)
{
    gic_log_reset();
    gic_set_callback(preempt);
    gic_set_priority(9, 0x40);
    gic_set_priority(10, 0x80);
    gic_set_priority(11, 0xc0);
    seen_pending = false;
    gic_send_self(10);
    gic_open_window();
    tap_ok(seen_pending, "a higher priority preempts a handler, a lower one does not");
    tap_ok(gic_log.taken == 3 && gic_log.order[0] == 10 && gic_log.order[1] == 9 &&
               gic_log.order[2] == 11,
           "in that order");
    gic_set_callback(NULL);
}

/* EOImode 1: EOIR drops the priority, DIR deactivates. Done by hand with IRQs masked. */
static void test_split_eoi(void)
{
    SYS_WRITE(ICC_CTLR, ICC_CTLR_EOIMODE);
    sys_isb();
    tap_ok((SYS_READ(ICC_CTLR) & ICC_CTLR_EOIMODE) != 0, "EOImode 1 can be set");
    gic_set_priority(12, 0x60);
    gic_send_self(12);
    timer_delay_us(200);
    tap_eq(SYS_READ(ICC_IAR1), 12, "EOImode 1: acknowledge");
    tap_eq(SYS_READ(ICC_RPR), 0x60, "EOImode 1: running at its priority");
    SYS_WRITE(ICC_EOIR1, 12);
    sys_isb();
    tap_eq(SYS_READ(ICC_RPR), RPR_IDLE, "EOImode 1: ICC_EOIR1 drops the priority");
    tap_ok(gic_is_active(12), "EOImode 1: still active");
    gic_send_self(12);
    timer_delay_us(200);
    tap_eq(SYS_READ(ICC_IAR1), GIC_SPURIOUS, "EOImode 1: not again while active");
    gic_send_self(13);
    timer_delay_us(200);
    tap_eq(SYS_READ(ICC_IAR1), 13, "EOImode 1: another number in between");
    SYS_WRITE(ICC_EOIR1, 13);
    SYS_WRITE(ICC_DIR, 13);
    SYS_WRITE(ICC_DIR, 12);
    sys_isb();
    tap_ok(!gic_is_active(12) && !gic_is_active(13), "EOImode 1: ICC_DIR deactivates");
    timer_delay_us(200);
    tap_eq(SYS_READ(ICC_IAR1), 12, "EOImode 1: again once deactivated");
    SYS_WRITE(ICC_EOIR1, 12);
    SYS_WRITE(ICC_DIR, 12);
    SYS_WRITE(ICC_CTLR, 0);
    sys_isb();
}

/* By hand; `deactivate`: ICC_DIR too. */
static bool take(uint32_t intid, bool deactivate)
{
    timer_delay_us(200);
    bool right = SYS_READ(ICC_IAR1) == intid;
    SYS_WRITE(ICC_EOIR1, intid);
    if (deactivate) {
        SYS_WRITE(ICC_DIR, intid);
    }
    sys_isb();
    return right;
}

/* Active at once: more than there are list registers. ICC_DIR in another order than they came. */
static void test_split_many(void)
{
    uint32_t active = 0xff;
    bool right = true;
    bool exact = true;
    bool again = true;

    SYS_WRITE(ICC_CTLR, ICC_CTLR_EOIMODE);
    sys_isb();
    for (unsigned sgi = 0; sgi < 8; sgi++) {
        gic_send_self(sgi);
        right = right && take(sgi, false);
    }
    tap_ok(right && (mmio_read32(GICR_SGI_BASE + GIC_ISACTIVER) & 0xff) == active,
           "EOImode 1: eight active at once");
    for (unsigned sgi = 0; sgi < 8; sgi++) {
        gic_send_self(sgi);
    }
    timer_delay_us(200);
    tap_eq(SYS_READ(ICC_IAR1), GIC_SPURIOUS, "EOImode 1: and pending, none comes");
    for (unsigned i = 0; i < 8; i++) {
        uint32_t sgi = (i * 3 + 5) % 8;
        SYS_WRITE(ICC_DIR, sgi);
        sys_isb();
        active &= ~(1u << sgi);
        exact = exact && (mmio_read32(GICR_SGI_BASE + GIC_ISACTIVER) & 0xff) == active;
        again = again && take(sgi, true);
    }
    tap_ok(exact, "EOImode 1: ICC_DIR deactivates the one that it names");
    tap_ok(again && SYS_READ(ICC_IAR1) == GIC_SPURIOUS, "EOImode 1: which then comes again");
    SYS_WRITE(ICC_CTLR, 0);
    sys_isb();
}

static void test_deactivate_by_register(void)
{
    SYS_WRITE(ICC_CTLR, ICC_CTLR_EOIMODE);
    sys_isb();
    gic_send_self(14);
    timer_delay_us(200);
    uint64_t first = SYS_READ(ICC_IAR1);
    SYS_WRITE(ICC_EOIR1, 14);
    sys_isb();
    mmio_write32(GICR_SGI_BASE + GIC_ICACTIVER, 1u << 14);
    sys_dsb();
    tap_ok(first == 14 && !gic_is_active(14), "GICR_ICACTIVER0 deactivates");
    gic_send_self(14);
    timer_delay_us(200);
    tap_eq(SYS_READ(ICC_IAR1), 14, "and the SGI can come again");
    SYS_WRITE(ICC_EOIR1, 14);
    SYS_WRITE(ICC_DIR, 14);
    SYS_WRITE(ICC_CTLR, 0);
    sys_isb();
}

static void test_targets(void)
{
    gic_log_reset();
    SYS_WRITE(ICC_SGI1R, 1UL << 40 | 4UL << 24); /* IRM: all but self */
    SYS_WRITE(ICC_SGI1R, 0xfffeUL | 4UL << 24);  /* affinities 1 to 15 */
    SYS_WRITE(ICC_SGI1R, 1UL | 4UL << 24 | 0x55UL << 16);
    sys_isb();
    gic_open_window();
    tap_ok(gic_log.taken == 0 && !gic_is_pending(4), "SGIs for others do not come here");
}

void guest_main(void)
{
    gic_init();
    for (unsigned sgi = 0; sgi < 16; sgi++) {
        gic_enable(sgi);
    }
    test_each();
    test_priority_order();
    test_mask();
    test_pending_bits();
    test_active();
    test_pending_while_active();
    test_preemption();
    test_split_eoi();
    test_split_many();
    test_deactivate_by_register();
    test_targets();
}
