/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stage-2 aborts of a guest: an access to a device is emulated, any other is an external abort to
 * the guest. */
#ifndef EXIT_ABORT_H
#define EXIT_ABORT_H

#include "arch/vcpu.h"
#include "vm/vcpu.h"

/* The exit handlers of EC 0x24 and 0x20. */
void abort_data(struct vcpu *vcpu, const struct arch_exit *exit);
void abort_instruction(struct vcpu *vcpu, const struct arch_exit *exit);

#endif
