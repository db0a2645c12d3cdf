/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The virtual CPU interface as a guest sees it, register by register, against IHI 0069. */
#include "vcpuif_fixture.h"

CASE(vcpuif, what_can_be_read_and_written)
{
    static const struct {
        uint32_t enc;
        bool owned, readable, writable;
        uint32_t traps; /* ICH_HCR_EL2: TC 10, TALL0 11, TALL1 12, TDIR 14 */
    } rows[] = {
        {PMR, true, true, true, 0x400},
        {RPR, true, true, false, 0x400},
        {CTLR, true, true, true, 0x400},
        {DIR, true, false, true, 0x4400},
        {IAR0, true, true, false, 0x800},
        {EOIR0, true, false, true, 0x800},
        {HPPIR0, true, true, false, 0x800},
        {BPR0, true, true, true, 0x800},
        {AP0R(0u), true, true, true, 0x800},
        {IGRPEN0, true, true, true, 0x800},
        {IAR1, true, true, false, 0x1000},
        {EOIR1, true, false, true, 0x1000},
        {HPPIR1, true, true, false, 0x1000},
        {BPR1, true, true, true, 0x1000},
        {AP1R(0u), true, true, true, 0x1000},
        {IGRPEN1, true, true, true, 0x1000},
        {AP0R(1u), true, false, false, 0},
        {AP0R(2u), true, false, false, 0},
        {AP0R(3u), true, false, false, 0},
        {AP1R(1u), true, false, false, 0},
        {AP1R(2u), true, false, false, 0},
        {AP1R(3u), true, false, false, 0},
        {SGI1R, false, false, false, 0},
        {ASGI1R, false, false, false, 0},
        {SGI0R, false, false, false, 0},
        {SRE, false, false, false, 0},
        {ENC(12u, 9u, 5u), false, false, false, 0}, /* NMIAR1 */
        {ENC(12u, 0u, 0u), false, false, false, 0}, /* VBAR_EL1 */
        {0, false, false, false, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = 1;
        setup();
        cr_expect_eq(vcpuif_owns(rows[i].enc), rows[i].owned, "row %zu", i);
        cr_expect_eq(vcpuif_read(&gic, rows[i].enc, &value, &effect), rows[i].readable);
        cr_expect(rows[i].readable || value == 0);
        cr_expect_eq(effect.deactivate, 0xffffffff);
        effect.deactivate = 0;
        cr_expect_eq(vcpuif_write(&gic, rows[i].enc, 0, &effect), rows[i].writable, "row %zu", i);
        cr_expect_eq(effect.deactivate, 0xffffffff);
        for (unsigned bit = 0; bit < 64; bit++) {
            bool traps = (((uint64_t)rows[i].traps >> bit) & 1) != 0;
            gic.hcr = UINT64_C(1) << bit;
            cr_expect_eq(vcpuif_traps(&gic, rows[i].enc, false), traps && rows[i].readable,
                         "row %zu read, ICH_HCR bit %u", i, bit);
            cr_expect_eq(vcpuif_traps(&gic, rows[i].enc, true), traps && rows[i].writable,
                         "row %zu write, ICH_HCR bit %u", i, bit);
        }
    }
}

CASE(vcpuif, control_register)
{
    /* A3V, 24 bits of INTID, 5 of priority. */
    cr_assert_eq(rd(CTLR), 0x8c00);
    wr(CTLR, 1);
    cr_assert_eq(rd(CTLR), 0x8c01);
    cr_assert_eq(gic.vmcr, 0xf84c001b);
    wr(CTLR, ~UINT64_C(1));
    cr_assert_eq(rd(CTLR), 0x8c02);
    cr_assert_eq(gic.vmcr, 0xf84c020b);
    wr(CTLR, 0);
    cr_assert_eq(gic.vmcr, 0xf84c000b);
}

CASE(vcpuif, mask_and_enables)
{
    wr(PMR, 0xfff);
    cr_assert_eq(rd(PMR), 0xf8);
    wr(PMR, 0x57);
    cr_assert_eq(rd(PMR), 0x50);
    cr_assert_eq(gic.vmcr, 0x504c000b);
    wr(IGRPEN0, 0xfe);
    cr_assert_eq(gic.vmcr, 0x504c000a);
    cr_assert_eq(rd(IGRPEN0), 0);
    cr_assert_eq(rd(IGRPEN1), 1);
    wr(IGRPEN1, 0);
    wr(IGRPEN0, 1);
    cr_assert_eq(gic.vmcr, 0x504c0009);
    cr_assert_eq(rd(IGRPEN0), 1);
    cr_assert_eq(rd(IGRPEN1), 0);
}

CASE(vcpuif, binary_points)
{
    for (unsigned v = 0; v < 8; v++) {
        wr(BPR0, v | 0xf8);
        wr(BPR1, 7 - v);
        cr_assert_eq(rd(BPR0), v < 2 ? 2 : v);
        cr_assert_eq(rd(BPR1), 7 - v < 3 ? 3 : 7 - v);
        wr(BPR1, v);
        cr_assert_eq(rd(BPR0), v < 2 ? 2 : v);
        cr_assert_eq(rd(BPR1), v < 3 ? 3 : v);
        cr_assert_eq(gic.vmcr & 0xfc0000, (v < 2 ? 2u : v) << 21 | (v < 3 ? 3u : v) << 18);
    }
    /* CBPR: one for both, ICC_BPR1 shows one more, 7 at most, and keeps what it had. */
    wr(BPR1, 6);
    wr(CTLR, 1);
    for (unsigned v = 2; v < 8; v++) {
        wr(BPR0, v);
        wr(BPR1, 3);
        cr_assert_eq(rd(BPR0), v);
        cr_assert_eq(rd(BPR1), v == 7 ? 7 : v + 1);
    }
    wr(CTLR, 0);
    cr_assert_eq(rd(BPR1), 6);
}

CASE(vcpuif, active_priorities_are_the_running_priority)
{
    cr_assert_eq(rd(RPR), 0xff);
    wr(AP1R(0u), UINT64_C(0xf80000000));
    cr_assert_eq(rd(AP1R(0u)), 0x80000000);
    cr_assert_eq(rd(RPR), 0xf8);
    wr(AP0R(0u), 0x00100010);
    cr_assert_eq(rd(AP0R(0u)), 0x00100010);
    cr_assert_eq(gic.ap0r[0], 0x00100010);
    cr_assert_eq(rd(RPR), 0x20);
    wr(AP1R(0u), 1);
    cr_assert_eq(gic.ap1r[0], 1);
    cr_assert_eq(rd(RPR), 0);
}

CASE(vcpuif, acknowledge_and_end)
{
    gic.lr[2] = PEND | G1 | PRIO(0xa0) | 27;
    cr_assert(vcpuif_virq(&gic));
    cr_assert_not(vcpuif_vfiq(&gic));
    cr_assert_eq(rd(HPPIR1), 27);
    cr_assert_eq(rd(HPPIR0), 1023);
    cr_assert_eq(rd(IAR0), 1023, "not of this group");
    cr_assert_eq(rd(IAR1), 27);
    cr_assert_eq(gic.lr[2], ACT | G1 | PRIO(0xa0) | 27);
    cr_assert_eq(gic.ap1r[0], 1u << 20);
    cr_assert_eq(gic.ap0r[0], 0);
    cr_assert_eq(rd(RPR), 0xa0);
    cr_assert_not(vcpuif_virq(&gic));
    cr_assert_eq(rd(IAR1), 1023);
    cr_assert_eq(rd(HPPIR1), 1023);
    cr_assert_eq(wr(EOIR1, 27), 0xffffffff, "none of hardware's");
    cr_assert_eq(gic.lr[2], G1 | PRIO(0xa0) | 27);
    cr_assert_eq(gic.ap1r[0], 0);
    cr_assert_eq(gic.hcr, 1);
}

CASE(vcpuif, group_0_is_the_fiq)
{
    gic.lr[0] = PEND | PRIO(0x08) | 40;
    gic.lr[1] = PEND | G1 | PRIO(0x10) | 41;
    cr_assert(vcpuif_vfiq(&gic));
    cr_assert_not(vcpuif_virq(&gic), "the other one is more important");
    cr_assert_eq(rd(IAR1), 1023);
    cr_assert_eq(rd(IAR0), 40);
    cr_assert_eq(gic.ap0r[0], 2);
    wr(EOIR0, 40);
    cr_assert_eq(gic.ap0r[0], 0);
    cr_assert_eq(gic.lr[0], PRIO(0x08) | 40);
    cr_assert(vcpuif_virq(&gic));
    cr_assert_not(vcpuif_vfiq(&gic));
}

CASE(vcpuif, what_is_not_signalled)
{
    const uint64_t irq = PEND | G1 | PRIO(0x50) | 33;
    static const struct {
        uint64_t lr, vmcr, hcr;
        uint32_t apr;
        bool signalled, shown; /* by ICC_IAR1 and by ICC_HPPIR1 */
    } rows[] = {
        {0, 0xf84c000b, 1, 0, true, true},
        {0, 0xf84c000b, 0, 0, false, true},        /* ICH_HCR.En */
        {0, 0xf84c0009, 1, 0, false, false},       /* VENG1 */
        {0, 0xf84c000a, 1, 0, true, true},         /* VENG0 */
        {0, 0x504c000b, 1, 0, false, true},        /* VPMR as important */
        {0, 0x584c000b, 1, 0, true, true},         /* and one less */
        {0, 0x004c000b, 1, 0, false, true},        /* all masked */
        {0, 0xf84c000b, 1, 1u << 10, false, true}, /* running: the same */
        {0, 0xf84c000b, 1, 1u << 9, false, true},  /* running: more important */
        {0, 0xf84c000b, 1, 1u << 11, true, true},  /* running: less */
        {ACT, 0xf84c000b, 1, 0, false, false},     /* active and pending */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        gic = (struct arch_vcpu_gic){.vmcr = rows[i].vmcr, .hcr = rows[i].hcr};
        gic.lr[3] = irq | rows[i].lr;
        gic.ap1r[0] = rows[i].apr;
        cr_expect_eq(vcpuif_virq(&gic), rows[i].signalled, "row %zu", i);
        cr_expect_not(vcpuif_vfiq(&gic));
        cr_expect_eq(rd(HPPIR1), rows[i].shown ? 33 : 1023, "row %zu", i);
        cr_expect_eq(rd(IAR1), rows[i].signalled ? 33 : 1023, "row %zu", i);
    }
}

CASE(vcpuif, the_most_important_and_the_first_of_equals)
{
    gic.lr[0] = PEND | G1 | PRIO(0x80) | 50;
    gic.lr[1] = PEND | G1 | PRIO(0x40) | 51;
    gic.lr[2] = PEND | G1 | PRIO(0x40) | 52;
    gic.lr[3] = ACT | G1 | PRIO(0x00) | 53;
    cr_assert_eq(rd(IAR1), 51);
    cr_assert_eq(rd(IAR1), 1023, "an equal one does not preempt");
    wr(EOIR1, 51);
    cr_assert_eq(rd(IAR1), 52);
    wr(EOIR1, 52);
    cr_assert_eq(rd(IAR1), 50);
    gic.lr[1] = PEND | G1 | PRIO(0x78) | 54;
    cr_assert_eq(rd(IAR1), 54, "nested");
    cr_assert_eq(gic.ap1r[0], 1u << 16 | 1u << 15);
    wr(EOIR1, 54);
    cr_assert_eq(gic.ap1r[0], 1u << 16);
    wr(EOIR1, 50);
    cr_assert_eq(gic.ap1r[0], 0);
}

/* The group priority of a running 0x58 and of a pending 0x50 are the same from 4 bits on. */
CASE(vcpuif, preemption_counts_group_priorities)
{
    for (unsigned cbpr = 0; cbpr < 2; cbpr++) {
        for (unsigned bpr = 3; bpr < 8; bpr++) {
            setup();
            wr(CTLR, cbpr);
            wr(cbpr != 0 ? BPR0 : BPR1, cbpr != 0 ? bpr - 1 : bpr);
            gic.lr[0] = PEND | G1 | PRIO(0x58) | 60;
            cr_assert_eq(rd(IAR1), 60);
            static const uint32_t level[8] = {[3] = 11, [4] = 10, [5] = 8, [6] = 8, [7] = 0};
            cr_assert_eq(gic.ap1r[0], 1u << level[bpr], "binary point %u", bpr);
            cr_assert_eq(rd(RPR), level[bpr] * 8);
            gic.lr[1] = PEND | G1 | PRIO(0x50) | 61;
            cr_assert_eq(vcpuif_virq(&gic), bpr == 3);
            wr(EOIR1, 60);
            cr_assert_eq(gic.lr[0] & (PEND | ACT), 0);
            cr_assert(vcpuif_virq(&gic));
        }
    }
}

CASE(vcpuif, no_group_priority_at_all)
{
    wr(BPR0, 7);
    gic.lr[0] = PEND | PRIO(0xf0) | 60;
    cr_assert_eq(rd(IAR0), 60);
    cr_assert_eq(gic.ap0r[0], 1);
    gic.lr[1] = PEND | PRIO(0x00) | 61;
    cr_assert_not(vcpuif_vfiq(&gic));
    wr(EOIR0, 60);
    cr_assert_eq(gic.lr[0] & (PEND | ACT), 0);
    cr_assert(vcpuif_vfiq(&gic));
}

CASE(vcpuif, hardware_interrupts_are_deactivated)
{
    gic.lr[0] = PEND | HW | G1 | PRIO(0x20) | PINTID(0x23b) | 27;
    cr_assert_eq(rd(IAR1), 27);
    cr_assert_eq(wr(EOIR1, 27), 0x23b);
    cr_assert_eq(gic.lr[0], HW | G1 | PRIO(0x20) | PINTID(0x23b) | 27);
    gic.lr[0] |= PEND;
    wr(CTLR, 2);
    cr_assert_eq(rd(IAR1), 27);
    cr_assert_eq(wr(EOIR1, 27), 0xffffffff);
    cr_assert_eq(gic.lr[0] & (ACT | PEND), ACT);
    cr_assert_eq(rd(RPR), 0xff);
    cr_assert_eq(wr(DIR, 27), 0x23b);
    cr_assert_eq(gic.lr[0] & (ACT | PEND), 0);
    /* There is no physical interrupt 1020. */
    gic.lr[0] = ACT | HW | G1 | PRIO(0x20) | PINTID(1020) | 27;
    cr_assert_eq(wr(DIR, 27), 0xffffffff);
    cr_assert_eq(gic.lr[0] & (ACT | PEND), 0);
}

CASE(vcpuif, end_of_active_and_pending_leaves_pending)
{
    gic.lr[0] = ACT | PEND | G1 | PRIO(0x20) | 5;
    gic.ap1r[0] = 1u << 4;
    cr_assert_not(vcpuif_virq(&gic));
    wr(EOIR1, 5);
    cr_assert_eq(gic.lr[0], PEND | G1 | PRIO(0x20) | 5);
    cr_assert(vcpuif_virq(&gic));
}

CASE(vcpuif, ends_that_match_nothing)
{
    const uint64_t active = ACT | G1 | PRIO(0x20) | 70;
    gic.lr[0] = active;
    wr(EOIR1, 70); /* no active priority: nothing at all */
    cr_assert_eq(gic.lr[0], active);
    wr(EOIR1, 71);
    cr_assert_eq(gic.hcr, 1);
    /* No list register: counted, the priority dropped. */
    gic.ap1r[0] = 1u << 4 | 1u << 9;
    wr(EOIR1, 71);
    cr_assert_eq(gic.hcr, 0x08000001);
    cr_assert_eq(gic.ap1r[0], 1u << 9);
    cr_assert_eq(gic.lr[0], active);
    /* Another priority than was dropped, or another group: dropped only. */
    wr(EOIR1, 70);
    cr_assert_eq(gic.ap1r[0], 0);
    cr_assert_eq(gic.lr[0], active);
    gic.ap1r[0] = 1u << 4;
    wr(EOIR0, 70);
    cr_assert_eq(gic.ap1r[0], 0);
    cr_assert_eq(gic.lr[0], active);
    cr_assert_eq(gic.hcr, 0x08000001);
    /* Not active. */
    gic.lr[0] = PEND | G1 | PRIO(0x20) | 70;
    gic.ap1r[0] = 1u << 4;
    wr(EOIR1, 70);
    cr_assert_eq(gic.hcr, 0x10000001);
    /* Special INTIDs do not even drop. */
    gic.ap1r[0] = 1u << 4;
    for (unsigned intid = 1020; intid < 1024; intid++)
        wr(EOIR1, intid);
    cr_assert_eq(gic.ap1r[0], 1u << 4);
    /* An LPI is not counted. */
    wr(EOIR1, 8192);
    cr_assert_eq(gic.ap1r[0], 0);
    cr_assert_eq(gic.hcr, 0x10000001);
}

CASE(vcpuif, both_groups_active_at_one_priority)
{
    gic.ap0r[0] = gic.ap1r[0] = 1u << 4;
    wr(EOIR1, 71);
    cr_assert_eq(gic.ap0r[0], 0);
    cr_assert_eq(gic.ap1r[0], 1u << 4);
}

CASE(vcpuif, count_of_ends_wraps_within_its_field)
{
    gic.hcr = 0xf8000001;
    gic.ap1r[0] = 1;
    wr(EOIR1, 71);
    cr_assert_eq(gic.hcr, 1);
}

CASE(vcpuif, deactivation)
{
    gic.lr[1] = ACT | PEND | PRIO(0x20) | 70;
    gic.ap1r[0] = 1;
    wr(DIR, 70); /* EOImode 0 */
    wr(DIR, 71);
    cr_assert_eq(gic.lr[1], ACT | PEND | PRIO(0x20) | 70);
    cr_assert_eq(gic.hcr, 1);
    wr(CTLR, 2);
    wr(DIR, 70);
    cr_assert_eq(gic.lr[1], PEND | PRIO(0x20) | 70);
    wr(DIR, 70);
    cr_assert_eq(gic.hcr, 0x08000001);
    wr(DIR, 1020);
    wr(DIR, 1023);
    wr(DIR, 8192);
    cr_assert_eq(gic.hcr, 0x08000001);
    cr_assert_eq(gic.ap1r[0], 1);
}

CASE(vcpuif, lpis_end_at_once_in_either_mode)
{
    wr(CTLR, 2);
    gic.lr[0] = PEND | G1 | PRIO(0x20) | 8200;
    cr_assert_eq(rd(IAR1), 8200);
    wr(EOIR1, 8200);
    cr_assert_eq(gic.lr[0], G1 | PRIO(0x20) | 8200);
}

CASE(vcpuif, special_intid_in_a_list_register)
{
    gic.lr[0] = PEND | G1 | PRIO(0x20) | 1021;
    cr_assert_eq(rd(IAR1), 1021);
    cr_assert_eq(gic.lr[0], G1 | PRIO(0x20) | 1021);
    cr_assert_eq(gic.ap1r[0], 0);
}

CASES_RUN(vcpuif, setup, NULL)
