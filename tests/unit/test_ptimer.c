/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The interrupt is observed where the guest would: vgic_irq.level of PPI 30. */
#include "vm/ptimer.h"
#include "vm_fixture.h"

static struct fixture f;

static void finish(void)
{
    fixture_end(&f);
}

static void setup(void)
{
    fixture_start(&f, 1);
    fakehal()->now = 1000;
}

static bool line(void)
{
    return f.vm->vgic.cpu[0].private_irq[30].level;
}

static struct ptimer *pt(void)
{
    return &f.vcpu->ptimer;
}

CASE(ptimer, is_off_at_first)
{
    cr_assert_eq(ptimer_read_ctl(pt()), 0);
    cr_assert_eq(ptimer_read_cval(pt()), 0);
    cr_assert(!line());
}

CASE(ptimer, line_is_enable_and_not_imask_and_istatus)
{
    static const struct {
        uint64_t cval, ctl, ctl_read;
        bool line;
    } rows[] = {
        {999, 0, 0, false}, {999, 1, 5, true},         {1000, 1, 5, true},  {1001, 1, 1, false},
        {999, 2, 2, false}, {999, 3, 7, false},        {1001, 3, 3, false}, {0, 1, 5, true},
        {999, 7, 7, false}, {UINT64_MAX, 1, 1, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ptimer_write_ctl(pt(), 0);
        ptimer_write_cval(pt(), rows[i].cval);
        ptimer_write_ctl(pt(), rows[i].ctl);
        cr_assert_eq(ptimer_read_ctl(pt()), rows[i].ctl_read, "row %zu", i);
        cr_assert_eq(line(), rows[i].line, "row %zu", i);
    }
}

CASE(ptimer, tval_is_signed_32_bits)
{
    ptimer_write_tval(pt(), 500);
    cr_assert_eq(ptimer_read_cval(pt()), 1500);
    cr_assert_eq(ptimer_read_tval(pt()), 500);
    ptimer_write_tval(pt(), 0xffffffff);
    cr_assert_eq(ptimer_read_cval(pt()), 999);
    cr_assert_eq(ptimer_read_tval(pt()), 0xffffffff);
    ptimer_write_tval(pt(), 0x80000000);
    cr_assert_eq(ptimer_read_cval(pt()), UINT64_C(0xffffffff800003e8), "1000 - 2^31");
    ptimer_write_tval(pt(), UINT64_C(0xabcdef017fffffff));
    cr_assert_eq(ptimer_read_cval(pt()), UINT64_C(0x800003e7), "the high half is ignored");
}

CASE(ptimer, expires_through_the_queue)
{
    ptimer_write_tval(pt(), 500);
    ptimer_write_ctl(pt(), 1);
    cr_assert_eq(fakehal()->cpu[0].deadline, 1500);
    fakehal_advance(499);
    timer_queue_run(&f.hv->pcpu[0].timers);
    cr_assert(!line());
    fakehal_advance(1);
    timer_queue_run(&f.hv->pcpu[0].timers);
    cr_assert_eq(f.vcpu->requests, VCPU_REQ_PTIMER, "who has the registers does the rest");
    cr_assert(f.hv->pcpu[0].resched);
    cr_assert_eq(sched_next(&f.hv->pcpu[0]), f.vcpu);
    cr_assert(line());
    cr_assert_eq(fakehal()->cpu[0].deadline, HAL_TIMER_NEVER);
    ptimer_write_tval(pt(), 10);
    cr_assert(!line(), "the level falls with the condition");
    cr_assert_eq(fakehal()->cpu[0].deadline, 1510);
    ptimer_write_ctl(pt(), 3);
    cr_assert(!timer_active(&pt()->timer), "masked: nobody to tell");
    fakehal_advance(100);
    cr_assert_eq(ptimer_read_ctl(pt()), 7, "ISTATUS shows it all the same");
}

CASES_RUN(ptimer, setup, finish)
