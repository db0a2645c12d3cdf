/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* vCPUs that are unloaded and loaded, here and elsewhere, with interrupts in flight. */
#include "vgic_cases.h"

static bool hw_active(unsigned pcpu)
{
    return fakehal()->cpu[pcpu].active[TIMER_HW];
}

/* The physical timer interrupt arrives on `pcpu`, where vCPU `cpu` is loaded. */
static void timer_fires(unsigned pcpu, unsigned cpu)
{
    fakehal()->self = pcpu;
    cr_assert_not(hw_active(pcpu), "could not have arrived");
    hal_irq_activate(TIMER_HW);
    vgic_raise_hw(&gic, cpu, TIMER);
}

static void unload(unsigned pcpu, unsigned cpu)
{
    cr_assert_eq(pcpu_of[cpu], pcpu);
    be(cpu);
    vgic_unload(&gic, cpu);
    pcpu_of[cpu] = NOWHERE;
}

static void load(unsigned pcpu, unsigned cpu)
{
    cr_assert_eq(pcpu_of[cpu], NOWHERE);
    pcpu_of[cpu] = pcpu;
    be(cpu);
    vgic_load(&gic, cpu);
    vgic_flush(&gic, cpu);
}

static void setup_timers(unsigned cpus)
{
    setup(cpus, 4);
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        vgic_map_hw(&gic, cpu, TIMER, TIMER_HW);
        irq_on(cpu, TIMER, 0xa0);
    }
    settle();
}

/* Active on vCPU 0, which moves from pCPU 0 to 1 and ends it there. */
CASE(vgic_move, an_active_timer_comes_along)
{
    setup_timers(1);
    timer_fires(0, 0);
    cr_assert_eq(fakehal_gic_ack(&vcpus[0]), TIMER);
    unload(0, 0);
    cr_assert_not(hw_active(0), "the next vCPU's timer would not fire");
    load(1, 0);
    cr_assert(hw_active(1));
    cr_assert_not(hw_active(0));
    cr_assert_eq(vcpus[0].gic.lr[0] >> 61, 5u, "active, hardware");
    fakehal()->self = 1;
    fakehal_gic_eoi(&vcpus[0], TIMER);
    cr_assert_not(hw_active(1));
    unload(1, 0);
    load(0, 0);
    cr_assert_not(hw_active(0), "it is over");
    timer_fires(0, 0);
    guest_takes(0, TIMER);
    cr_assert_not(hw_active(0));
}

CASE(vgic_move, a_timer_not_yet_taken_comes_along)
{
    setup_timers(1);
    timer_fires(0, 0);
    unload(0, 0);
    cr_assert_not(hw_active(0));
    load(1, 0);
    cr_assert(hw_active(1));
    fakehal()->self = 1;
    cr_assert_eq(fakehal_gic_ack(&vcpus[0]), TIMER);
    fakehal_gic_eoi(&vcpus[0], TIMER);
    cr_assert_not(hw_active(1));
    cr_assert_eq(fakehal_gic_ack(&vcpus[0]), 1023u, "once");
}

/* Each has its own active one; they take turns on one pCPU. */
CASE(vgic_move, two_vcpus_share_a_pcpu)
{
    setup_timers(2);
    unload(0, 0);
    unload(1, 1);
    load(0, 0);
    timer_fires(0, 0);
    cr_assert_eq(fakehal_gic_ack(&vcpus[0]), TIMER);
    unload(0, 0);
    load(0, 1);
    cr_assert_not(hw_active(0));
    timer_fires(0, 1);
    cr_assert_eq(fakehal_gic_ack(&vcpus[1]), TIMER);
    unload(0, 1);
    load(0, 0);
    cr_assert(hw_active(0));
    fakehal_gic_eoi(&vcpus[0], TIMER);
    unload(0, 0);
    load(0, 1);
    cr_assert(hw_active(0));
    fakehal_gic_eoi(&vcpus[1], TIMER);
    cr_assert_not(hw_active(0));
}

/* The guest takes back what it has not acknowledged: nothing is left on either side. */
CASE(vgic_move, withdrawn_while_unloaded)
{
    setup_timers(2);
    timer_fires(0, 0);
    unload(0, 0);
    bit_write(1, 0, ICPENDR, TIMER);
    load(1, 0);
    cr_assert_not(hw_active(1));
    cr_assert_eq(fakehal_gic_ack(&vcpus[0]), 1023u);
    timer_fires(1, 0);
    cr_assert_eq(fakehal_gic_ack(&vcpus[0]), TIMER);
    unload(1, 0);
    bit_write(1, 0, ICACTIVER, TIMER);
    load(0, 0);
    cr_assert_not(hw_active(0));
    cr_assert_not(hw_active(1));
    cr_assert_eq(vcpus[0].gic.lr[0] >> 62, 0u);
}

/* Nothing in flight: no call of the HAL, and no flush afterwards. */
CASE(vgic_move, costs_nothing_at_rest)
{
    setup_timers(1);
    timer_fires(0, 0);
    guest_takes(0, TIMER);
    unload(0, 0);
    load(0, 0);
    uint64_t before = fakehal()->log_len;
    for (unsigned i = 0; i < 3; i++) {
        unload(0, 0);
        cr_assert_not(vgic_needs_flush(&gic, 0));
        load(0, 0);
    }
    cr_assert_eq(fakehal()->log_len, before);
    cr_assert_eq(kicks[0], 0u);
}

/* What waits in an unloaded vCPU's queue can be sent elsewhere without its help. */
CASE(vgic_move, a_new_route_takes_effect_while_unloaded)
{
    setup(2, 4);
    irq_on(0, 40, 0xa0);
    irq_on(0, 41, 0xa0);
    vgic_set_level(&gic, 0, 40, true);
    vgic_set_level(&gic, 0, 41, true);
    cr_assert_eq(guest_ack(0), 40u);
    unload(0, 0);
    cr_assert(dist(1, true, IROUTER + 8 * 40, 8, &(uint64_t){1}));
    cr_assert(dist(1, true, IROUTER + 8 * 41, 8, &(uint64_t){1}));
    vgic_flush(&gic, 1);
    cr_assert_eq(fakehal_gic_ack(&vcpus[1]), 41u, "not 40: vCPU 0 has not ended it");
    fakehal_gic_eoi(&vcpus[1], 41);
    vgic_set_level(&gic, 0, 41, false);
    load(0, 0);
    guest_eoi(0, 40);
    guest_takes(0, 1023);
    guest_takes(1, 40);
}

/* It was marked for vCPU 0, which has not looked yet when it is sent to vCPU 1. */
CASE(vgic_move, a_new_route_before_the_old_one_was_looked_at)
{
    setup(2, 4);
    irq_on(0, 40, 0xa0);
    settle();
    vgic_set_level(&gic, 0, 40, true);
    cr_assert(dist(1, true, IROUTER + 8 * 40, 8, &(uint64_t){1}));
    be(1);
    vgic_flush(&gic, 1);
    be(0);
    vgic_flush(&gic, 0);
    cr_assert_eq(fakehal_gic_ack(&vcpus[0]), 1023u);
    cr_assert_eq(fakehal_gic_ack(&vcpus[1]), 40u);
    vgic_set_level(&gic, 0, 40, false);
    guest_eoi(1, 40);
    guest_takes(1, 1023);
}

/* Reading needs no vCPU to come and tell: the state is known. */
CASE(vgic_move, the_state_of_an_unloaded_vcpu_is_known)
{
    setup(2, 4);
    irq_on(0, 40, 0xa0);
    dist_write(ICFGR + 8, 4, 2u << 16);
    vgic_set_level(&gic, 0, 40, true);
    cr_assert_eq(guest_ack(0), 40u);
    unload(0, 0);
    unsigned before = kicks[0];
    for (unsigned i = 0; i < 3; i++)
        cr_assert(bit_read(1, 0, ISACTIVER, 40));
    cr_assert_eq(kicks[0], before);
    bit_write(1, 0, ICACTIVER, 40);
    cr_assert_not(bit_read(1, 0, ISACTIVER, 40));
    bit_write(1, 0, ISACTIVER, 40);
    cr_assert(bit_read(1, 0, ISACTIVER, 40));
    load(1, 0);
    fakehal()->self = 1;
    fakehal_gic_eoi(&vcpus[0], 40);
    unload(1, 0);
    cr_assert_not(bit_read(1, 0, ISACTIVER, 40));
}

/* An EOI without a list register is counted, and the count is not lost with the pCPU. */
CASE(vgic_move, counted_eois_are_taken_over)
{
    setup(2, 1);
    irq_on(0, 1, 0xa0);
    irq_on(0, 2, 0x80);
    sgi(0, SGI1R(1, 1));
    cr_assert_eq(guest_ack(0), 1u);
    sgi(0, SGI1R(2, 1));
    cr_assert_eq(guest_ack(0), 2u);
    guest_eoi(0, 2);
    sgi(0, SGI1R(2, 1));
    settle();
    cr_assert(bit_read(1, 0, ISACTIVER, 1));
    guest_eoi(0, 1);
    unload(0, 0);
    cr_assert_not(bit_read(1, 0, ISACTIVER, 1));
    load(1, 0);
    fakehal()->self = 1;
    cr_assert_eq(fakehal_gic_ack(&vcpus[0]), 2u);
}

CASES_RUN(vgic_move, NULL, NULL)
