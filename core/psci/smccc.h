/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Calls of a guest by HVC and SMC (SMCCC DEN 0028, PSCI DEN 0022). Each function is a row of a
 * const table; one that has no row returns NOT_SUPPORTED. x4-x17 are preserved (SMCCC 1.1).
 */
#ifndef PSCI_SMCCC_H
#define PSCI_SMCCC_H

#include "vm/vcpu.h"
#include <stdbool.h>
#include <stdint.h>

/* One function. `call` finds its arguments in x1.. and leaves its results in x0.., with
 * smccc_return() if that is one. */
struct smccc_row {
    uint32_t fid;
    const char *name;
    void (*call)(struct vcpu *vcpu);
};

/* A result of 32 bits is sign-extended: the caller looks at w0 alone (DEN 0028, 2.7). */
static inline void smccc_return(struct vcpu *vcpu, int64_t result)
{
    vcpu->arch.x[0] = (uint64_t)result;
}

/* Carries out the call that x0..x7 of the vCPU describe; `immediate` is that of the HVC or SMC
 * instruction, 0 by convention. */
void smccc_dispatch(struct vcpu *vcpu, uint32_t immediate);

/* The row of a function, or NULL. For discovery and tests. */
const struct smccc_row *smccc_find(uint32_t fid);

#endif
