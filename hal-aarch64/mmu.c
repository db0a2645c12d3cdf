/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* EL2 stage 1: identity map, 4 KiB granule, 48 bits, W^X (Arm ARM DDI 0487, D8). Entries only ever
 * go from invalid to valid. */
#include "arch/pte.h"
#include "base/bits.h"
#include "base/check.h"
#include "hal/hal.h"
#include "internal.h"

#define TABLE_PAGES 40u
#define VA_BITS     48u
/* The devicetree is mapped before its size can be read: it may have this much (the boot protocol's
 * limit), and start anywhere in a page. */
#define DTB_WINDOW MIB(2)

#define EL2_VALID    BIT(0)
#define EL2_TABLE    BIT(1)
#define EL2_ATTR(i)  ((uint64_t)(i) << 2)
#define EL2_AP_RES1  BIT(6)
#define EL2_AP_RO    BIT(7)
#define EL2_SH_INNER (UINT64_C(3) << 8)
#define EL2_AF       BIT(10)
#define EL2_XN       BIT(54)

#define MAIR_NORMAL_WB    UINT64_C(0xff)
#define MAIR_DEVICE_NGNRE UINT64_C(0x04)
#define MAIR_INDEX_NORMAL 0
#define MAIR_INDEX_DEVICE 1

struct known_range {
    uint64_t base;
    uint64_t size;
};

static _Alignas(4096) uint64_t tables[TABLE_PAGES][PTE_ENTRIES];
static unsigned tables_used = 1; /* the first is the root */
static struct known_range known[PLATFORM_MAX_RAM + 2];
static unsigned nr_known;
static struct mmu_setup setup;

static uint64_t leaf_bits(enum mmu_attr attr)
{
    const uint64_t normal = EL2_ATTR(MAIR_INDEX_NORMAL) | EL2_SH_INNER;
    uint64_t bits = EL2_VALID | EL2_AF | EL2_AP_RES1;

    switch (attr) {
    case MMU_TEXT:
        return bits | normal | EL2_AP_RO;
    case MMU_RODATA:
        return bits | normal | EL2_AP_RO | EL2_XN;
    case MMU_DATA:
        return bits | normal | EL2_XN;
    case MMU_DEVICE:
        break;
    }
    return bits | EL2_ATTR(MAIR_INDEX_DEVICE) | EL2_XN;
}

static uint64_t *next_table(uint64_t *entry)
{
    if ((*entry & EL2_VALID) == 0) {
        if (tables_used == TABLE_PAGES)
            return NULL;
        *entry = (uint64_t)tables[tables_used++] | EL2_TABLE | EL2_VALID;
    }
    return (uint64_t *)(*entry & BITS(47, 12));
}

/* Fills the entry at `at` that is the largest for [at, end), or steps over what is mapped. Returns
 * its end, 0 without a table. */
static uint64_t map_one(uint64_t at, uint64_t end, uint64_t bits)
{
    uint64_t *table = tables[0];

    for (unsigned level = 0; level < 4; level++) {
        unsigned shift = 39 - 9 * level;
        uint64_t size = UINT64_C(1) << shift;
        uint64_t *entry = &table[(at >> shift) & (PTE_ENTRIES - 1)];
        bool is_leaf = (*entry & EL2_VALID) != 0 && (level == 3 || (*entry & EL2_TABLE) == 0);

        if (is_leaf)
            return align_down(at, size) + size;
        if (level == 3) {
            *entry = at | bits | EL2_TABLE;
            return at + size;
        }
        if (level > 0 && (*entry & EL2_VALID) == 0 && is_aligned(at, size) && end - at >= size) {
            *entry = at | bits;
            return at + size;
        }
        table = next_table(entry);
        if (table == NULL)
            return 0;
    }
    return 0;
}

hv_err mmu_map(uint64_t base, uint64_t size, enum mmu_attr attr)
{
    if (range_exceeds(base, size, UINT64_C(1) << VA_BITS))
        return HV_ERR_RANGE;
    uint64_t at = align_down(base, PAGE_SIZE);
    uint64_t end = align_up(base + size, PAGE_SIZE);
    uint64_t bits = leaf_bits(attr);

    while (at < end) {
        at = map_one(at, end, bits);
        if (at == 0)
            return HV_ERR_NOMEM;
    }
    hal_pt_sync();
    return HV_OK;
}

/* A failure here leaves the MMU without the image's own map: the table pages of .bss are enough for
 * it by construction. */
static void map_early(uint64_t from, uint64_t to, enum mmu_attr attr)
{
    HV_CHECK(mmu_map(from, to - from, attr) == HV_OK);
}

const struct mmu_setup *mmu_build_early(uint64_t image, uint64_t dtb)
{
    uint64_t stack_guard = (uint64_t)boot_stack_guard;
    uint64_t panic_guard = (uint64_t)panic_stack_guard;
    uint64_t parange = bits_get(sysreg_read(id_aa64mmfr0_el1), 3, 0);

    map_early(image, (uint64_t)__text_end, MMU_TEXT);
    map_early((uint64_t)__text_end, (uint64_t)__rodata_end, MMU_RODATA);
    map_early((uint64_t)__rodata_end, stack_guard, MMU_DATA);
    map_early(stack_guard + PAGE_SIZE, panic_guard, MMU_DATA);
    map_early(panic_guard + PAGE_SIZE, (uint64_t)__image_end, MMU_DATA);
    map_early(dtb, dtb + DTB_WINDOW, MMU_DATA); /* the rest of the window may become free RAM */
    known[nr_known++] = (struct known_range){align_down(dtb, PAGE_SIZE), DTB_WINDOW};

    setup.ttbr = (uint64_t)tables[0];
    setup.mair = (MAIR_NORMAL_WB << (8 * MAIR_INDEX_NORMAL)) |
                 (MAIR_DEVICE_NGNRE << (8 * MAIR_INDEX_DEVICE));
    /* TCR_EL2: RES1 31 and 23, PS, TG0 4 KiB, inner shareable write-back walks, T0SZ */
    setup.tcr = BIT(31) | BIT(23) | ((parange > 5 ? 5 : parange) << 16) | (UINT64_C(3) << 12) |
                (UINT64_C(1) << 10) | (UINT64_C(1) << 8) | (64 - VA_BITS);
    /* SCTLR_EL2: RES1 bits, I, SA, C, M, and WXN on top of the map's own W^X */
    setup.sctlr = UINT64_C(0x30c50830) | BIT(19) | BIT(12) | BIT(3) | BIT(2) | BIT(0);
    return &setup;
}

/* Maps [base, end) without the reserved ranges: they may be secure, and even a speculative read of
 * them an error. */
static hv_err map_ram_around(const struct hal_platform *platform, uint64_t base, uint64_t end)
{
    while (base < end) {
        uint64_t stop = end;
        uint64_t resume = end;
        for (uint32_t i = 0; i < platform->nr_reserved; i++) {
            uint64_t from = align_down(platform->reserved[i].base, PAGE_SIZE);
            uint64_t to =
                align_up(platform->reserved[i].base + platform->reserved[i].size, PAGE_SIZE);
            if (from < stop && to > base) {
                stop = from > base ? from : base;
                resume = to;
            }
        }
        if (stop > base) {
            hv_err err = mmu_map(base, stop - base, MMU_DATA);
            if (err != HV_OK)
                return err;
        }
        base = resume;
    }
    return HV_OK;
}

/* The guard pages stay holes because the image is skipped as a whole. */
hv_err mmu_map_ram(const struct hal_platform *platform)
{
    const uint64_t image = (uint64_t)__image_start;
    const uint64_t image_end = (uint64_t)__image_end;

    for (uint32_t i = 0; i < platform->nr_ram; i++) {
        uint64_t base = platform->ram[i].base;
        uint64_t end = base + platform->ram[i].size;
        bool holds_image = base <= image && image_end <= end;
        hv_err err = map_ram_around(platform, base, holds_image ? image : end);
        if (err == HV_OK && holds_image)
            err = map_ram_around(platform, image_end, end);
        if (err != HV_OK)
            return err;
        known[nr_known++] = (struct known_range){base, platform->ram[i].size};
    }
    return HV_OK;
}

bool mmu_is_stack(uint64_t addr)
{
    bool boot = addr >= (uint64_t)boot_stack_guard + PAGE_SIZE && addr < (uint64_t)boot_stack_top;
    bool panic =
        addr >= (uint64_t)panic_stack_guard + PAGE_SIZE && addr < (uint64_t)panic_stack_top;
    return boot || panic;
}

void *hal_phys_map(pa_t base, uint64_t len)
{
    for (unsigned i = 0; i < nr_known; i++)
        if (base.v >= known[i].base && !range_exceeds(base.v - known[i].base, len, known[i].size))
            return (void *)base.v;
    return NULL;
}

void hal_phys_unmap(void *ptr, uint64_t len)
{
    (void)ptr;
    (void)len;
}

void hal_pt_sync(void)
{
    dsb(ishst);
    isb();
}
