/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the case-by-case tests of the vGIC share: a machine that is switched on, and SGIs. */
#ifndef TESTS_VGIC_CASES_H
#define TESTS_VGIC_CASES_H

#include "vgic_fixture.h"

#define SGI1R(sgi, targets) ((uint64_t)(sgi) << 24 | (targets))
#define LR_EOI              (UINT64_C(1) << 41)
#define LR_PENDING          (UINT64_C(1) << 62)
#define LR_ACTIVE           (UINT64_C(1) << 63)
#define TIMER               27u
#define TIMER_HW            26u

static inline void setup(unsigned cpus, unsigned lrs)
{
    setup_gic(cpus, 64, lrs);
    dist_write(D_CTLR, 4, 2);
    settle();
}

static inline void sgi(unsigned cpu, uint64_t value)
{
    be(cpu);
    vgic_send_sgi(&gic, cpu, value, true);
}

#endif
