/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/smp_irq.h"

#include <stddef.h>

#include "lib/gic.h"
#include "lib/mmu.h"
#include "lib/smp.h"
#include "lib/sys.h"
#include "lib/trap.h"

struct smp_irq_count smp_irq[SMP_IRQ_MAX];
static unsigned nr_cpus;
static void (*on_sgi)(unsigned self, unsigned from);

static void take(uint32_t intid)
{
    unsigned self = smp_self();
    struct smp_irq_count *mine = &smp_irq[self];

    if (intid == INTID_VTIMER || intid == INTID_PTIMER) {
        enum timer_kind kind = intid == INTID_VTIMER ? TIMER_VIRTUAL : TIMER_PHYSICAL;
        timer_set_ctl(kind, 0);
        mine->ticks[kind]++;
    } else if (intid < nr_cpus) {
        mine->sgi[intid]++;
        if (on_sgi != NULL) {
            on_sgi(self, intid);
        }
    } else if (intid != SMP_WAKE) {
        mine->strange++;
    }
}

static void handle_irq(void)
{
    uint32_t intid = (uint32_t)SYS_READ(ICC_IAR1) & 0xffffff;

    sys_dsb();
    if (intid == GIC_SPURIOUS) {
        return;
    }
    take(intid);
    SYS_WRITE(ICC_EOIR1, intid);
    sys_isb();
}

static void open_interrupts(unsigned cpu)
{
    if (cpu != 0) {
        gic_init_cpu();
    }
    for (unsigned sgi = 0; sgi < nr_cpus; sgi++) {
        gic_enable(sgi);
    }
    gic_enable(SMP_WAKE);
    gic_enable(INTID_VTIMER);
    gic_enable(INTID_PTIMER);
}

void smp_irq_start(unsigned cpus, void (*taken)(unsigned self, unsigned from))
{
    nr_cpus = cpus;
    on_sgi = taken;
    mmu_on();
    gic_init();
    trap_set_irq(handle_irq);
    smp_start(cpus);
    smp_run(cpus, open_interrupts);
}

void smp_irq_sleep_until(const volatile uint32_t *count, uint32_t want)
{
    while (*count < want) {
        sys_wfi();
        sys_irq_unmask();
        sys_irq_mask();
    }
}

void smp_irq_sleep_for(enum timer_kind kind, uint64_t us)
{
    const volatile uint32_t *ticks = &smp_irq[smp_self()].ticks[kind];
    uint32_t want = *ticks + 1;

    timer_set_cval(kind, timer_count(kind) + timer_us(us));
    timer_set_ctl(kind, TIMER_ENABLE);
    smp_irq_sleep_until(ticks, want);
}
