/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Trapped System registers, one row each. An access that no row allows is UNDEFINED to the guest.
 */
#ifndef EXIT_SYSREG_TRAP_H
#define EXIT_SYSREG_TRAP_H

#include "vm/vcpu.h"
#include <stddef.h>
#include <stdint.h>

struct sysreg_row {
    uint32_t encoding; /* SYSREG(): the table ascends by it */
    const char *name;
    uint64_t (*read)(struct vcpu *vcpu);              /* NULL: write-only */
    void (*write)(struct vcpu *vcpu, uint64_t value); /* NULL: read-only */
};

extern const struct sysreg_row sysreg_rows[];
extern const size_t sysreg_row_count;

/* The exit handler of EC 0x18. */
void sysreg_trap(struct vcpu *vcpu, const struct arch_exit *exit);

#endif
