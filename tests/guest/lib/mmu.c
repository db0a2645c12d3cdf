/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "lib/mmu.h"

#include "lib/sys.h"

#define SCTLR_M (1UL << 0)
#define SCTLR_C (1UL << 2)

#define TCR_T0SZ_39            25UL
#define TCR_T1SZ_39            (25UL << 16)
#define TCR_WB_INNER_SHAREABLE 0x3500UL /* IRGN0, ORGN0 write-back, SH0 inner */
#define TCR_EPD1               (1UL << 23)
#define TCR_TG1_4K             (2UL << 30)

static uint64_t mmu_top[512] __attribute__((aligned(4096)));

static void mmu_flush_tlb(void)
{
    __asm__ volatile("dsb ishst\n\ttlbi vmalle1\n\tdsb ish\n\tisb" ::: "memory");
}

static uint64_t mmu_tcr(void)
{
    uint64_t pa_range = SYS_READ("id_aa64mmfr0_el1") & 0xf;

    /* IPS 6 (52 bits) means 48 with 4 KiB pages and no LPA2. */
    return TCR_T0SZ_39 | TCR_T1SZ_39 | TCR_WB_INNER_SHAREABLE | TCR_EPD1 | TCR_TG1_4K |
           (pa_range > 5 ? 5 : pa_range) << 32;
}

void mmu_on(void)
{
    mmu_top[0] = PTE_BLOCK | PTE_AF | PTE_ATTR_DEVICE | PTE_XN;
    for (unsigned i = 1; i < 4; i++) {
        mmu_top[i] = MMU_VA(i) | PTE_BLOCK | PTE_AF | PTE_ATTR_NORMAL | PTE_INNER_SHAREABLE;
    }
    SYS_WRITE("mair_el1", 0xff00); /* 0: Device-nGnRnE, 1: Normal write-back */
    SYS_WRITE("tcr_el1", mmu_tcr());
    SYS_WRITE("ttbr0_el1", (uint64_t)mmu_top);
    mmu_flush_tlb();
    SYS_WRITE("sctlr_el1", SYS_READ("sctlr_el1") | SCTLR_M | SCTLR_C);
    sys_isb();
}

void mmu_off(void)
{
    SYS_WRITE("sctlr_el1", SYS_READ("sctlr_el1") & ~(SCTLR_M | SCTLR_C));
    sys_isb();
    mmu_flush_tlb();
}

void mmu_set_top(unsigned index, uint64_t descriptor)
{
    /* Break before make (DDI 0487, D8.14). */
    *(volatile uint64_t *)&mmu_top[index] = 0;
    mmu_flush_tlb();
    *(volatile uint64_t *)&mmu_top[index] = descriptor;
    mmu_flush_tlb();
}

void mmu_set_ttbr1(uint64_t base)
{
    SYS_WRITE("ttbr1_el1", base);
    SYS_WRITE("tcr_el1", mmu_tcr() & ~TCR_EPD1);
    sys_isb();
    mmu_flush_tlb();
}
