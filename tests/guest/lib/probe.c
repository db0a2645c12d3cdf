/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/probe.h"

#include "lib/psci.h"
#include "lib/smp.h"
#include "lib/timer.h"

struct probe probes[PROBE_MAX];

/* The other side is a CPU without caches: nothing of the line stays in ours. */
static volatile struct probe *fresh(unsigned cpu)
{
    __asm__ volatile("dc civac, %0\n\tdsb sy" ::"r"(&probes[cpu]) : "memory");
    return &probes[cpu];
}

static void written(unsigned cpu)
{
    (void)fresh(cpu);
}

void probe_expect(unsigned cpu)
{
    volatile struct probe *probe = fresh(cpu);

    probe->here = 0;
    probe->off = 0;
    written(cpu);
}

int32_t probe_on(unsigned cpu, uint64_t function)
{
    probe_expect(cpu);
    return (int32_t)psci_call(function, smp_affinity(cpu), PROBE_ENTRY, (uint64_t)&probes[cpu]);
}

void probe_await(unsigned cpu)
{
    while (fresh(cpu)->here == 0) {
        smp_relax();
    }
}

void probe_tell_off(unsigned cpu)
{
    fresh(cpu)->off = 1;
    written(cpu);
}

void probe_await_off(unsigned cpu)
{
    while ((int32_t)psci_call(PSCI_AFFINITY_INFO, smp_affinity(cpu), 0, 0) != PSCI_AFF_OFF) {
        timer_delay_us(20);
    }
}

uint64_t probe_starts(unsigned cpu)
{
    return fresh(cpu)->starts;
}

void probe_forget(unsigned cpu)
{
    fresh(cpu)->starts = 0;
    written(cpu);
}
