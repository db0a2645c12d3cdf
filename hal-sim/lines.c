/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Interrupt lines that follow from state and time: timers and maintenance. */
#include "hal-sim/internal.h"

uint64_t lines_virtual_count(const struct sim_cpu *cpu, uint64_t now)
{
    return now - cpu->loaded->config.cntvoff_el2;
}

/* TimerConditionMet: D11.2.4. */
bool lines_vtimer_met(const struct sim_cpu *cpu, uint64_t now)
{
    return lines_virtual_count(cpu, now) >= cpu->cntv_cval;
}

static bool vtimer_armed(const struct sim_cpu *cpu)
{
    return cpu->loaded != NULL && (cpu->cntv_ctl & (CNTV_ENABLE | CNTV_IMASK)) == CNTV_ENABLE;
}

bool lines_update(struct sim_machine *machine, unsigned index)
{
    struct sim_cpu *cpu = &machine->cpu[index];
    struct irqchip *chip = &machine->irqchip;
    bool loaded = cpu->loaded != NULL;

    irqchip_set_level(chip, index, SIM_INTID_VTIMER,
                      vtimer_armed(cpu) && lines_vtimer_met(cpu, machine->now));
    irqchip_set_level(chip, index, SIM_INTID_HYPTIMER,
                      cpu->hyp_deadline != HAL_TIMER_NEVER && machine->now >= cpu->hyp_deadline);
    if (machine->nr_disk_requests != 0)
        disk_update_lines(machine);
    irqchip_set_level(chip, index, SIM_INTID_MAINT, loaded && vcpuif_misr(&cpu->gic) != 0);
    if (loaded)
        engine_set_virtual_lines(sim_host()->engine[index], vcpuif_virq(&cpu->gic),
                                 vcpuif_vfiq(&cpu->gic));
    return irqchip_signals(chip, index);
}

uint64_t lines_next_event(const struct sim_machine *machine, unsigned index)
{
    const struct sim_cpu *cpu = &machine->cpu[index];
    uint64_t next = disk_next_event(machine);

    if (cpu->hyp_deadline > machine->now && cpu->hyp_deadline < next)
        next = cpu->hyp_deadline;
    if (vtimer_armed(cpu) && !lines_vtimer_met(cpu, machine->now)) {
        uint64_t left = cpu->cntv_cval - lines_virtual_count(cpu, machine->now);
        if (left < next - machine->now)
            next = machine->now + left;
    }
    return next;
}
