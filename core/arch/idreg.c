/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "arch/idreg.h"
#include "arch/sysreg.h"
#include "base/bits.h"
#include <string.h>

/* Every field that a row names is 4 bits wide. */
#define FIELD_BITS 4u

enum idreg_policy {
    CAP,   /* unsigned: the CPU's value, but at most `limit` */
    CAPS,  /* signed, 8..15 mean "less than 0", mostly "not implemented": these pass, others as CAP
            */
    COUNT, /* a number of things rather than a version of a feature: the CPU's value */
    FIXED, /* `limit`, whatever the CPU has */
};

struct idreg_row {
    uint8_t index;
    uint8_t lsb;
    uint8_t policy;
    uint8_t limit;
};

/*
 * What a guest may use (fields and values: Arm ARM DDI 0487, D17.2). A feature has a row if it
 * needs nothing of EL2 or EL3, and no state beyond struct arch_vcpu; its limit is the newest
 * version of which that is known. What has no row reads as 0, which is "not implemented" in all
 * other fields (D17.1.3), or "as TGran" in MMFR0.TGran*_2. Absent on purpose, with what they would
 * need: RAS, MTE, PMU, trace, SPE, BRBE, AMU, MPAM, SVE, SME, GCS, S1PIE/POE, TCR2, SCTLR2, D128,
 * CSV2_2 (state); MOPS, XS, LS64, CMOW, NMI, TIDCP1, ECV, FGT (HCRX_EL2 or traps); WFxT (WFET and
 * WFIT with a trapped timeout); VH, NV, FWB, EVT, XNX, TWED, VMIDBits (EL2's own); LSM (AArch32);
 * ExS.
 *
 * The AArch32 registers (CRm 1..3) have no rows: a guest has no AArch32, and then they are UNKNOWN.
 * They read as 0. Hiding AArch32 at EL0 does not remove it: HCR_EL2.RW fixes EL1 only, so a guest's
 * kernel could still ERET to it.
 */
static const struct idreg_row idreg_rows[] = {
    {IDREG_PFR0, 0, CAP, 1},    /* EL0: AArch64 only */
    {IDREG_PFR0, 4, CAP, 1},    /* EL1: AArch64 only */
    {IDREG_PFR0, 16, CAPS, 1},  /* FP: half precision */
    {IDREG_PFR0, 20, CAPS, 1},  /* AdvSIMD: half precision */
    {IDREG_PFR0, 24, FIXED, 1}, /* GIC: System register interface, 3.0 or 4.0 */
    {IDREG_PFR0, 48, CAP, 1},   /* DIT */
    {IDREG_PFR0, 56, CAP, 1},   /* CSV2: without SCXTNUM */
    {IDREG_PFR0, 60, CAP, 1},   /* CSV3 */

    {IDREG_PFR1, 0, CAP, 1}, /* BT */
    {IDREG_PFR1, 4, CAP, 2}, /* SSBS: with MSR and MRS */

    {IDREG_DFR0, 0, CAP, 8},    /* DebugVer: Armv8.2 */
    {IDREG_DFR0, 12, COUNT, 0}, /* BRPs */
    {IDREG_DFR0, 20, COUNT, 0}, /* WRPs */
    {IDREG_DFR0, 28, COUNT, 0}, /* CTX_CMPs */
    {IDREG_DFR0, 36, CAPS, 0},  /* DoubleLock */

    {IDREG_ISAR0, 4, CAP, 2},  /* AES: PMULL */
    {IDREG_ISAR0, 8, CAP, 1},  /* SHA1 */
    {IDREG_ISAR0, 12, CAP, 2}, /* SHA2: SHA512 */
    {IDREG_ISAR0, 16, CAP, 1}, /* CRC32 */
    {IDREG_ISAR0, 20, CAP, 2}, /* Atomic: LSE */
    {IDREG_ISAR0, 28, CAP, 1}, /* RDM */
    {IDREG_ISAR0, 32, CAP, 1}, /* SHA3 */
    {IDREG_ISAR0, 36, CAP, 1}, /* SM3 */
    {IDREG_ISAR0, 40, CAP, 1}, /* SM4 */
    {IDREG_ISAR0, 44, CAP, 1}, /* DP */
    {IDREG_ISAR0, 48, CAP, 1}, /* FHM */
    {IDREG_ISAR0, 52, CAP, 2}, /* TS: FlagM2 */
    {IDREG_ISAR0, 56, CAP, 2}, /* TLB: outer shareable and range */
    {IDREG_ISAR0, 60, CAP, 1}, /* RNDR */

    {IDREG_ISAR1, 0, CAP, 2},  /* DPB: DC CVADP */
    {IDREG_ISAR1, 4, CAP, 5},  /* APA: FPACCOMBINE */
    {IDREG_ISAR1, 8, CAP, 5},  /* API */
    {IDREG_ISAR1, 12, CAP, 1}, /* JSCVT */
    {IDREG_ISAR1, 16, CAP, 1}, /* FCMA */
    {IDREG_ISAR1, 20, CAP, 3}, /* LRCPC */
    {IDREG_ISAR1, 24, CAP, 1}, /* GPA */
    {IDREG_ISAR1, 28, CAP, 1}, /* GPI */
    {IDREG_ISAR1, 32, CAP, 1}, /* FRINTTS */
    {IDREG_ISAR1, 36, CAP, 1}, /* SB */
    {IDREG_ISAR1, 40, CAP, 2}, /* SPECRES: COSP */
    {IDREG_ISAR1, 44, CAP, 2}, /* BF16: FPCR.EBF */
    {IDREG_ISAR1, 48, CAP, 1}, /* DGH */
    {IDREG_ISAR1, 52, CAP, 1}, /* I8MM */

    {IDREG_ISAR2, 4, CAP, 1},  /* RPRES */
    {IDREG_ISAR2, 8, CAP, 1},  /* GPA3 */
    {IDREG_ISAR2, 12, CAP, 5}, /* APA3 */
    {IDREG_ISAR2, 20, CAP, 1}, /* BC */
    {IDREG_ISAR2, 24, CAP, 1}, /* PAC_frac */
    {IDREG_ISAR2, 28, CAP, 1}, /* CLRBHB */
    {IDREG_ISAR2, 48, CAP, 1}, /* RPRFM */
    {IDREG_ISAR2, 52, CAP, 1}, /* CSSC */

    /* PARange comes from the size of the IPA space. */
    {IDREG_MMFR0, 4, CAP, 2},   /* ASIDBits: 16 */
    {IDREG_MMFR0, 8, CAP, 1},   /* BigEnd */
    {IDREG_MMFR0, 16, CAP, 1},  /* BigEndEL0 */
    {IDREG_MMFR0, 20, CAP, 2},  /* TGran16: unsigned, 52 bits */
    {IDREG_MMFR0, 24, CAPS, 0}, /* TGran64 */
    {IDREG_MMFR0, 28, CAPS, 1}, /* TGran4: 52 bits */

    {IDREG_MMFR1, 0, CAP, 2},  /* HAFDBS: access flag and dirty state */
    {IDREG_MMFR1, 12, CAP, 2}, /* HPDS */
    {IDREG_MMFR1, 20, CAP, 3}, /* PAN: EPAN */
    {IDREG_MMFR1, 36, CAP, 3}, /* ETS */
    {IDREG_MMFR1, 44, CAP, 1}, /* AFP */
    {IDREG_MMFR1, 48, CAP, 1}, /* nTLBPA */
    {IDREG_MMFR1, 60, CAP, 1}, /* ECBHB */

    {IDREG_MMFR2, 0, CAP, 1},  /* CnP */
    {IDREG_MMFR2, 4, CAP, 1},  /* UAO */
    {IDREG_MMFR2, 16, CAP, 1}, /* VARange: 52 bits */
    {IDREG_MMFR2, 20, CAP, 1}, /* CCIDX */
    {IDREG_MMFR2, 28, CAP, 1}, /* ST */
    {IDREG_MMFR2, 32, CAP, 1}, /* AT */
    {IDREG_MMFR2, 36, CAP, 1}, /* IDS */
    {IDREG_MMFR2, 48, CAP, 1}, /* TTL */
    {IDREG_MMFR2, 52, CAP, 2}, /* BBM */
    {IDREG_MMFR2, 60, CAP, 1}, /* E0PD */
};

/* Address bits by value of MMFR0.PARange. */
static const uint8_t pa_range_bits[] = {32, 36, 40, 42, 44, 48, 52, 56};

static uint64_t idreg_field(uint64_t reg, unsigned lsb)
{
    return (reg >> lsb) & BITS(FIELD_BITS - 1, 0);
}

static uint64_t idreg_row_value(const struct idreg_row *row, uint64_t raw)
{
    switch ((enum idreg_policy)row->policy) {
    case CAP:
        return raw < row->limit ? raw : row->limit;
    case CAPS:
        return raw < row->limit || (raw & BIT(FIELD_BITS - 1)) != 0 ? raw : row->limit;
    case COUNT:
        return raw;
    case FIXED:
        break;
    }
    return row->limit;
}

static uint64_t idreg_pa_range(unsigned bits)
{
    uint64_t range = 0;

    while (range + 1 < ARRAY_LEN(pa_range_bits) && pa_range_bits[range + 1] <= bits)
        range++;
    return range;
}

/* What a guest is shown of a register, but for MMFR0.PARange. */
static uint64_t idreg_shown(const struct arch_idregs *raw, unsigned index)
{
    uint64_t shown = 0;

    for (size_t i = 0; i < ARRAY_LEN(idreg_rows); i++)
        if (idreg_rows[i].index == index)
            shown |=
                idreg_row_value(&idreg_rows[i], idreg_field(raw->reg[index], idreg_rows[i].lsb))
                << idreg_rows[i].lsb;
    return shown;
}

void idreg_virtualise(const struct arch_idregs *raw, unsigned ipa_bits, struct arch_idregs *guest)
{
    memset(guest, 0, sizeof(*guest));
    guest->midr = raw->midr;
    guest->ctr = raw->ctr;
    for (size_t i = 0; i < ARRAY_LEN(idreg_rows); i++) {
        const struct idreg_row *row = &idreg_rows[i];
        uint64_t value = idreg_row_value(row, idreg_field(raw->reg[row->index], row->lsb));
        guest->reg[row->index] |= value << row->lsb;
    }
    guest->reg[IDREG_MMFR0] |= idreg_pa_range(ipa_bits);
}

/* --- Two CPUs --- */

/* ICH_VTR_EL2 (IHI 0069, 12.4.9): PRIbits, PREbits, IDbits, SEIS, A3V; ListRegs. */
#define VTR_ALIKE (BITS(31, 21) | BITS(4, 0))

/* All registers of which a guest is shown anything. */
static const struct {
    uint8_t index;
    const char *name;
} idreg_names[] = {
    {IDREG_PFR0, "ID_AA64PFR0_EL1"},   {IDREG_PFR1, "ID_AA64PFR1_EL1"},
    {IDREG_DFR0, "ID_AA64DFR0_EL1"},   {IDREG_ISAR0, "ID_AA64ISAR0_EL1"},
    {IDREG_ISAR1, "ID_AA64ISAR1_EL1"}, {IDREG_ISAR2, "ID_AA64ISAR2_EL1"},
    {IDREG_MMFR0, "ID_AA64MMFR0_EL1"}, {IDREG_MMFR1, "ID_AA64MMFR1_EL1"},
    {IDREG_MMFR2, "ID_AA64MMFR2_EL1"},
};

static bool idreg_row_differs(size_t row, const struct arch_idregs *boot,
                              const struct arch_idregs *other, struct idreg_difference *out)
{
    unsigned index = idreg_names[row].index;

    *out = (struct idreg_difference){idreg_names[row].name, boot->reg[index], other->reg[index]};
    return idreg_shown(boot, index) != idreg_shown(other, index) ||
           (index == IDREG_MMFR0 && idreg_pa_bits(other) < idreg_pa_bits(boot)) ||
           (index == IDREG_MMFR1 && idreg_vmid16(boot) && !idreg_vmid16(other));
}

bool idreg_differs(const struct arch_idregs *boot, const struct arch_idregs *other,
                   struct idreg_difference *out)
{
    *out = (struct idreg_difference){"MIDR_EL1", boot->midr, other->midr};
    if (boot->midr != other->midr)
        return true;
    *out = (struct idreg_difference){"CTR_EL0", boot->ctr, other->ctr};
    if (boot->ctr != other->ctr)
        return true;
    for (size_t row = 0; row < ARRAY_LEN(idreg_names); row++)
        if (idreg_row_differs(row, boot, other, out))
            return true;
    *out = (struct idreg_difference){"ICH_VTR_EL2", boot->ich_vtr, other->ich_vtr};
    return ((boot->ich_vtr ^ other->ich_vtr) & VTR_ALIKE) != 0;
}

/* --- What else they say --- */

bool idreg_index(uint32_t encoding, unsigned *index)
{
    unsigned crm = sysreg_crm(encoding);
    unsigned op2 = sysreg_op2(encoding);

    if (encoding != SYSREG(3, 0, 0, crm, op2) || crm < 1 || crm > 7)
        return false;
    *index = IDREG_INDEX(crm, op2);
    return true;
}

unsigned idreg_pa_bits(const struct arch_idregs *regs)
{
    uint64_t range = idreg_field(regs->reg[IDREG_MMFR0], 0);

    return range < ARRAY_LEN(pa_range_bits) ? pa_range_bits[range] : 0;
}

unsigned idreg_breakpoints(const struct arch_idregs *regs)
{
    return (unsigned)idreg_field(regs->reg[IDREG_DFR0], 12) + 1;
}

unsigned idreg_watchpoints(const struct arch_idregs *regs)
{
    return (unsigned)idreg_field(regs->reg[IDREG_DFR0], 20) + 1;
}

bool idreg_has_pauth(const struct arch_idregs *regs)
{
    /* ISAR1: APA, API, GPA, GPI; ISAR2: GPA3, APA3. Each names another algorithm. */
    uint64_t isar1 = regs->reg[IDREG_ISAR1] & (BITS(11, 4) | BITS(31, 24));
    uint64_t isar2 = regs->reg[IDREG_ISAR2] & BITS(15, 8);

    return (isar1 | isar2) != 0;
}

bool idreg_vmid16(const struct arch_idregs *regs)
{
    return idreg_field(regs->reg[IDREG_MMFR1], 4) == 2;
}
