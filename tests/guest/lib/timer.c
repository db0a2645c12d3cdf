/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/timer.h"

#include "lib/sys.h"

uint64_t timer_count(enum timer_kind kind)
{
    sys_isb();
    return kind == TIMER_VIRTUAL ? SYS_READ("cntvct_el0") : SYS_READ("cntpct_el0");
}

uint64_t timer_now(void)
{
    return timer_count(TIMER_VIRTUAL);
}

uint64_t timer_frequency(void)
{
    return SYS_READ("cntfrq_el0");
}

uint64_t timer_us(uint64_t us)
{
    uint64_t ticks = us * timer_frequency() / 1000000;
    return ticks == 0 ? 1 : ticks;
}

uint32_t timer_intid(enum timer_kind kind)
{
    return kind == TIMER_VIRTUAL ? INTID_VTIMER : INTID_PTIMER;
}

void timer_set_ctl(enum timer_kind kind, uint64_t ctl)
{
    if (kind == TIMER_VIRTUAL) {
        SYS_WRITE("cntv_ctl_el0", ctl);
    } else {
        SYS_WRITE("cntp_ctl_el0", ctl);
    }
    sys_isb();
}

uint64_t timer_get_ctl(enum timer_kind kind)
{
    sys_isb();
    return kind == TIMER_VIRTUAL ? SYS_READ("cntv_ctl_el0") : SYS_READ("cntp_ctl_el0");
}

void timer_set_cval(enum timer_kind kind, uint64_t cval)
{
    if (kind == TIMER_VIRTUAL) {
        SYS_WRITE("cntv_cval_el0", cval);
    } else {
        SYS_WRITE("cntp_cval_el0", cval);
    }
    sys_isb();
}

uint64_t timer_get_cval(enum timer_kind kind)
{
    return kind == TIMER_VIRTUAL ? SYS_READ("cntv_cval_el0") : SYS_READ("cntp_cval_el0");
}

void timer_set_tval(enum timer_kind kind, int32_t tval)
{
    uint64_t value = (uint32_t)tval;

    if (kind == TIMER_VIRTUAL) {
        SYS_WRITE("cntv_tval_el0", value);
    } else {
        SYS_WRITE("cntp_tval_el0", value);
    }
    sys_isb();
}

void timer_delay_us(uint64_t us)
{
    uint64_t start = timer_now();
    uint64_t ticks = timer_us(us);

    while (timer_now() - start < ticks) {
    }
}

bool timer_wait_status(enum timer_kind kind)
{
    uint64_t start = timer_now();

    while ((timer_get_ctl(kind) & TIMER_ISTATUS) == 0) {
        if (timer_now() - start > 2 * timer_frequency()) {
            /* The machine may have stood still between the two looks. */
            return (timer_get_ctl(kind) & TIMER_ISTATUS) != 0;
        }
    }
    return true;
}
