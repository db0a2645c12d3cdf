/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* hal.h: vCPUs and their list registers. */
#include "arch/el2.h"
#include "arch/esr.h"
#include "base/bits.h"
#include "base/check.h"
#include "hal-sim/internal.h"
#include "hal-sim/race.h"

static struct engine *engine_self(const struct sim_machine *machine)
{
    return sim_host()->engine[machine->self];
}

/* What the owner of a vCPU has for itself, for who looks for races. `config` is core's to write.
 * all: not merely what is in memory while it is loaded. */
static void own_state(const struct arch_vcpu *vcpu, bool all, const void *where)
{
    race_access(vcpu, offsetof(struct arch_vcpu, config), true, where);
    race_access(&vcpu->config, sizeof(vcpu->config), false, where);
    if (all)
        race_access(vcpu->sys, sizeof(*vcpu) - offsetof(struct arch_vcpu, sys), true, where);
}

/* --- Loading --- */

void hal_vcpu_load(struct arch_vcpu *vcpu)
{
    struct sim_machine *machine = sim_machine();
    struct sim_cpu *cpu = sim_cpu_self(machine);

    HV_CHECK(cpu->loaded == NULL);
    explore_point(__builtin_return_address(0));
    own_state(vcpu, true, __builtin_return_address(0));
    cpu->loaded = vcpu;
    cpu->gic = vcpu->gic;
    cpu->gic.vmcr = vcpuif_vmcr_implemented(cpu->gic.vmcr);
    cpu->cntv_ctl = vcpu->sys[ARCH_CNTV_CTL_EL0] & (CNTV_ENABLE | CNTV_IMASK);
    cpu->cntv_cval = vcpu->sys[ARCH_CNTV_CVAL_EL0];
    engine_load(engine_self(machine), vcpu);
    (void)lines_update(machine, machine->self);
}

static uint64_t vtimer_ctl(const struct sim_machine *machine, const struct sim_cpu *cpu)
{
    bool met = (cpu->cntv_ctl & CNTV_ENABLE) != 0 && lines_vtimer_met(cpu, machine->now);

    return cpu->cntv_ctl | (met ? CNTV_ISTATUS : 0);
}

void hal_vcpu_put(struct arch_vcpu *vcpu)
{
    struct sim_machine *machine = sim_machine();
    struct sim_cpu *cpu = sim_cpu_self(machine);

    HV_CHECK(cpu->loaded == vcpu);
    explore_point(__builtin_return_address(0));
    own_state(vcpu, true, __builtin_return_address(0));
    engine_save(engine_self(machine), vcpu);
    vcpu->gic = cpu->gic;
    vcpu->sys[ARCH_CNTV_CTL_EL0] = vtimer_ctl(machine, cpu);
    vcpu->sys[ARCH_CNTV_CVAL_EL0] = cpu->cntv_cval;
    cpu->loaded = NULL;
    engine_set_virtual_lines(engine_self(machine), false, false);
    (void)lines_update(machine, machine->self);
}

void vcpu_freeze(struct sim_machine *machine, unsigned index)
{
    struct sim_cpu *cpu = &machine->cpu[index];

    if (cpu->loaded == NULL)
        return;
    cpu->frozen = *cpu->loaded;
    engine_save(sim_host()->engine[index], &cpu->frozen);
}

void vcpu_thaw(struct sim_machine *machine, unsigned index)
{
    struct sim_cpu *cpu = &machine->cpu[index];
    struct engine *engine = sim_host()->engine[index];

    engine_forget(engine);
    if (cpu->loaded == NULL) {
        engine_set_virtual_lines(engine, false, false);
        return;
    }
    engine_load(engine, &cpu->frozen);
    (void)lines_update(machine, index);
}

/* --- System registers --- */

/* The CPU that has this vCPU loaded, or NULL. */
static struct sim_cpu *loaded_on(struct sim_machine *machine, const struct arch_vcpu *vcpu)
{
    struct sim_cpu *cpu = sim_cpu_self(machine);

    return cpu->loaded == vcpu ? cpu : NULL;
}

uint64_t hal_vcpu_sysreg_get(struct arch_vcpu *vcpu, enum arch_sysreg reg)
{
    struct sim_machine *machine = sim_machine();
    const struct sim_cpu *cpu = loaded_on(machine, vcpu);

    HV_CHECK(reg < ARCH_SYSREG_COUNT);
    if (cpu == NULL)
        return vcpu->sys[reg];
    if (reg == ARCH_CNTV_CTL_EL0)
        return vtimer_ctl(machine, cpu);
    if (reg == ARCH_CNTV_CVAL_EL0)
        return cpu->cntv_cval;
    return engine_sysreg_get(engine_self(machine), reg);
}

void hal_vcpu_sysreg_set(struct arch_vcpu *vcpu, enum arch_sysreg reg, uint64_t value)
{
    struct sim_machine *machine = sim_machine();
    struct sim_cpu *cpu = loaded_on(machine, vcpu);

    HV_CHECK(reg < ARCH_SYSREG_COUNT);
    if (cpu == NULL)
        vcpu->sys[reg] = value;
    else if (reg == ARCH_CNTV_CTL_EL0)
        cpu->cntv_ctl = value & (CNTV_ENABLE | CNTV_IMASK);
    else if (reg == ARCH_CNTV_CVAL_EL0)
        cpu->cntv_cval = value;
    else
        engine_sysreg_set(engine_self(machine), reg, value);
}

void hal_vcpu_config_sync(struct arch_vcpu *vcpu)
{
    struct sim_machine *machine = sim_machine();

    HV_CHECK(loaded_on(machine, vcpu) != NULL);
    engine_load_config(engine_self(machine), &vcpu->config);
}

/* --- List registers --- */

static struct arch_vcpu_gic *gic_of(struct arch_vcpu *vcpu)
{
    struct sim_cpu *cpu = loaded_on(sim_machine(), vcpu);

    return cpu != NULL ? &cpu->gic : &vcpu->gic;
}

/* What its owner alone may do. */
static void gic_use(const struct arch_vcpu *vcpu, bool write, const void *where)
{
    explore_point(where);
    race_access(&vcpu->gic, sizeof(vcpu->gic), write, where);
}

unsigned hal_gic_lr_count(void)
{
    return VCPUIF_NR_LRS;
}

uint64_t hal_gic_lr_get(struct arch_vcpu *vcpu, unsigned n)
{
    HV_CHECK(n < VCPUIF_NR_LRS);
    gic_use(vcpu, false, __builtin_return_address(0));
    return gic_of(vcpu)->lr[n];
}

void hal_gic_lr_set(struct arch_vcpu *vcpu, unsigned n, uint64_t lr)
{
    HV_CHECK(n < VCPUIF_NR_LRS);
    gic_use(vcpu, true, __builtin_return_address(0));
    gic_of(vcpu)->lr[n] = vcpuif_lr_implemented(lr);
}

uint32_t hal_gic_lr_empty(struct arch_vcpu *vcpu)
{
    return vcpuif_elrsr(gic_of(vcpu));
}

uint64_t hal_gic_hcr_get(struct arch_vcpu *vcpu)
{
    return gic_of(vcpu)->hcr;
}

void hal_gic_hcr_set(struct arch_vcpu *vcpu, uint64_t hcr)
{
    gic_use(vcpu, true, __builtin_return_address(0));
    gic_of(vcpu)->hcr = vcpuif_hcr_implemented(hcr);
}

uint64_t hal_gic_vmcr_get(struct arch_vcpu *vcpu)
{
    gic_use(vcpu, false, __builtin_return_address(0));
    return gic_of(vcpu)->vmcr;
}

/* --- Running --- */

/* A CPU with something pending does not wait, and nothing traps. */
static bool wakes_at_once(struct sim_machine *machine, const struct arch_exit *exit)
{
    return bits_get(exit->esr, 31, 26) == ESR_EC_WFX && lines_update(machine, machine->self);
}

/* WFI that core does not want to hear of: the CPU sleeps here until an interrupt comes. */
static bool waits_here(struct sim_machine *machine, const struct arch_vcpu *vcpu,
                       const struct arch_exit *exit)
{
    if (bits_get(exit->esr, 31, 26) != ESR_EC_WFX || (vcpu->config.hcr_el2 & HCR_TWI) != 0)
        return false;
    while (!lines_update(machine, machine->self)) {
        sim_cpu_self(machine)->state = SIM_CPU_IDLE;
        turns_yield(machine);
        sim_cpu_self(machine)->state = SIM_CPU_RUNNING;
    }
    return true;
}

/* One turn of the engine. True if there is an exit for core. */
static bool run_engine(struct sim_machine *machine, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    struct sim_cpu *cpu = sim_cpu_self(machine);
    struct engine *engine = engine_self(machine);
    enum engine_stop stop;

    cpu->run_start = machine->now;
    stop = engine_run(engine, vcpu, turns_horizon(machine) - machine->now, exit);
    machine->now = cpu->run_start + engine_executed(engine);
    machine->stats.instructions += engine_executed(engine);
    machine->stats.el1_entries += engine_el1_entries(engine);
    machine->stats.tb_flushes += engine_code_flushes(engine);
    if (stop == ENGINE_STOP_FAILED)
        turns_break(machine, "CPU %u: %s", machine->self, engine_failure(engine));
    if (stop == ENGINE_STOP_LIMIT)
        return false;
    if (waits_here(machine, vcpu, exit) || wakes_at_once(machine, exit)) {
        vcpu->pc += 4;
        return false;
    }
    machine->stats.exits_sync++;
    return true;
}

/* Exits in a row in which no time passes: core and its guest go round in a circle that neither a
 * limit of instructions nor a signal would end. */
#define STUCK_EXITS 1000000u

static void check_progress(struct sim_machine *machine, struct sim_cpu *cpu)
{
    if (cpu->exit_time != machine->now) {
        cpu->exit_time = machine->now;
        cpu->exits_then = 0;
    } else if (++cpu->exits_then == STUCK_EXITS) {
        turns_break(machine, "CPU %u: %u exits and not one instruction, at PC 0x%llx",
                    machine->self, STUCK_EXITS, (unsigned long long)cpu->loaded->pc);
    }
}

/* Another CPU may store where the monitor of this one points. */
static void give_way(struct sim_machine *machine)
{
    if (machine->nr_cpus > 1)
        engine_open_monitor(engine_self(machine));
    turns_yield(machine);
}

void hal_vcpu_run(struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    struct sim_machine *machine = sim_machine();

    HV_CHECK(sim_cpu_self(machine)->loaded == vcpu);
    lock_held_expect_none("hal_vcpu_run()");
    explore_point(__builtin_return_address(0));
    explore_progress();
    own_state(vcpu, false, __builtin_return_address(0));
    sim_cpu_self(machine)->time_readings = 0;
    machine->stats.exits++;
    check_progress(machine, sim_cpu_self(machine));
    for (;;) {
        if (lines_update(machine, machine->self)) {
            *exit = (struct arch_exit){.kind = ARCH_EXIT_IRQ};
            engine_open_monitor(engine_self(machine));
            return;
        }
        if (turns_over(machine))
            give_way(machine);
        else if (run_engine(machine, vcpu, exit))
            return;
    }
}
