/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the files of PSCI share. */
#ifndef PSCI_PSCI_PRIV_H
#define PSCI_PSCI_PRIV_H

#include "vm/vcpu.h"
#include <stdbool.h>
#include <stdint.h>

/* The vCPU of the caller's VM with this affinity, NULL if there is none or a reserved bit is set.
 */
struct vcpu *psci_target(const struct vcpu *caller, uint64_t affinity);
/* True for an address at which a vCPU of this VM may start. */
bool psci_entry_is_valid(const struct vcpu *vcpu, uint64_t entry);

#endif
