/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A translation walk of hal-sim's own (Arm ARM DDI 0487, D8): where the instruction at a guest's
 * virtual address lies in physical memory. Used to look at instructions that trapped; written from
 * the architecture, not from core's walker. No side effect: sets no access flag, reports no fault.
 */
#ifndef HAL_SIM_WALK_H
#define HAL_SIM_WALK_H

#include "base/addr.h"
#include <stdbool.h>
#include <stdint.h>

/* Controls of both stages, as the registers have them. */
struct walk_regime {
    uint64_t sctlr_el1;
    uint64_t tcr_el1;
    uint64_t ttbr0_el1;
    uint64_t ttbr1_el1;
    uint64_t hcr_el2;
    uint64_t vtcr_el2;
    uint64_t vttbr_el2;
};

/* Physical memory: a pointer to the 8 aligned bytes at pa, or NULL. */
typedef const uint64_t *walk_memory_fn(void *ctx, pa_t pa);

/*
 * The EL1&0 regime with HCR_EL2.E2H = 0. Stage 1: 4, 16 and 64 KiB granules, both VA ranges, TBI,
 * EPD, SCTLR_EL1.EE; off as SCTLR_EL1.M, HCR_EL2.DC and TGE say. Stage 2, of the result and of each
 * stage-1 table: when HCR_EL2.VM or DC is set; little-endian 4 KiB granule, concatenated first
 * tables. 48 bits of address at both stages.
 *
 * False: not mapped, controls with which no walk starts (another stage-2 granule, a reserved or
 * inconsistent VTCR_EL2.SL0), or a table where there is no memory. *out may lie where there is no
 * memory.
 *
 * Where the architecture leaves a choice, the engine's is taken: T0SZ and T1SZ out of 16..39 count
 * as the nearest of these, the reserved TG0 = 3 as 64 KiB, TG1 = 0 as 4 KiB (TCR_EL1, D17.2.131).
 * What only makes the CPU fault is not looked at, as the CPU did: permissions, the access flag,
 * TCR_EL1.TBID and IPS.
 */
bool walk_translate(const struct walk_regime *regime, va_t va, walk_memory_fn *memory, void *ctx,
                    pa_t *out);

#endif
