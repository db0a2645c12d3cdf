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
#define GIC_FIRST_LPI           8192u

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
#define GICD_CTLR_RWP         BIT(31)
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

#define GICR_CTLR_ENABLE_LPIS   BIT(0)
#define GICR_PROPBASER_ADDRESS  BITS(51, 12)
#define GICR_PROPBASER_IDBITS   BITS(4, 0) /* less one */
#define GICR_PENDBASER_ADDRESS  BITS(51, 16)
#define GICR_PENDBASER_PTZ      BIT(62) /* write only: the pending table is all zeroes */
#define GICR_BASER_SHARE_LO     10u     /* of both */
#define GICR_BASER_INNER_LO     7u
#define GICR_BASER_CACHEABILITY (BITS(58, 56) | BITS(9, 7))
#define GIC_LPI_CONFIG_ENABLE                                                                      \
    1u /* of a byte of the configuration table, whose bits 7:2 are the priority */
/* SGI_base frame, relative to the RD_base: the registers of INTIDs 0..31 at the distributor's
 * offsets */
#define GICR_SGI_BASE 0x10000u

#define GICR_CTLR_RWP    BIT(3)
#define GICR_CTLR_DPG0   BIT(24) /* 1-of-N SPIs of group 0 do not select this PE */
#define GICR_CTLR_DPG1NS BIT(25) /* of group 1 */

#define GICR_TYPER_PLPIS           BIT(0)
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
#define ICH_HCR_UIE            BIT(1)  /* underflow: none or one valid list register */
#define ICH_HCR_LRENPIE        BIT(2)  /* EOI without a list register */
#define ICH_HCR_NPIE           BIT(3)  /* no pending list register */
#define ICH_HCR_TDIR           BIT(14) /* ICC_DIR_EL1 traps; RES0 unless ICH_VTR_EL2.TDS */
#define ICH_HCR_EOICOUNT_SHIFT 27u
/* ICH_VMCR_EL2 */
#define ICH_VMCR_VENG0       BIT(0)
#define ICH_VMCR_VENG1       BIT(1)
#define ICH_VMCR_VCBPR       BIT(4)
#define ICH_VMCR_VEOIM       BIT(9)
#define ICH_VMCR_VBPR1_SHIFT 18u
#define ICH_VMCR_VBPR0_SHIFT 21u
#define ICH_VMCR_VPMR_SHIFT  24u

/* ITS control frame, 12.18; the translation frame is behind it. */
#define GITS_CTLR       0x0000u
#define GITS_IIDR       0x0004u
#define GITS_TYPER      0x0008u
#define GITS_MPAMIDR    0x0010u
#define GITS_STATUSR    0x0040u
#define GITS_UMSIR      0x0048u
#define GITS_CBASER     0x0080u
#define GITS_CWRITER    0x0088u
#define GITS_CREADR     0x0090u
#define GITS_BASER      0x0100u /* BASER<n> at 0x100 + 8 * n, n up to 7 */
#define GITS_IDREGS     0xffd0u
#define GITS_TRANSLATER 0x10040u

#define GITS_CTLR_ENABLED        BIT(0)
#define GITS_CTLR_QUIESCENT      BIT(31)
#define GITS_TYPER_PHYSICAL      BIT(0)
#define GITS_TYPER_ITT_ENTRY_LO  4u  /* bytes of an entry, less one */
#define GITS_TYPER_IDBITS_LO     8u  /* of an EventID, less one */
#define GITS_TYPER_DEVBITS_LO    13u /* of a DeviceID, less one */
#define GITS_CBASER_ADDRESS      BITS(51, 12)
#define GITS_CBASER_PAGES        BITS(7, 0) /* of 4 KiB, less one */
#define GITS_CWRITER_RETRY       BIT(0)
#define GITS_CREADR_STALLED      BIT(0)
#define GITS_CWRITER_OFFSET      BITS(19, 5)
#define GITS_BASER_VALID         BIT(63) /* and of GITS_CBASER, and of the entries of tables */
#define GITS_BASER_INDIRECT      BIT(62)
#define GITS_BASER_INNER_LO      59u /* and of GITS_CBASER, as the next ones */
#define GITS_BASER_SHARE_LO      10u
#define GITS_BASER_CACHEABILITY  (BITS(61, 59) | BITS(55, 53))
#define GITS_BASER_TYPE_LO       56u
#define GITS_BASER_ENTRY_SIZE_LO 48u /* bytes of an entry, less one */
#define GITS_BASER_ADDRESS       BITS(47, 12)
#define GITS_BASER_PAGE_SIZE_LO  8u
#define GITS_BASER_PAGE_SIZE     BITS(9, 8) /* 4, 16 or 64 KiB */
#define GITS_BASER_PAGES         BITS(7, 0) /* less one */
#define GITS_TYPE_DEVICES        UINT64_C(1)
#define GITS_TYPE_COLLECTIONS    UINT64_C(4)

/* GITS_CBASER's commands, 5.3: the number is in bits 7:0 of the first of four doublewords. */
#define GITS_CMD_SIZE    32u
#define GITS_CMD_MOVI    0x01u
#define GITS_CMD_INT     0x03u
#define GITS_CMD_CLEAR   0x04u
#define GITS_CMD_SYNC    0x05u
#define GITS_CMD_MAPD    0x08u
#define GITS_CMD_MAPC    0x09u
#define GITS_CMD_MAPTI   0x0au
#define GITS_CMD_MAPI    0x0bu
#define GITS_CMD_INV     0x0cu
#define GITS_CMD_INVALL  0x0du
#define GITS_CMD_MOVALL  0x0eu
#define GITS_CMD_DISCARD 0x0fu

/* ICC_DIR_EL1, 12.2 */
#define ICC_DIR_INTID BITS(23, 0)

/* ICC_SGI<n>R_EL1, 12.2.16 */
#define ICC_SGIR_INTID_SHIFT 24u
#define ICC_SGIR_IRM         BIT(40)
#define ICC_SGIR_TARGETLIST  BITS(15, 0)

#endif
