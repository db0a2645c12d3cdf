/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stage-2 descriptors, VMSAv8-64, 4 KiB granule (Arm ARM DDI 0487, D8.3), VTCR_EL2 and VTTBR_EL2.
 */
#ifndef ARCH_PTE_H
#define ARCH_PTE_H

#include "base/bits.h"
#include <stdbool.h>
#include <stdint.h>

#define PTE_VALID      BIT(0)
#define PTE_TABLE      BIT(1) /* levels 0-2: next-level table; level 3: page */
#define PTE_ADDR_MASK  BITS(47, 12)
#define PTE_ENTRIES    512u
#define PTE_INDEX_BITS 9u

#define S2_MEMATTR_NORMAL_WB    (UINT64_C(0xf) << 2)
#define S2_MEMATTR_DEVICE_NGNRE (UINT64_C(0x1) << 2)
#define S2_MEMATTR_MASK         BITS(5, 2)
#define S2_AP_READ              BIT(6)
#define S2_AP_WRITE             BIT(7)
#define S2_SH_INNER             (UINT64_C(3) << 8)
#define S2_AF                   BIT(10)
#define S2_XN                   BIT(54)
#define S2_SW_MASK              BITS(58, 55) /* ignored by hardware: core's own use */

/* Bytes that one entry of a table at `level` (0..3) covers. */
static inline uint64_t pte_level_size(unsigned level)
{
    return UINT64_C(1) << (12u + 9u * (3u - level));
}

/* VTCR_EL2 (D17.2.155) */
#define VTCR_T0SZ(bits)  ((uint64_t)(64u - (bits)))
#define VTCR_SL0(level)  ((uint64_t)(2u - (level)) << 6) /* 4 KiB granule, start level 0..2 */
#define VTCR_IRGN0_WBWA  (UINT64_C(1) << 8)
#define VTCR_ORGN0_WBWA  (UINT64_C(1) << 10)
#define VTCR_SH0_INNER   (UINT64_C(3) << 12)
#define VTCR_TG0_4K      UINT64_C(0)
#define VTCR_PS(parange) ((uint64_t)(parange) << 16)
#define VTCR_VS_16BIT    BIT(19)
#define VTCR_RES1        BIT(31)

#define VTTBR_VMID_SHIFT 48u

#endif
