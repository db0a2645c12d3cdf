/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "arch/el1_entry.h"
#include "arch/esr.h"
#include "arch/pstate.h"

#define SCTLR_SPAN  BIT(23)
#define SCTLR_DSSBS BIT(44)

/* D1.3.1.3: offset of the group of four vectors, by where the exception comes from. */
static uint64_t el1_vector_group(uint64_t pstate)
{
    if ((pstate & PSTATE_NRW) != 0)
        return 0x600; /* lower EL, AArch32 */
    if ((pstate & PSTATE_EL(3)) == PSTATE_EL(0))
        return 0x400; /* lower EL, AArch64 */
    return (pstate & PSTATE_SP) != 0 ? 0x200 : 0x000;
}

/*
 * AArch64.TakeException: what the new PSTATE keeps is NZCV, DIT and PAN. UAO, SS, IL and BTYPE
 * become 0. From AArch32, the same bits are kept: SPSR holds NZCV, DIT and PAN in the same places
 * for both states.
 */
static uint64_t el1_entry_pstate(const struct el1_entry_from *from)
{
    uint64_t pstate = from->pstate & (PSTATE_NZCV | PSTATE_DIT);

    pstate |= PSTATE_M_EL1H | PSTATE_DAIF;
    if (from->has_pan) {
        pstate |= from->pstate & PSTATE_PAN;
        if ((from->sctlr & SCTLR_SPAN) == 0)
            pstate |= PSTATE_PAN;
    }
    if (from->has_ssbs && (from->sctlr & SCTLR_DSSBS) != 0)
        pstate |= PSTATE_SSBS;
    if (from->has_mte)
        pstate |= PSTATE_TCO;
    return pstate;
}

struct el1_entry_to el1_entry(const struct el1_entry_from *from, enum el1_vector vector)
{
    return (struct el1_entry_to){
        /* VBAR_EL1[10:0] are RES0 and take no part in the address. */
        .pc = (from->vbar & ~BITS(10, 0)) | el1_vector_group(from->pstate) | (uint64_t)vector,
        .pstate = el1_entry_pstate(from),
        .elr = from->pc,
        .spsr = from->pstate,
    };
}

uint64_t el1_esr_undefined(void)
{
    return ((uint64_t)ESR_EC_UNKNOWN << ESR_EC_SHIFT) | ESR_IL;
}

uint64_t el1_esr_external_abort(bool same_el, bool instruction, bool write, int walk_level, bool cm)
{
    uint64_t ec = instruction ? ESR_EC_IABT_LOWER : ESR_EC_DABT_LOWER;
    uint64_t iss = ESR_FSC_EXTERNAL;

    if (same_el)
        ec++; /* 0x21 and 0x25 */
    if (walk_level >= 0)
        iss = ESR_FSC_EXTERNAL_TTW | ((unsigned)walk_level & 3u);
    if (!instruction) {
        iss |= cm ? BIT(8) : 0;
        /* WnR reads 1 for cache maintenance and address translation instructions (D17.2.37). */
        iss |= write || cm ? BIT(6) : 0;
    }
    return (ec << ESR_EC_SHIFT) | ESR_IL | iss;
}
