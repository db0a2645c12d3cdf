/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Exception entry to EL1 as the CPU would do it (Arm ARM DDI 0487, D1.3.1 and the pseudocode
 * AArch64.TakeException). A pure function: the caller moves the values between it and the vCPU.
 */
#ifndef ARCH_EL1_ENTRY_H
#define ARCH_EL1_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

/* The state before; sctlr is SCTLR_EL1 (SPAN and DSSBS matter), idregs tell which PSTATE bits
 * exist. */
struct el1_entry_from {
    uint64_t pc;
    uint64_t pstate;
    uint64_t vbar;
    uint64_t sctlr;
    bool has_pan;
    bool has_ssbs;
    bool has_mte;
};

/* The state after. Writes of ESR_EL1 and FAR_EL1 are the caller's. */
struct el1_entry_to {
    uint64_t pc;
    uint64_t pstate;
    uint64_t elr;
    uint64_t spsr;
};

enum el1_vector {
    EL1_VECTOR_SYNC = 0x000,
    EL1_VECTOR_IRQ = 0x080,
    EL1_VECTOR_FIQ = 0x100,
    EL1_VECTOR_SERROR = 0x180
};

struct el1_entry_to el1_entry(const struct el1_entry_from *from, enum el1_vector vector);

/*
 * Syndromes for exceptions that core injects. `same_el` is true if the guest was at EL1. IL is
 * always set but for a 16-bit instruction, which AArch64 does not have.
 */
uint64_t el1_esr_undefined(void);
/* Synchronous external abort; walk_level is -1, or 0..3 for an abort on a stage-1 table walk. write
 * is for data only. */
uint64_t el1_esr_external_abort(bool same_el, bool instruction, bool write, int walk_level,
                                bool cm);

#endif
