/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Hardware interrupts, several vCPUs, WFI and the odds and ends, case by case. */
#include "vgic_cases.h"

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

CASE(vgic_sources, the_guests_eoi_deactivates_the_hardware)
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
CASE(vgic_sources, a_withdrawn_hardware_interrupt_is_deactivated)
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
CASE(vgic_sources, a_lowered_hardware_interrupt_is_gone_at_once)
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

CASE(vgic_sources, a_disabled_hardware_interrupt_waits)
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
CASE(vgic_sources, a_hardware_interrupt_made_pending_while_active)
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
CASE(vgic_sources, an_evicted_hardware_interrupt_is_deactivated)
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

CASE(vgic_sources, an_spi_goes_where_its_route_leads)
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

CASE(vgic_sources, others_see_and_change_state_through_a_flush)
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
    fakehal()->self = 0;
    vgic_unload(&gic, 0);
    cr_assert_not(bit_read(1, 0, ISACTIVER, 40), "after vgic_unload()");
}

/* An edge that comes between the guest's acknowledge and our look at it is a new interrupt. */
CASE(vgic_sources, a_latch_behind_the_acknowledge_is_not_lost)
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

CASE(vgic_sources, what_wakes_from_wfi)
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

CASE(vgic_sources, split_eoi_and_deactivation)
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
    guest_dir(0, 1);
    cr_assert_eq(guest_ack(0), 1u);
    guest_eoi(0, 1);
    guest_dir(0, 2);
    guest_dir(0, 1);
    guest_takes(0, 1023);
    cr_assert_eq(redist_read(SGI_FRAME + ISACTIVER, 4), 0u);
}

CASE(vgic_sources, other_bits_of_hcr_are_left_alone)
{
    setup_gic(1, 64, 1);
    vcpus[0].gic.hcr |= UINT64_C(1) << 10; /* TC: somebody else's business */
    dist_write(D_CTLR, 4, 2);
    for (unsigned i = 0; i < 3; i++) {
        irq_on(0, i, 0xa0);
        sgi(0, SGI1R(i, 1));
    }
    settle();
    cr_assert_eq(vcpus[0].gic.hcr, 0x4409u, "En, NPIE, TDIR");
    for (unsigned i = 0; i < 3; i++)
        guest_takes(0, i);
    settle();
    cr_assert_eq(vcpus[0].gic.hcr, 0x4401u);
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

CASE(vgic_sources, callers_mistakes_are_caught)
{
    setup(1, 4);
    cr_assert(fakehal_expect_check(raise_unmapped, NULL));
    cr_assert(fakehal_expect_check(line_of_an_sgi, NULL));
    cr_assert(fakehal_expect_check(line_of_no_spi, NULL));
    cr_assert(fakehal_expect_check(line_of_no_cpu, NULL));
    cr_assert(fakehal_expect_check(map_an_spi, NULL));
    cr_assert(fakehal_expect_check(map_nothing, NULL));
}

CASES_RUN(vgic_sources, NULL, NULL)
