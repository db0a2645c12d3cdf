/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Every register of GICD, GICR's RD_base and SGI_base as IHI 0069 (12.8 to 12.11) describes them
 * for one security state with affinity routing: reset value, writable bits, access sizes. With 70
 * SPIs, so that the last word of each register array is implemented in part. What is optional and
 * absent here: message-based SPIs, LPIs without an ITS, extended ranges, NMIs, error reporting.
 */
#include "vgic_fixture.h"

#define SPIS 70u

enum kind {
    RW,
    SET,   /* ones set, zeros do nothing */
    CLEAR, /* ones clear, zeros do nothing; reads as its counterpart */
};

/* A register, or an array of them. */
struct reg {
    const char *name;
    uint32_t first;
    uint32_t last; /* the last one's offset */
    uint8_t sizes;
    uint8_t bits;   /* of each interrupt, from INTID 0 on; 0: none */
    uint64_t reset; /* with `bits`: of each interrupt that is implemented */
    uint64_t mask;  /* what can be written, likewise */
    enum kind kind;
};

static const struct reg dist_regs[] = {
    {"GICD_CTLR", 0x0, 0x0, 4, 0, 0x50, 0x3, RW},
    {"GICD_TYPER", 0x4, 0x4, 4, 0, 0x01480003, 0, RW},
    {"GICD_IIDR", 0x8, 0x8, 4, 0, 0x43b, 0, RW},
    {"GICD_TYPER2", 0xc, 0xc, 4, 0, 0, 0, RW},
    {"GICD_STATUSR", 0x10, 0x10, 4, 0, 0, 0, RW},
    {"reserved", 0x14, 0x3c, 4, 0, 0, 0, RW},
    {"GICD_SETSPI_NSR to CLRSPI_SR", 0x40, 0x58, 4, 0, 0, 0, RW},
    {"GICD_IGROUPR", 0x80, 0xfc, 4, 1, 0, 1, RW},
    {"GICD_ISENABLER", 0x100, 0x17c, 4, 1, 0, 1, SET},
    {"GICD_ICENABLER", 0x180, 0x1fc, 4, 1, 0, 1, CLEAR},
    {"GICD_ISPENDR", 0x200, 0x27c, 4, 1, 0, 1, SET},
    {"GICD_ICPENDR", 0x280, 0x2fc, 4, 1, 0, 1, CLEAR},
    {"GICD_ISACTIVER", 0x300, 0x37c, 4, 1, 0, 1, SET},
    {"GICD_ICACTIVER", 0x380, 0x3fc, 4, 1, 0, 1, CLEAR},
    {"GICD_IPRIORITYR", 0x400, 0x7fc, 1 | 4, 8, 0, 0xf8, RW},
    {"GICD_ITARGETSR", 0x800, 0xbfc, 1 | 4, 0, 0, 0, RW},
    {"GICD_ICFGR", 0xc00, 0xcfc, 4, 2, 0, 2, RW},
    {"GICD_IGRPMODR", 0xd00, 0xd7c, 4, 0, 0, 0, RW},
    {"GICD_NSACR", 0xe00, 0xefc, 4, 0, 0, 0, RW},
    {"GICD_SGIR", 0xf00, 0xf00, 4, 0, 0, 0, RW},
    {"GICD_CPENDSGIR, SPENDSGIR", 0xf10, 0xf2c, 1 | 4, 0, 0, 0, RW},
    {"GICD_INMIR", 0xf80, 0xffc, 4, 0, 0, 0, RW},
    {"GICD_IGROUPR<n>E", 0x1000, 0x107c, 4, 0, 0, 0, RW},
    {"GICD_ISENABLER<n>E", 0x1200, 0x127c, 4, 0, 0, 0, RW},
    {"GICD_ICENABLER<n>E", 0x1400, 0x147c, 4, 0, 0, 0, RW},
    {"GICD_ISPENDR<n>E", 0x1600, 0x167c, 4, 0, 0, 0, RW},
    {"GICD_ICPENDR<n>E", 0x1800, 0x187c, 4, 0, 0, 0, RW},
    {"GICD_ISACTIVER<n>E", 0x1a00, 0x1a7c, 4, 0, 0, 0, RW},
    {"GICD_ICACTIVER<n>E", 0x1c00, 0x1c7c, 4, 0, 0, 0, RW},
    {"GICD_IPRIORITYR<n>E", 0x2000, 0x23fc, 4, 0, 0, 0, RW},
    {"GICD_ICFGR<n>E", 0x3000, 0x30fc, 4, 0, 0, 0, RW},
    {"GICD_IGRPMODR<n>E", 0x3400, 0x347c, 4, 0, 0, 0, RW},
    {"GICD_NSACR<n>E", 0x3600, 0x36fc, 4, 0, 0, 0, RW},
    {"GICD_INMIR<n>E", 0x3b00, 0x3b7c, 4, 0, 0, 0, RW},
    {"reserved", 0x5000, 0x5ffc, 4, 0, 0, 0, RW},
    {"GICD_IROUTER", 0x6000, 0x7fd8, 4 | 8, 64, 0, 0xff80ffffff, RW},
    {"reserved", 0x7fe0, 0x7ffc, 4, 0, 0, 0, RW},
    {"GICD_IROUTER<n>E", 0x8000, 0x9ffc, 4, 0, 0, 0, RW},
    {"GICD_PIDR4", 0xffd0, 0xffd0, 4, 0, 0x44, 0, RW},
    {"GICD_PIDR5 to 7", 0xffd4, 0xffdc, 4, 0, 0, 0, RW},
    {"GICD_PIDR0", 0xffe0, 0xffe0, 4, 0, 0x92, 0, RW},
    {"GICD_PIDR1", 0xffe4, 0xffe4, 4, 0, 0xb4, 0, RW},
    {"GICD_PIDR2", 0xffe8, 0xffe8, 4, 0, 0x3b, 0, RW},
    {"GICD_PIDR3", 0xffec, 0xffec, 4, 0, 0, 0, RW},
    {"GICD_CIDR0", 0xfff0, 0xfff0, 4, 0, 0x0d, 0, RW},
    {"GICD_CIDR1", 0xfff4, 0xfff4, 4, 0, 0xf0, 0, RW},
    {"GICD_CIDR2", 0xfff8, 0xfff8, 4, 0, 0x05, 0, RW},
    {"GICD_CIDR3", 0xfffc, 0xfffc, 4, 0, 0xb1, 0, RW},
};

/* Of the second of two. GICR_WAKER, whose bits follow each other, is in test_vgic_regs.c. */
static const struct reg redist_regs[] = {
    {"GICR_CTLR", 0x0, 0x0, 4, 0, 0, 0x03000000, RW},
    {"GICR_IIDR", 0x4, 0x4, 4, 0, 0x43b, 0, RW},
    {"GICR_TYPER", 0x8, 0x8, 4 | 8, 0, 0x0000000100000130, 0, RW},
    {"GICR_STATUSR", 0x10, 0x10, 4, 0, 0, 0, RW},
    {"GICR_MPAMIDR, PARTIDR", 0x18, 0x1c, 4, 0, 0, 0, RW},
    {"reserved", 0x20, 0x3c, 4, 0, 0, 0, RW},
    {"GICR_SETLPIR, CLRLPIR", 0x40, 0x48, 4 | 8, 0, 0, 0, RW},
    {"GICR_PROPBASER, PENDBASER", 0x70, 0x78, 4 | 8, 0, 0, 0, RW},
    {"GICR_INVLPIR", 0xa0, 0xa0, 4 | 8, 0, 0, 0, RW},
    {"GICR_INVALLR", 0xb0, 0xb0, 4 | 8, 0, 0, 0, RW},
    {"GICR_SYNCR", 0xc0, 0xc0, 4, 0, 0, 0, RW},
    {"reserved", 0x100, 0x1fc, 4, 0, 0, 0, RW},
    {"GICR_PIDR4", 0xffd0, 0xffd0, 4, 0, 0x44, 0, RW},
    {"GICR_PIDR0", 0xffe0, 0xffe0, 4, 0, 0x93, 0, RW},
    {"GICR_PIDR1", 0xffe4, 0xffe4, 4, 0, 0xb4, 0, RW},
    {"GICR_PIDR2", 0xffe8, 0xffe8, 4, 0, 0x3b, 0, RW},
    {"GICR_CIDR0", 0xfff0, 0xfff0, 4, 0, 0x0d, 0, RW},
    {"GICR_CIDR3", 0xfffc, 0xfffc, 4, 0, 0xb1, 0, RW},
    {"GICR_IGROUPR0", 0x10080, 0x10080, 4, 0, 0, 0xffffffff, RW},
    {"GICR_IGROUPR<n>E", 0x10084, 0x10088, 4, 0, 0, 0, RW},
    {"GICR_ISENABLER0", 0x10100, 0x10100, 4, 0, 0, 0xffffffff, SET},
    {"GICR_ISENABLER<n>E", 0x10104, 0x10108, 4, 0, 0, 0, RW},
    {"GICR_ICENABLER0", 0x10180, 0x10180, 4, 0, 0, 0xffffffff, CLEAR},
    {"GICR_ICENABLER<n>E", 0x10184, 0x10188, 4, 0, 0, 0, RW},
    {"GICR_ISPENDR0", 0x10200, 0x10200, 4, 0, 0, 0xffffffff, SET},
    {"GICR_ISPENDR<n>E", 0x10204, 0x10208, 4, 0, 0, 0, RW},
    {"GICR_ICPENDR0", 0x10280, 0x10280, 4, 0, 0, 0xffffffff, CLEAR},
    {"GICR_ISACTIVER0", 0x10300, 0x10300, 4, 0, 0, 0xffffffff, SET},
    {"GICR_ISACTIVER<n>E", 0x10304, 0x10308, 4, 0, 0, 0, RW},
    {"GICR_ICACTIVER0", 0x10380, 0x10380, 4, 0, 0, 0xffffffff, CLEAR},
    {"GICR_IPRIORITYR", 0x10400, 0x1041c, 1 | 4, 0, 0, 0xf8f8f8f8, RW},
    {"GICR_IPRIORITYR<n>E", 0x10420, 0x1045c, 4, 0, 0, 0, RW},
    {"GICR_ICFGR0", 0x10c00, 0x10c00, 4, 0, 0xaaaaaaaa, 0, RW},
    {"GICR_ICFGR1", 0x10c04, 0x10c04, 4, 0, 0, 0xaaaaaaaa, RW},
    {"GICR_ICFGR<n>E", 0x10c08, 0x10c14, 4, 0, 0, 0, RW},
    {"GICR_IGRPMODR0", 0x10d00, 0x10d00, 4, 0, 0, 0, RW},
    {"GICR_NSACR", 0x10e00, 0x10e00, 4, 0, 0, 0, RW},
    {"GICR_INMIR0", 0x10f80, 0x10f80, 4, 0, 0, 0, RW},
    {"reserved", 0x11000, 0x113fc, 4, 0, 0, 0, RW},
};

static bool dist_frame;

static bool access(bool write, uint64_t offset, unsigned size, uint64_t *value)
{
    return dist_frame ? dist(0, write, offset, size, value)
                      : redist(0, write, REDIST + offset, size, value);
}

static uint64_t get(const struct reg *reg, uint64_t offset, unsigned size)
{
    uint64_t value = 0;
    cr_assert(access(false, offset, size, &value), "%s at %#lx", reg->name, offset);
    return value;
}

static void put(const struct reg *reg, uint64_t offset, unsigned size, uint64_t value)
{
    cr_assert(access(true, offset, size, &value), "%s at %#lx", reg->name, offset);
}

static unsigned width(const struct reg *reg)
{
    return (reg->sizes & 8) != 0 ? 8 : 4;
}

/* `field` in the places of those interrupts of the register at `offset` that there are. */
static uint64_t expand(const struct reg *reg, uint64_t offset, uint64_t field)
{
    if (reg->bits == 0)
        return field;
    uint64_t value = 0;
    uint64_t intid = (offset - reg->first) * 8 / reg->bits;
    for (unsigned bit = 0; bit < width(reg) * 8; bit += reg->bits, intid++)
        if (intid >= 32 && intid < 32 + SPIS)
            value |= field << bit;
    return value;
}

static void check_sizes(const struct reg *reg, uint64_t offset)
{
    for (unsigned size = 1; size <= 8; size *= 2) {
        for (unsigned at = 0; at < width(reg); at++) {
            uint64_t value = 0;
            bool want = (reg->sizes & size) != 0 && (offset + at) % size == 0;
            cr_assert_eq(access(false, offset + at, size, &value), want, "%s: %u bytes at %#lx",
                         reg->name, size, offset + at);
            value = 0;
            cr_assert_eq(access(true, offset + at, size, &value), want, "%s: %u bytes at %#lx",
                         reg->name, size, offset + at);
        }
    }
}

static void check_value(const struct reg *reg, uint64_t offset)
{
    uint64_t ones = width(reg) == 8 ? UINT64_MAX : UINT32_MAX;
    uint64_t reset = expand(reg, offset, reg->reset);
    uint64_t mask = expand(reg, offset, reg->mask);
    cr_assert_eq(get(reg, offset, width(reg)), reset, "%s at %#lx: reset value", reg->name, offset);
    if (reg->kind == CLEAR)
        put(reg, offset - 0x80, 4, UINT32_MAX);
    else
        put(reg, offset, width(reg), ones);
    uint64_t all = (reset & ~mask) | mask;
    cr_assert_eq(get(reg, offset, width(reg)), all, "%s at %#lx: ones", reg->name, offset);
    if (width(reg) == 8)
        cr_assert_eq(get(reg, offset + 4, 4), all >> 32, "%s at %#lx: half", reg->name, offset);
    if ((reg->sizes & 1) != 0)
        cr_assert_eq(get(reg, offset + 2, 1), all >> 16 & 0xff, "%s: byte", reg->name);
    put(reg, offset, width(reg), 0);
    cr_assert_eq(get(reg, offset, width(reg)), reg->kind == RW ? reset & ~mask : all,
                 "%s at %#lx: zeros", reg->name, offset);
    put(reg, reg->kind == SET ? offset + 0x80 : offset, width(reg), reg->kind == RW ? 0 : ones);
    cr_assert_eq(get(reg, offset, width(reg)), reset & ~mask, "%s at %#lx: back", reg->name,
                 offset);
}

static void check_all(const struct reg *reg, size_t n)
{
    setup_gic(2, SPIS, 4);
    for (; n > 0; n--, reg++) {
        for (uint64_t offset = reg->first; offset <= reg->last; offset += width(reg)) {
            check_value(reg, offset);
            check_sizes(reg, offset);
        }
        settle();
    }
}

CASE(vgic_table, distributor)
{
    dist_frame = true;
    check_all(dist_regs, sizeof(dist_regs) / sizeof(dist_regs[0]));
}

CASE(vgic_table, redistributor)
{
    dist_frame = false;
    check_all(redist_regs, sizeof(redist_regs) / sizeof(redist_regs[0]));
}

/* The other redistributor and the SPIs are not touched by what belongs to one. */
CASE(vgic_table, redistributors_are_apart)
{
    setup_gic(2, SPIS, 4);
    redist_write(REDIST, 4, 0x03000000);
    redist_write(REDIST + 0x14, 4, 0);
    redist_write(REDIST + SGI_FRAME + IGROUPR, 4, 0xffffffff);
    redist_write(REDIST + SGI_FRAME + ISENABLER, 4, 0xffffffff);
    cr_assert_eq(redist_read(0, 4), 0u);
    cr_assert_eq(redist_read(0x14, 4), 6u);
    cr_assert_eq(redist_read(SGI_FRAME + IGROUPR, 4), 0u);
    cr_assert_eq(redist_read(SGI_FRAME + ISENABLER, 4), 0u);
    for (unsigned word = 0; word < 32; word++)
        cr_assert_eq(dist_read(IGROUPR + 4 * word, 4) | dist_read(ISENABLER + 4 * word, 4), 0u);
}

/* The counts of SPIs at the ends of words, and the most there can be: INTIDs 1020 to 1023 are no
 * interrupts. */
CASE(vgic_table, any_number_of_spis)
{
    static const unsigned counts[] = {1, 31, 32, 33, 63, 64, 65, 255, 256, 987, 988};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        unsigned last = 31 + counts[i];
        setup_gic(1, counts[i], 4);
        cr_assert_eq(dist_read(D_TYPER, 4) & 0x1f, last / 32);
        for (unsigned word = 0; word < 32; word++) {
            dist_write(ISENABLER + 4 * word, 4, 0xffffffff);
            uint64_t want = 0;
            for (unsigned bit = 0; bit < 32; bit++)
                want |= word > 0 && 32 * word + bit <= last ? UINT64_C(1) << bit : 0;
            cr_assert_eq(dist_read(ISENABLER + 4 * word, 4), want, "%u SPIs, word %u", counts[i],
                         word);
        }
        dist_write(IROUTER + 8 * last, 8, 1);
        cr_assert_eq(dist_read(IROUTER + 8 * last, 8), 1u);
        dist_write(IPRIORITYR + last, 1, 0x80);
        cr_assert_eq(dist_read(IPRIORITYR + last, 1), 0x80u);
        if (last < 1023) {
            dist_write(IPRIORITYR + last + 1, 1, 0x80);
            cr_assert_eq(dist_read(IPRIORITYR + last + 1, 1), 0u);
        }
        dist_write(IROUTER + 8 * last, 8, 0);
        dist_write(D_CTLR, 4, 2);
        irq_on(0, last, 0x80);
        vgic_set_level(&gic, 0, last, true);
        guest_takes(0, last);
    }
}

CASES_RUN(vgic_table, NULL, NULL)
