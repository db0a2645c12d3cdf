/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* EL2 stage 1: identity map, 4 KiB granule, 48 bits, W^X (Arm ARM DDI 0487, D8). Entries only ever
 * go from invalid to valid. */
#include "arch/pte.h"
#include "base/bits.h"
#include "base/check.h"
#include "hal/hal.h"
#include "internal.h"
#include "offsets.h"

/* Each edge of a mapped piece may need a level 2 and a level 3 table of its own: those of RAM, of
 * the trace buffer, and of the little that there is besides. */
#define TABLE_PAGES (4u * (PLATFORM_MAX_RAM + PLATFORM_MAX_RESERVED + 1u) + 18u)
#define VA_BITS     48u
/* The most that the boot protocol allows a devicetree to take. */
#define DTB_MAX MIB(2)

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
static struct known_range known[PLATFORM_MAX_RAM + PLATFORM_MAX_RESERVED + 3];
static unsigned nr_known;
struct mmu_setup mmu_setup;

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

/* Maps a range and lets hal_phys_map() answer for it. */
static hv_err map_known(uint64_t base, uint64_t size)
{
    if (nr_known == sizeof(known) / sizeof(known[0]))
        return HV_ERR_NOMEM;
    known[nr_known++] = (struct known_range){base, size};
    return mmu_map(base, size, MMU_DATA);
}

/* Exactly what it says it takes: around it there may be anything. Its content is core's to judge.
 */
static void map_dtb(uint64_t dtb)
{
    const volatile unsigned char *header = (const volatile unsigned char *)dtb;
    uint64_t size = (uint64_t)header[4] << 24 | (uint64_t)header[5] << 16 |
                    (uint64_t)header[6] << 8 | header[7];

    if (size < PAGE_SIZE || size > DTB_MAX)
        size = PAGE_SIZE;
    HV_CHECK(map_known(dtb, size) == HV_OK);
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
    map_early(panic_guard + PAGE_SIZE, (uint64_t)cpu_stacks, MMU_DATA);
    map_dtb(dtb);

    mmu_setup.ttbr = (uint64_t)tables[0];
    mmu_setup.mair = (MAIR_NORMAL_WB << (8 * MAIR_INDEX_NORMAL)) |
                     (MAIR_DEVICE_NGNRE << (8 * MAIR_INDEX_DEVICE));
    /* TCR_EL2: RES1 31 and 23, PS, TG0 4 KiB, inner shareable write-back walks, T0SZ */
    mmu_setup.tcr = BIT(31) | BIT(23) | ((parange > 5 ? 5 : parange) << 16) | (UINT64_C(3) << 12) |
                    (UINT64_C(1) << 10) | (UINT64_C(1) << 8) | (64 - VA_BITS);
    /* SCTLR_EL2: RES1 bits, I, SA, C, M, and WXN on top of the map's own W^X */
    mmu_setup.sctlr = UINT64_C(0x30c50830) | BIT(19) | BIT(12) | BIT(3) | BIT(2) | BIT(0);
    return &mmu_setup;
}

/*
 * What the RAM map leaves out: the image, which has its own map with guard pages, and the reserved
 * ranges, which may be secure, so that even a speculative read would be an error.
 */
static struct known_range nth_hole(const struct hal_platform *platform, uint32_t n)
{
    uint64_t base = (uint64_t)__image_start;
    uint64_t end = (uint64_t)__image_end;

    if (n < platform->nr_reserved) {
        base = platform->reserved[n].base;
        end = base + platform->reserved[n].size;
    }
    base = align_down(base, PAGE_SIZE);
    end = end > UINT64_MAX - PAGE_MASK ? UINT64_MAX : align_up(end, PAGE_SIZE);
    return (struct known_range){base, end - base};
}

static hv_err map_ram_around(const struct hal_platform *platform, uint64_t base, uint64_t end)
{
    while (base < end) {
        uint64_t stop = end;
        uint64_t resume = end;
        for (uint32_t i = 0; i <= platform->nr_reserved; i++) {
            struct known_range hole = nth_hole(platform, i);
            if (hole.base < stop && hole.base + hole.size > base) {
                stop = hole.base > base ? hole.base : base;
                resume = hole.base + hole.size;
            }
        }
        if (stop > base) {
            hv_err err = map_known(base, stop - base);
            if (err != HV_OK)
                return err;
        }
        base = resume;
    }
    return HV_OK;
}

hv_err mmu_map_ram(const struct hal_platform *platform)
{
    for (uint32_t i = 0; i < platform->nr_ram; i++) {
        uint64_t base = platform->ram[i].base;
        hv_err err = map_ram_around(platform, base, base + platform->ram[i].size);
        if (err != HV_OK)
            return err;
    }
    /* A loader may have reserved the bundle, so that nobody overwrites it. */
    if (platform->initrd.size == 0)
        return HV_OK;
    return map_known(platform->initrd.base, platform->initrd.size);
}

void mmu_unmap_page(uint64_t addr)
{
    uint64_t *table = tables[0];

    for (unsigned level = 0; level < 3; level++)
        table = (uint64_t *)(table[(addr >> (39 - 9 * level)) & (PTE_ENTRIES - 1)] & BITS(47, 12));
    table[(addr >> PAGE_SHIFT) & (PTE_ENTRIES - 1)] = 0;
    dsb(ish);
    __asm__ volatile("tlbi vae2is, %0" ::"r"(addr >> PAGE_SHIFT) : "memory");
    dsb(ish);
    isb();
}

uint64_t mmu_stack_guard(void)
{
    const struct percpu *cpu = percpu_self();

    return cpu->index == 0 ? (uint64_t)boot_stack_guard
                           : cpu->stack - CPU_STACK_SIZE - CPU_STACK_GUARD;
}

bool mmu_is_stack(uint64_t addr)
{
    return addr >= mmu_stack_guard() + PAGE_SIZE && addr < percpu_self()->stack;
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
