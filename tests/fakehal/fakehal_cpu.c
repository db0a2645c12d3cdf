/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* CPUs that are switched on and off. A test plays what one does while it is on. */
#include "fakehal/fakehal.h"
#include <string.h>

/* As hal_init() leaves those of the boot CPU: its private interrupts enabled, nothing pending or
 * active, no timer armed. */
static void reset_interrupts(struct fakehal_cpu *cpu, const struct hal_platform *platform)
{
    const uint32_t intids[] = {HAL_INTID_KICK, platform->timer_hyp_intid,
                               platform->timer_virt_intid, platform->gic_maintenance_intid};

    memset(cpu->pending, 0, sizeof(cpu->pending));
    memset(cpu->active, 0, sizeof(cpu->active));
    memset(cpu->enabled, 0, sizeof(cpu->enabled));
    for (size_t i = 0; i < sizeof(intids) / sizeof(intids[0]); i++)
        if (intids[i] < FAKEHAL_INTIDS)
            cpu->enabled[intids[i]] = true;
    cpu->running = HAL_INTID_NONE;
    cpu->deadline = HAL_TIMER_NEVER;
}

hv_err hal_cpu_start(unsigned index, void (*entry)(void *), void *arg)
{
    struct fakehal *hal = fakehal();
    struct fakehal_cpu *cpu;

    if (entry == NULL)
        fakehal_fail("hal_cpu_start(%u) without an entry", index);
    if (index >= hal->platform.nr_cpus || index >= FAKEHAL_CPUS)
        return HV_ERR_RANGE;
    cpu = &hal->cpu[index];
    if (cpu->on)
        return HV_ERR_BUSY;
    if (hal->start_result != HV_OK)
        return hal->start_result;
    reset_interrupts(cpu, &hal->platform);
    cpu->on = true;
    cpu->entry = entry;
    cpu->entry_arg = arg;
    fakehal_record_add(FAKEHAL_CPU_START)->addr = index;
    return HV_OK;
}

/* The duties of who stops a CPU, by itself or by leaving entry(). */
static void switch_off(struct fakehal *hal)
{
    struct fakehal_cpu *cpu = &hal->cpu[hal->self];

    if (cpu->loaded != NULL)
        fakehal_fail("CPU %u stops with a vCPU loaded", hal->self);
    if (cpu->running != HAL_INTID_NONE)
        fakehal_fail("CPU %u stops before hal_irq_end(%u)", hal->self, cpu->running);
    lock_held_expect_none("hal_cpu_stop()");
    fakehal_record_add(FAKEHAL_CPU_STOP);
    cpu->on = false;
    cpu->entry = NULL;
    cpu->deadline = HAL_TIMER_NEVER;
}

_Noreturn void hal_cpu_stop(void)
{
    struct fakehal *hal = fakehal();

    if (hal->self >= FAKEHAL_CPUS || !hal->cpu[hal->self].on)
        fakehal_fail("hal_cpu_stop() on CPU %u, which is off", hal->self);
    switch_off(hal);
    fakehal_leave(FAKEHAL_STOPPED, "hal_cpu_stop()");
}

static void call_entry(void *ctx)
{
    struct fakehal_cpu *cpu = ctx;
    void (*entry)(void *) = cpu->entry;

    cpu->entry = NULL;
    entry(cpu->entry_arg);
    switch_off(fakehal());
}

enum fakehal_end fakehal_cpu_enter(unsigned index)
{
    struct fakehal *hal = fakehal();
    unsigned self = hal->self;
    enum fakehal_end end;

    if (index >= FAKEHAL_CPUS || hal->cpu[index].entry == NULL)
        fakehal_fail("fakehal_cpu_enter(%u): it was not started, or has entered", index);
    hal->self = index;
    end = fakehal_catch(call_entry, &hal->cpu[index]);
    hal->self = self;
    return end;
}
