/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/collect.h"

#include "lib/gic.h"
#include "lib/smp.h"
#include "lib/timer.h"

struct collected collected[COLLECT_CPUS];

/* Waits for an interrupt; GIC_SPURIOUS if none comes. */
uint32_t collect_acknowledge(void)
{
    uint64_t start = timer_now();
    uint32_t intid;

    do {
        intid = (uint32_t)SYS_READ(ICC_IAR1);
    } while (intid == GIC_SPURIOUS && timer_now() - start < COLLECT_PATIENCE * timer_frequency());
    sys_dsb();
    return intid;
}

void collect_end(uint32_t intid)
{
    SYS_WRITE(ICC_EOIR1, intid);
    sys_isb();
}

/* Takes what is wanted, and whatever is there besides. */
void collect(unsigned cpu)
{
    collected[cpu].taken = 0;
    for (unsigned i = 0; i < collected[cpu].want; i++) {
        uint32_t intid = collect_acknowledge();
        if (intid == GIC_SPURIOUS) {
            return;
        }
        collected[cpu].order[collected[cpu].taken++] = intid;
        collect_end(intid);
    }
    uint32_t more = (uint32_t)SYS_READ(ICC_IAR1);
    if (more != GIC_SPURIOUS) {
        collected[cpu].taken++;
        collect_end(more);
    }
}

/* CPUs of the mask take one interrupt each, `intid`, and the others none. */
bool collect_arrives(uint64_t mask, uint32_t intid)
{
    bool good = true;

    for (unsigned cpu = 0; cpu < COLLECT_CPUS; cpu++) {
        collected[cpu].want = (mask >> cpu) & 1;
    }
    /* First those that should: when they have it, it would have come to the others. */
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned cpu = 0; cpu < COLLECT_CPUS; cpu++) {
            if (collected[cpu].want == round) {
                continue;
            }
            if (cpu == 0) {
                collect(0);
            } else {
                smp_run_on(cpu, collect);
            }
            good = good && collected[cpu].taken == collected[cpu].want &&
                   (collected[cpu].taken == 0 || collected[cpu].order[0] == intid);
        }
    }
    return good;
}

void collect_init(unsigned cpu)
{
    if (cpu != 0) {
        gic_init_cpu();
    }
    for (unsigned sgi = 0; sgi < 16; sgi++) {
        gic_enable(sgi);
    }
}

void collect_route(uint32_t spi, uint64_t value)
{
    mmio_write64(GICD_BASE + GICD_IROUTER + 8UL * spi, value);
    sys_dsb();
}
