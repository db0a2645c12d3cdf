/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "vm/ptimer.h"
#include "abi/machine.h"
#include "hal/hal.h"
#include "vm/hv.h"
#include "vm/sched.h"

/* The timer condition, as the pseudocode's CheckTimerConditions(): counter and comparator are
 * unsigned. */
static bool ptimer_met(const struct ptimer *ptimer)
{
    return (ptimer->ctl & CNT_CTL_ENABLE) != 0 && hal_time_now() >= ptimer->cval;
}

void ptimer_update(struct ptimer *ptimer)
{
    struct vcpu *vcpu = ptimer->vcpu;
    bool signals = (ptimer->ctl & (CNT_CTL_ENABLE | CNT_CTL_IMASK)) == CNT_CTL_ENABLE;
    bool met = ptimer_met(ptimer);

    if (signals && !met)
        timer_start(&vcpu->pcpu->timers, &ptimer->timer, ptimer->cval);
    else
        timer_cancel(&ptimer->timer);
    vgic_set_level(&vcpu->vm->vgic, vcpu->index, MACHINE_INTID_PTIMER, signals && met);
}

void ptimer_move(struct ptimer *ptimer)
{
    if (ptimer->ctl != 0)
        ptimer_update(ptimer);
}

/* The vCPU may be in another pCPU by now. */
static void ptimer_expired(struct timer *timer)
{
    struct vcpu *vcpu = list_entry(timer, struct ptimer, timer)->vcpu;

    atomic_fetch_or(&vcpu->requests, VCPU_REQ_PTIMER);
    sched_wake(vcpu);
}

void ptimer_init(struct ptimer *ptimer, struct vcpu *vcpu)
{
    timer_init(&ptimer->timer, ptimer_expired);
    ptimer->vcpu = vcpu;
    ptimer->ctl = 0;
    ptimer->cval = 0;
}

uint64_t ptimer_read_ctl(struct ptimer *ptimer)
{
    return ptimer->ctl | (ptimer_met(ptimer) ? CNT_CTL_ISTATUS : 0);
}

void ptimer_write_ctl(struct ptimer *ptimer, uint64_t value)
{
    ptimer->ctl = value & (CNT_CTL_ENABLE | CNT_CTL_IMASK);
    ptimer_update(ptimer);
}

uint64_t ptimer_read_cval(struct ptimer *ptimer)
{
    return ptimer->cval;
}

void ptimer_write_cval(struct ptimer *ptimer, uint64_t value)
{
    ptimer->cval = value;
    ptimer_update(ptimer);
}

uint64_t ptimer_read_tval(struct ptimer *ptimer)
{
    return (ptimer->cval - hal_time_now()) & BITS(31, 0);
}

void ptimer_write_tval(struct ptimer *ptimer, uint64_t value)
{
    ptimer->cval = hal_time_now() + sign_extend(value, 31);
    ptimer_update(ptimer);
}
