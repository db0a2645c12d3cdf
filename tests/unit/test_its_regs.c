/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Registers of the ITS, and those of the distributor and the redistributors that concern LPIs. */
#include "its_fixture.h"

#define INNER_SHAREABLE UINT64_C(0x400)
#define CBASER_CACHED   (UINT64_C(7) << 59)
#define BASER0          (UINT64_C(1) << 56 | UINT64_C(7) << 48)
#define BASER1          (UINT64_C(4) << 56 | UINT64_C(7) << 48)
#define RD_CACHED       (UINT64_C(7) << 7)

static void setup(void)
{
    setup_lpis(2, 4);
}

CASE(its_regs, reset)
{
    cr_expect_eq(its_read(G_CTLR, 4), 0x80000000u, "Quiescent");
    cr_expect_eq(its_read(G_IIDR, 4), 0x43bu);
    /* Physical, entries of 8 bytes, EventIDs and DeviceIDs of 16 bits, no collections in hardware,
     * PTA = 0. */
    cr_expect_eq(its_read(G_TYPER, 8), 0x1ef71u);
    cr_expect_eq(its_read(G_CBASER, 8), 0u);
    cr_expect_eq(its_read(G_CWRITER, 8), 0u);
    cr_expect_eq(its_read(G_CREADR, 8), 0u);
    cr_expect_eq(its_read(G_BASER, 8), BASER0);
    cr_expect_eq(its_read(G_BASER + 8, 8), BASER1);
    for (unsigned n = 2; n < 8; n++)
        cr_expect_eq(its_read(G_BASER + 8 * n, 8), 0u);
}

CASE(its_regs, identification)
{
    static const uint8_t id[] = {0x44, 0, 0, 0, 0x94, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1};
    for (unsigned i = 0; i < 12; i++)
        cr_expect_eq(its_read(0xffd0 + 4 * i, 4), id[i], "%#x", 0xffd0 + 4 * i);
    its_write(0xffe8, 4, 0);
    cr_expect_eq(its_read(0xffe8, 4), 0x3bu);
}

CASE(its_regs, sizes)
{
    static const struct {
        uint32_t offset;
        uint8_t sizes;
    } rows[] = {
        {0x0, 4},     {0x4, 4},          {0x8, 12},    {0xc, 4},     {0x10, 4},    {0x40, 4},
        {0x48, 12},   {0x80, 12},        {0x84, 4},    {0x88, 12},   {0x90, 12},   {0x98, 4},
        {0x100, 12},  {0x138, 12},       {0x140, 4},   {0x8000, 4},  {0xffd0, 4},  {0xfffc, 4},
        {0x10000, 4}, {G_TRANSLATER, 6}, {0x10044, 4}, {0x1fffc, 4}, {0x20000, 0}, {0xffffffff, 0},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned size = 1; size <= 8; size *= 2) {
            uint64_t value = 0;
            bool allowed = (rows[i].sizes & size) != 0;
            cr_expect_eq(its_access(0, false, rows[i].offset, size, &value), allowed,
                         "read %#x by %u", rows[i].offset, size);
            value = 0;
            cr_expect_eq(its_access(0, true, rows[i].offset, size, &value), allowed,
                         "write %#x by %u", rows[i].offset, size);
        }
    }
    uint64_t value = 0;
    cr_expect_not(its_access(0, false, 0x2, 4, &value), "misaligned");
    cr_expect_not(its_access(0, false, 0x84, 8, &value), "misaligned");
    cr_expect_eq(its_read(0x98, 4), 0u, "reserved");
    its_write(0x98, 4, 1);
    cr_expect_eq(its_read(0x40, 4), 0u);
    cr_expect_eq(its_read(0x48, 8), 0u);
    cr_expect_eq(its_read(G_TRANSLATER, 4), 0u);
}

CASE(its_regs, ctlr)
{
    its_write(G_CTLR, 4, 0xffffffff);
    cr_expect_eq(its_read(G_CTLR, 4), 1u);
    its_write(G_CTLR, 4, 0x80000000);
    cr_expect_eq(its_read(G_CTLR, 4), 0x80000000u);
}

CASE(its_regs, baser)
{
    its_write(G_BASER, 8, UINT64_MAX);
    cr_expect_eq(its_read(G_BASER, 8), UINT64_C(0xf9e7fffffffff6ff));
    its_write(G_BASER + 8, 8, UINT64_MAX);
    cr_expect_eq(its_read(G_BASER + 8, 8) & INDIRECT, 0u, "flat only");
    its_write(G_BASER, 8, 0);
    cr_expect_eq(its_read(G_BASER, 8), BASER0 | CBASER_CACHED | INNER_SHAREABLE);
    its_write(G_BASER, 8, UINT64_C(5) << 59 | 0xc00);
    cr_expect_eq(its_read(G_BASER, 8), BASER0 | UINT64_C(5) << 59 | INNER_SHAREABLE,
                 "cacheable as asked for");
    /* By halves. */
    its_write(G_BASER, 4, DTABLE | 3);
    its_write(G_BASER + 4, 4, VALID >> 32);
    cr_expect_eq(its_read(G_BASER, 8),
                 VALID | DTABLE | 3 | BASER0 | CBASER_CACHED | INNER_SHAREABLE);
    cr_expect_eq(its_read(G_BASER, 4), DTABLE | 3 | INNER_SHAREABLE);
    cr_expect_eq(its_read(G_BASER + 4, 4), (VALID | BASER0 | CBASER_CACHED) >> 32);
    its_write(G_BASER + 16, 8, UINT64_MAX);
    cr_expect_eq(its_read(G_BASER + 16, 8), 0u);
    /* Not while it is enabled. */
    its_write(G_CTLR, 4, 1);
    its_write(G_BASER, 8, 0);
    its_write(G_CBASER, 8, VALID | QUEUE);
    cr_expect_eq(its_read(G_BASER, 8) & VALID, VALID);
    cr_expect_eq(its_read(G_CBASER, 8), 0u);
}

CASE(its_regs, queue_offsets)
{
    its_write(G_CBASER, 8, UINT64_MAX);
    cr_expect_eq(its_read(G_CBASER, 8), UINT64_C(0xb8effffffffff4ff));
    its_write(G_CBASER, 8, VALID | QUEUE | 1);
    cr_expect_eq(its_read(G_CBASER, 8), VALID | QUEUE | 1 | CBASER_CACHED | INNER_SHAREABLE);
    its_write(G_CWRITER, 8, 0x1fe0 | 0x1f);
    cr_expect_eq(its_read(G_CWRITER, 8), 0x1fe0u);
    its_write(G_CWRITER, 8, 0x2000);
    cr_expect_eq(its_read(G_CWRITER, 8), 0x1fe0u, "behind the end: ignored");
    its_write(G_CREADR, 8, 0x20);
    cr_expect_eq(its_read(G_CREADR, 8), 0u, "read only");
    cr_expect_not(vgic_needs_flush(&gic, 0), "not enabled: nothing happens");
    its_write(G_CBASER, 8, VALID | QUEUE);
    cr_expect_eq(its_read(G_CWRITER, 8), 0u, "a new queue is empty");
}

CASE(its_regs, an_invalid_queue_is_left_alone)
{
    its_write(G_CBASER, 8, QUEUE | 1);
    its_write(G_CTLR, 4, 1);
    its_write(G_CWRITER, 8, 0x40);
    cr_expect_not(vgic_needs_flush(&gic, 0));
    cr_expect_eq(its_read(G_CREADR, 8), 0u);
}

CASE(its_regs, a_queue_outside_of_memory_stalls)
{
    its_write(G_CBASER, 8, VALID | HOLE);
    its_write(G_CTLR, 4, 1);
    its_write(G_CWRITER, 8, 0x20);
    pump();
    cr_expect_eq(its_read(G_CREADR, 8), 1u, "Stalled");
    its_write(G_CWRITER, 8, 0x40);
    pump();
    cr_expect_eq(its_read(G_CREADR, 8), 1u, "still");
    its_write(G_CWRITER, 8, 0x41);
    cr_expect_eq(its_read(G_CWRITER, 8), 0x40u, "Retry reads as 0");
    cr_expect_eq(its_read(G_CREADR, 8), 0u);
    pump();
    cr_expect_eq(its_read(G_CREADR, 8), 1u, "again");
    cr_assert_eq(s2_map(&its_s2, ipa(HOLE), pa(GUEST_BASE), 0x1000, S2_RWX, S2_MEM_NORMAL), HV_OK);
    its_write(G_CWRITER, 8, 0x41);
    pump();
    cr_expect_eq(its_read(G_CREADR, 8), 0x40u);
    /* A new queue is not stalled. */
    its_write(G_CTLR, 4, 0);
    its_write(G_CBASER, 8, VALID | (HOLE + 0x1000));
    its_write(G_CTLR, 4, 1);
    its_write(G_CWRITER, 8, 0x20);
    pump();
    cr_expect_eq(its_read(G_CREADR, 8), 1u);
    its_write(G_CTLR, 4, 0);
    its_write(G_CBASER, 8, VALID | QUEUE);
    cr_expect_eq(its_read(G_CREADR, 8), 0u);
}

CASE(its_regs, distributor_and_redistributor_say_lpis)
{
    cr_expect_eq(dist_read(D_TYPER, 4) & (1u << 17 | 31u << 19 | 31u << 11), 1u << 17 | 15u << 19,
                 "LPIS, IDbits 16, num_LPIs 0");
    cr_expect_eq(redist_read(R_TYPER, 8) & 0x300000fu, 1u, "PLPIS, one table for all");
    cr_expect_eq(redist_read(R_CTLR, 4) & 7u, 0u, "not enabled, no CES, no IR");
}

CASE(its_regs, redistributor_tables)
{
    redist_write(R_PROPBASER, 8, UINT64_MAX);
    cr_expect_eq(redist_read(R_PROPBASER, 8), UINT64_C(0x070ffffffffff79f));
    redist_write(R_PENDBASER, 8, UINT64_MAX);
    cr_expect_eq(redist_read(R_PENDBASER, 8), UINT64_C(0x070fffffffff0780), "PTZ reads as 0");
    redist_write(R_PROPBASER, 8, CONFIGS | 15);
    cr_expect_eq(redist_read(R_PROPBASER, 8), CONFIGS | 15 | RD_CACHED | INNER_SHAREABLE);
    redist_write(R_PENDBASER, 8, PENDING(0) | UINT64_C(5) << 7);
    cr_expect_eq(redist_read(R_PENDBASER, 8), PENDING(0) | UINT64_C(5) << 7 | INNER_SHAREABLE);
    redist_write(R_CTLR, 4, 0xfffffffe);
    cr_expect_eq(redist_read(R_CTLR, 4) & 1u, 0u);
    redist_write(R_CTLR, 4, 1);
    cr_expect_eq(redist_read(R_CTLR, 4) & 1u, 1u);
    redist_write(R_CTLR, 4, 0);
    cr_expect_eq(redist_read(R_CTLR, 4) & 1u, 1u, "what is enabled stays enabled");
    redist_write(R_PROPBASER, 8, 0);
    redist_write(R_PENDBASER, 8, 0);
    cr_expect_eq(redist_read(R_PROPBASER, 8), CONFIGS | 15 | RD_CACHED | INNER_SHAREABLE);
    cr_expect_eq(redist_read(R_PENDBASER, 8), PENDING(0) | UINT64_C(5) << 7 | INNER_SHAREABLE);
    pump();
}

/* A VM without memory to look at has none of it. */
CASE(its_regs, none)
{
    uint64_t value = 0;
    gic_s2 = NULL;
    setup_gic(1, 64, 4);
    cr_expect_not(its_access(0, false, G_TYPER, 8, &value));
    cr_expect_eq(vgic_its_msi(&gic, 0, 0), HV_ERR_NOENT);
    cr_expect_eq(dist_read(D_TYPER, 4) & (1u << 17), 0u);
    cr_expect_eq(redist_read(R_TYPER, 8) & 1, 0u);
    redist_write(R_PROPBASER, 8, UINT64_MAX);
    redist_write(R_PENDBASER, 8, UINT64_MAX);
    redist_write(R_CTLR, 4, 1);
    cr_expect_eq(redist_read(R_PROPBASER, 8), 0u);
    cr_expect_eq(redist_read(R_PENDBASER, 8), 0u);
    cr_expect_eq(redist_read(R_CTLR, 4) & 1u, 0u);
    setup_memory();
    gic_pool = NULL;
    struct vgic_config config = {
        .cpu = gic_cpu, .nr_cpus = 1, .kick = fixture_kick, .s2 = &its_s2, .account = &its_account};
    cr_expect_eq(vgic_init(&gic, &config), HV_ERR_INVAL);
    config.pool = &its_pool;
    config.account = NULL;
    cr_expect_eq(vgic_init(&gic, &config), HV_ERR_INVAL);
}

CASES_RUN(its_regs, setup, teardown_its)
