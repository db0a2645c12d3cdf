/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * EL2 registers that a reset leaves UNKNOWN and firmware need not set: traps and enables of
 * features that this image does not use. Garbage in them would trap what a guest may do, or let it
 * do what is not switched with it. By encoding, because the base architecture's assembler has no
 * names for them. Arm ARM DDI 0487, D17.2.
 */
#include "base/bits.h"
#include "internal.h"

#define MPAM2_EL2_TRAP_EL0 BIT(49)
#define MPAM2_EL2_TRAP_EL1 BIT(48)

static unsigned field(const struct arch_idregs *idregs, unsigned reg, unsigned lsb)
{
    return (unsigned)bits_get(idregs->reg[reg], lsb + 3, lsb);
}

void el2_regs_init(const struct arch_idregs *idregs)
{
    sysreg_write(hacr_el2, UINT64_C(0));
    sysreg_write(hstr_el2, UINT64_C(0));
    if (field(idregs, IDREG_MMFR1, 40) != 0)
        sysreg_write(S3_4_C1_C2_2, UINT64_C(0)); /* HCRX_EL2 */
    if (field(idregs, IDREG_MMFR0, 56) != 0) {
        sysreg_write(S3_4_C1_C1_4, UINT64_C(0)); /* HFGRTR_EL2 */
        sysreg_write(S3_4_C1_C1_5, UINT64_C(0)); /* HFGWTR_EL2 */
        sysreg_write(S3_4_C1_C1_6, UINT64_C(0)); /* HFGITR_EL2 */
        sysreg_write(S3_4_C3_C1_4, UINT64_C(0)); /* HDFGRTR_EL2 */
        sysreg_write(S3_4_C3_C1_5, UINT64_C(0)); /* HDFGWTR_EL2 */
        if (field(idregs, IDREG_PFR0, 44) != 0)
            sysreg_write(S3_4_C3_C1_6, UINT64_C(0)); /* HAFGRTR_EL2 */
    }
    if (field(idregs, IDREG_MMFR0, 60) >= 2)
        sysreg_write(S3_4_C14_C0_6, UINT64_C(0)); /* CNTPOFF_EL2 */
    if (field(idregs, IDREG_PFR0, 40) != 0 || field(idregs, IDREG_PFR1, 16) != 0)
        sysreg_write(S3_4_C10_C5_0, MPAM2_EL2_TRAP_EL0 | MPAM2_EL2_TRAP_EL1); /* MPAM2_EL2 */
    isb();
}
