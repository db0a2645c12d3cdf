/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The two VA ranges, stage 1 off, and stage 2. */
#include "walk_fixture.h"

/* One block of 2 MiB for each range: 30 bits, start at level 2; index 0 of both. T1SZ, TG1 = 2. */
#define TCR_BOTH UINT64_C(0x80220022)
#define REGIME_BOTH(tcr)                                                                           \
    {                                                                                              \
        .sctlr_el1 = M, .tcr_el1 = TCR_BOTH | (tcr), .ttbr0_el1 = 0x40010000,                      \
        .ttbr1_el1 = 0x0001000040020000                                                            \
    }
#define BLOCKS_BOTH                                                                                \
    {                                                                                              \
        {0x40010000, 0x48000701},                                                                  \
        {                                                                                          \
            0x40020000, 0x49000701                                                                 \
        }                                                                                          \
    }

CASE(walk_stages, two_ranges)
{
    static const struct walk_row rows[] = {
        {"lower", REGIME_BOTH(0), BLOCKS_BOTH, 0x123456, true, 0x48123456},
        {"upper", REGIME_BOTH(0), BLOCKS_BOTH, 0xffffffffc0123456, true, 0x49123456},
        {"below the upper", REGIME_BOTH(0), BLOCKS_BOTH, 0xffffffffbfffffff, false, 0},
        {"above the lower", REGIME_BOTH(0), BLOCKS_BOTH, 0x40000000, false, 0},
        {"bit 55 alone", REGIME_BOTH(0), BLOCKS_BOTH, 0x0080000000000000, false, 0},
        {"EPD0", REGIME_BOTH(0x80), BLOCKS_BOTH, 0x123456, false, 0},
        {"EPD0, upper", REGIME_BOTH(0x80), BLOCKS_BOTH, 0xffffffffc0123456, true, 0x49123456},
        {"EPD1", REGIME_BOTH(0x800000), BLOCKS_BOTH, 0xffffffffc0123456, false, 0},
        {"EPD1, lower", REGIME_BOTH(0x800000), BLOCKS_BOTH, 0x123456, true, 0x48123456},
        {"tag", REGIME_BOTH(0), BLOCKS_BOTH, 0x5a00000000123456, false, 0},
        {"tag, TBI0", REGIME_BOTH(0x2000000000), BLOCKS_BOTH, 0x5a00000000123456, true, 0x48123456},
        {"tag, TBI1", REGIME_BOTH(0x4000000000), BLOCKS_BOTH, 0x5a00000000123456, false, 0},
        {"upper tag", REGIME_BOTH(0), BLOCKS_BOTH, 0x5affffffc0123456, false, 0},
        {"upper tag, TBI0", REGIME_BOTH(0x2000000000), BLOCKS_BOTH, 0x5affffffc0123456, false, 0},
        {"upper tag, TBI1", REGIME_BOTH(0x4000000000), BLOCKS_BOTH, 0x5affffffc0123456, true,
         0x49123456},
        {"more than a tag", REGIME_BOTH(0x2000000000), BLOCKS_BOTH, 0x5a10000000123456, false, 0},
        {"bits between range and tag", REGIME_BOTH(0x4000000000), BLOCKS_BOTH, 0x5abfffffc0123456,
         false, 0},
    };

    CHECK_ROWS(rows);
}

/* 36 bits: index 5 at level 1 with 4 KiB (1 GiB each), 0x50b at level 2 with 16 KiB (32 MiB each),
 * 11 at level 2 with 64 KiB (512 MiB each). TG1 and TG0 are not encoded alike. */
CASE(walk_stages, granule_fields)
{
    static const struct walk_row rows[] = {
        {"TG1 = 2: 4 KiB",
         {.sctlr_el1 = M, .tcr_el1 = 0x801c0000, .ttbr1_el1 = 0x40010000},
         {{0x40010028, 0x8180000701}},
         0xfffffff163456789,
         true,
         0x81a3456789},
        {"TG1 = 1: 16 KiB",
         {.sctlr_el1 = M, .tcr_el1 = 0x401c0000, .ttbr1_el1 = 0x40010000},
         {{0x40010588, 0x8188000701}},
         0xfffffff163456789,
         true,
         0x8189456789},
        {"TG1 = 3: 64 KiB",
         {.sctlr_el1 = M, .tcr_el1 = 0xc01c0000, .ttbr1_el1 = 0x40010000},
         {{0x40010058, 0x8180000701}},
         0xfffffff163456789,
         true,
         0x8183456789},
        {"TG1 = 0 is reserved: 4 KiB",
         {.sctlr_el1 = M, .tcr_el1 = 0x001c0000, .ttbr1_el1 = 0x40010000},
         {{0x40010028, 0x8180000701}},
         0xfffffff163456789,
         true,
         0x81a3456789},
        {"TG0 = 3 is reserved: 64 KiB",
         {.sctlr_el1 = M, .tcr_el1 = 0xc01c, .ttbr0_el1 = 0x40010000},
         {{0x40010058, 0x8180000701}},
         0x163456789,
         true,
         0x8183456789},
    };

    CHECK_ROWS(rows);
}

CASE(walk_stages, stage_1_off)
{
    static const struct walk_row rows[] = {
        {"flat", {.tcr_el1 = 0x19}, {{0}}, 0xfedcba987654, true, 0xfedcba987654},
        {"49 bits", {0}, {{0}}, 0x1000000000000, false, 0},
        {"upper", {0}, {{0}}, 0xffffffffc0000000, false, 0},
        {"tag", {0}, {{0}}, 0x5a00000040000000, false, 0},
        {"tag, TBI0", {.tcr_el1 = 0x2000000000}, {{0}}, 0x5a00000040000000, true, 0x40000000},
        {"upper, TBI1", {.tcr_el1 = 0x4000000000}, {{0}}, 0x5a80000040000000, false, 0},
        {"TGE", {.sctlr_el1 = M, .hcr_el2 = TGE}, {{0}}, 0x47654321, true, 0x47654321},
        {"DC is stage 2 without VM",
         {.sctlr_el1 = M, .hcr_el2 = DC, .vtcr_el2 = 0x80000022, .vttbr_el2 = 0x40020000},
         {{0x40020000, 0x48000701}},
         0x123456,
         true,
         0x48123456},
        {"DC, unmapped",
         {.sctlr_el1 = M, .hcr_el2 = DC, .vtcr_el2 = 0x80000022, .vttbr_el2 = 0x40020000},
         {{0}},
         0x123456,
         false,
         0},
    };

    CHECK_ROWS(rows);
}

CASE(walk_stages, byte_order)
{
    static const struct walk_row rows[] = {
        {"EE: stage 1 is big-endian",
         {.sctlr_el1 = M | EE, .tcr_el1 = 0x22, .ttbr0_el1 = 0x40010000},
         {{0x40010000, 0x0107004800000000}},
         0x123456,
         true,
         0x48123456},
        {"EE: stage 2 is not",
         {.sctlr_el1 = M | EE,
          .tcr_el1 = 0x22,
          .ttbr0_el1 = 0x10000,
          .hcr_el2 = VM,
          .vtcr_el2 = 0x80000022,
          .vttbr_el2 = 0x40020000},
         {{0x40020000, 0x40000701}, {0x40010000, 0x0107200000000000}, {0x40020008, 0x48000701}},
         0x123456,
         true,
         0x48123456},
        {"EE with stage 1 off",
         {.sctlr_el1 = EE, .hcr_el2 = VM, .vtcr_el2 = 0x80000022, .vttbr_el2 = 0x40020000},
         {{0x40020000, 0x48000701}},
         0x123456,
         true,
         0x48123456},
    };

    CHECK_ROWS(rows);
}

#define REGIME_S2(vtcr, vttbr)                                                                     \
    {                                                                                              \
        .hcr_el2 = VM, .vtcr_el2 = 0x80000000 | (vtcr), .vttbr_el2 = (vttbr)                       \
    }

/* VTCR_EL2: T0SZ [5:0], SL0 [7:6] (0: level 2, 1: level 1, 2: level 0), TG0 [15:14]. */
CASE(walk_stages, stage_2_alone)
{
    static const struct walk_row rows[] = {
        {"48 bits from level 0",
         REGIME_S2(0x90, 0x0007000040010fff),
         {L0_4K, L1_4K, L2_4K, {0x40013090, 0x48765403}},
         VA_4K,
         true,
         0x48765abc},
        {"40 bits: two tables at level 1; the second, aligned to 8 KiB",
         REGIME_S2(0x58, 0x0007000040021fff),
         {{0x40021018, 0x40012003}, L2_4K, {0x40013090, 0x004000004876547f}},
         0x80ffe12abc,
         true,
         0x48765abc},
        {"40 bits: the first",
         REGIME_S2(0x58, 0x0007000040021fff),
         {{0x40020018, 0x8080000401}, {0x40021018, 0x9080000401}},
         0xffe12abc,
         true,
         0x80bfe12abc},
        {"34 bits: 16 tables at level 2, the last entry, aligned to 64 KiB",
         REGIME_S2(0x1e, 0x40033000),
         {{0x4003fff8, 0x48600401}},
         0x3ffe12abc,
         true,
         0x48612abc},
        {"43 bits: 16 tables at level 1",
         REGIME_S2(0x55, 0x40030000),
         {{0x4003fff8, 0xc0000401}},
         0x7ffffe12abc,
         true,
         0xffe12abc},
        {"40 bits from level 0",
         REGIME_S2(0x98, 0x4001000f),
         {{0x40010008, 0x40011003}, {0x40011018, 0x8080000401}},
         0x80ffe12abc,
         true,
         0x80bfe12abc},
        {"25 bits from level 2, T0SZ over 39 counts as 39",
         REGIME_S2(0x2a, 0x40010080),
         {{0x400100e8, 0x48600401}},
         0x1a12abc,
         true,
         0x48612abc},
        {"above 40 bits",
         REGIME_S2(0x58, 0x40020000),
         {{0x40020018, 0x80000401}, {0x40021018, 0x80000401}},
         0x100ffe12abc,
         false,
         0},
        {"no block at level 0",
         REGIME_S2(0x90, 0x40010000),
         {{0x40010d18, 0x401}},
         VA_4K,
         false,
         0},
        {"reserved at level 3",
         REGIME_S2(0x22, 0x40012000),
         {L2_4K, {0x40013090, 0x48765401}},
         0x3fe12abc,
         false,
         0},
        {"unmapped", REGIME_S2(0x58, 0x40020000), {{0}}, 0x40000000, false, 0},
        {"no memory at the root", REGIME_S2(0x58, 0x30000000), {{0}}, 0x40000000, false, 0},
    };

    CHECK_ROWS(rows);
}

/* Which T0SZ go with which SL0: 1 to 13 bits of first index (Arm ARM D8.2, 4 KiB granule). */
CASE(walk_stages, stage_2_start_level_and_size)
{
    static const struct {
        uint64_t sl0;
        unsigned first_tsz, last_tsz, reads;
    } rows[] = {{0x00, 30, 39, 2}, {0x40, 21, 33, 3}, {0x80, 16, 24, 4}, {0xc0, 1, 0, 0}};

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned tsz = 16; tsz <= 39; tsz++) {
            struct walk_regime regime = REGIME_S2(rows[i].sl0 | tsz, 0x40020000);
            struct everywhere seen = {0};
            pa_t out;
            bool fits = tsz >= rows[i].first_tsz && tsz <= rows[i].last_tsz;
            cr_expect_eq(walk_translate(&regime, va(0x12345), everywhere_memory, &seen, &out), fits,
                         "SL0 %lx, T0SZ %u", (unsigned long)rows[i].sl0, tsz);
            cr_expect_eq(seen.reads, fits ? rows[i].reads : 0);
        }
    }
}

CASE(walk_stages, stage_2_granules_that_are_not_there)
{
    for (uint64_t tg0 = 1; tg0 < 4; tg0++) {
        struct walk_regime regime = REGIME_S2(0x58 | tg0 << 14, 0x40020000);
        struct everywhere seen = {0};
        pa_t out;
        cr_expect_not(walk_translate(&regime, va(0x12345), everywhere_memory, &seen, &out));
    }
}

/* Stage 1 with 39 bits at IPA 0x80010000; stage 2, 40 bits, has pages of it scattered. */
#define REGIME_BOTH_STAGES                                                                         \
    {                                                                                              \
        .sctlr_el1 = M, .tcr_el1 = 0x19, .ttbr0_el1 = 0x80010000, .hcr_el2 = VM,                   \
        .vtcr_el2 = 0x80000058, .vttbr_el2 = 0x40020000                                            \
    }
#define S2_ROOT                                                                                    \
    {                                                                                              \
        0x40020010, 0x40022003                                                                     \
    } /* IPA 0x80000000, 1 GiB */
#define S2_MIDDLE                                                                                  \
    {                                                                                              \
        0x40022000, 0x40023003                                                                     \
    } /* the first 2 MiB of it */
#define S2_PAGE_A                                                                                  \
    {                                                                                              \
        0x40023080, 0x4100a403                                                                     \
    } /* 0x80010000 */
#define S2_PAGE_B                                                                                  \
    {                                                                                              \
        0x40023088, 0x4200b403                                                                     \
    } /* 0x80011000 */
#define S2_PAGE_C                                                                                  \
    {                                                                                              \
        0x40023090, 0x4300c403                                                                     \
    } /* 0x80012000 */
#define S2_RESULT                                                                                  \
    {                                                                                              \
        0x40023ff8, 0x4400d403                                                                     \
    } /* 0x801ff000 */
#define S1_ENTRY1                                                                                  \
    {                                                                                              \
        0x4100a5a8, 0x80011003                                                                     \
    } /* in page A, index 0xb5 */
#define S1_ENTRY2                                                                                  \
    {                                                                                              \
        0x4200bff8, 0x80012003                                                                     \
    } /* in page B, index 0x1ff */
#define S1_ENTRY3                                                                                  \
    {                                                                                              \
        0x4300c090, 0x801ff703                                                                     \
    } /* in page C, index 0x012 */

CASE(walk_stages, both_stages)
{
    static const struct walk_row rows[] = {
        {"page",
         REGIME_BOTH_STAGES,
         {S2_ROOT, S2_MIDDLE, S2_PAGE_A, S2_PAGE_B, S2_PAGE_C, S2_RESULT, S1_ENTRY1, S1_ENTRY2,
          S1_ENTRY3},
         0x2d7fe12abc,
         true,
         0x4400dabc},
        {"first table not in stage 2",
         REGIME_BOTH_STAGES,
         {S2_ROOT, S2_MIDDLE, S2_PAGE_B, S2_PAGE_C, S2_RESULT, S1_ENTRY1, S1_ENTRY2, S1_ENTRY3},
         0x2d7fe12abc,
         false,
         0},
        {"second table not in stage 2",
         REGIME_BOTH_STAGES,
         {S2_ROOT, S2_MIDDLE, S2_PAGE_A, S2_PAGE_C, S2_RESULT, S1_ENTRY1, S1_ENTRY2, S1_ENTRY3},
         0x2d7fe12abc,
         false,
         0},
        {"result not in stage 2",
         REGIME_BOTH_STAGES,
         {S2_ROOT, S2_MIDDLE, S2_PAGE_A, S2_PAGE_B, S2_PAGE_C, S1_ENTRY1, S1_ENTRY2, S1_ENTRY3},
         0x2d7fe12abc,
         false,
         0},
        {"result above stage 2's input",
         REGIME_BOTH_STAGES,
         {S2_ROOT, S2_MIDDLE, S2_PAGE_A, {0x4100a5a8, 0x10080000701}},
         0x2d7fe12abc,
         false,
         0},
        {"table mapped to where no memory is",
         REGIME_BOTH_STAGES,
         {S2_ROOT, S2_MIDDLE, {0x40023080, 0x0a000403}},
         0x2d7fe12abc,
         false,
         0},
        {"stage 1 invalid",
         REGIME_BOTH_STAGES,
         {S2_ROOT, S2_MIDDLE, S2_PAGE_A, S2_PAGE_B, S2_PAGE_C, S2_RESULT, S1_ENTRY1, S1_ENTRY2},
         0x2d7fe12abc,
         false,
         0},
        {"a block of stage 1 over pages of stage 2",
         REGIME_BOTH_STAGES,
         {S2_ROOT, S2_MIDDLE, S2_PAGE_A, S2_RESULT, {0x4100a5a8, 0x80000701}},
         0x2d401ffabc,
         true,
         0x4400dabc},
    };

    CHECK_ROWS(rows);
}

/* 4 reads of stage 1 and each with 4 of stage 2, and 4 of the result: 24, whatever is in memory. */
CASE(walk_stages, is_bounded)
{
    struct walk_regime regime = {
        .sctlr_el1 = M, .tcr_el1 = 0x10, .hcr_el2 = VM, .vtcr_el2 = 0x80000090};
    struct everywhere seen = {0};
    pa_t out;

    cr_assert(walk_translate(&regime, va(VA_4K), everywhere_memory, &seen, &out));
    cr_assert_eq(seen.reads, 24);
    cr_assert_eq(out.v, 0x40020abc);
}

CASES_RUN(walk_stages, NULL, NULL)
