/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* TLB and cache maintenance (Arm ARM DDI 0487, D8.14 and D7.5). */
#include "base/bits.h"
#include "hal/hal.h"
#include "internal.h"

/* Above this many pages it is cheaper to drop everything of the VMID. */
#define RANGE_LIMIT_PAGES 512u

/* TLBI by IPA works on the VMID in VTTBR_EL2: borrow it. Returns what to put back. */
static uint64_t borrow_vmid(const struct s2_tag *tag)
{
    uint64_t previous = sysreg_read(vttbr_el2);

    dsb(ishst);
    if (previous != tag->vttbr) {
        sysreg_write(vttbr_el2, tag->vttbr);
        isb();
    }
    return previous;
}

static void return_vmid(const struct s2_tag *tag, uint64_t previous)
{
    dsb(ish);
    isb();
    if (previous != tag->vttbr) {
        sysreg_write(vttbr_el2, previous);
        isb();
    }
}

void hal_tlbi_range(const struct s2_tag *tag, ipa_t base, uint64_t len)
{
    uint64_t pages = len >> PAGE_SHIFT;
    uint64_t previous;

    if (pages > RANGE_LIMIT_PAGES) {
        hal_tlbi_tag(tag);
        return;
    }
    previous = borrow_vmid(tag);
    for (uint64_t i = 0; i < pages; i++)
        __asm__ volatile("tlbi ipas2e1is, %0" ::"r"((base.v >> PAGE_SHIFT) + i) : "memory");
    dsb(ish);
    __asm__ volatile("tlbi vmalle1is" ::
                         : "memory"); /* combined stage 1 and 2 entries hold no IPA */
    return_vmid(tag, previous);
}

void hal_tlbi_tag(const struct s2_tag *tag)
{
    uint64_t previous = borrow_vmid(tag);

    __asm__ volatile("tlbi vmalls12e1is" ::: "memory");
    return_vmid(tag, previous);
}

void hal_tlbi_local(const struct s2_tag *tag)
{
    uint64_t previous = borrow_vmid(tag);

    __asm__ volatile("tlbi vmalls12e1" ::: "memory");
    return_vmid(tag, previous);
}

void hal_tlbi_all(void)
{
    dsb(ishst);
    __asm__ volatile("tlbi alle1is" ::: "memory");
    dsb(ish);
    isb();
}

static uint64_t line_size(unsigned ctr_lsb)
{
    return UINT64_C(4) << bits_get(sysreg_read(ctr_el0), ctr_lsb + 3, ctr_lsb);
}

void hal_cache_op(const void *ptr, uint64_t len, enum hal_cache_op op)
{
    uint64_t line = line_size(16);
    uint64_t end = (uint64_t)ptr + len;

    for (uint64_t at = align_down((uint64_t)ptr, line); at < end; at += line) {
        switch (op) {
        case HAL_CACHE_CLEAN:
            __asm__ volatile("dc cvac, %0" ::"r"(at) : "memory");
            break;
        case HAL_CACHE_CLEAN_INV:
            __asm__ volatile("dc civac, %0" ::"r"(at) : "memory");
            break;
        case HAL_CACHE_SYNC_ICACHE:
            __asm__ volatile("dc cvau, %0" ::"r"(at) : "memory");
            break;
        }
    }
    dsb(sy); /* not only for the inner shareable domain: a guest with its caches off is outside of
                it */
    if (op == HAL_CACHE_SYNC_ICACHE) {
        /* The guest sees the lines at other addresses: a VIPT cache needs all of it dropped. */
        __asm__ volatile("ic ialluis" ::: "memory");
        dsb(ish);
        isb();
    }
}
