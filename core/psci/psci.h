/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The PSCI 1.1 functions of a guest (DEN 0022), as rows of psci/smccc.c call them: arguments in
 * x1.., the result goes to x0. */
#ifndef PSCI_PSCI_H
#define PSCI_PSCI_H

#include "vm/vcpu.h"
#include <stdint.h>

void psci_version(struct vcpu *vcpu);
void psci_features(struct vcpu *vcpu);
void psci_migrate_info_type(struct vcpu *vcpu);
void psci_system_off(struct vcpu *vcpu);
void psci_system_reset(struct vcpu *vcpu);
void psci_cpu_off(struct vcpu *vcpu);
void psci_cpu_suspend_32(struct vcpu *vcpu);
void psci_cpu_suspend_64(struct vcpu *vcpu);
void psci_cpu_default_suspend_32(struct vcpu *vcpu);
void psci_cpu_default_suspend_64(struct vcpu *vcpu);
void psci_system_suspend_32(struct vcpu *vcpu);
void psci_system_suspend_64(struct vcpu *vcpu);
void psci_system_reset2(struct vcpu *vcpu);
void psci_stat_residency(struct vcpu *vcpu);
void psci_stat_count(struct vcpu *vcpu);
void psci_mem_protect(struct vcpu *vcpu);
void psci_mem_protect_check_range_32(struct vcpu *vcpu);
void psci_mem_protect_check_range_64(struct vcpu *vcpu);
void psci_cpu_on_32(struct vcpu *vcpu);
void psci_cpu_on_64(struct vcpu *vcpu);
void psci_affinity_info_32(struct vcpu *vcpu);
void psci_affinity_info_64(struct vcpu *vcpu);

#endif
