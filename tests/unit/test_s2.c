/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stage-2 tables: geometry, arguments, block sizes, descriptors, break-before-make. */
#include "s2_fixture.h"

static void expect_walk(uint64_t at, uint64_t to, uint64_t size, unsigned prot)
{
    struct walk w = walk(at);
    cr_assert(w.valid, "%#lx is not mapped", (unsigned long)at);
    cr_expect_eq(w.pa + (at - w.base), to, "%#lx goes to %#lx", (unsigned long)at,
                 (unsigned long)w.pa);
    cr_expect_eq(w.size, size, "%#lx is mapped by %#lx", (unsigned long)at, (unsigned long)w.size);
    cr_expect_eq(w.prot, prot);
}

/* --- Geometry --- */

CASE(s2, geometry)
{
    /* In the order of PARange; all from 48 bits on are cut to 48. D8.2.2, D17.2.155: RES1, SH0
     * inner, ORGN0 and IRGN0 write-back are 0x80003500; the rest is PS, SL0, T0SZ. */
    static const struct {
        unsigned bits, level, root_pages;
        uint64_t vtcr;
    } rows[] = {
        {32, 2, 4, 0x80003520}, {36, 1, 1, 0x8001355c}, {40, 1, 2, 0x80023558},
        {42, 1, 8, 0x80033556}, {44, 0, 1, 0x80043594}, {48, 0, 1, 0x80053590},
        {48, 0, 1, 0x80053590}, {48, 0, 1, 0x80053590}, {48, 0, 1, 0x80053590},
    };
    for (unsigned i = 0; i < 8; i++) {
        setup_range(i);
        cr_expect_eq(s2.ipa_bits, rows[i].bits);
        cr_expect_eq(s2.start_level, rows[i].level);
        cr_expect_eq(account.used, rows[i].root_pages);
        cr_expect_eq(s2.tag.vtcr, rows[i].vtcr, "PARange %u: %#lx", i, (unsigned long)s2.tag.vtcr);
        cr_expect_eq(s2_tag(&s2).vttbr >> 48, 7);
        uint64_t root = s2.tag.vttbr & 0xffffffffffff;
        cr_expect_eq(root % (rows[i].root_pages * K4), 0,
                     "concatenated tables are aligned to their size");
        struct s2_mapping m;
        uint64_t end = UINT64_C(1) << rows[i].bits;
        cr_expect_eq(s2_map(&s2, ipa(end - K4), pa(end - K4), K4, S2_RW, S2_MEM_NORMAL), HV_OK);
        expect_walk(end - K4, end - K4, K4, 3);
        cr_expect_eq(s2_query(&s2, ipa(end - K4), &m), HV_OK);
        cr_expect_eq(s2_query(&s2, ipa(end), &m), HV_ERR_RANGE);
        cr_expect_eq(s2_query(&s2, ipa(UINT64_MAX), &m), HV_ERR_RANGE);
        teardown();
    }
}

CASE(s2, reserved_pa_range)
{
    setup_pool();
    for (unsigned i = 8; i < 16; i++) {
        fakehal()->idregs.reg[IDREG_MMFR0] = i;
        cr_expect_eq(s2_init(&s2, &pool, &account, &fakehal()->idregs, 0), HV_ERR_UNSUPPORTED);
    }
    cr_expect_eq(account.used, 0);
}

CASE(s2, vmid_size)
{
    setup_pool();
    cr_expect_eq(s2_init(&s2, &pool, &account, &fakehal()->idregs, 256), HV_ERR_RANGE);
    cr_expect_eq(account.used, 0);
    cr_assert_eq(s2_init(&s2, &pool, &account, &fakehal()->idregs, 255), HV_OK);
    teardown();
    fakehal()->idregs.reg[IDREG_MMFR1] = 0x20; /* VMIDBits: 16 */
    cr_assert_eq(s2_init(&s2, &pool, &account, &fakehal()->idregs, 0xabcd), HV_OK);
    cr_expect_eq(s2_tag(&s2).vttbr >> 48, 0xabcd);
    cr_expect_eq(s2.tag.vtcr, UINT64_C(0x800c3594));
    teardown();
}

CASE(s2, init_without_memory)
{
    setup_pool();
    page_pool_fail_nth(&pool, 1);
    cr_expect_eq(s2_init(&s2, &pool, &account, &fakehal()->idregs, 0), HV_ERR_NOMEM);
    account.limit = 0;
    cr_expect_eq(s2_init(&s2, &pool, &account, &fakehal()->idregs, 0), HV_ERR_QUOTA);
}

/* --- Arguments --- */

CASE(s2, map_refuses)
{
    uint64_t end = UINT64_C(1) << 44;
    struct audit before = audit();
#define MAP(at, to, len, prot) s2_map(&s2, ipa(at), pa(to), len, prot, S2_MEM_NORMAL)
    cr_expect_eq(MAP(0x800, 0, K4, S2_RW), HV_ERR_ALIGN);
    cr_expect_eq(MAP(0, 0x800, K4, S2_RW), HV_ERR_ALIGN);
    cr_expect_eq(MAP(0, 0, 0x1800, S2_RW), HV_ERR_ALIGN);
    cr_expect_eq(MAP(0, 0, 0, S2_RW), HV_ERR_ALIGN);
    cr_expect_eq(MAP(end, 0, K4, S2_RW), HV_ERR_RANGE);
    cr_expect_eq(MAP(end - K4, 0, 2 * K4, S2_RW), HV_ERR_RANGE);
    cr_expect_eq(MAP(0, end - K4, 2 * K4, S2_RW), HV_ERR_RANGE);
    cr_expect_eq(MAP(0, UINT64_MAX - 0xfff, K4, S2_RW), HV_ERR_RANGE);
    cr_expect_eq(MAP(UINT64_MAX - 0xfff, 0, K4, S2_RW), HV_ERR_RANGE);
    cr_expect_eq(MAP(K4, 0, UINT64_MAX - 0xfff, S2_RW), HV_ERR_RANGE);
    cr_expect_eq(MAP(0, 0, K4, 0), HV_ERR_INVAL);
    cr_expect_eq(MAP(0, 0, K4, 8), HV_ERR_INVAL);
    cr_expect_eq(MAP(0, 0, K4, 0x101), HV_ERR_INVAL);
#undef MAP
    cr_expect_eq(s2_unmap(&s2, ipa(1), K4), HV_ERR_ALIGN);
    cr_expect_eq(s2_unmap(&s2, ipa(0), 0), HV_ERR_ALIGN);
    cr_expect_eq(s2_unmap(&s2, ipa(end), K4), HV_ERR_RANGE);
    cr_expect_eq(s2_protect(&s2, ipa(1), K4, S2_RW), HV_ERR_ALIGN);
    cr_expect_eq(s2_protect(&s2, ipa(end), K4, S2_RW), HV_ERR_RANGE);
    cr_expect_eq(s2_protect(&s2, ipa(0), K4, 0), HV_ERR_INVAL);
    cr_expect_eq(s2_protect(&s2, ipa(0), K4, S2_RW), HV_ERR_NOENT);
    cr_expect_eq(audit().hash, before.hash);
    cr_expect_eq(account.used, 1);
}

/* --- Block sizes, attributes --- */

CASE(s2, largest_blocks_that_both_alignments_allow)
{
    uint64_t at = G1 - M2 - K4;
    cr_assert_eq(
        s2_map(&s2, ipa(at), pa(5 * G1 - M2 - K4), 2 * G1 + 2 * M2 + 2 * K4, S2_RWX, S2_MEM_NORMAL),
        HV_OK);
    expect_walk(at, 5 * G1 - M2 - K4, K4, 7);
    expect_walk(at + K4, 5 * G1 - M2, M2, 7);
    expect_walk(G1, 5 * G1, G1, 7);
    expect_walk(3 * G1 - 1, 7 * G1 - 1, G1, 7);
    expect_walk(3 * G1, 7 * G1, M2, 7);
    expect_walk(3 * G1 + M2, 7 * G1 + M2, K4, 7);
    cr_expect_not(walk(at - K4).valid);
    cr_expect_not(walk(3 * G1 + M2 + K4).valid);
    cr_expect_eq(audit().tables, 5, "one level 1, two level 2, two level 3");
    cr_expect_eq(s2.table_pages, 5);
    cr_expect_eq(fakehal()->count[FAKEHAL_TLBI_RANGE], 0, "invalid entries are in no TLB");
}

CASE(s2, physical_alignment_limits_blocks)
{
    cr_assert_eq(s2_map(&s2, ipa(G1), pa(G1 + M2), G1, S2_RW, S2_MEM_NORMAL), HV_OK);
    expect_walk(G1, G1 + M2, M2, 3);
    cr_assert_eq(s2_map(&s2, ipa(4 * G1), pa(4 * G1 + K4), 2 * M2, S2_RW, S2_MEM_NORMAL), HV_OK);
    expect_walk(4 * G1 + M2, 4 * G1 + M2 + K4, K4, 3);
}

CASE(s2, level_0_has_no_blocks)
{
    cr_assert_eq(s2_map(&s2, ipa(512 * G1), pa(1024 * G1), 512 * G1, S2_RWX, S2_MEM_NORMAL), HV_OK);
    expect_walk(512 * G1, 1024 * G1, G1, 7);
    expect_walk(1024 * G1 - 1, 1536 * G1 - 1, G1, 7);
    cr_expect_eq(audit().tables, 1);
}

CASE(s2, start_level_2_has_no_gigabyte_blocks)
{
    teardown();
    setup_range(0);
    cr_assert_eq(s2_map(&s2, ipa(0), pa(0), 4 * G1, S2_RWX, S2_MEM_NORMAL), HV_OK);
    expect_walk(3 * G1 + 5, 3 * G1 + 5, M2, 7);
    cr_expect_eq(s2.table_pages, 0);
    cr_assert_eq(s2_unmap(&s2, ipa(0), 4 * G1), HV_OK);
    cr_expect_eq(audit().bytes, 0);
}

CASE(s2, permissions_and_types)
{
    for (unsigned prot = 1; prot < 8; prot++) {
        cr_assert_eq(s2_map(&s2, ipa(prot * K4), pa(prot * M2), K4, prot,
                            prot == 3 ? S2_MEM_DEVICE : S2_MEM_NORMAL),
                     HV_OK);
        expect_walk(prot * K4, prot * M2, K4, prot);
        struct s2_mapping m;
        cr_assert_eq(s2_query(&s2, ipa(prot * K4 + 5), &m), HV_OK);
        cr_expect(m.ipa.v == prot * K4 && m.pa.v == prot * M2 && m.size == K4 && m.prot == prot);
        cr_expect_eq(m.type, prot == 3 ? S2_MEM_DEVICE : S2_MEM_NORMAL);
        cr_expect_eq(walk(prot * K4).device, prot == 3);
    }
    /* The descriptors themselves, once: attributes Normal WB, S2AP, inner shareable, AF; XN. */
    cr_assert_eq(s2_map(&s2, ipa(G1), pa(2 * G1), G1, S2_RWX, S2_MEM_NORMAL), HV_OK);
    cr_assert_eq(s2_map(&s2, ipa(5 * K4 + M2), pa(0x9000000), K4, S2_RW, S2_MEM_DEVICE), HV_OK);
    uint64_t level1 = read64(s2.tag.vttbr & 0xfffffffff000) & 0xfffffffff000;
    cr_expect_eq(read64(level1 + 8), UINT64_C(0x800007fd));
    uint64_t level3 = read64((read64(level1) & 0xfffffffff000) + 8) & 0xfffffffff000;
    cr_expect_eq(read64(level3 + 8 * 5), UINT64_C(0x00400000090004c7));
}

/* --- Break-before-make --- */

static struct {
    unsigned calls;
    uint64_t free_pages;
    uint64_t at[8], len[8];
} seen;

static void expect_tlbi(const struct fakehal_record *record)
{
    cr_assert_lt(seen.calls, 8);
    cr_expect_eq(record->kind, FAKEHAL_TLBI_RANGE);
    cr_expect_eq(record->tag.vttbr, s2_tag(&s2).vttbr);
    cr_expect_eq(record->tag.vtcr, s2.tag.vtcr);
    cr_expect_eq(fakehal_log(fakehal()->log_len - 2)->kind, FAKEHAL_PT_SYNC,
                 "the broken entry is visible first");
    cr_expect_leq(page_pool_free_pages(&pool), seen.free_pages, "no table is freed before");
    seen.at[seen.calls] = record->addr;
    seen.len[seen.calls++] = record->len;
}

static void during_cut(void *ctx, const struct fakehal_record *record)
{
    (void)ctx;
    expect_tlbi(record);
    uint64_t hole = G1 + 3 * M2 + 5 * K4;
    if (seen.calls == 1) {
        cr_expect(!walk(G1).valid && !walk(hole).valid && !walk(2 * G1 - 1).valid);
        cr_expect_eq(walk(hole).level, 1);
    } else if (seen.calls == 2) {
        expect_walk(G1, 4 * G1, M2, 7);
        expect_walk(2 * G1 - 1, 5 * G1 - 1, M2, 7);
        cr_expect(!walk(hole).valid && walk(hole).level == 2);
    } else {
        expect_walk(hole - K4, 4 * G1 + 3 * M2 + 4 * K4, K4, 7);
        expect_walk(hole + K4, 4 * G1 + 3 * M2 + 6 * K4, K4, 7);
        cr_expect(!walk(hole).valid && walk(hole).level == 3);
    }
}

CASE(s2, unmap_of_a_page_of_a_gigabyte_breaks_before_it_makes)
{
    cr_assert_eq(s2_map(&s2, ipa(G1), pa(4 * G1), G1, S2_RWX, S2_MEM_NORMAL), HV_OK);
    seen.free_pages = page_pool_free_pages(&pool);
    fakehal()->tlbi = during_cut;
    cr_assert_eq(s2_unmap(&s2, ipa(G1 + 3 * M2 + 5 * K4), K4), HV_OK);
    cr_assert_eq(seen.calls, 3);
    cr_expect(seen.at[0] == G1 && seen.len[0] == G1);
    cr_expect(seen.at[1] == G1 + 3 * M2 && seen.len[1] == M2);
    cr_expect(seen.at[2] == G1 + 3 * M2 + 5 * K4 && seen.len[2] == K4);
    fakehal()->tlbi = NULL;
}

static void during_unmap(void *ctx, const struct fakehal_record *record)
{
    (void)ctx;
    expect_tlbi(record);
    cr_expect_not(walk(record->addr).valid);
    cr_expect_not(walk(record->addr + record->len - 1).valid);
    cr_expect_eq(page_pool_free_pages(&pool), seen.free_pages);
}

CASE(s2, empty_tables_are_freed_after_one_invalidation)
{
    uint64_t before = page_pool_free_pages(&pool);
    cr_assert_eq(s2_map(&s2, ipa(G1 - 3 * K4), pa(0x5000), 6 * K4, S2_RW, S2_MEM_NORMAL), HV_OK);
    cr_assert_eq(s2.table_pages, 5);
    seen.free_pages = page_pool_free_pages(&pool);
    fakehal()->tlbi = during_unmap;
    cr_assert_eq(s2_unmap(&s2, ipa(G1 - 3 * K4), 6 * K4), HV_OK);
    fakehal()->tlbi = NULL;
    cr_expect(seen.calls == 1 && seen.at[0] == G1 - 3 * K4 && seen.len[0] == 6 * K4);
    cr_expect_eq(page_pool_free_pages(&pool), before);
    cr_expect_eq(s2.table_pages, 0);
}

CASE(s2, nothing_to_do_invalidates_nothing)
{
    cr_assert_eq(s2_unmap(&s2, ipa(0), UINT64_C(1) << 44), HV_OK);
    cr_assert_eq(s2_map(&s2, ipa(0), pa(0), G1, S2_RW, S2_MEM_NORMAL), HV_OK);
    cr_assert_eq(s2_protect(&s2, ipa(3 * K4), 5 * M2, S2_RW), HV_OK);
    cr_expect_eq(fakehal()->count[FAKEHAL_TLBI_RANGE], 0);
    cr_expect_eq(walk(3 * K4).size, G1, "equal permissions need no split");
    cr_expect_gt(fakehal()->count[FAKEHAL_PT_SYNC], 0);
}

static void during_destroy(void *ctx, const struct fakehal_record *record)
{
    (void)ctx;
    cr_expect_eq(record->kind, FAKEHAL_TLBI_TAG);
    cr_expect_eq(page_pool_free_pages(&pool), seen.free_pages);
    seen.calls++;
}

CASE(s2, destroy_invalidates_before_it_frees)
{
    cr_assert_eq(s2_map(&s2, ipa(K4), pa(0), 3 * M2, S2_RW, S2_MEM_NORMAL), HV_OK);
    seen.free_pages = page_pool_free_pages(&pool);
    fakehal()->tlbi = during_destroy;
    teardown();
    cr_expect_eq(seen.calls, 1);
}

static void begin(void)
{
    setup();
    memset(&seen, 0, sizeof(seen));
}

static void finish(void)
{
    if (tables)
        teardown();
}

CASES_RUN(s2, begin, finish)
