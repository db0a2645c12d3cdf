/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* SPIs of 1 of N, and vCPUs that are powered down. IHI 0069: GICD_IROUTER<n>, GICR_CTLR,
 * GICR_WAKER.
 */
#include "vgic_cases.h"

#define ANY  (UINT64_C(1) << 31)
#define DPG0 (UINT64_C(1) << 24)
#define DPG1 (UINT64_C(1) << 25)

static void wake(unsigned cpu, bool awake)
{
    redist_write(cpu * (uint64_t)REDIST + 0x14, 4, awake ? 0 : 2);
}

static void select_groups(unsigned cpu, uint64_t dpg)
{
    redist_write(cpu * (uint64_t)REDIST, 4, dpg);
}

/* All awake; what their CPU interfaces allow is known. SPIs 40 to 47 are edges, 1 of N. */
static void setup_any(unsigned cpus)
{
    setup(cpus, 4);
    dist_write(ICFGR + 8, 4, 0xaaaaaaaa);
    for (unsigned cpu = 0; cpu < cpus; cpu++)
        wake(cpu, true);
    for (unsigned intid = 40; intid < 48; intid++) {
        dist_write(IROUTER + 8 * intid, 8, ANY);
        irq_on(0, intid, 0xa0);
    }
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        be(cpu);
        cr_assert_not(vgic_has_pending(&gic, cpu));
    }
    settle();
    memset(kicks, 0, sizeof(kicks));
}

static void edge(uint32_t intid)
{
    vgic_set_level(&gic, 0, intid, true);
    vgic_set_level(&gic, 0, intid, false);
}

/* The one vCPU that takes it, and no other. */
static unsigned who_takes(unsigned cpus, uint32_t intid)
{
    unsigned taker = NOWHERE;
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        uint32_t got = guest_ack(cpu);
        if (got == 1023)
            continue;
        cr_assert_eq(got, intid);
        cr_assert_eq(taker, NOWHERE, "twice");
        taker = cpu;
    }
    if (taker != NOWHERE)
        guest_eoi(taker, intid);
    return taker;
}

CASE(vgic_route, one_of_n_is_given_round_robin)
{
    setup_any(4);
    for (uint32_t i = 0; i < 8; i++) {
        edge(40 + i);
        cr_assert_eq(who_takes(4, 40 + i), (i + 1) % 4);
    }
}

/* Each waits for nobody: four at once are taken by four. */
CASE(vgic_route, one_of_n_prefers_who_is_free)
{
    setup_any(4);
    for (uint32_t i = 0; i < 4; i++)
        edge(40 + i);
    for (uint32_t i = 0; i < 4; i++)
        cr_assert_eq(kicks[i], 1u, "vCPU %u", i);
    uint32_t seen = 0;
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        uint32_t got = guest_ack(cpu);
        cr_assert(got >= 40 && got < 44, "vCPU %u took %u", cpu, got);
        seen |= 1u << (got - 40);
    }
    cr_assert_eq(seen, 15u);
    edge(44); /* all are busy with one of its priority: it waits for the first that is not */
    for (unsigned cpu = 0; cpu < 4; cpu++)
        cr_assert_eq(guest_ack(cpu), 1023u);
    guest_eoi(2, 41); /* vCPU 1 took 40, 2 took 41, 3 took 42, 0 took 43 */
    guest_takes(2, 1023);
    priority_write(0, 0, 45, 0x20); /* more important than what they do: any will do */
    edge(45);
    cr_assert_neq(who_takes(4, 45), NOWHERE);
}

CASE(vgic_route, one_of_n_respects_who_participates)
{
    setup_any(3);
    wake(0, false);
    select_groups(1, DPG1);
    for (unsigned i = 0; i < 3; i++) {
        edge(40);
        cr_assert_eq(who_takes(3, 40), 2u);
    }
    select_groups(1, DPG0); /* of the other group */
    select_groups(2, DPG1);
    edge(40);
    cr_assert_eq(who_takes(3, 40), 1u);
    select_groups(1, DPG1);
    edge(40);
    cr_assert_eq(who_takes(3, 40), NOWHERE);
    cr_assert(bit_read(0, 0, ISPENDR, 40), "it waits");
    memset(kicks, 0, sizeof(kicks));
    wake(0, true);
    cr_assert_eq(who_takes(3, 40), 0u);
    wake(0, false);
    edge(40);
    edge(41);
    memset(kicks, 0, sizeof(kicks));
    select_groups(2, 0);
    settle(); /* vCPU 0, which had 40 before, lets go of it */
    cr_assert_eq(kicks[2], 2u);
    cr_assert_eq(guest_ack(2), 40u);
    cr_assert_eq(guest_ack(2), 1023u);
    guest_eoi(2, 40);
    guest_takes(2, 41);
}

CASE(vgic_route, group_0_has_a_selection_of_its_own)
{
    setup_any(2);
    dist_write(D_CTLR, 4, 3);
    group_write(0, 0, 40, false);
    fakehal_gic_enable(&vcpus[0], true, 0xf8);
    fakehal_gic_enable(&vcpus[1], true, 0xf8);
    select_groups(0, DPG0);
    select_groups(1, DPG1);
    for (unsigned i = 0; i < 2; i++) {
        edge(40);
        cr_assert_eq(who_takes(2, 40), 1u);
        edge(41);
        cr_assert_eq(who_takes(2, 41), 0u);
    }
}

/* Signalled but not taken: it can still go to another. */
CASE(vgic_route, one_of_n_is_chosen_anew_until_it_is_taken)
{
    setup_any(2);
    edge(40);
    settle();
    cr_assert(fakehal_gic_signals(&vcpus[1]));
    select_groups(1, DPG1);
    settle();
    cr_assert_not(fakehal_gic_signals(&vcpus[1]));
    cr_assert_eq(guest_ack(0), 40u);
    select_groups(0, DPG1); /* it is active there, and must end there */
    select_groups(1, 0);
    edge(40);
    guest_takes(1, 1023);
    guest_eoi(0, 40);
    guest_takes(0, 1023);
    guest_takes(1, 40);
}

/* What an unloaded vCPU had goes to one that runs. */
CASE(vgic_route, one_of_n_leaves_a_vcpu_that_is_unloaded)
{
    setup_any(2);
    edge(40);
    settle();
    cr_assert(fakehal_gic_signals(&vcpus[1]));
    be(1);
    vgic_unload(&gic, 1);
    pcpu_of[1] = NOWHERE;
    guest_takes(0, 40);
    be(0);
    cr_assert_not(vgic_has_pending(&gic, 0), "WFI, where it is seen that 40 is over");
    edge(41);
    guest_takes(0, 41);
}

/* A CPU interface that takes none of its group is the second choice, until it is all there is. */
CASE(vgic_route, one_of_n_and_the_cpu_interface)
{
    setup_any(2);
    vcpus[1].gic.vmcr &= ~UINT64_C(2);
    be(1);
    vgic_has_pending(&gic, 1);
    for (unsigned i = 0; i < 3; i++) {
        edge(40);
        cr_assert_eq(who_takes(2, 40), 0u);
    }
    vcpus[0].gic.vmcr &= ~UINT64_C(2);
    be(0);
    vgic_has_pending(&gic, 0);
    edge(40);
    cr_assert_eq(who_takes(2, 40), NOWHERE);
    vcpus[1].gic.vmcr |= 2;
    memset(kicks, 0, sizeof(kicks));
    be(1);
    bool pending = vgic_has_pending(&gic, 1);
    settle();
    cr_assert(pending || kicks[1] == 1, "vCPU 1 sleeps on");
    guest_takes(1, 40);
}

CASE(vgic_route, from_one_of_n_to_one_and_back)
{
    setup_any(2);
    wake(0, false);
    wake(1, false);
    edge(40);
    cr_assert_eq(who_takes(2, 40), NOWHERE);
    dist_write(IROUTER + 8 * 40, 8, 1); /* sleep is no obstacle to what is meant for it */
    guest_takes(1, 40);
    dist_write(IROUTER + 8 * 40, 8, ANY | 1);
    edge(40);
    cr_assert_eq(who_takes(2, 40), NOWHERE);
    wake(0, true);
    guest_takes(0, 40);
}

/* --- Power --- */

static void power_down(unsigned cpu)
{
    be(cpu);
    vgic_unload(&gic, cpu);
    pcpu_of[cpu] = NOWHERE;
    vgic_cpu_reset(&gic, cpu);
    vcpus[cpu].gic.vmcr = 0;
    vcpus[cpu].gic.ap1r[0] = 0;
}

static void power_up(unsigned pcpu, unsigned cpu)
{
    pcpu_of[cpu] = pcpu;
    be(cpu);
    vgic_load(&gic, cpu);
    vgic_flush(&gic, cpu);
    fakehal_gic_enable(&vcpus[cpu], false, 0xf8);
}

/* The redistributor and the distributor keep their state, the CPU interface loses its own. */
CASE(vgic_route, what_survives_a_power_down)
{
    setup(2, 4);
    for (unsigned id = 1; id < 4; id++)
        irq_on(1, id, 0xa0 - 0x10 * id);
    irq_on(0, 40, 0x20);
    dist_write(IROUTER + 8 * 40, 8, 1);
    sgi(0, SGI1R(1, 2));
    cr_assert_eq(guest_ack(1), 1u);
    sgi(0, SGI1R(2, 2));
    sgi(0, SGI1R(1, 2));
    vgic_set_level(&gic, 1, 40, true);
    cr_assert_eq(guest_ack(1), 40u);
    wake(1, true);
    power_down(1);
    for (unsigned n = 0; n < 4; n++)
        cr_assert_eq(vcpus[1].gic.lr[n] >> 62, 0u, "list register %u", n);
    cr_assert_eq(redist_read(REDIST + 0x14, 4), 6u, "asleep");
    cr_assert(bit_read(0, 1, ISENABLER, 1) && bit_read(0, 1, IGROUPR, 1));
    cr_assert(bit_read(0, 1, ISPENDR, 1) && bit_read(0, 1, ISPENDR, 2) &&
              bit_read(0, 1, ISPENDR, 40));
    cr_assert(bit_read(0, 1, ISACTIVER, 1) && bit_read(0, 1, ISACTIVER, 40));
    power_up(1, 1);
    cr_assert_eq(guest_ack(1), 2u, "1 and 40 are active, and nothing runs");
    guest_eoi(1, 2);
    bit_write(1, 1, ICACTIVER, 1);
    guest_takes(1, 1);
    bit_write(0, 1, ICACTIVER, 40);
    guest_takes(1, 40);
}

/* What an SPI left active there can be ended, and sent to another, while it is off. */
CASE(vgic_route, an_spi_that_is_active_on_a_vcpu_that_is_off)
{
    setup(2, 4);
    irq_on(0, 40, 0x20);
    dist_write(IROUTER + 8 * 40, 8, 1);
    vgic_set_level(&gic, 1, 40, true);
    cr_assert_eq(guest_ack(1), 40u);
    power_down(1);
    dist_write(IROUTER + 8 * 40, 8, 0);
    guest_takes(0, 1023);
    bit_write(0, 0, ICACTIVER, 40);
    guest_takes(0, 40);
}

/* Its timer is reset with the vCPU: no interrupt is left of it, and none is held back. */
CASE(vgic_route, a_timer_does_not_survive_a_power_down)
{
    for (unsigned taken = 0; taken < 2; taken++) {
        setup(1, 4);
        vgic_map_hw(&gic, 0, TIMER, TIMER_HW);
        irq_on(0, TIMER, 0xa0);
        settle();
        hal_irq_activate(TIMER_HW);
        vgic_raise_hw(&gic, 0, TIMER);
        if (taken != 0)
            cr_assert_eq(guest_ack(0), TIMER);
        power_down(0);
        cr_assert_not(fakehal()->cpu[0].active[TIMER_HW]);
        power_up(0, 0);
        cr_assert_not(fakehal()->cpu[0].active[TIMER_HW]);
        cr_assert_eq(guest_ack(0), 1023u);
        cr_assert_eq(bit_read(0, 0, ISACTIVER, TIMER), taken != 0);
        bit_write(0, 0, ICACTIVER, TIMER);
        settle();
        hal_irq_activate(TIMER_HW);
        vgic_raise_hw(&gic, 0, TIMER);
        guest_takes(0, TIMER);
        settle();
        cr_assert_not(fakehal()->cpu[0].active[TIMER_HW]);
    }
}

CASE(vgic_route, one_of_n_leaves_a_vcpu_that_is_off)
{
    setup_any(2);
    edge(40);
    settle();
    power_down(1);
    guest_takes(0, 40);
    for (uint32_t i = 0; i < 4; i++) {
        edge(40 + i);
        guest_takes(0, 40 + i);
    }
    power_up(1, 1);
    wake(1, true);
    vgic_has_pending(&gic, 1);
    cr_assert_eq(guest_ack(0), 1023u);
    edge(44);
    cr_assert_eq(who_takes(2, 44), 1u);
}

/* Even to one that is not loaded either. */
CASE(vgic_route, one_of_n_of_a_vcpu_that_is_off_goes_to_any)
{
    setup_any(2);
    edge(40);
    be(0);
    vgic_unload(&gic, 0);
    pcpu_of[0] = NOWHERE;
    settle();
    cr_assert(fakehal_gic_signals(&vcpus[1]));
    memset(kicks, 0, sizeof(kicks));
    power_down(1);
    cr_assert_eq(kicks[0], 1u);
    pcpu_of[0] = 0;
    be(0);
    vgic_load(&gic, 0);
    guest_takes(0, 40);
}

/* The last one to leave: it waits for the first to come. */
CASE(vgic_route, one_of_n_waits_for_anybody)
{
    setup_any(2);
    power_down(1);
    wake(0, false);
    edge(40);
    guest_takes(0, 1023);
    power_up(1, 1);
    wake(1, true);
    guest_takes(1, 40);
}

CASE(vgic_route, what_asks_for_power)
{
    setup(2, 4);
    irq_on(1, 3, 0xa0);
    power_down(1);
    cr_assert_not(vgic_requests_wake(&gic, 1));
    memset(kicks, 0, sizeof(kicks));
    sgi(0, SGI1R(3, 2));
    cr_assert_eq(kicks[1], 1u);
    cr_assert(vgic_requests_wake(&gic, 1), "no mask of the CPU interface counts");
    bit_write(0, 1, ICENABLER, 3);
    cr_assert_not(vgic_requests_wake(&gic, 1));
    bit_write(0, 1, ISENABLER, 3);
    dist_write(D_CTLR, 4, 0);
    cr_assert_not(vgic_requests_wake(&gic, 1));
    dist_write(D_CTLR, 4, 2);
    bit_write(0, 1, ISACTIVER, 3);
    cr_assert_not(vgic_requests_wake(&gic, 1), "active");
}

static void reset_while_loaded(void *ctx)
{
    (void)ctx;
    vgic_cpu_reset(&gic, 0);
}

CASE(vgic_route, a_loaded_vcpu_is_not_reset)
{
    setup(1, 4);
    cr_assert(fakehal_expect_check(reset_while_loaded, NULL));
}

CASES_RUN(vgic_route, NULL, NULL)
