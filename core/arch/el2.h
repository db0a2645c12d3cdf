/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Controls that EL2 has over EL1 and EL0, with HCR_EL2.E2H = 0 (Arm ARM DDI 0487, D17.2). */
#ifndef ARCH_EL2_H
#define ARCH_EL2_H

#include "base/bits.h"

/* HCR_EL2, D17.2.48 */
#define HCR_VM     BIT(0)  /* stage-2 translation */
#define HCR_SWIO   BIT(1)  /* DC ISW works as DC CISW */
#define HCR_FMO    BIT(3)  /* physical FIQ to EL2, virtual FIQ on */
#define HCR_IMO    BIT(4)  /* physical IRQ to EL2, virtual IRQ on */
#define HCR_AMO    BIT(5)  /* physical SError to EL2 */
#define HCR_VF     BIT(6)  /* a virtual FIQ is pending */
#define HCR_VI     BIT(7)  /* a virtual IRQ is pending */
#define HCR_FB     BIT(9)  /* TLB and instruction cache maintenance is broadcast */
#define HCR_BSU_IS BIT(10) /* barriers act on the Inner Shareable domain at least */
#define HCR_TWI    BIT(13) /* trap WFI */
#define HCR_TWE    BIT(14) /* trap WFE */
#define HCR_TID3   BIT(18) /* trap the ID space */
#define HCR_TSC    BIT(19) /* trap SMC */
#define HCR_TIDCP  BIT(20) /* trap IMPLEMENTATION DEFINED registers */
#define HCR_TACR   BIT(21) /* trap ACTLR_EL1 */
#define HCR_TGE    BIT(27) /* EL0 exceptions to EL2 */
#define HCR_RW     BIT(31) /* EL1 is AArch64 */
#define HCR_TLOR   BIT(35) /* trap the LORegion registers; RES0 without FEAT_LOR */
#define HCR_TERR   BIT(36) /* trap the error record registers; RES0 without FEAT_RAS */
#define HCR_APK    BIT(40) /* do not trap the keys of FEAT_PAuth */
#define HCR_API    BIT(41) /* do not trap the instructions of FEAT_PAuth */

/* CPTR_EL2, D17.2.29 */
#define CPTR_RES1 UINT64_C(0x22ff)
#define CPTR_TZ   BIT(8)  /* trap SVE; RES1 without it */
#define CPTR_TFP  BIT(10) /* trap AdvSIMD and floating-point */
#define CPTR_TSM  BIT(12) /* trap SME; RES1 without it */
#define CPTR_TTA  BIT(20) /* trap the trace registers */
#define CPTR_TAM  BIT(30) /* trap the activity monitors */

/* MDCR_EL2, D17.3.15. HPMN, bits [4:0], is the HAL's: see hal/CONTRACT.md. */
#define MDCR_TPMCR BIT(5)  /* trap PMCR_EL0 */
#define MDCR_TPM   BIT(6)  /* trap the performance monitors */
#define MDCR_TDA   BIT(9)  /* trap the debug registers */
#define MDCR_TDOSA BIT(10) /* trap the OS Lock and power-down registers */
#define MDCR_TDRA  BIT(11) /* trap the debug ROM address */
#define MDCR_TPMS  BIT(14) /* trap statistical profiling */
#define MDCR_TTRF  BIT(19) /* trap the trace filter */

/* CNTHCTL_EL2, D17.9.5 */
#define CNTHCTL_EL1PCTEN BIT(0) /* do not trap the physical counter */
#define CNTHCTL_EL1PCEN  BIT(1) /* do not trap the EL1 physical timer */

#endif
