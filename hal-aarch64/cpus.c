/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Physical CPUs: what each needs before core runs on it, and EL3's PSCI (DEN 0022), which switches
 * them on and off. */
#include "abi/gicv3.h"
#include "abi/psci.h"
#include "base/bits.h"
#include "base/check.h"
#include "hal/hal.h"
#include "internal.h"
#include "offsets.h"
#include <stdatomic.h>

/* In which a CPU that EL3 has switched on must be here. It takes microseconds; an emulator whose
 * host is busy takes longer. */
#define START_SECONDS 5u

static uint32_t nr_cpus;         /* 0 before hal_init() */
static uint32_t private_enabled; /* INTIDs of each CPU, as bits */

void cpu_init_self(struct percpu *cpu)
{
    const struct arch_idregs *idregs = &cpu->idregs;

    cpu_read_id_regs(&cpu->idregs);
    cpu->nr_breakpoints = idreg_breakpoints(idregs);
    cpu->nr_watchpoints = idreg_watchpoints(idregs);
    cpu->has_pauth = idreg_has_pauth(idregs);
    cpu->has_ras = bits_get(idregs->reg[IDREG_PFR0], 31, 28) != 0;
    cpu->has_sme = bits_get(idregs->reg[IDREG_PFR1], 27, 24) != 0;
    el2_regs_init(idregs);
    sysreg_write(oslar_el1,
                 UINT64_C(0)); /* core emulates the guests' OS Lock; the CPU's own stays open */
    sysreg_write(mdscr_el1, UINT64_C(0));
}

/* All but the boot CPU, which has its own: the guard pages stay out of the map. */
static hv_err give_stacks(struct percpu *cpu)
{
    uint64_t at = (uint64_t)cpu_stacks + (uint64_t)(cpu->index - 1) * CPU_STACK_STRIDE;

    cpu->stack = at + CPU_STACK_GUARD + CPU_STACK_SIZE;
    cpu->panic_stack = at + CPU_STACK_STRIDE;
    return mmu_map(at + CPU_STACK_GUARD, CPU_STACK_STRIDE - CPU_STACK_GUARD, MMU_DATA);
}

hv_err cpus_init(const struct hal_platform *platform)
{
    const uint32_t intids[] = {HAL_INTID_KICK, platform->timer_hyp_intid,
                               platform->timer_virt_intid, platform->gic_maintenance_intid};

    if (platform->nr_cpus < 1 || platform->nr_cpus > PLATFORM_MAX_CPUS)
        return HV_ERR_RANGE;
    for (unsigned i = 0; i < ARRAY_LEN(intids); i++) {
        if (intids[i] >= GIC_NR_PRIVATE)
            return HV_ERR_RANGE;
        private_enabled |= UINT32_C(1) << intids[i];
    }
    for (uint32_t i = 1; i < platform->nr_cpus; i++) {
        struct percpu *cpu = &percpu[i];
        hv_err err;

        cpu->index = i;
        cpu->mpidr = platform->cpu_mpidr[i];
        err = give_stacks(cpu);
        if (err != HV_OK)
            return err;
    }
    /* A CPU looks for its panic stack before its MMU is on. */
    hal_cache_op(percpu, sizeof(percpu), HAL_CACHE_CLEAN);
    nr_cpus = platform->nr_cpus;
    return HV_OK;
}

void cpu_init_interrupts(void)
{
    timer_init_cpu();
    gic_init_cpu(private_enabled);
}

static hv_err psci_cpu_on(const struct percpu *cpu)
{
    struct smc_regs regs = {
        .x = {PSCI_CPU_ON_64, cpu->mpidr, (uint64_t)secondary_entry, (uint64_t)cpu}};

    hal_smc(&regs);
    switch ((int32_t)regs.x[0]) {
    case PSCI_SUCCESS:
        return HV_OK;
    case PSCI_ALREADY_ON: /* in hal_cpu_stop(), or late: see secondary_main() */
    case PSCI_ON_PENDING:
        return HV_ERR_BUSY;
    default:
        return HV_ERR_UNSUPPORTED;
    }
}

/* Waits until the CPU is on its way, so that it misses no kick; firmware may have lost it. */
static hv_err wait_started(struct percpu *cpu)
{
    uint64_t limit = hal_time_now() + START_SECONDS * hal_time_hz();

    while (atomic_load(&cpu->power) == CPU_STARTING) {
        if (hal_time_now() >= limit)
            return HV_ERR_UNSUPPORTED;
        hal_cpu_relax();
    }
    return HV_OK;
}

hv_err hal_cpu_start(unsigned index, void (*entry)(void *), void *arg)
{
    uint32_t off = CPU_OFF;
    uint32_t starting = CPU_STARTING;
    struct percpu *cpu;
    hv_err err;

    if (index >= nr_cpus)
        return HV_ERR_RANGE;
    cpu = &percpu[index];
    if (cpu->gicr == NULL)
        return HV_ERR_UNSUPPORTED;
    if (!atomic_compare_exchange_strong(&cpu->power, &off, CPU_CLAIMED))
        return HV_ERR_BUSY;
    cpu->entry = entry;
    cpu->entry_arg = arg;
    atomic_store(&cpu->power, CPU_STARTING);
    dsb(sy); /* and what the caller wrote before */
    err = psci_cpu_on(cpu);
    if (err == HV_OK)
        err = wait_started(cpu);
    /* From an earlier call that had given it up, it may have come just now. */
    if (err != HV_OK && !atomic_compare_exchange_strong(&cpu->power, &starting, CPU_OFF))
        err = HV_OK;
    return err;
}

/* A CPU that is on wrote them before it said so. */
void hal_cpu_id_regs(unsigned index, struct arch_idregs *out)
{
    HV_CHECK(index < PLATFORM_MAX_CPUS && percpu[index].idregs.midr != 0);
    *out = percpu[index].idregs;
}

/* Firmware that denies it has the CPU waiting here for ever. */
static _Noreturn void power_off(void)
{
    struct smc_regs regs = {.x = {PSCI_CPU_OFF}};

    hal_smc(&regs);
    for (;;)
        __asm__ volatile("wfi");
}

_Noreturn void secondary_main(struct percpu *cpu)
{
    uint32_t starting = CPU_STARTING;

    cpu_init_self(cpu);
    cpu_init_interrupts();
    if (atomic_compare_exchange_strong(&cpu->power, &starting, CPU_ON)) {
        cpu->entry(cpu->entry_arg);
        hal_cpu_stop();
    }
    timer_init_cpu();
    gic_stop_cpu();
    power_off();
}

_Noreturn void hal_cpu_stop(void)
{
    struct percpu *cpu = percpu_self();

    HV_CHECK(cpu->loaded == NULL);
    timer_init_cpu();
    gic_stop_cpu();
    atomic_store(&cpu->power, CPU_OFF);
    power_off();
}
