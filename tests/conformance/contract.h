/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The HAL's contract (hal/CONTRACT.md) as a program: it takes the place of the hypervisor, calls
 * hal.h as core would, and prints its results in the Test Anything Protocol. Portable: it runs on
 * every HAL that runs guests.
 */
#ifndef CONFORMANCE_CONTRACT_H
#define CONFORMANCE_CONTRACT_H

#include "hal/hal.h"
#include <stdbool.h>

struct contract {
    const struct hal_boot *boot;
    struct hal_platform platform;
    unsigned count;
    unsigned failed;
};

/* `ok N - name` or `not ok N - name`; returns condition. */
bool contract_ok(struct contract *ct, bool condition, const char *name);
/* The same for got == want; a failure prints both. */
bool contract_eq(struct contract *ct, uint64_t got, uint64_t want, const char *name);

/* Each prints results of its own. The first runs before hal_init(), the others after it, in any
 * order. */
void contract_check_boot(struct contract *ct);
void contract_check_cpu(struct contract *ct);
void contract_check_phys(struct contract *ct);
void contract_check_time(struct contract *ct);
void contract_check_irq(struct contract *ct);
void contract_check_vcpu(struct contract *ct);

#endif
