/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The generic timer (Arm ARM DDI 0487, D11): the counter, and CNTHP as the deadline of core. */
#include "hal/hal.h"
#include "internal.h"

#define CNT_CTL_ENABLED UINT64_C(1)

void timer_init_cpu(void)
{
    sysreg_write(cnthp_ctl_el2, UINT64_C(0));
    sysreg_write(cntv_ctl_el0, UINT64_C(0));
    isb();
}

uint64_t hal_time_now(void)
{
    isb();
    return sysreg_read(cntpct_el0);
}

uint64_t hal_time_hz(void)
{
    uint64_t hz = sysreg_read(cntfrq_el0);
    return hz != 0 ? hz : 1; /* firmware that left it unset must not make core divide by zero */
}

void hal_timer_arm(uint64_t deadline)
{
    if (deadline == HAL_TIMER_NEVER) {
        sysreg_write(cnthp_ctl_el2, UINT64_C(0));
    } else {
        sysreg_write(cnthp_cval_el2, deadline);
        sysreg_write(cnthp_ctl_el2, CNT_CTL_ENABLED);
    }
    isb();
}
