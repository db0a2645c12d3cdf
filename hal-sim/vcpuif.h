/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Model of the GIC virtual CPU interface (GICv3 IHI 0069, chapters 4, 5 and 8.5, 12.2, 12.4): what
 * a guest's ICC_* accesses do to the list registers, and what of it core sees in ICH_*. Pure: it
 * knows no engine, no clock and no CPU. The architecture's text, and not core's vGIC, is what it is
 * written from: two mistakes must not cancel.
 */
#ifndef HAL_SIM_VCPUIF_H
#define HAL_SIM_VCPUIF_H

#include "arch/vcpu.h"
#include <stdbool.h>
#include <stdint.h>

/* As QEMU's virt: list registers, preemption and priority bits. INTIDs have 24 bits there
 * (ICC_CTLR_EL1.IDbits is 1). Where the architecture leaves a choice, it is made as QEMU 7.2 does.
 */
#define VCPUIF_NR_LRS   4u
#define VCPUIF_PRIBITS  5u
#define VCPUIF_PREBITS  5u
#define VCPUIF_NO_INTID 0xffffffffu

/* What an access asks of the world. */
struct vcpuif_effect {
    uint32_t deactivate; /* INTID of the physical interrupt (LR.pINTID) that the guest deactivated,
                            or VCPUIF_NO_INTID */
};

/*
 * gic: ICH_* of the vCPU; only lr[0..VCPUIF_NR_LRS), ap0r[0], ap1r[0], vmcr and hcr are used. Any
 * value in them is coped with as if it had gone through the functions at the end of this file.
 */

/* True if enc (SYSREG() of arch/sysreg.h) is a register of the interface that this answers for. The
 * SGI registers are not: they trap to EL2. Nor is ICC_SRE_EL1. */
bool vcpuif_owns(uint32_t enc);
/*
 * MRS and MSR of the guest at EL1, with HCR_EL2.{IMO,FMO} = {1,1}. False: UNDEFINED (not owned,
 * write to a read-only register, read of a write-only one, ICC_AP<0,1>R<1-3> with 5 bits of
 * priority); then nothing has changed, *value is 0, and *effect is none. A trap that ICH_HCR_EL2
 * asks for comes before: see vcpuif_traps().
 */
bool vcpuif_read(struct arch_vcpu_gic *gic, uint32_t enc, uint64_t *value,
                 struct vcpuif_effect *effect);
bool vcpuif_write(struct arch_vcpu_gic *gic, uint32_t enc, uint64_t value,
                  struct vcpuif_effect *effect);
/* True if ICH_HCR_EL2 (TC, TALL0, TALL1, TDIR) makes this access trap to EL2 (EC 0x18). False for
 * one that is UNDEFINED, which is the guest's own to take. */
bool vcpuif_traps(const struct arch_vcpu_gic *gic, uint32_t enc, bool write);

/* The virtual interrupt lines: HPPVI of each group against VPMR and the running priority. */
bool vcpuif_virq(const struct arch_vcpu_gic *gic);
bool vcpuif_vfiq(const struct arch_vcpu_gic *gic);
/* ICH_MISR_EL2 (12.4.6): which maintenance conditions hold; 0 unless ICH_HCR_EL2.En. */
uint64_t vcpuif_misr(const struct arch_vcpu_gic *gic);
/* ICH_VTR_EL2 (12.4.9): what is implemented. */
uint64_t vcpuif_vtr(void);
/* ICH_ELRSR_EL2 (12.4.3). */
uint32_t vcpuif_elrsr(const struct arch_vcpu_gic *gic);
/* What ICH_LR<n>, ICH_HCR and ICH_VMCR hold after that value was written: only implemented bits,
 * VFIQEn as one (ICC_SRE_EL1.SRE is), binary points not below the least. */
uint64_t vcpuif_lr_implemented(uint64_t lr);
uint64_t vcpuif_hcr_implemented(uint64_t hcr);
uint64_t vcpuif_vmcr_implemented(uint64_t vmcr);

#endif
