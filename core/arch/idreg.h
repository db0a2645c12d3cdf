/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Identification registers as a guest sees them: the CPU's own values cut down to what this
 * hypervisor virtualises. The table allows fields by name; a field that no row allows reads as "not
 * implemented", so that a feature that the CPU has and core has never heard of stays hidden.
 */
#ifndef ARCH_IDREG_H
#define ARCH_IDREG_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The ID space that HCR_EL2.TID3 traps: op0=3, op1=0, CRn=0, CRm=1..7, op2=0..7 (D17.1). Index (CRm
 * - 1) * 8 + op2. Reserved encodings in it read as zero, by the architecture.
 */
#define IDREG_COUNT           56u
#define IDREG_INDEX(crm, op2) (((crm)-1u) * 8u + (op2))

#define IDREG_PFR0  IDREG_INDEX(4u, 0u)
#define IDREG_PFR1  IDREG_INDEX(4u, 1u)
#define IDREG_ZFR0  IDREG_INDEX(4u, 4u)
#define IDREG_SMFR0 IDREG_INDEX(4u, 5u)
#define IDREG_DFR0  IDREG_INDEX(5u, 0u)
#define IDREG_DFR1  IDREG_INDEX(5u, 1u)
#define IDREG_ISAR0 IDREG_INDEX(6u, 0u)
#define IDREG_ISAR1 IDREG_INDEX(6u, 1u)
#define IDREG_ISAR2 IDREG_INDEX(6u, 2u)
#define IDREG_MMFR0 IDREG_INDEX(7u, 0u)
#define IDREG_MMFR1 IDREG_INDEX(7u, 1u)
#define IDREG_MMFR2 IDREG_INDEX(7u, 2u)

/* One CPU's identification, raw or as shown to a guest. */
struct arch_idregs {
    uint64_t midr;
    uint64_t ctr;
    uint64_t ich_vtr; /* ICH_VTR_EL2, raw only */
    uint64_t reg[IDREG_COUNT];
};

/*
 * Fills `guest` from the CPU's `raw` values. ipa_bits (32..48) becomes MMFR0.PARange, rounded down
 * to a size that the field can express; PFR0.GIC becomes 1 (GICv3 System register interface).
 * AArch32 is hidden at EL0 too, and all its ID registers read as 0.
 */
void idreg_virtualise(const struct arch_idregs *raw, unsigned ipa_bits, struct arch_idregs *guest);

/* A register in which two CPUs are not alike, with the raw values. */
struct idreg_difference {
    const char *name; /* the architecture's */
    uint64_t boot;
    uint64_t other;
};

/*
 * Whether a vCPU that is made for the boot CPU would notice, or break, on the other one: true with
 * the first register that says so. Hidden, and no difference, are fields that no guest is shown,
 * and what the other can do beyond that (physical addresses, VMIDs of 16 bits). MIDR_EL1 has to be
 * the same as a guest's kernel works around errata by it, CTR_EL0 as it is not trapped, and of
 * ICH_VTR_EL2 what a guest sees through ICC_CTLR_EL1, and the number of list registers.
 */
bool idreg_differs(const struct arch_idregs *boot, const struct arch_idregs *other,
                   struct idreg_difference *out);

/* True if the SYSREG() encoding lies in the ID space; *index is then its place in reg[]. */
bool idreg_index(uint32_t encoding, unsigned *index);

/* Physical address bits that MMFR0.PARange announces: 32..56; 0 for a reserved value. */
unsigned idreg_pa_bits(const struct arch_idregs *regs);

/* Numbers of implemented breakpoints and watchpoints (DFR0.BRPs, WRPs), and whether PAuth is
 * implemented in any form. */
unsigned idreg_breakpoints(const struct arch_idregs *regs);
unsigned idreg_watchpoints(const struct arch_idregs *regs);
bool idreg_has_pauth(const struct arch_idregs *regs);
/* True if VMIDs have 16 bits (MMFR1.VMIDBits). */
bool idreg_vmid16(const struct arch_idregs *regs);

#endif
