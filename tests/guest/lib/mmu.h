/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* An identity map of the first 4 GiB (4 KiB granule, 39-bit VA): the first GiB Device-nGnRnE, the
 * rest Normal. */
#ifndef GUEST_MMU_H
#define GUEST_MMU_H

#include <stdint.h>

/* Descriptor bits (DDI 0487, D8.3). */
#define PTE_TABLE           3UL
#define PTE_BLOCK           1UL
#define PTE_AF              (1UL << 10)
#define PTE_INNER_SHAREABLE (3UL << 8)
#define PTE_ATTR_DEVICE     (0UL << 2)
#define PTE_ATTR_NORMAL     (1UL << 2)
#define PTE_XN              (3UL << 53) /* PXN and UXN */

#define MMU_GIB (1UL << 30)
/* Virtual address of entry `index` of the top-level table. */
#define MMU_VA(index) ((uint64_t)(index)*MMU_GIB)

/** Builds the map and turns MMU and caches on. */
void mmu_on(void);

/** Turns the MMU and the data cache off again. */
void mmu_off(void);

/** Sets entry `index` (0..511, 1 GiB each) of the top-level table and drops what the TLBs hold of
 * it. */
void mmu_set_top(unsigned index, uint64_t descriptor);

/** Base of the tables for the upper VA range (TTBR1_EL1), which mmu_on leaves disabled; makes it
 * live. */
void mmu_set_ttbr1(uint64_t base);

#endif
