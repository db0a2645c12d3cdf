/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* SGIs, lines and priorities, from their source to the guest's acknowledge and EOI, case by case.
 */
#include "vgic_cases.h"
#include <stdlib.h>

/* --- SGIs --- */

/* No flush in between: an SGI to oneself is in the list register at once. */
CASE(vgic, ten_thousand_sgis_to_self)
{
    setup(1, 4);
    for (unsigned i = 0; i < 16; i++)
        irq_on(0, i, 0xa0);
    settle();
    for (unsigned i = 0; i < 10000; i++) {
        unsigned id = (unsigned)rand() % 16;
        sgi(0, SGI1R(id, 1));
        if (vgic_needs_flush(&gic, 0))
            vgic_flush(&gic, 0);
        cr_assert_eq(fakehal_gic_ack(&vcpus[0]), id, "number %u", i);
        if (i % 7 == 0)
            sgi(0, SGI1R(id, 1)); /* while active: pending behind it */
        fakehal_gic_eoi(&vcpus[0], id);
        if (i % 7 == 0)
            guest_takes(0, id);
        cr_assert_not(fakehal_gic_signals(&vcpus[0]), "a second one, number %u", i);
    }
    cr_assert_eq(kicks[0], 0u);
}

CASE(vgic, the_common_sgi_needs_no_flush)
{
    setup(1, 4);
    irq_on(0, 1, 0xa0);
    settle();
    for (unsigned i = 0; i < 3; i++) {
        sgi(0, SGI1R(1, 1));
        cr_assert_not(vgic_needs_flush(&gic, 0));
        cr_assert_eq(fakehal_gic_ack(&vcpus[0]), 1u);
        fakehal_gic_eoi(&vcpus[0], 1);
    }
}

CASE(vgic, two_sgis_before_the_acknowledge_are_one)
{
    setup(1, 4);
    irq_on(0, 3, 0xa0);
    settle();
    sgi(0, SGI1R(3, 1));
    sgi(0, SGI1R(3, 1));
    guest_takes(0, 3);
    guest_takes(0, 1023);
}

CASE(vgic, sgi_targets)
{
    setup(4, 4);
    for (unsigned cpu = 0; cpu < 4; cpu++)
        irq_on(cpu, 5, 0xa0);
    settle();
    memset(kicks, 0, sizeof(kicks));
    sgi(0, SGI1R(5, 0xfff6)); /* 1, 2, and twelve that do not exist */
    cr_assert_eq(kicks[0] + kicks[3], 0u);
    cr_assert_eq(kicks[1], 1u);
    guest_takes(0, 1023);
    guest_takes(1, 5);
    guest_takes(2, 5);
    guest_takes(3, 1023);
    sgi(2, SGI1R(5, 0x4) | UINT64_C(1) << 40); /* IRM: all but itself */
    guest_takes(0, 5);
    guest_takes(1, 5);
    guest_takes(2, 1023);
    guest_takes(3, 5);
    sgi(1, SGI1R(5, 0x3)); /* itself and another */
    guest_takes(0, 5);
    guest_takes(1, 5);
    sgi(1, SGI1R(5, 0x3) | UINT64_C(1) << 16); /* Aff1 = 1 */
    sgi(1, SGI1R(5, 0x3) | UINT64_C(1) << 32); /* Aff2 = 1 */
    sgi(1, SGI1R(5, 0x3) | UINT64_C(1) << 48); /* Aff3 = 1 */
    sgi(1, SGI1R(5, 0));
    guest_takes(0, 1023);
    guest_takes(1, 1023);
}

CASE(vgic, sgi_by_full_affinity)
{
    setup(2, 4);
    gic_cpu[1].affinity = 0x0403020f; /* bits [31:24] are none of it */
    struct vgic_config config = {
        .cpu = gic_cpu, .spi = gic_spi, .nr_cpus = 2, .nr_spis = 64, .kick = fixture_kick};
    gic_cpu[1].affinity |= UINT64_C(9) << 32;
    cr_assert_eq(vgic_init(&gic, &config), HV_OK);
    dist_write(D_CTLR, 4, 2);
    irq_on(1, 5, 0xa0);
    sgi(0, SGI1R(5, 0x8000) | UINT64_C(9) << 48 | UINT64_C(3) << 32 | UINT64_C(2) << 16);
    guest_takes(1, 5);
    sgi(1, SGI1R(5, 0x8000) | UINT64_C(9) << 48 | UINT64_C(3) << 32 | UINT64_C(2) << 16);
    guest_takes(1, 5);
    gic_cpu[1].affinity = 16; /* out of reach of a target list without a range selector */
    cr_assert_eq(vgic_init(&gic, &config), HV_OK);
    dist_write(D_CTLR, 4, 2);
    irq_on(1, 5, 0xa0);
    sgi(0, SGI1R(5, 0xffff));
    sgi(1, SGI1R(5, 0xffff));
    guest_takes(1, 1023);
}

CASE(vgic, sgi_registers_belong_to_groups)
{
    setup(1, 4);
    dist_write(D_CTLR, 4, 3);
    fakehal_gic_enable(&vcpus[0], true, 0xf8);
    irq_on(0, 1, 0xa0);
    irq_on(0, 2, 0xa0);
    group_write(0, 0, 2, false);
    vgic_send_sgi(&gic, 0, SGI1R(1, 1), false);
    vgic_send_sgi(&gic, 0, SGI1R(2, 1), true);
    guest_takes(0, 1023);
    vgic_send_sgi(&gic, 0, SGI1R(2, 1), false);
    settle();
    cr_assert_eq(vcpus[0].gic.lr[0] >> 60 & 1, 0u, "a group 0 list register");
    guest_takes(0, 2);
    vgic_send_sgi(&gic, 0, SGI1R(1, 1), true);
    guest_takes(0, 1);
}

CASE(vgic, hostile_sgi_values)
{
    setup(4, 1);
    for (unsigned cpu = 0; cpu < 4; cpu++)
        for (unsigned i = 0; i < 16; i++)
            irq_on(cpu, i, 8 * i);
    srand(2);
    for (unsigned i = 0; i < 5000; i++) {
        uint64_t value = (uint64_t)rand() << 48 ^ (uint64_t)rand() << 24 ^ (uint64_t)rand();
        fakehal()->self = i % 4;
        vgic_send_sgi(&gic, i % 4, value, i % 3 != 0);
        uint32_t got = guest_ack(i % 4);
        guest_eoi(i % 4, got);
        cr_assert(got < 16 || got == 1023);
    }
}

/* --- Lines --- */

CASE(vgic, a_line_that_stays_high_comes_again)
{
    setup(1, 4);
    irq_on(0, 33, 0xa0);
    settle();
    vgic_set_level(&gic, 0, 33, true);
    cr_assert_eq(kicks[0], 1u);
    for (unsigned i = 0; i < 3; i++)
        guest_takes(0, 33);
    cr_assert_eq(guest_ack(0), 33u);
    vgic_set_level(&gic, 0, 33, false);
    settle();
    cr_assert_eq(vcpus[0].gic.lr[0] & LR_EOI, 0u, "no maintenance once the line is low");
    guest_eoi(0, 33);
    guest_takes(0, 1023);
}

CASE(vgic, a_line_that_falls_before_the_acknowledge_is_retracted)
{
    setup(1, 4);
    irq_on(0, 33, 0xa0);
    vgic_set_level(&gic, 0, 33, true);
    settle();
    cr_assert(fakehal_gic_signals(&vcpus[0]));
    cr_assert(bit_read(0, 0, ISPENDR, 33));
    vgic_set_level(&gic, 0, 33, false);
    cr_assert_not(bit_read(0, 0, ISPENDR, 33));
    guest_takes(0, 1023);
    unsigned before = kicks[0];
    vgic_set_level(&gic, 0, 33, false); /* no change */
    cr_assert_eq(kicks[0], before);
}

CASE(vgic, icpendr_does_not_lower_a_line)
{
    setup(1, 4);
    irq_on(0, 33, 0xa0);
    vgic_set_level(&gic, 0, 33, true);
    bit_write(0, 0, ISPENDR, 33);
    bit_write(0, 0, ICPENDR, 33);
    cr_assert(bit_read(0, 0, ISPENDR, 33));
    guest_takes(0, 33);
    vgic_set_level(&gic, 0, 33, false);
    bit_write(0, 0, ISPENDR, 33); /* by software: once */
    guest_takes(0, 33);
    guest_takes(0, 1023);
    bit_write(0, 0, ISPENDR, 33);
    settle();
    bit_write(0, 0, ICPENDR, 33);
    guest_takes(0, 1023);
}

CASE(vgic, edges_are_counted_once_each)
{
    setup(1, 4);
    irq_on(0, 33, 0xa0);
    dist_write(ICFGR + 8, 4, 2u << 2);
    for (unsigned i = 0; i < 3; i++) {
        vgic_set_level(&gic, 0, 33, true);
        vgic_set_level(&gic, 0, 33, true);
        cr_assert_eq(guest_ack(0), 33u);
        vgic_set_level(&gic, 0, 33, false);
        vgic_set_level(&gic, 0, 33, true); /* a second edge while it is active */
        vgic_set_level(&gic, 0, 33, false);
        guest_eoi(0, 33);
        guest_takes(0, 33);
        guest_takes(0, 1023);
    }
}

CASE(vgic, enables_at_every_stage)
{
    setup(1, 4);
    irq_on(0, 33, 0xa0);
    vgic_set_level(&gic, 0, 33, true);
    settle();
    bit_write(0, 0, ICENABLER, 33);
    guest_takes(0, 1023);
    bit_write(0, 0, ISENABLER, 33);
    settle();
    dist_write(D_CTLR, 4, 1);
    guest_takes(0, 1023);
    dist_write(D_CTLR, 4, 2);
    settle();
    group_write(0, 0, 33, false);
    guest_takes(0, 1023);
    group_write(0, 0, 33, true);
    guest_takes(0, 33);
}

/* --- Priorities and few list registers --- */

CASE(vgic, the_most_important_first_however_few_list_registers)
{
    static const unsigned counts[] = {1, 2, 4, 16};
    for (unsigned c = 0; c < 4; c++) {
        setup(1, counts[c]);
        for (unsigned i = 0; i < 32; i++) {
            irq_on(0, 32 + i, 8 * ((i * 7) % 31));
            vgic_set_level(&gic, 0, 32 + i, true);
        }
        int last = -1;
        for (unsigned i = 0; i < 32; i++) {
            uint32_t id = guest_ack(0);
            int priority = (int)(8 * (((id - 32) * 7) % 31));
            cr_assert(id >= 32 && id < 64 && priority >= last, "%u after priority %d", id, last);
            last = priority;
            vgic_set_level(&gic, 0, id, false);
            guest_eoi(0, id);
        }
        guest_takes(0, 1023);
        cr_assert_eq(vcpus[0].gic.hcr, 0x4001u, "back to no maintenance");
    }
}

/* Each preempts the one before; all are active at once, and their EOIs come in reverse. */
CASE(vgic, nesting_deeper_than_the_list_registers)
{
    for (unsigned lrs = 1; lrs <= 4; lrs++) {
        setup(1, lrs);
        for (unsigned i = 0; i < 16; i++) {
            irq_on(0, i, 0xf0 - 8 * i);
            sgi(0, SGI1R(i, 1));
            cr_assert_eq(guest_ack(0), i);
        }
        for (unsigned i = 16; i > 0; i--) {
            cr_assert_eq(guest_ack(0), 1023u);
            cr_assert(bit_read(0, 0, ISACTIVER, i - 1));
            guest_eoi(0, i - 1);
            settle();
            cr_assert_not(bit_read(0, 0, ISACTIVER, i - 1), "%u with %u LRs", i - 1, lrs);
        }
        cr_assert_eq(redist_read(SGI_FRAME + ISACTIVER, 4), 0u);
        guest_takes(0, 1023);
    }
}

/* One that becomes pending again while active must not keep its list register from a better one. */
CASE(vgic, a_line_that_stays_high_does_not_overtake)
{
    setup(1, 2);
    irq_on(0, 1, 0x48);
    irq_on(0, 40, 0x88);
    irq_on(0, 41, 0x78);
    vgic_set_level(&gic, 0, 40, true);
    cr_assert_eq(guest_ack(0), 40u);
    sgi(0, SGI1R(1, 1));
    vgic_set_level(&gic, 0, 41, true);
    settle();
    guest_eoi(0, 40);
    guest_takes(0, 1);
    guest_takes(0, 41);
    vgic_set_level(&gic, 0, 41, false);
    guest_takes(0, 40);
}

CASE(vgic, a_changed_priority_takes_effect)
{
    setup(1, 1);
    irq_on(0, 33, 0x40);
    irq_on(0, 34, 0x80);
    vgic_set_level(&gic, 0, 33, true);
    vgic_set_level(&gic, 0, 34, true);
    settle();
    priority_write(0, 0, 34, 0x20);
    guest_takes(0, 34);
    vgic_set_level(&gic, 0, 34, false);
    guest_takes(0, 33);
}

CASES_RUN(vgic, NULL, NULL)
