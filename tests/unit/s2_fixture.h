/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What the stage-2 tests share: tables of one VM on fakehal, and a walker that reads them back. It
 * knows the architecture (Arm ARM DDI 0487, D8.2, D8.3) and nothing of core.
 */
#ifndef S2_FIXTURE_H
#define S2_FIXTURE_H

#include "cases.h"
#include "fakehal/fakehal.h"
#include "mem/s2.h"
#include <string.h>

#define K4   UINT64_C(0x1000)
#define M2   UINT64_C(0x200000)
#define G1   UINT64_C(0x40000000)
#define RAM  UINT64_C(0x80000000) /* table pages come from here */
#define SIZE UINT64_C(0x200000)

static struct page_pool pool;
static struct page_account account;
static struct s2 s2;
static bool tables; /* s2 is to be destroyed at the end of the case */

static inline void setup_pool(void)
{
    fakehal_reset();
    tables = false;
    page_pool_init(&pool);
    account = (struct page_account){.limit = UINT64_MAX};
    fakehal_add_ram(pa(RAM), SIZE);
    /* What the pool hands out must not depend on fresh memory being zero. */
    memset(fakehal_mem(pa(RAM), SIZE), 0xff, SIZE);
    cr_assert_eq(page_pool_add(&pool, pa(RAM), SIZE), HV_OK);
    fakehal_log_clear();
}

static inline void setup_range(unsigned parange)
{
    setup_pool();
    fakehal()->idregs.reg[IDREG_MMFR0] = 0x1120 | parange;
    cr_assert_eq(s2_init(&s2, &pool, &account, &fakehal()->idregs, 7), HV_OK);
    tables = true;
}

static inline void setup(void)
{
    setup_range(4);
}

static inline void teardown(void)
{
    s2_destroy(&s2);
    tables = false;
    cr_expect_eq(account.used, 0, "tables leaked");
    cr_expect_eq(page_pool_free_pages(&pool), pool.total_pages);
    cr_expect_eq(fakehal()->maps, fakehal()->unmaps + pool.nr_regions);
}

/* --- The walker --- */

struct walk {
    bool valid;
    unsigned level; /* where the walk ended */
    uint64_t base;  /* of the entry, IPA */
    uint64_t size;
    uint64_t pa;   /* of the entry */
    unsigned prot; /* 1 read, 2 write, 4 execute */
    bool device;
    uint64_t attrs; /* bits that are neither address nor permission */
};

static inline uint64_t read64(uint64_t at)
{
    return *(const uint64_t *)fakehal_mem(pa(at), 8);
}

static inline struct walk leaf(uint64_t pte, unsigned level, uint64_t at, unsigned shift)
{
    struct walk w = {.valid = true, .level = level, .size = UINT64_C(1) << shift};
    w.base = at & ~(w.size - 1);
    w.pa = pte & 0x0000fffffffff000;
    cr_assert_eq(w.pa & (w.size - 1), 0, "output address bits below the block are RES0");
    cr_assert_neq(level, 0, "no block at level 0 with 4 KiB granule and 48 bits");
    w.prot = (unsigned)(pte >> 6 & 3) | ((pte >> 54 & 1) != 0 ? 0 : 4);
    unsigned memattr = (unsigned)(pte >> 2 & 15);
    cr_assert(memattr == 0xf || memattr == 0x1, "Normal WB or Device-nGnRE");
    w.device = memattr == 1;
    cr_assert_eq(pte >> 10 & 1, 1, "access flag: no handler for its faults exists");
    if (!w.device)
        cr_assert_eq(pte >> 8 & 3, 3, "inner shareable");
    w.attrs = pte & ~(UINT64_C(0x0000fffffffff000) | 0xc0 | UINT64_C(1) << 54);
    cr_assert_eq(w.attrs & ~UINT64_C(0x73f), 0, "all other bits are zero");
    return w;
}

/* AArch64.S2Walk for the 4 KiB granule, with the geometry that VTCR and VTTBR tell. */
static inline struct walk walk(uint64_t at)
{
    unsigned ipa_bits = 64 - (unsigned)(s2.tag.vtcr & 0x3f);
    unsigned level = 2 - (unsigned)(s2.tag.vtcr >> 6 & 3);
    uint64_t table = s2.tag.vttbr & 0x0000fffffffffffe;
    cr_assert_lt(at, UINT64_C(1) << ipa_bits);
    unsigned shift = 39 - 9 * level;
    uint64_t index = at >> shift;
    for (;;) {
        uint64_t pte = read64(table + 8 * index);
        if ((pte & 1) == 0)
            return (struct walk){.level = level};
        bool bit1 = (pte & 2) != 0;
        if (level == 3) {
            cr_assert(bit1, "0b01 is reserved at level 3");
            return leaf(pte, level, at, shift);
        }
        if (!bit1)
            return leaf(pte, level, at, shift);
        cr_assert_eq(pte & ~UINT64_C(0x0000fffffffff003), 0,
                     "stage-2 table descriptors have no attributes");
        table = pte & 0x0000fffffffff000;
        level++;
        shift -= 9;
        index = at >> shift & 511;
    }
}

/* The whole tree: what it maps, how many tables it has, and a hash over everything. */
struct audit {
    uint64_t bytes;
    uint64_t tables;
    uint64_t hash;
    bool empty_table;
};

static inline bool audit_table(struct audit *a, uint64_t table, uint64_t entries, unsigned level)
{
    bool empty = true;
    const uint64_t *mem = fakehal_mem(pa(table), 8 * entries);
    for (uint64_t i = 0; i < entries; i++) {
        uint64_t pte = mem[i];
        if (pte == 0)
            continue;
        cr_assert_eq(pte & 1, 1, "invalid entries hold nothing");
        empty = false;
        a->hash = (a->hash ^ pte ^ (table + i)) * UINT64_C(0x100000001b3);
        if (level == 3 || (pte & 2) == 0) {
            a->bytes += UINT64_C(1) << (39 - 9 * level);
            continue;
        }
        a->tables++;
        if (audit_table(a, pte & 0x0000fffffffff000, 512, level + 1))
            a->empty_table = true;
    }
    return empty;
}

static inline struct audit audit(void)
{
    unsigned ipa_bits = 64 - (unsigned)(s2.tag.vtcr & 0x3f);
    unsigned level = 2 - (unsigned)(s2.tag.vtcr >> 6 & 3);
    struct audit a = {0};
    audit_table(&a, s2.tag.vttbr & 0x0000fffffffffffe, UINT64_C(1) << (ipa_bits - (39 - 9 * level)),
                level);
    return a;
}

#endif
