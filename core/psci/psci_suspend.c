/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What ends with a wake-up, what is counted of it, and MEM_PROTECT. */
#include "abi/machine.h"
#include "abi/psci.h"
#include "base/addr.h"
#include "hal/hal.h"
#include "psci/psci.h"
#include "psci/psci_priv.h"
#include "psci/smccc.h"
#include "vm/sched.h"
#include "vm/vm.h"

/* --- Suspending --- */

static void suspend(struct vcpu *vcpu, enum vcpu_suspend kind, uint64_t entry, uint64_t context)
{
    if (kind != VCPU_STANDBY && !psci_entry_is_valid(vcpu, entry)) {
        smccc_return(vcpu, PSCI_INVALID_ADDRESS);
        return;
    }
    /* What standby returns with; power-down comes out of reset. */
    smccc_return(vcpu, PSCI_SUCCESS);
    sched_suspend(vcpu, kind, ipa(entry), context);
}

/* The state of a CPU that power_state names (5.4.2), VCPU_AWAKE for none that this machine has. */
static enum vcpu_suspend suspend_of(uint32_t power_state)
{
    switch (power_state) {
    case PSCI_STATE_STANDBY:
        return VCPU_STANDBY;
    case PSCI_STATE_POWER_DOWN:
        return VCPU_POWER_DOWN;
    default:
        return VCPU_AWAKE;
    }
}

/* 5.4 */
static void cpu_suspend(struct vcpu *vcpu, uint32_t power_state, uint64_t entry, uint64_t context)
{
    enum vcpu_suspend kind = suspend_of(power_state);

    if (kind == VCPU_AWAKE)
        smccc_return(vcpu, PSCI_INVALID_PARAMETERS);
    else
        suspend(vcpu, kind, entry, context);
}

void psci_cpu_suspend_32(struct vcpu *vcpu)
{
    const uint64_t *x = vcpu->arch.x;

    cpu_suspend(vcpu, (uint32_t)x[1], (uint32_t)x[2], (uint32_t)x[3]);
}

void psci_cpu_suspend_64(struct vcpu *vcpu)
{
    const uint64_t *x = vcpu->arch.x;

    cpu_suspend(vcpu, (uint32_t)x[1], x[2], x[3]);
}

/* 5.13: the deepest state. */
void psci_cpu_default_suspend_32(struct vcpu *vcpu)
{
    suspend(vcpu, VCPU_POWER_DOWN, (uint32_t)vcpu->arch.x[1], (uint32_t)vcpu->arch.x[2]);
}

void psci_cpu_default_suspend_64(struct vcpu *vcpu)
{
    suspend(vcpu, VCPU_POWER_DOWN, vcpu->arch.x[1], vcpu->arch.x[2]);
}

/* 5.19: only the last CPU that is on may. */
static void system_suspend(struct vcpu *vcpu, uint64_t entry, uint64_t context)
{
    if (!vm_is_alone(vcpu))
        smccc_return(vcpu, PSCI_DENIED);
    else
        suspend(vcpu, VCPU_SYSTEM_SUSPEND, entry, context);
}

void psci_system_suspend_32(struct vcpu *vcpu)
{
    system_suspend(vcpu, (uint32_t)vcpu->arch.x[1], (uint32_t)vcpu->arch.x[2]);
}

void psci_system_suspend_64(struct vcpu *vcpu)
{
    system_suspend(vcpu, vcpu->arch.x[1], vcpu->arch.x[2]);
}

/* --- PSCI_STAT (5.21): 0 for what there is not --- */

static const _Atomic uint64_t *stat_of(struct vcpu *vcpu, bool residency)
{
    bool is_64 = (vcpu->arch.x[0] & SMCCC_64) != 0;
    uint64_t affinity = is_64 ? vcpu->arch.x[1] : (uint32_t)vcpu->arch.x[1];
    const struct vcpu *target = psci_target(vcpu, affinity);
    enum vcpu_suspend kind = suspend_of((uint32_t)vcpu->arch.x[2]);

    if (target == NULL || kind == VCPU_AWAKE)
        return NULL;
    return residency ? &target->sleep.ticks[kind] : &target->sleep.count[kind];
}

/* In microseconds. */
void psci_stat_residency(struct vcpu *vcpu)
{
    const _Atomic uint64_t *ticks = stat_of(vcpu, true);
    uint64_t hz = hal_time_hz();
    uint64_t total = ticks != NULL ? *ticks : 0;

    smccc_return(vcpu, (int64_t)(total / hz * 1000000 + total % hz * 1000000 / hz));
}

void psci_stat_count(struct vcpu *vcpu)
{
    const _Atomic uint64_t *count = stat_of(vcpu, false);

    smccc_return(vcpu, count != NULL ? (int64_t)*count : 0);
}

/* --- MEM_PROTECT (5.20): every memory that a VM starts with is zeroed, asked for or not --- */

void psci_mem_protect(struct vcpu *vcpu)
{
    uint32_t enable = (uint32_t)vcpu->arch.x[1];

    if (enable > 1)
        smccc_return(vcpu, PSCI_INVALID_PARAMETERS);
    else
        smccc_return(vcpu, atomic_exchange(&vcpu->vm->mem_protect, enable != 0));
}

static void check_range(struct vcpu *vcpu, uint64_t base, uint64_t length)
{
    uint64_t memory = vcpu->vm->config->memory;
    bool within = length != 0 && base >= MACHINE_RAM_BASE && base - MACHINE_RAM_BASE < memory &&
                  length <= memory - (base - MACHINE_RAM_BASE);

    smccc_return(vcpu, within ? PSCI_SUCCESS : PSCI_DENIED);
}

void psci_mem_protect_check_range_32(struct vcpu *vcpu)
{
    check_range(vcpu, (uint32_t)vcpu->arch.x[1], (uint32_t)vcpu->arch.x[2]);
}

void psci_mem_protect_check_range_64(struct vcpu *vcpu)
{
    check_range(vcpu, vcpu->arch.x[1], vcpu->arch.x[2]);
}
