/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The little that hal-sim must know of A64 (Arm ARM DDI 0487, C4.1): which System register an
 * MRS or MSR names, and whether a load or store leaves a valid syndrome (D17.2.37, ISS of a data
 * abort, ISV). Pure.
 */
#ifndef HAL_SIM_INSN_H
#define HAL_SIM_INSN_H

#include <stdbool.h>
#include <stdint.h>

struct insn_sysreg {
    uint32_t enc; /* SYSREG() of arch/sysreg.h */
    uint8_t rt;   /* 31 is XZR */
    bool read;    /* MRS */
};

/* True for MRS and MSR (register) with op0 2 or 3. */
bool insn_decode_sysreg(uint32_t word, struct insn_sysreg *out);

/*
 * True if a stage-2 data abort of this instruction has ISV = 1 on hardware: a load or store of a
 * single general-purpose register without writeback. LDR and STR of all sizes with an immediate or
 * register offset, LDR (literal), LDUR, LDTR, LDAR, LDLAR, LDAPR, LDAPUR, LDRAA, their stores. No
 * exclusive, pair, SIMD&FP, atomic, tag, 64-byte or prefetch instruction. Of an unallocated word it
 * says nothing: that does not abort.
 */
bool insn_has_valid_syndrome(uint32_t word);

/* True for what CPACR_EL1.FPEN and CPTR_EL2.TFP trap: SIMD and floating-point instructions, loads
 * and stores of their registers, and accesses to FPCR and FPSR. */
bool insn_uses_fp(uint32_t word);

#endif
