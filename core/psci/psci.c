/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "psci/psci.h"
#include "abi/machine.h"
#include "abi/psci.h"
#include "abi/smccc.h"
#include "psci/psci_priv.h"
#include "psci/smccc.h"
#include "vm/hv.h"

#define MPIDR_AFFINITY        (BITS(39, 32) | BITS(23, 0))
#define RESET_TYPE_WARM       UINT32_C(0)
#define MIGRATE_NO_TRUSTED_OS 2 /* 5.9: no migration is needed */

static int64_t psci_from_err(hv_err err)
{
    switch (err) {
    case HV_OK:
        return PSCI_SUCCESS;
    case HV_ERR_EXIST:
        return PSCI_ALREADY_ON;
    case HV_ERR_BUSY:
        return PSCI_ON_PENDING;
    default:
        return PSCI_INTERNAL_FAILURE;
    }
}

struct vcpu *psci_target(const struct vcpu *caller, uint64_t affinity)
{
    struct vm *vm = caller->vm;

    for (uint32_t i = 0; i < vm->nr_vcpus; i++)
        if ((vm->vcpu[i].arch.config.vmpidr_el2 & MPIDR_AFFINITY) == affinity)
            return &vm->vcpu[i];
    return NULL;
}

bool psci_entry_is_valid(const struct vcpu *vcpu, uint64_t entry)
{
    return is_aligned(entry, 4) && entry >= MACHINE_RAM_BASE &&
           entry - MACHINE_RAM_BASE < vcpu->vm->config->memory;
}

void psci_version(struct vcpu *vcpu)
{
    smccc_return(vcpu, PSCI_VERSION_1_1);
}

/* 5.15. Feature flags of all functions are 0; CPU_SUSPEND's say original format, and
 * platform-coordinated alone. */
void psci_features(struct vcpu *vcpu)
{
    uint32_t fid = (uint32_t)vcpu->arch.x[1];
    bool known = SMCCC_OWNER(fid) == SMCCC_OWNER_STANDARD || fid == SMCCC_VERSION;

    known = known && smccc_find(fid) != NULL;
    smccc_return(vcpu, known ? PSCI_SUCCESS : PSCI_NOT_SUPPORTED);
}

void psci_migrate_info_type(struct vcpu *vcpu)
{
    smccc_return(vcpu, MIGRATE_NO_TRUSTED_OS);
}

void psci_system_off(struct vcpu *vcpu)
{
    vm_end(vcpu->vm, VM_OFF, "powered off by PSCI SYSTEM_OFF");
}

void psci_system_reset(struct vcpu *vcpu)
{
    vm_end(vcpu->vm, VM_RESET, "reset by PSCI SYSTEM_RESET");
}

/* 5.18: the architectural warm reset, which is no other than SYSTEM_RESET here; no type of a
 * vendor's. */
void psci_system_reset2(struct vcpu *vcpu)
{
    if ((uint32_t)vcpu->arch.x[1] != RESET_TYPE_WARM)
        smccc_return(vcpu, PSCI_INVALID_PARAMETERS);
    else
        vm_end(vcpu->vm, VM_RESET, "reset by PSCI SYSTEM_RESET2");
}

/* 5.5: does not return to the caller. */
void psci_cpu_off(struct vcpu *vcpu)
{
    vm_vcpu_off(vcpu);
}

/* 5.6 */
static int64_t psci_cpu_on(struct vcpu *vcpu, uint64_t affinity, uint64_t entry, uint64_t context)
{
    struct vcpu *target = psci_target(vcpu, affinity);

    if (target == NULL)
        return PSCI_INVALID_PARAMETERS;
    if (!psci_entry_is_valid(vcpu, entry))
        return PSCI_INVALID_ADDRESS;
    return psci_from_err(vm_vcpu_on(target, ipa(entry), context));
}

void psci_cpu_on_32(struct vcpu *vcpu)
{
    const uint64_t *x = vcpu->arch.x;

    smccc_return(vcpu, psci_cpu_on(vcpu, (uint32_t)x[1], (uint32_t)x[2], (uint32_t)x[3]));
}

void psci_cpu_on_64(struct vcpu *vcpu)
{
    const uint64_t *x = vcpu->arch.x;

    smccc_return(vcpu, psci_cpu_on(vcpu, x[1], x[2], x[3]));
}

/* 5.7: enum vcpu_power has its values. Levels above 0 need not be implemented since 1.0. */
static int64_t psci_affinity_info(struct vcpu *vcpu, uint64_t affinity, uint32_t level)
{
    const struct vcpu *target = psci_target(vcpu, affinity);

    if (target == NULL || level != 0)
        return PSCI_INVALID_PARAMETERS;
    return target->power;
}

void psci_affinity_info_32(struct vcpu *vcpu)
{
    const uint64_t *x = vcpu->arch.x;

    smccc_return(vcpu, psci_affinity_info(vcpu, (uint32_t)x[1], (uint32_t)x[2]));
}

void psci_affinity_info_64(struct vcpu *vcpu)
{
    const uint64_t *x = vcpu->arch.x;

    smccc_return(vcpu, psci_affinity_info(vcpu, x[1], (uint32_t)x[2]));
}
