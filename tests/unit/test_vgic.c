/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Interrupts from their source to the guest's acknowledge and EOI, case by case. */
#include "vgic_fixture.h"
#include <stdlib.h>

#define SGI1R(sgi, targets) ((uint64_t)(sgi) << 24 | (targets))
#define LR_EOI              (UINT64_C(1) << 41)
#define LR_PENDING          (UINT64_C(1) << 62)
#define LR_ACTIVE           (UINT64_C(1) << 63)
#define TIMER               27u
#define TIMER_HW            26u

static void setup(unsigned cpus, unsigned lrs)
{
    setup_gic(cpus, 64, lrs);
    dist_write(D_CTLR, 4, 2);
    settle();
}

static void sgi(unsigned cpu, uint64_t value)
{
    fakehal()->self = cpu;
    vgic_send_sgi(&gic, cpu, value, true);
}

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
        cr_assert_eq(vcpus[0].gic.hcr, 1u, "back to no maintenance");
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

/* --- Hardware interrupts --- */

static unsigned deactivations(void)
{
    return (unsigned)fakehal()->count[FAKEHAL_IRQ_DEACTIVATE];
}

static void setup_timer(void)
{
    setup(1, 4);
    vgic_map_hw(&gic, 0, TIMER, TIMER_HW);
    irq_on(0, TIMER, 0xa0);
    settle();
}

CASE(vgic, the_guests_eoi_deactivates_the_hardware)
{
    setup_timer();
    for (unsigned i = 0; i < 100; i++) {
        vgic_raise_hw(&gic, 0, TIMER);
        cr_assert_eq(vgic_needs_flush(&gic, 0), false);
        cr_assert_eq(fakehal_gic_ack(&vcpus[0]), TIMER);
        cr_assert_eq(deactivations(), i);
        fakehal_gic_eoi(&vcpus[0], TIMER);
        cr_assert_eq(deactivations(), i + 1);
        settle();
    }
    cr_assert_eq(deactivations(), 100u);
    cr_assert_eq(kicks[0], 0u);
}

/* Whoever takes the interrupt back without an EOI leaves the deactivation to the vGIC. */
CASE(vgic, a_withdrawn_hardware_interrupt_is_deactivated)
{
    setup_timer();
    vgic_raise_hw(&gic, 0, TIMER);
    bit_write(0, 0, ICPENDR, TIMER);
    guest_takes(0, 1023);
    cr_assert_eq(deactivations(), 1u);
    vgic_raise_hw(&gic, 0, TIMER);
    vgic_set_level(&gic, 0, TIMER, true); /* says nothing new */
    vgic_set_level(&gic, 0, TIMER, false);
    guest_takes(0, 1023);
    vgic_set_level(&gic, 0, TIMER, false);
    cr_assert_eq(deactivations(), 2u);
    vgic_raise_hw(&gic, 0, TIMER);
    cr_assert_eq(guest_ack(0), TIMER);
    bit_write(0, 0, ICACTIVER, TIMER);
    settle();
    cr_assert_eq(deactivations(), 3u);
    vgic_raise_hw(&gic, 0, TIMER);
    fakehal()->count[FAKEHAL_IRQ_DEACTIVATE] = 0;
    guest_eoi(0, 1023);
    vcpus[0].gic.ap1r[0] = 0;
    guest_takes(0, TIMER);
    cr_assert_eq(deactivations(), 1u);
}

/* As above, by the vCPU's own pCPU, which need not be told of it. */
CASE(vgic, a_lowered_hardware_interrupt_is_gone_at_once)
{
    setup_timer();
    vgic_lower_hw(&gic, 0, TIMER); /* there is none */
    for (unsigned i = 1; i < 10; i++) {
        vgic_raise_hw(&gic, 0, TIMER);
        vgic_lower_hw(&gic, 0, TIMER);
        vgic_lower_hw(&gic, 0, TIMER);
        cr_assert_eq(vgic_needs_flush(&gic, 0), false);
        cr_assert_eq(fakehal_gic_ack(&vcpus[0]), 1023u);
        cr_assert_eq(deactivations(), i);
    }
    vgic_raise_hw(&gic, 0, TIMER);
    cr_assert_eq(guest_ack(0), TIMER);
    vgic_lower_hw(&gic, 0, TIMER); /* too late */
    cr_assert(bit_read(0, 0, ISACTIVER, TIMER));
    guest_eoi(0, TIMER);
    bit_write(0, 0, ISPENDR, TIMER);
    vgic_lower_hw(&gic, 0, TIMER); /* the guest's own */
    guest_takes(0, TIMER);
    cr_assert_eq(kicks[0], 0u);
}

CASE(vgic, a_disabled_hardware_interrupt_waits)
{
    setup_timer();
    bit_write(0, 0, ICENABLER, TIMER);
    vgic_raise_hw(&gic, 0, TIMER);
    guest_takes(0, 1023);
    cr_assert_eq(deactivations(), 0u);
    bit_write(0, 0, ISENABLER, TIMER);
    guest_takes(0, TIMER);
    cr_assert_eq(deactivations(), 1u);
}

/* Pending and active at once cannot be a hardware list register. */
CASE(vgic, a_hardware_interrupt_made_pending_while_active)
{
    setup_timer();
    vgic_raise_hw(&gic, 0, TIMER);
    cr_assert_eq(guest_ack(0), TIMER);
    bit_write(0, 0, ISPENDR, TIMER);
    settle();
    cr_assert_eq(vcpus[0].gic.lr[0] >> 61, 6u, "pending, active, not hardware");
    guest_eoi(0, TIMER);
    guest_takes(0, TIMER);
    settle();
    cr_assert_eq(deactivations(), 1u);
    cr_assert_eq(guest_ack(0), 1023u);
    bit_write(0, 0, ISPENDR, TIMER); /* by software alone: nothing to deactivate */
    guest_takes(0, TIMER);
    settle();
    cr_assert_eq(deactivations(), 1u);
}

/* With one list register, an active hardware interrupt may lose it to a more important one. */
CASE(vgic, an_evicted_hardware_interrupt_is_deactivated)
{
    setup(1, 1);
    vgic_map_hw(&gic, 0, TIMER, TIMER_HW);
    irq_on(0, TIMER, 0xa0);
    irq_on(0, 1, 0x20);
    settle();
    vgic_raise_hw(&gic, 0, TIMER);
    cr_assert_eq(guest_ack(0), TIMER);
    sgi(0, SGI1R(1, 1));
    guest_takes(0, 1);
    cr_assert_eq(deactivations(), 0u);
    guest_eoi(0, TIMER);
    settle();
    cr_assert_eq(deactivations(), 1u);
    guest_takes(0, 1023);
}

/* --- Several vCPUs --- */

CASE(vgic, an_spi_goes_where_its_route_leads)
{
    setup(2, 4);
    irq_on(0, 40, 0xa0);
    vgic_set_level(&gic, 0, 40, true);
    settle();
    dist_write(IROUTER + 8 * 40, 8, 1);
    guest_takes(0, 1023);
    cr_assert_eq(guest_ack(1), 40u);
    dist_write(IROUTER + 8 * 40, 8, 0); /* while active on vCPU 1 */
    guest_takes(0, 1023);
    guest_eoi(1, 40);
    guest_takes(0, 40);
    guest_takes(1, 1023);
    dist_write(IROUTER + 8 * 40, 8, 7); /* nobody */
    guest_takes(0, 1023);
    guest_takes(1, 1023);
    dist_write(IROUTER + 8 * 40, 8, 1);
    guest_takes(1, 40);
}

CASE(vgic, others_see_and_change_state_through_a_flush)
{
    setup(2, 4);
    irq_on(0, 40, 0xa0);
    dist_write(ICFGR + 8, 4, 2u << 16);
    vgic_set_level(&gic, 0, 40, true);
    cr_assert_eq(guest_ack(0), 40u);
    unsigned before = kicks[0];
    cr_assert_not(bit_read(1, 0, ISACTIVER, 40), "not known yet");
    cr_assert_eq(kicks[0], before + 1);
    bit_read(1, 0, ISACTIVER, 40);
    cr_assert_eq(kicks[0], before + 1, "asked once");
    settle();
    cr_assert(bit_read(1, 0, ISACTIVER, 40));
    bit_write(1, 0, ICACTIVER, 40);
    cr_assert_not(bit_read(1, 0, ISACTIVER, 40));
    settle();
    cr_assert_eq(vcpus[0].gic.lr[0] & LR_ACTIVE, 0u);
    bit_write(1, 0, ISPENDR, 40);
    settle();
    bit_write(1, 0, ICPENDR, 40);
    bit_write(1, 0, ISACTIVER, 40);
    settle();
    cr_assert_eq(vcpus[0].gic.lr[0] >> 62, 2u, "active, not pending");
    guest_eoi(0, 40);
    vgic_sync(&gic, 0);
    cr_assert_not(bit_read(1, 0, ISACTIVER, 40), "after vgic_sync()");
}

/* An edge that comes between the guest's acknowledge and our look at it is a new interrupt. */
CASE(vgic, a_latch_behind_the_acknowledge_is_not_lost)
{
    setup(2, 4);
    irq_on(0, 7, 0xa0);
    sgi(1, SGI1R(7, 1));
    cr_assert_eq(guest_ack(0), 7u);
    sgi(1, SGI1R(7, 1));
    guest_eoi(0, 7);
    guest_takes(0, 7);
    sgi(1, SGI1R(7, 1));
    settle();
    sgi(1, SGI1R(7, 1)); /* before the acknowledge: merged */
    guest_takes(0, 7);
    guest_takes(0, 1023);
    sgi(1, SGI1R(7, 1));
    cr_assert_eq(guest_ack(0), 7u);
    sgi(1, SGI1R(7, 1));
    bit_write(1, 0, ICPENDR, 7);
    guest_eoi(0, 7);
    guest_takes(0, 1023);
}

/* --- WFI --- */

CASE(vgic, what_wakes_from_wfi)
{
    setup(2, 4);
    irq_on(0, 33, 0xa0);
    irq_on(0, 34, 0x40);
    settle();
    cr_assert_not(vgic_has_pending(&gic, 0));
    vgic_set_level(&gic, 0, 33, true);
    cr_assert(vgic_has_pending(&gic, 0), "not flushed yet");
    settle();
    cr_assert(vgic_has_pending(&gic, 0), "in a list register");
    cr_assert_not(vgic_has_pending(&gic, 1));
    fakehal_gic_enable(&vcpus[0], false, 0xa0);
    cr_assert_not(vgic_has_pending(&gic, 0), "below the priority mask");
    fakehal_gic_enable(&vcpus[0], false, 0xa8);
    cr_assert(vgic_has_pending(&gic, 0));
    vcpus[0].gic.vmcr &= ~UINT64_C(2);
    cr_assert_not(vgic_has_pending(&gic, 0), "group 1 is off in the CPU interface");
    fakehal_gic_enable(&vcpus[0], true, 0xf8);
    group_write(0, 0, 33, false);
    dist_write(D_CTLR, 4, 1);
    cr_assert(vgic_has_pending(&gic, 0), "group 0");
    group_write(0, 0, 33, true);
    cr_assert_not(vgic_has_pending(&gic, 0));
    dist_write(D_CTLR, 4, 2);
    cr_assert_eq(guest_ack(0), 33u);
    cr_assert_not(vgic_has_pending(&gic, 0), "active: nothing until its EOI");
    vgic_set_level(&gic, 0, 34, true);
    cr_assert(vgic_has_pending(&gic, 0));
    guest_takes(0, 34);
}

/* --- Odds and ends --- */

CASE(vgic, split_eoi_and_deactivation)
{
    setup(1, 4);
    vcpus[0].gic.vmcr |= UINT64_C(1) << 9; /* EOImode = 1 */
    irq_on(0, 1, 0xa0);
    irq_on(0, 2, 0xa0);
    sgi(0, SGI1R(1, 1));
    cr_assert_eq(guest_ack(0), 1u);
    guest_eoi(0, 1);
    sgi(0, SGI1R(1, 1));
    sgi(0, SGI1R(2, 1));
    cr_assert_eq(guest_ack(0), 2u, "1 is still active");
    guest_eoi(0, 2);
    fakehal_gic_dir(&vcpus[0], 1);
    cr_assert_eq(guest_ack(0), 1u);
    guest_eoi(0, 1);
    fakehal_gic_dir(&vcpus[0], 2);
    fakehal_gic_dir(&vcpus[0], 1);
    guest_takes(0, 1023);
    cr_assert_eq(redist_read(SGI_FRAME + ISACTIVER, 4), 0u);
}

CASE(vgic, other_bits_of_hcr_are_left_alone)
{
    setup_gic(1, 64, 1);
    vcpus[0].gic.hcr |= UINT64_C(1) << 10; /* TC: somebody else's business */
    dist_write(D_CTLR, 4, 2);
    for (unsigned i = 0; i < 3; i++) {
        irq_on(0, i, 0xa0);
        sgi(0, SGI1R(i, 1));
    }
    settle();
    cr_assert_eq(vcpus[0].gic.hcr, 0x409u, "En, NPIE");
    for (unsigned i = 0; i < 3; i++)
        guest_takes(0, i);
    settle();
    cr_assert_eq(vcpus[0].gic.hcr, 0x401u);
}

static void raise_unmapped(void *ctx)
{
    (void)ctx;
    vgic_raise_hw(&gic, 0, TIMER);
}

static void line_of_an_sgi(void *ctx)
{
    (void)ctx;
    vgic_set_level(&gic, 0, 3, true);
}

static void line_of_no_spi(void *ctx)
{
    (void)ctx;
    vgic_set_level(&gic, 0, 96, true);
}

static void line_of_no_cpu(void *ctx)
{
    (void)ctx;
    vgic_set_level(&gic, 1, 30, true);
}

static void map_an_spi(void *ctx)
{
    (void)ctx;
    vgic_map_hw(&gic, 0, 40, 40);
}

static void map_nothing(void *ctx)
{
    (void)ctx;
    vgic_map_hw(&gic, 0, TIMER, 1023);
}

CASE(vgic, callers_mistakes_are_caught)
{
    setup(1, 4);
    cr_assert(fakehal_expect_check(raise_unmapped, NULL));
    cr_assert(fakehal_expect_check(line_of_an_sgi, NULL));
    cr_assert(fakehal_expect_check(line_of_no_spi, NULL));
    cr_assert(fakehal_expect_check(line_of_no_cpu, NULL));
    cr_assert(fakehal_expect_check(map_an_spi, NULL));
    cr_assert(fakehal_expect_check(map_nothing, NULL));
}

CASES_RUN(vgic, NULL, NULL)
