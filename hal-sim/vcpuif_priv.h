/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Between the parts of the virtual CPU interface's model: vcpuif.c is the registers that a guest
 * sees, vcpuif_lr.c the list registers and what follows from them.
 *
 * The fields are written down here once more, and not taken from abi/gicv3.h, which core uses: a
 * slip there shall show as a difference.
 */
#ifndef HAL_SIM_VCPUIF_PRIV_H
#define HAL_SIM_VCPUIF_PRIV_H

#include "base/bits.h"
#include "hal-sim/vcpuif.h"

/* ICH_VMCR_EL2 */
#define VMCR_VENG(group)    BIT(group)
#define VMCR_VFIQEN         BIT(3)
#define VMCR_VCBPR          BIT(4)
#define VMCR_VEOIM          BIT(9)
#define VMCR_VBPR_LO(group) ((group) == 0 ? 21u : 18u)
#define VMCR_VPMR_LO        24u
#define VMCR_VPMR_HI        31u

/* ICH_HCR_EL2 */
#define HCR_EN    BIT(0)
#define HCR_TC    BIT(10)
#define HCR_TALL0 BIT(11)
#define HCR_TALL1 BIT(12)
#define HCR_TDIR  BIT(14)

/* Of ICC_IAR, EOIR, DIR: ICH_VTR_EL2.IDbits would be 1. */
#define INTID_MASK          UINT32_C(0xffffff)
#define INTID_FIRST_SPECIAL 1020u
#define INTID_LAST_SPECIAL  1023u
#define INTID_FIRST_LPI     8192u

#define PRIORITY_IDLE 0xffu
#define PRIORITY_MASK ((0xffu << (8u - VCPUIF_PRIBITS)) & 0xffu)
/* The least binary points (ICC_BPR<n>_EL1): group priority bits [7:3] in both groups. */
#define BPR_MAX        7u
#define BPR_MIN(group) (7u - VCPUIF_PREBITS + (group))

/* The binary point that ICH_VMCR_EL2 holds for a group, without regard to VCBPR. */
static inline unsigned vmcr_bpr(uint64_t vmcr, unsigned group)
{
    unsigned bpr = (unsigned)(vmcr >> VMCR_VBPR_LO(group)) & BPR_MAX;
    return bpr < BPR_MIN(group) ? BPR_MIN(group) : bpr;
}

static inline uint64_t vmcr_set_bpr(uint64_t vmcr, unsigned group, unsigned bpr)
{
    unsigned lo = VMCR_VBPR_LO(group);
    vmcr = bits_set(vmcr, lo + 2, lo, bpr);
    return bits_set(vmcr, lo + 2, lo, vmcr_bpr(vmcr, group));
}

static inline unsigned vmcr_pmr(uint64_t vmcr)
{
    return (unsigned)bits_get(vmcr, VMCR_VPMR_HI, VMCR_VPMR_LO) & PRIORITY_MASK;
}

/* Of the bits in the active priorities registers; PRIORITY_IDLE if there is none. */
unsigned vcpuif_running_priority(const struct arch_vcpu_gic *gic);
/* What ICC_HPPIR<group> and ICC_IAR<group> return. The latter makes it active. */
uint32_t vcpuif_highest_pending(const struct arch_vcpu_gic *gic, unsigned group);
uint32_t vcpuif_acknowledge(struct arch_vcpu_gic *gic, unsigned group);
/* Writes to ICC_EOIR<group> and ICC_DIR of an INTID of up to 24 bits. */
void vcpuif_end(struct arch_vcpu_gic *gic, unsigned group, uint32_t intid,
                struct vcpuif_effect *effect);
void vcpuif_deactivate(struct arch_vcpu_gic *gic, uint32_t intid, struct vcpuif_effect *effect);

#endif
