/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Model of EL3 as an SMC from EL2 finds it: PSCI 1.1 (DEN 0022) and the least of SMCCC 1.1 (DEN
 * 0028) with which a caller finds it. Pure: what the machine has to do is done by callbacks.
 */
#ifndef HAL_SIM_EL3_H
#define HAL_SIM_EL3_H

#include "abi/smccc.h"
#include <stdbool.h>
#include <stdint.h>

/* mpidr is the argument of the call, with bits that no affinity field has: such a CPU is not
 * there. Arguments of an SMC32 call have 32 bits. Results are those of abi/psci.h. */
struct el3_ops {
    void *ctx;
    /* Powers the machine off, or resets it. If it returns, so does the call, INTERNAL_FAILURE. */
    void (*system_off)(void *ctx, bool reset);
    /* DEN 0022 5.6: judges mpidr and entry, starts that CPU at EL2 with `arg` in x0. */
    int32_t (*cpu_on)(void *ctx, uint64_t mpidr, uint64_t entry, uint64_t arg);
    /* 5.7: 0 on, 1 off, 2 on pending, or INVALID_PARAMETERS. level: 32 bits. */
    int32_t (*affinity_info)(void *ctx, uint64_t mpidr, uint64_t level);
    /* 5.5: stops the calling CPU. If it returns, so does the call, DENIED. */
    void (*cpu_off)(void *ctx);
};

/*
 * SMC #0 with these registers. The function is W0; the result is in X0, a negative one with its
 * sign extended to 64 bits; the others stay as they are (DEN 0028). NOT_SUPPORTED for whatever
 * is not here: CPU_SUSPEND and MIGRATE among it.
 */
void el3_call(const struct el3_ops *ops, struct smc_regs *regs);

#endif
