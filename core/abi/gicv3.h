/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* GICv3 registers (IHI 0069): offsets in the distributor and redistributor frames, ICH_* formats.
 */
#ifndef ABI_GICV3_H
#define ABI_GICV3_H

#include "base/bits.h"
#include <stdint.h>

#define GIC_NR_SGIS             16u
#define GIC_NR_PRIVATE          32u
#define GIC_FIRST_SPI           32u
#define GIC_MAX_INTID           1019u
#define GIC_INTID_NONE          1023u /* 1020..1023 are special: no interrupt */
#define GIC_INTID_FIRST_SPECIAL 1020u

/* Distributor, 12.9 */
#define GICD_CTLR       0x0000u
#define GICD_TYPER      0x0004u
#define GICD_IIDR       0x0008u
#define GICD_TYPER2     0x000cu
#define GICD_STATUSR    0x0010u
#define GICD_SETSPI_NSR 0x0040u
#define GICD_CLRSPI_NSR 0x0048u
#define GICD_IGROUPR    0x0080u
#define GICD_ISENABLER  0x0100u
#define GICD_ICENABLER  0x0180u
#define GICD_ISPENDR    0x0200u
#define GICD_ICPENDR    0x0280u
#define GICD_ISACTIVER  0x0300u
#define GICD_ICACTIVER  0x0380u
#define GICD_IPRIORITYR 0x0400u
#define GICD_ITARGETSR  0x0800u
#define GICD_ICFGR      0x0c00u
#define GICD_IGRPMODR   0x0d00u
#define GICD_NSACR      0x0e00u
#define GICD_SGIR       0x0f00u
#define GICD_CPENDSGIR  0x0f10u
#define GICD_SPENDSGIR  0x0f20u
#define GICD_IROUTER    0x6000u /* IROUTER<n> at 0x6000 + 8 * n, n from 32 */
#define GICD_IDREGS     0xffd0u /* up to 0xfffc; PIDR2 at 0xffe8 */

#define GICD_CTLR_ENABLE_GRP0 BIT(0)
#define GICD_CTLR_ENABLE_GRP1 BIT(1) /* with one security state: DS = 1 */
#define GICD_CTLR_ARE         BIT(4)
#define GICD_CTLR_DS          BIT(6)
#define GICD_IROUTER_IRM      BIT(31)

/* Redistributor, RD_base frame, 12.10 */
#define GICR_CTLR      0x0000u
#define GICR_IIDR      0x0004u
#define GICR_TYPER     0x0008u
#define GICR_STATUSR   0x0010u
#define GICR_WAKER     0x0014u
#define GICR_PROPBASER 0x0070u
#define GICR_PENDBASER 0x0078u
#define GICR_IDREGS    0xffd0u
/* SGI_base frame, relative to the RD_base: the registers of INTIDs 0..31 at the distributor's
 * offsets */
#define GICR_SGI_BASE 0x10000u

#define GICR_CTLR_DPG0   BIT(24) /* 1-of-N SPIs of group 0 do not select this PE */
#define GICR_CTLR_DPG1NS BIT(25) /* of group 1 */

#define GICR_TYPER_LAST            BIT(4)
#define GICR_TYPER_DPGS            BIT(5)
#define GICR_WAKER_PROCESSOR_SLEEP BIT(1)
#define GICR_WAKER_CHILDREN_ASLEEP BIT(2)

#define GIC_PIDR2          0xffe8u
#define GIC_PIDR2_ARCHREV3 UINT32_C(0x30)

/* ICH_LR<n>_EL2 */
#define ICH_LR_VINTID_MASK    BITS(31, 0)
#define ICH_LR_PINTID_SHIFT   32u
#define ICH_LR_EOI            BIT(41) /* HW = 0: a maintenance interrupt when the guest deactivates */
#define ICH_LR_PRIORITY_SHIFT 48u
#define ICH_LR_GROUP1         BIT(60)
#define ICH_LR_HW             BIT(61)
#define ICH_LR_STATE_MASK     BITS(63, 62)
#define ICH_LR_PENDING        BIT(62)
#define ICH_LR_ACTIVE         BIT(63)

/* ICH_HCR_EL2 */
#define ICH_HCR_EN             BIT(0)
#define ICH_HCR_UIE            BIT(1) /* underflow: none or one valid list register */
#define ICH_HCR_LRENPIE        BIT(2) /* EOI without a list register */
#define ICH_HCR_NPIE           BIT(3) /* no pending list register */
#define ICH_HCR_EOICOUNT_SHIFT 27u
/* ICH_VMCR_EL2 */
#define ICH_VMCR_VENG0       BIT(0)
#define ICH_VMCR_VENG1       BIT(1)
#define ICH_VMCR_VCBPR       BIT(4)
#define ICH_VMCR_VEOIM       BIT(9)
#define ICH_VMCR_VBPR1_SHIFT 18u
#define ICH_VMCR_VBPR0_SHIFT 21u
#define ICH_VMCR_VPMR_SHIFT  24u

/* ICC_SGI<n>R_EL1, 12.2.16 */
#define ICC_SGIR_INTID_SHIFT 24u
#define ICC_SGIR_IRM         BIT(40)
#define ICC_SGIR_TARGETLIST  BITS(15, 0)

#endif
