/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Stage 1: granules, sizes and levels. */
#include "walk_fixture.h"

#define REGIME_4K                                                                                  \
    {                                                                                              \
        .sctlr_el1 = M, .tcr_el1 = 0x10, .ttbr0_el1 = 0x40010000                                   \
    }

CASE(walk, granule_of_4k)
{
    static const struct walk_row rows[] = {
        {"page",
         REGIME_4K,
         {L0_4K, L1_4K, L2_4K, {0x40013090, 0x0060000048765703}},
         VA_4K,
         true,
         0x48765abc},
        {"page at the top of 48 bits",
         REGIME_4K,
         {L0_4K, L1_4K, L2_4K, {0x40013090, 0xfff8fffffffff003}},
         VA_4K,
         true,
         0xfffffffffabc},
        {"attributes of tables, ASID, CnP and what lies below the table's alignment",
         {.sctlr_el1 = M, .tcr_el1 = 0x10, .ttbr0_el1 = 0x1234000040010fff},
         {{0x40010d18, 0xf800000040011fff},
          {0x400115a8, 0x7800000040012ffb},
          {0x40012ff8, 0xf000000040013003},
          {0x40013090, 0x48765003}},
         VA_4K,
         true,
         0x48765abc},
        {"reserved at level 3",
         REGIME_4K,
         {L0_4K, L1_4K, L2_4K, {0x40013090, 0x48765701}},
         VA_4K,
         false,
         0},
        {"invalid at level 3",
         REGIME_4K,
         {L0_4K, L1_4K, L2_4K, {0x40013090, 0x48765702}},
         VA_4K,
         false,
         0},
        {"block of 2 MiB",
         REGIME_4K,
         {L0_4K, L1_4K, {0x40012ff8, 0x0060004080600f01}},
         VA_4K,
         true,
         0x4080612abc},
        {"RES0 bits of a block",
         REGIME_4K,
         {L0_4K, L1_4K, {0x40012ff8, 0x0060004080601f01}},
         VA_4K,
         true,
         0x4080612abc},
        {"invalid at level 2",
         REGIME_4K,
         {L0_4K, L1_4K, {0x40012ff8, 0x40013002}},
         VA_4K,
         false,
         0},
        {"block of 1 GiB",
         REGIME_4K,
         {L0_4K, {0x400115a8, 0x006000c080000f01}},
         VA_4K,
         true,
         0xc0bfe12abc},
        {"invalid at level 1", REGIME_4K, {L0_4K, {0x400115a8, 0x40012002}}, VA_4K, false, 0},
        {"no block at level 0", REGIME_4K, {{0x40010d18, 0x0000008000000f01}}, VA_4K, false, 0},
        {"invalid at level 0", REGIME_4K, {{0x40010d18, 0x40011002}}, VA_4K, false, 0},
        {"nothing", REGIME_4K, {{0}}, VA_4K, false, 0},
        {"first table below memory",
         {.sctlr_el1 = M, .tcr_el1 = 0x10, .ttbr0_el1 = 0x10000},
         {{0}},
         VA_4K,
         false,
         0},
        {"table above memory", REGIME_4K, {{0x40010d18, 0xffffffff0003}}, VA_4K, false, 0},
        {"last table outside",
         REGIME_4K,
         {L0_4K, L1_4K, {0x40012ff8, 0x50000003}},
         VA_4K,
         false,
         0},
    };

    CHECK_ROWS(rows);
}

/* 39 bits start at level 1, 30 at level 2 with a full table, 31 at level 1 with two entries; 25
 * bits at level 2 with 16 entries, aligned to 128 bytes. */
CASE(walk, sizes_with_4k)
{
    static const struct walk_row rows[] = {
        {"39 bits",
         {.sctlr_el1 = M, .tcr_el1 = 0x19, .ttbr0_el1 = 0x40011000},
         {L1_4K, L2_4K, {0x40013090, 0x48765703}},
         0x2d7fe12abc,
         true,
         0x48765abc},
        {"31 bits, two entries",
         {.sctlr_el1 = M, .tcr_el1 = 0x21, .ttbr0_el1 = 0x400115af},
         {{0x400115a8, 0x40012003}, L2_4K, {0x40013090, 0x48765703}},
         0x7fe12abc,
         true,
         0x48765abc},
        {"30 bits",
         {.sctlr_el1 = M, .tcr_el1 = 0x22, .ttbr0_el1 = 0x40012000},
         {L2_4K, {0x40013090, 0x48765703}},
         0x3fe12abc,
         true,
         0x48765abc},
        {"25 bits",
         {.sctlr_el1 = M, .tcr_el1 = 0x27, .ttbr0_el1 = 0x400100ff},
         {{0x400100e8, 0x40013003}, {0x40013090, 0x48765703}},
         0x1a12abc,
         true,
         0x48765abc},
        {"above 25 bits",
         {.sctlr_el1 = M, .tcr_el1 = 0x27, .ttbr0_el1 = 0x400100ff},
         {{0x40010080, 0x48600701}, {0x400100e8, 0x48600701}},
         0x2000000,
         false,
         0},
        {"T0SZ 63 counts as 39",
         {.sctlr_el1 = M, .tcr_el1 = 0x3f, .ttbr0_el1 = 0x40010080},
         {{0x400100e8, 0x48600701}},
         0x1a12abc,
         true,
         0x48612abc},
        {"T0SZ 0 counts as 16",
         {.sctlr_el1 = M, .tcr_el1 = 0, .ttbr0_el1 = 0x40010000},
         {L0_4K, {0x400115a8, 0xc080000701}},
         VA_4K,
         true,
         0xc0bfe12abc},
        {"T0SZ 0 does not reach above 48 bits",
         {.sctlr_el1 = M, .tcr_el1 = 0, .ttbr0_el1 = 0x40010000},
         {L0_4K, {0x400115a8, 0xc080000701}},
         0x1d1ad7fe12abc,
         false,
         0},
    };

    CHECK_ROWS(rows);
}

/* 0xda1ffc48eabc: indices 1 (bit 47), 0x5a1 (46:36), 0x7fe (35:25), 0x123 (24:14). TG0 = 2. */
CASE(walk, granule_of_16k)
{
    static const struct walk_row rows[] = {
        {"page",
         {.sctlr_el1 = M, .tcr_el1 = 0x8010, .ttbr0_el1 = 0x40010000},
         {{0x40010008, 0x40014003},
          {0x40016d08, 0x40018003},
          {0x4001bff0, 0x4001c003},
          {0x4001c918, 0x0060000048764703}},
         0xda1ffc48eabc,
         true,
         0x48766abc},
        {"bits [13:12] of an address are none",
         {.sctlr_el1 = M, .tcr_el1 = 0x8010, .ttbr0_el1 = 0x4001000f},
         {{0x40010008, 0x40017003},
          {0x40016d08, 0x4001b003},
          {0x4001bff0, 0x4001f003},
          {0x4001c918, 0x48767703}},
         0xda1ffc48eabc,
         true,
         0x48766abc},
        {"block of 32 MiB",
         {.sctlr_el1 = M, .tcr_el1 = 0x8011, .ttbr0_el1 = 0x40014000},
         {{0x40016d08, 0x40018003}, {0x4001bff0, 0x0060008abe000701}},
         0x5a1ffc48eabc,
         true,
         0x8abe48eabc},
        {"no block at level 1",
         {.sctlr_el1 = M, .tcr_el1 = 0x8011, .ttbr0_el1 = 0x40014000},
         {{0x40016d08, 0x8000000701}},
         0x5a1ffc48eabc,
         false,
         0},
        {"no block at level 0",
         {.sctlr_el1 = M, .tcr_el1 = 0x8010, .ttbr0_el1 = 0x40010000},
         {{0x40010008, 0x8000000701}},
         0xda1ffc48eabc,
         false,
         0},
        {"reserved at level 3: 25 bits start there",
         {.sctlr_el1 = M, .tcr_el1 = 0x8027, .ttbr0_el1 = 0x4001c000},
         {{0x4001c918, 0x48764701}},
         0x48eabc,
         false,
         0},
        {"page of 25 bits",
         {.sctlr_el1 = M, .tcr_el1 = 0x8027, .ttbr0_el1 = 0x4001c000},
         {{0x4001c918, 0x48764703}},
         0x48eabc,
         true,
         0x48766abc},
    };

    CHECK_ROWS(rows);
}

/* 0xaf4b83215abc: indices 0x2b (bits 47:42), 0x1a5c (41:29), 0x0321 (28:16). TG0 = 1. */
CASE(walk, granule_of_64k)
{
    static const struct walk_row rows[] = {
        {"page",
         {.sctlr_el1 = M, .tcr_el1 = 0x4010, .ttbr0_el1 = 0x40010200},
         {{0x40010358, 0x40020003}, {0x4002d2e0, 0x40030003}, {0x40031908, 0x0060000048760703}},
         0xaf4b83215abc,
         true,
         0x48765abc},
        {"bits [15:12] of an address are none",
         {.sctlr_el1 = M, .tcr_el1 = 0x4010, .ttbr0_el1 = 0x400103ff},
         {{0x40010358, 0x4002f003}, {0x4002d2e0, 0x4003f003}, {0x40031908, 0x4876f703}},
         0xaf4b83215abc,
         true,
         0x48765abc},
        {"block of 512 MiB",
         {.sctlr_el1 = M, .tcr_el1 = 0x4010, .ttbr0_el1 = 0x40010200},
         {{0x40010358, 0x40020003}, {0x4002d2e0, 0x00600012a0000701}},
         0xaf4b83215abc,
         true,
         0x12a3215abc},
        {"no block at level 1 with 48 bits of output",
         {.sctlr_el1 = M, .tcr_el1 = 0x4010, .ttbr0_el1 = 0x40010200},
         {{0x40010358, 0x40000000701}},
         0xaf4b83215abc,
         false,
         0},
        {"reserved at level 3",
         {.sctlr_el1 = M, .tcr_el1 = 0x4010, .ttbr0_el1 = 0x40010200},
         {{0x40010358, 0x40020003}, {0x4002d2e0, 0x40030003}, {0x40031908, 0x48760701}},
         0xaf4b83215abc,
         false,
         0},
        {"42 bits start at level 2",
         {.sctlr_el1 = M, .tcr_el1 = 0x4016, .ttbr0_el1 = 0x40020000},
         {{0x4002d2e0, 0x12a0000701}},
         0x34b83215abc,
         true,
         0x12a3215abc},
        {"29 bits start at level 3",
         {.sctlr_el1 = M, .tcr_el1 = 0x4023, .ttbr0_el1 = 0x40030000},
         {{0x40031908, 0x48760703}},
         0x3215abc,
         true,
         0x48765abc},
    };

    CHECK_ROWS(rows);
}

/* The level at which each T0SZ starts (D8.2, one table per granule), and with the highest bit of
 * the input the middle entry of the first table. */
CASE(walk, start_level_of_each_size)
{
    static const struct {
        uint64_t tg0;
        unsigned first_tsz, last_tsz, level;
        unsigned low; /* of the index at this level */
    } rows[] = {
        {0x0000, 16, 24, 0, 39}, {0x0000, 25, 33, 1, 30}, {0x0000, 34, 39, 2, 21},
        {0x8000, 16, 16, 0, 47}, {0x8000, 17, 27, 1, 36}, {0x8000, 28, 38, 2, 25},
        {0x8000, 39, 39, 3, 14}, {0x4000, 16, 21, 1, 42}, {0x4000, 22, 34, 2, 29},
        {0x4000, 35, 39, 3, 16},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned tsz = rows[i].first_tsz; tsz <= rows[i].last_tsz; tsz++) {
            struct walk_regime regime = {
                .sctlr_el1 = M, .tcr_el1 = rows[i].tg0 | tsz, .ttbr0_el1 = 0x40010000};
            struct everywhere seen = {0};
            pa_t out;
            uint64_t highest = UINT64_C(1) << (63 - tsz);
            cr_expect(walk_translate(&regime, va(highest), everywhere_memory, &seen, &out));
            cr_expect_eq(seen.reads, 4 - rows[i].level, "row %u, T0SZ %u", i, tsz);
            cr_expect_eq(seen.first, 0x40010000 + (UINT64_C(8) << (63 - tsz - rows[i].low)),
                         "row %u, T0SZ %u: %lx", i, tsz, (unsigned long)seen.first);
            seen.reads = 0;
            cr_expect_not(
                walk_translate(&regime, va(highest << 1), everywhere_memory, &seen, &out));
            cr_expect_eq(seen.reads, 0);
        }
    }
}

CASES_RUN(walk, NULL, NULL)
