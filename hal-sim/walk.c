/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "hal-sim/walk.h"
#include "arch/el2.h"
#include "base/bits.h"
#include <stddef.h>

#define SCTLR_M  BIT(0)
#define SCTLR_EE BIT(25)
#define HCR_DC   BIT(12)

#define ADDRESS_BITS 48u
#define LAST_LEVEL   3u
#define TSZ_MIN      16u
#define TSZ_MAX      39u

/* Bits [1:0] of a descriptor (D8.3). */
#define DESCRIPTOR_VALID BIT(0)
#define DESCRIPTOR_TABLE BIT(1) /* at level 3: a page, and a clear bit is reserved */

/* A translation granule; a table is as large as a page (D8.2). */
struct walk_granule {
    uint8_t page_bits;
    uint8_t index_bits;  /* of a full table */
    uint8_t block_level; /* first level with block descriptors, at 48 bits of output address */
};

enum { GRANULE_4K, GRANULE_16K, GRANULE_64K };

static const struct walk_granule granules[] = {
    [GRANULE_4K] = {12, 9, 1},
    [GRANULE_16K] = {14, 11, 2},
    [GRANULE_64K] = {16, 13, 2},
};

/* What TCR_EL1.TG0 and TG1 select (D17.2.131), with the reserved values as walk.h says. */
static const uint8_t granule_of_tg0[] = {GRANULE_4K, GRANULE_64K, GRANULE_16K, GRANULE_64K};
static const uint8_t granule_of_tg1[] = {GRANULE_4K, GRANULE_16K, GRANULE_4K, GRANULE_64K};

struct walk {
    const struct walk_regime *regime;
    walk_memory_fn *memory;
    void *ctx;
};

/* Reads the descriptor at an output address of the stage. */
typedef bool walk_read_fn(const struct walk *walk, uint64_t at, uint64_t *out);

/* One stage's way through its tables. */
struct walk_stage {
    const struct walk_granule *granule;
    walk_read_fn *read;
    uint64_t base; /* of the first table, or the first of several that are concatenated */
    unsigned input_bits;
    unsigned level; /* where it starts */
};

/* How many low bits of the input lie below the index of `level`. */
static unsigned walk_shift(const struct walk_granule *granule, unsigned level)
{
    return granule->page_bits + (LAST_LEVEL - level) * granule->index_bits;
}

/*
 * At most four levels. A table is aligned to its size, the first one (or the concatenated ones
 * together) to what the input bits leave of it: bits of the address below are no part of it
 * (D8.2, TTBR0_EL1.BADDR).
 */
static bool walk_tables(const struct walk *walk, const struct walk_stage *stage, uint64_t in,
                        uint64_t *out)
{
    uint64_t table = stage->base;
    unsigned top = stage->input_bits;

    for (unsigned level = stage->level; level <= LAST_LEVEL; level++) {
        unsigned shift = walk_shift(stage->granule, level);
        uint64_t slot = bits_get(in, top - 1, shift) << 3;
        uint64_t descriptor;

        table &= BITS(ADDRESS_BITS - 1, top - shift + 3);
        if (!stage->read(walk, table | slot, &descriptor) || (descriptor & DESCRIPTOR_VALID) == 0)
            return false;
        bool table_or_page = (descriptor & DESCRIPTOR_TABLE) != 0;
        if (level == LAST_LEVEL ? table_or_page
                                : !table_or_page && level >= stage->granule->block_level) {
            *out = (descriptor & BITS(ADDRESS_BITS - 1, shift)) | (in & ~BITS(63, shift));
            return true;
        }
        if (!table_or_page)
            return false;
        table = descriptor;
        top = shift;
    }
    return false;
}

/* 64 - T0SZ or T1SZ, for the values that are in range without FEAT_LVA and FEAT_TTST. */
static unsigned walk_input_bits(uint64_t tsz)
{
    if (tsz < TSZ_MIN)
        tsz = TSZ_MIN;
    if (tsz > TSZ_MAX)
        tsz = TSZ_MAX;
    return 64u - (unsigned)tsz;
}

static bool walk_read_physical(const struct walk *walk, uint64_t at, uint64_t *out)
{
    const uint64_t *word = walk->memory(walk->ctx, pa(at));

    if (word == NULL)
        return false;
    *out = *word;
    return true;
}

/*
 * VTCR_EL2 (D17.2.155): SL0 gives the level, T0SZ the size; together they must leave 1 to 13 bits
 * for the first index, 13 being 16 concatenated tables (D8.2). At level 0 there are 9 at most, as
 * the input has 48 bits.
 */
static bool walk_stage2_setup(const struct walk_regime *regime, struct walk_stage *out)
{
    static const uint8_t level_of_sl0[] = {2, 1, 0};
    uint64_t vtcr = regime->vtcr_el2;
    uint64_t sl0 = bits_get(vtcr, 7, 6);

    if (bits_get(vtcr, 15, 14) != 0 || sl0 >= ARRAY_LEN(level_of_sl0))
        return false;
    out->granule = &granules[GRANULE_4K];
    out->read = walk_read_physical;
    out->base = regime->vttbr_el2;
    out->input_bits = walk_input_bits(bits_get(vtcr, 5, 0));
    out->level = level_of_sl0[sl0];
    unsigned shift = walk_shift(out->granule, out->level);
    return out->input_bits > shift && out->input_bits - shift <= out->granule->index_bits + 4u;
}

static bool walk_stage2(const struct walk *walk, uint64_t in, uint64_t *out)
{
    struct walk_stage stage;

    if ((walk->regime->hcr_el2 & (HCR_VM | HCR_DC)) == 0) {
        *out = in;
        return true;
    }
    return walk_stage2_setup(walk->regime, &stage) && in >> stage.input_bits == 0 &&
           walk_tables(walk, &stage, in, out);
}

/* A descriptor of stage 1 lies at an IPA. Stage 2 reads its own with walk_read_physical(): the
 * calls nest no deeper. */
static bool walk_read_stage1(const struct walk *walk, uint64_t at, uint64_t *out)
{
    uint64_t physical;

    if (!walk_stage2(walk, at, &physical) || !walk_read_physical(walk, physical, out))
        return false;
    if ((walk->regime->sctlr_el1 & SCTLR_EE) != 0)
        *out = __builtin_bswap64(*out);
    return true;
}

/* Fields of TCR_EL1 for the lower and the upper VA range (D17.2.131). */
struct walk_range {
    const uint8_t *granule_of_tg;
    uint8_t tsz;
    uint8_t epd;
    uint8_t tg;
    uint8_t tbi;
};

static const struct walk_range ranges[] = {
    {.granule_of_tg = granule_of_tg0, .tsz = 0, .epd = 7, .tg = 14, .tbi = 37},
    {.granule_of_tg = granule_of_tg1, .tsz = 16, .epd = 23, .tg = 30, .tbi = 38},
};

/* True if bits [63:bit] of the address, but for a tag in [63:56], are those of bit 55. */
static bool walk_is_canonical(uint64_t in, unsigned bit, bool tagged)
{
    uint64_t mask = tagged ? BITS(55, bit) : BITS(63, bit);
    uint64_t expected = (in & BIT(55)) != 0 ? mask : 0;

    return (in & mask) == expected;
}

static bool walk_stage1(const struct walk *walk, uint64_t in, uint64_t *out)
{
    const struct walk_regime *regime = walk->regime;
    unsigned upper = (unsigned)bits_get(in, 55, 55);
    const struct walk_range *range = &ranges[upper];
    uint64_t tcr = regime->tcr_el1;
    bool tagged = (tcr & BIT(range->tbi)) != 0;
    struct walk_stage stage = {.read = walk_read_stage1};

    /* With stage 1 off an address above what is implemented faults; a tag is no part. */
    if ((regime->sctlr_el1 & SCTLR_M) == 0 || (regime->hcr_el2 & (HCR_DC | HCR_TGE)) != 0) {
        *out = in & BITS(ADDRESS_BITS - 1, 0);
        return upper == 0 && walk_is_canonical(in, ADDRESS_BITS, tagged);
    }
    stage.input_bits = walk_input_bits(bits_get(tcr, range->tsz + 5u, range->tsz));
    if ((tcr & BIT(range->epd)) != 0 || !walk_is_canonical(in, stage.input_bits, tagged))
        return false;
    stage.granule = &granules[range->granule_of_tg[bits_get(tcr, range->tg + 1u, range->tg)]];
    stage.base = upper != 0 ? regime->ttbr1_el1 : regime->ttbr0_el1;
    /* The last level whose table holds all that is left (D8.2); no concatenation at stage 1. */
    stage.level = LAST_LEVEL;
    while (walk_shift(stage.granule, stage.level) + stage.granule->index_bits < stage.input_bits)
        stage.level--;
    return walk_tables(walk, &stage, in, out);
}

bool walk_translate(const struct walk_regime *regime, va_t va, walk_memory_fn *memory, void *ctx,
                    pa_t *out)
{
    const struct walk walk = {regime, memory, ctx};
    uint64_t intermediate;

    return walk_stage1(&walk, va.v, &intermediate) && walk_stage2(&walk, intermediate, &out->v);
}
