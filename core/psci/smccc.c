/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "psci/smccc.h"
#include "abi/psci.h"
#include "abi/smccc.h"
#include "psci/psci.h"
#include <stddef.h>

/*
 * Each function has a slot that its identifier alone decides: calling convention (bit 30), owner
 * ARCH or STANDARD (bit 26), number (bits [4:0]). Two functions with the same slot do not compile.
 */
#define SMCCC_SLOTS     128u
#define SMCCC_SLOT(fid) ((((fid) >> 24) & 0x40u) | (((fid) >> 21) & 0x20u) | ((fid)&0x1fu))

/* A power of two in size: this is the path of the cheapest exit there is. */
struct smccc_slot {
    _Alignas(32) struct smccc_row row;
};

#define ROW(fid, call) [SMCCC_SLOT(fid)] = {{(fid), #fid, (call)}}

static void smccc_version(struct vcpu *vcpu)
{
    smccc_return(vcpu, SMCCC_VERSION_1_1);
}

/* DEN 0028, 7.3: which of the functions of the Arm Architecture Service there are. */
static void smccc_arch_features(struct vcpu *vcpu)
{
    uint32_t fid = (uint32_t)vcpu->arch.x[1];
    bool known = SMCCC_OWNER(fid) == SMCCC_OWNER_ARCH && smccc_find(fid) != NULL;

    smccc_return(vcpu, known ? SMCCC_SUCCESS : SMCCC_NOT_SUPPORTED);
}

static const struct smccc_slot smccc_slots[SMCCC_SLOTS] = {
    ROW(SMCCC_VERSION, smccc_version),
    ROW(SMCCC_ARCH_FEATURES, smccc_arch_features),
    ROW(PSCI_VERSION, psci_version),
    ROW(PSCI_CPU_SUSPEND_32, psci_cpu_suspend_32),
    ROW(PSCI_CPU_SUSPEND_64, psci_cpu_suspend_64),
    ROW(PSCI_CPU_DEFAULT_SUSPEND_32, psci_cpu_default_suspend_32),
    ROW(PSCI_CPU_DEFAULT_SUSPEND_64, psci_cpu_default_suspend_64),
    ROW(PSCI_SYSTEM_SUSPEND_32, psci_system_suspend_32),
    ROW(PSCI_SYSTEM_SUSPEND_64, psci_system_suspend_64),
    ROW(PSCI_STAT_RESIDENCY_32, psci_stat_residency),
    ROW(PSCI_STAT_RESIDENCY_64, psci_stat_residency),
    ROW(PSCI_STAT_COUNT_32, psci_stat_count),
    ROW(PSCI_STAT_COUNT_64, psci_stat_count),
    ROW(PSCI_SYSTEM_RESET2_32, psci_system_reset2),
    ROW(PSCI_SYSTEM_RESET2_64, psci_system_reset2),
    ROW(PSCI_MEM_PROTECT, psci_mem_protect),
    ROW(PSCI_MEM_PROTECT_CHECK_RANGE_32, psci_mem_protect_check_range_32),
    ROW(PSCI_MEM_PROTECT_CHECK_RANGE_64, psci_mem_protect_check_range_64),
    ROW(PSCI_CPU_OFF, psci_cpu_off),
    ROW(PSCI_CPU_ON_32, psci_cpu_on_32),
    ROW(PSCI_CPU_ON_64, psci_cpu_on_64),
    ROW(PSCI_AFFINITY_INFO_32, psci_affinity_info_32),
    ROW(PSCI_AFFINITY_INFO_64, psci_affinity_info_64),
    ROW(PSCI_MIGRATE_INFO_TYPE, psci_migrate_info_type),
    ROW(PSCI_SYSTEM_OFF, psci_system_off),
    ROW(PSCI_SYSTEM_RESET, psci_system_reset),
    ROW(PSCI_FEATURES, psci_features),
};

const struct smccc_row *smccc_find(uint32_t fid)
{
    const struct smccc_row *row = &smccc_slots[SMCCC_SLOT(fid)].row;

    /* An empty slot has identifier 0, which is in a taken one. */
    return row->fid == fid ? row : NULL;
}

void smccc_dispatch(struct vcpu *vcpu, uint32_t immediate)
{
    /* Only w0 identifies the function (DEN 0028, 2.5). */
    const struct smccc_row *row = smccc_find((uint32_t)vcpu->arch.x[0]);

    if (row != NULL && immediate == 0)
        row->call(vcpu);
    else
        smccc_return(vcpu, SMCCC_NOT_SUPPORTED);
}
