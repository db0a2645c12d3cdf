/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The vGIC's memory-mapped registers, one by one. IHI 0069, 12.9 to 12.11. */
#include "vgic_fixture.h"
#include <stdlib.h>

CASE(vgic_regs, init_refuses_impossible_counts)
{
    struct vgic_config good = {
        .cpu = gic_cpu, .spi = gic_spi, .nr_cpus = 1, .nr_spis = 32, .kick = fixture_kick};
    struct vgic_config config = good;
    config.nr_cpus = 0;
    cr_assert_eq(vgic_init(&gic, &config), HV_ERR_RANGE);
    config.nr_cpus = 124; /* 0xf60000 / 0x20000 = 123 */
    cr_assert_eq(vgic_init(&gic, &config), HV_ERR_RANGE);
    config = good;
    config.nr_spis = 989; /* INTID 1020 is none of an SPI */
    cr_assert_eq(vgic_init(&gic, &config), HV_ERR_RANGE);
    config = good;
    config.kick = NULL;
    cr_assert_eq(vgic_init(&gic, &config), HV_ERR_INVAL);
    cr_assert_eq(vgic_init(&gic, &good), HV_OK);
}

CASE(vgic_regs, ctlr_has_two_enables)
{
    setup_gic(1, 64, 4);
    cr_assert_eq(dist_read(D_CTLR, 4), 0x50u); /* DS, ARE */
    dist_write(D_CTLR, 4, 0xffffffff);
    cr_assert_eq(dist_read(D_CTLR, 4), 0x53u);
    dist_write(D_CTLR, 4, 2);
    cr_assert_eq(dist_read(D_CTLR, 4), 0x52u);
    dist_write(D_CTLR, 4, 0);
    cr_assert_eq(dist_read(D_CTLR, 4), 0x50u);
}

CASE(vgic_regs, typer_tells_how_many_lines)
{
    setup_gic(1, 256, 4);
    /* A3V, IDbits = 9, ITLinesNumber = 8: 288 INTIDs, as QEMU's virt */
    cr_assert_eq(dist_read(D_TYPER, 4), 0x01480008u);
    dist_write(D_TYPER, 4, 0);
    cr_assert_eq(dist_read(D_TYPER, 4), 0x01480008u);
    setup_gic(1, 0, 4);
    cr_assert_eq(dist_read(D_TYPER, 4), 0x01480000u);
    setup_gic(1, 1, 4);
    cr_assert_eq(dist_read(D_TYPER, 4), 0x01480001u);
    setup_gic(1, 32, 4);
    cr_assert_eq(dist_read(D_TYPER, 4), 0x01480001u);
    setup_gic(1, 33, 4);
    cr_assert_eq(dist_read(D_TYPER, 4), 0x01480002u);
    setup_gic(1, 988, 4);
    cr_assert_eq(dist_read(D_TYPER, 4), 0x0148001fu);
}

CASE(vgic_regs, identification)
{
    static const uint8_t pidr4[] = {0x44, 0, 0, 0, 0x92, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1};
    setup_gic(2, 64, 4);
    cr_assert_eq(dist_read(0x8, 4), 0x43bu);
    cr_assert_eq(redist_read(0x4, 4), 0x43bu);
    for (unsigned i = 0; i < 12; i++) {
        cr_assert_eq(dist_read(0xffd0 + 4 * i, 4), pidr4[i]);
        cr_assert_eq(redist_read(0xffd0 + 4 * i, 4), i == 4 ? 0x93 : pidr4[i]);
        cr_assert_eq(redist_read(REDIST + 0xffd0 + 4 * i, 4), i == 4 ? 0x93 : pidr4[i]);
    }
    cr_assert_eq(dist_read(0xffe8, 4) >> 4 & 0xf, 3u, "PIDR2.ArchRev is GICv3");
}

/* Registers that this GIC has no use for read as zero and ignore writes. */
CASE(vgic_regs, raz_wi)
{
    static const uint32_t d[] = {0xc,   0x10,  0x40,  0x48,  0x800,  0x820,  0xbfc, 0xd04,
                                 0xe08, 0xf00, 0xf10, 0xf20, 0x5ffc, 0x6000, 0x60f8};
    static const uint32_t r[] = {0x10, 0x40, 0x48, 0x70,    0x74,    0x78,    0x7c,    0xa0,
                                 0xb0, 0xc0, 0x80, 0x10000, 0x10084, 0x10104, 0x10d00, 0x10e00};
    setup_gic(1, 64, 4);
    for (size_t i = 0; i < sizeof(d) / sizeof(d[0]); i++) {
        dist_write(d[i], 4, 0xffffffff);
        cr_assert_eq(dist_read(d[i], 4), 0u, "GICD + %#x", d[i]);
    }
    for (size_t i = 0; i < sizeof(r) / sizeof(r[0]); i++) {
        redist_write(r[i], 4, 0xffffffff);
        cr_assert_eq(redist_read(r[i], 4), 0u, "GICR + %#x", r[i]);
    }
    redist_write(0x70, 8, UINT64_MAX);
    cr_assert_eq(redist_read(0x70, 8), 0u);
}

/* With affinity routing the distributor's registers of INTIDs 0..31 are RES0; above, there are 64
 * SPIs. */
CASE(vgic_regs, bitmaps_cover_the_spis)
{
    static const uint16_t set[] = {IGROUPR, ISENABLER, ISPENDR, ISACTIVER};
    setup_gic(1, 64, 4);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned word = 0; word < 32; word++) {
            uint64_t want = word == 1 || word == 2 ? 0xffffffff : 0;
            cr_assert_eq(dist_read(set[i] + 4 * word, 4), 0u, "reset value");
            dist_write(set[i] + 4 * word, 4, 0xffffffff);
            cr_assert_eq(dist_read(set[i] + 4 * word, 4), want, "%#x word %u", set[i], word);
        }
        redist_write(SGI_FRAME + set[i], 4, 0xffffffff);
        cr_assert_eq(redist_read(SGI_FRAME + set[i], 4), 0xffffffffu);
    }
    for (unsigned i = 1; i < 4; i++) {
        unsigned clear = set[i] + 0x80u;
        cr_assert_eq(dist_read(clear + 4, 4), 0xffffffffu);
        dist_write(clear + 4, 4, 0x00ff0000);
        cr_assert_eq(dist_read(clear + 4, 4), 0xff00ffffu);
        cr_assert_eq(dist_read(set[i] + 4, 4), 0xff00ffffu);
        dist_write(set[i] + 4, 4, 0x00010000);
        cr_assert_eq(dist_read(clear + 4, 4), 0xff01ffffu);
        redist_write(SGI_FRAME + clear, 4, 0x80000001);
        cr_assert_eq(redist_read(SGI_FRAME + set[i], 4), 0x7ffffffeu);
    }
    dist_write(IGROUPR + 4, 4, 0x5);
    cr_assert_eq(dist_read(IGROUPR + 4, 4), 0x5u);
}

CASE(vgic_regs, priorities_have_five_bits)
{
    setup_gic(2, 64, 4);
    dist_write(IPRIORITYR + 32, 4, 0xffa707f0);
    cr_assert_eq(dist_read(IPRIORITYR + 32, 4), 0xf8a000f0u);
    cr_assert_eq(dist_read(IPRIORITYR + 34, 1), 0xa0u);
    dist_write(IPRIORITYR + 35, 1, 0x1f);
    cr_assert_eq(dist_read(IPRIORITYR + 32, 4), 0x18a000f0u);
    dist_write(IPRIORITYR, 4, 0xffffffff);
    cr_assert_eq(dist_read(IPRIORITYR, 4), 0u, "private ones are the redistributor's");
    dist_write(IPRIORITYR + 96, 1, 0xff);
    cr_assert_eq(dist_read(IPRIORITYR + 96, 1), 0u, "no such SPI");
    redist_write(REDIST + SGI_FRAME + IPRIORITYR + 31, 1, 0xff);
    cr_assert_eq(redist_read(REDIST + SGI_FRAME + IPRIORITYR + 28, 4), 0xf8000000u);
    cr_assert_eq(redist_read(SGI_FRAME + IPRIORITYR + 28, 4), 0u, "the other vCPU's own");
}

CASE(vgic_regs, configuration)
{
    setup_gic(1, 64, 4);
    cr_assert_eq(redist_read(SGI_FRAME + ICFGR, 4), 0xaaaaaaaau, "SGIs are edge-triggered");
    redist_write(SGI_FRAME + ICFGR, 4, 0);
    cr_assert_eq(redist_read(SGI_FRAME + ICFGR, 4), 0xaaaaaaaau);
    cr_assert_eq(redist_read(SGI_FRAME + ICFGR + 4, 4), 0u);
    redist_write(SGI_FRAME + ICFGR + 4, 4, 0xffffffff);
    cr_assert_eq(redist_read(SGI_FRAME + ICFGR + 4, 4), 0xaaaaaaaau);
    dist_write(ICFGR + 8, 4, 0x80000003);
    cr_assert_eq(dist_read(ICFGR + 8, 4), 0x80000002u);
    dist_write(ICFGR, 4, 0xffffffff);
    cr_assert_eq(dist_read(ICFGR, 4), 0u);
}

CASE(vgic_regs, routers)
{
    setup_gic(2, 64, 4);
    cr_assert_eq(dist_read(IROUTER + 8 * 40, 8), 0u);
    dist_write(IROUTER + 8 * 40, 8, UINT64_MAX);
    cr_assert_eq(dist_read(IROUTER + 8 * 40, 8), 0x000000ff80ffffffu);
    cr_assert_eq(dist_read(IROUTER + 8 * 40 + 4, 4), 0x000000ffu);
    dist_write(IROUTER + 8 * 40 + 4, 4, 0x12);
    cr_assert_eq(dist_read(IROUTER + 8 * 40, 8), 0x0000001280ffffffu);
    dist_write(IROUTER + 8 * 40, 4, 0x00000001);
    cr_assert_eq(dist_read(IROUTER + 8 * 40, 8), 0x0000001200000001u);
    dist_write(IROUTER + 8 * 96, 8, 1);
    cr_assert_eq(dist_read(IROUTER + 8 * 96, 8), 0u, "no such SPI");
    dist_write(IROUTER + 8 * 31, 8, 1);
    cr_assert_eq(dist_read(IROUTER + 8 * 31, 8), 0u, "not an SPI");
}

CASE(vgic_regs, redistributor_typer)
{
    setup_gic(3, 32, 4);
    cr_assert_eq(redist_read(0x8, 8), 0x20u, "DPGS");
    cr_assert_eq(redist_read(REDIST + 0x8, 8), 0x0000000100000120u);
    cr_assert_eq(redist_read(2 * REDIST + 0x8, 8), 0x0000000200000230u, "the last one");
    cr_assert_eq(redist_read(2 * REDIST + 0x8, 4), 0x230u);
    cr_assert_eq(redist_read(2 * REDIST + 0xc, 4), 0x2u);

    /* MPIDR_EL1 has Aff3 in [39:32] and flags in [31:24]; GICR_TYPER has Aff3..Aff0 side by side.
     */
    setup_gic(1, 32, 4);
    gic_cpu[0].affinity = 0x4481030201;
    struct vgic_config config = {
        .cpu = gic_cpu, .spi = gic_spi, .nr_cpus = 1, .nr_spis = 32, .kick = fixture_kick};
    cr_assert_eq(vgic_init(&gic, &config), HV_OK);
    cr_assert_eq(redist_read(0x8, 8), 0x4403020100000030u);
}

CASE(vgic_regs, waker)
{
    setup_gic(2, 32, 4);
    cr_assert_eq(redist_read(0x14, 4), 6u, "asleep after reset");
    redist_write(0x14, 4, 0);
    cr_assert_eq(redist_read(0x14, 4), 0u);
    cr_assert_eq(redist_read(REDIST + 0x14, 4), 6u);
    redist_write(0x14, 4, 2);
    cr_assert_eq(redist_read(0x14, 4), 6u);
    redist_write(0x14, 4, 0xfffffffd);
    cr_assert_eq(redist_read(0x14, 4), 0u);
}

static bool in(uint64_t v, uint64_t first, uint64_t end)
{
    return v >= first && v < end;
}

/* Sizes of access that IHI 0069 gives each register, restated; reserved words take 32-bit ones. */
static unsigned dist_sizes(uint64_t o)
{
    if (in(o, 0x400, 0xc00) || in(o, 0xf10, 0xf30))
        return 1 | 4;
    return in(o, 0x6000, 0x7fe0) ? 4 | 8 : 4;
}

static unsigned redist_sizes(uint64_t o)
{
    if (in(o, 0x10400, 0x10420))
        return 1 | 4;
    bool wide = in(o, 0x8, 0x10) || in(o, 0x40, 0x50) || in(o, 0x70, 0x80) || in(o, 0xa0, 0xa8) ||
                in(o, 0xb0, 0xb8);
    return wide ? 4 | 8 : 4;
}

/* Every offset, size and direction: abort or not as above, no state that breaks anything. */
CASE(vgic_regs, hostile_accesses)
{
    setup_gic(2, 96, 4);
    srand(1);
    for (unsigned frame = 0; frame < 4; frame++) {
        for (uint64_t o = 0; o < 0x10008; o++) {
            uint64_t offset = frame == 0 ? o : (frame - 1) * UINT64_C(0x10000) + o;
            bool beyond = frame == 0 && o >= 0x10000;
            unsigned sizes = frame == 0 ? dist_sizes(o) : redist_sizes(offset % REDIST);
            if (o > 0x2000 && o % 0x800 > 16 && o < 0xff00)
                continue; /* reserved or more of the same IROUTERs */
            for (unsigned size = 1; size <= 8; size *= 2) {
                for (unsigned write = 0; write < 2; write++) {
                    uint64_t value = (uint64_t)rand() << 32 ^ (uint64_t)rand();
                    value = size == 8 ? value : value & ((UINT64_C(1) << 8 * size) - 1);
                    bool ok = frame == 0 ? dist(1, write != 0, offset, size, &value)
                                         : redist(1, write != 0, offset, size, &value);
                    bool want = !beyond && (sizes & size) != 0 && offset % size == 0;
                    if (ok != want || (ok && size < 8 && value >> 8 * size != 0))
                        cr_assert_fail("frame %u offset %#lx size %u write %u: %d, %#lx", frame,
                                       offset, size, write, ok, value);
                }
            }
            if (o % 64 == 0)
                settle();
        }
    }
}

CASE(vgic_regs, frames_that_do_not_exist)
{
    uint64_t value = 0;
    setup_gic(2, 32, 4);
    cr_assert_not(dist(0, false, 0x10000, 4, &value));
    cr_assert_not(dist(0, true, UINT64_MAX - 3, 4, &value));
    cr_assert_not(dist(0, true, UINT64_C(0x100000000), 4, &value));
    cr_assert(redist(0, false, REDIST, 4, &value));
    cr_assert_not(redist(0, false, 2 * REDIST, 4, &value));
    cr_assert_not(redist(0, true, UINT64_MAX - 3, 4, &value));
    cr_assert_not(redist(0, false, (UINT64_C(1) << 49) + 4, 4, &value), "2^32 redistributors on");
}

CASES_RUN(vgic_regs, NULL, NULL)
