/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hal-sim/el3.h"
#include "abi/psci.h"
#include "base/bits.h"
#include <stddef.h>

#define MIGRATE_NO_TRUSTED_OS INT32_C(2) /* DEN 0022 5.9: no migration is needed */

typedef int32_t el3_handler(const struct el3_ops *ops, const uint64_t *x);

struct el3_row {
    uint32_t fid;
    el3_handler *handler;
};

static const struct el3_row *el3_find(uint32_t fid);

static int32_t el3_psci_version(const struct el3_ops *ops, const uint64_t *x)
{
    (void)ops;
    (void)x;
    return (int32_t)PSCI_VERSION_1_1;
}

static int32_t el3_cpu_off(const struct el3_ops *ops, const uint64_t *x)
{
    (void)x;
    ops->cpu_off(ops->ctx);
    return PSCI_DENIED;
}

static int32_t el3_cpu_on_32(const struct el3_ops *ops, const uint64_t *x)
{
    return ops->cpu_on(ops->ctx, (uint32_t)x[1], (uint32_t)x[2], (uint32_t)x[3]);
}

static int32_t el3_cpu_on_64(const struct el3_ops *ops, const uint64_t *x)
{
    return ops->cpu_on(ops->ctx, x[1], x[2], x[3]);
}

static int32_t el3_affinity_info_32(const struct el3_ops *ops, const uint64_t *x)
{
    return ops->affinity_info(ops->ctx, (uint32_t)x[1], (uint32_t)x[2]);
}

/* lowest_affinity_level is W2 in this one, too. */
static int32_t el3_affinity_info_64(const struct el3_ops *ops, const uint64_t *x)
{
    return ops->affinity_info(ops->ctx, x[1], (uint32_t)x[2]);
}

static int32_t el3_migrate_info_type(const struct el3_ops *ops, const uint64_t *x)
{
    (void)ops;
    (void)x;
    return MIGRATE_NO_TRUSTED_OS;
}

static int32_t el3_system_off(const struct el3_ops *ops, const uint64_t *x)
{
    (void)x;
    ops->system_off(ops->ctx, false);
    return PSCI_INTERNAL_FAILURE;
}

static int32_t el3_system_reset(const struct el3_ops *ops, const uint64_t *x)
{
    (void)x;
    ops->system_off(ops->ctx, true);
    return PSCI_INTERNAL_FAILURE;
}

/* DEN 0022 5.15: of PSCI's functions, and SMCCC_VERSION; none has feature flags. */
static int32_t el3_psci_features(const struct el3_ops *ops, const uint64_t *x)
{
    uint32_t fid = (uint32_t)x[1];
    bool asked = SMCCC_OWNER(fid) == SMCCC_OWNER_STANDARD || fid == SMCCC_VERSION;

    (void)ops;
    return asked && el3_find(fid) != NULL ? PSCI_SUCCESS : PSCI_NOT_SUPPORTED;
}

static int32_t el3_smccc_version(const struct el3_ops *ops, const uint64_t *x)
{
    (void)ops;
    (void)x;
    return (int32_t)SMCCC_VERSION_1_1;
}

/* DEN 0028: of Arm Architecture Calls. */
static int32_t el3_arch_features(const struct el3_ops *ops, const uint64_t *x)
{
    uint32_t fid = (uint32_t)x[1];
    bool asked = SMCCC_OWNER(fid) == SMCCC_OWNER_ARCH;

    (void)ops;
    return asked && el3_find(fid) != NULL ? (int32_t)SMCCC_SUCCESS : (int32_t)SMCCC_NOT_SUPPORTED;
}

static const struct el3_row rows[] = {
    {SMCCC_VERSION, el3_smccc_version},
    {SMCCC_ARCH_FEATURES, el3_arch_features},
    {PSCI_VERSION, el3_psci_version},
    {PSCI_CPU_OFF, el3_cpu_off},
    {PSCI_CPU_ON_32, el3_cpu_on_32},
    {PSCI_CPU_ON_64, el3_cpu_on_64},
    {PSCI_AFFINITY_INFO_32, el3_affinity_info_32},
    {PSCI_AFFINITY_INFO_64, el3_affinity_info_64},
    {PSCI_MIGRATE_INFO_TYPE, el3_migrate_info_type},
    {PSCI_SYSTEM_OFF, el3_system_off},
    {PSCI_SYSTEM_RESET, el3_system_reset},
    {PSCI_FEATURES, el3_psci_features},
};

static const struct el3_row *el3_find(uint32_t fid)
{
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].fid == fid)
            return &rows[i];
    return NULL;
}

void el3_call(const struct el3_ops *ops, struct smc_regs *regs)
{
    const struct el3_row *row = el3_find((uint32_t)regs->x[0]);
    int64_t result = row != NULL ? row->handler(ops, regs->x) : SMCCC_NOT_SUPPORTED;

    regs->x[0] = (uint64_t)result;
}
