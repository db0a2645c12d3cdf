/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What one CPU does to an interrupt that another one has in a list register, or none: ICC_DIR_EL1
 * with EOImode = 1, and when a disable has arrived (RWP). */
#include "vgic_cases.h"

#define VEOIM UINT64_C(0x200) /* ICH_VMCR_EL2 */

static void setup_split(unsigned cpus, unsigned lrs)
{
    setup(cpus, lrs);
    for (unsigned cpu = 0; cpu < cpus; cpu++)
        vcpus[cpu].gic.vmcr |= VEOIM;
}

static bool is_active(unsigned cpu, unsigned intid)
{
    return bit_read(cpu, cpu, ISACTIVER, intid);
}

static void route(unsigned intid, unsigned cpu)
{
    dist_write(IROUTER + UINT64_C(8) * intid, 8, cpu);
}

/* SPI `intid` is acknowledged by vCPU `cpu`, and its priority dropped. */
static void begin(unsigned cpu, unsigned intid)
{
    route(intid, cpu);
    irq_on(0, intid, 0xa0);
    bit_write(0, 0, ISPENDR, intid);
    cr_assert_eq(guest_ack(cpu), intid);
    guest_eoi(cpu, intid);
    settle();
}

/* --- ICC_DIR_EL1 --- */

CASE(vgic_dir, at_once_in_an_own_list_register)
{
    setup_split(1, 4);
    begin(0, 40);
    cr_assert_eq(vcpus[0].gic.lr[0] & (LR_PENDING | LR_ACTIVE), LR_ACTIVE);
    guest_dir(0, 40);
    cr_assert_not(vgic_needs_flush(&gic, 0));
    cr_assert_eq(vcpus[0].gic.lr[0] & (LR_PENDING | LR_ACTIVE), 0);
    cr_assert_not(is_active(0, 40));
    begin(0, 40);
    bit_write(0, 0, ISPENDR, 40);
    guest_takes(0, 1023);
    guest_dir(0, 40);
    cr_assert_eq(vcpus[0].gic.lr[0] & (LR_PENDING | LR_ACTIVE), LR_PENDING);
    guest_takes(0, 40);
}

CASE(vgic_dir, of_an_spi_that_another_has_in_a_list_register)
{
    setup_split(2, 4);
    begin(1, 40);
    kicks[1] = 0;
    guest_dir(0, 40);
    cr_assert_eq(kicks[1], 1u);
    cr_assert_not(is_active(0, 40), "whatever its list register says");
    settle();
    cr_assert_eq(vcpus[1].gic.lr[0] & (LR_PENDING | LR_ACTIVE), 0);
    cr_assert_not(is_active(0, 40));
    bit_write(0, 0, ISPENDR, 40);
    guest_takes(1, 40);
}

CASE(vgic_dir, of_an_spi_of_one_that_waits_for_a_pcpu)
{
    setup_split(2, 4);
    begin(1, 40);
    bit_write(0, 0, ISPENDR, 40);
    route(40, 0);
    guest_takes(0, 1023);
    be(1);
    vgic_unload(&gic, 1);
    pcpu_of[1] = NOWHERE;
    guest_takes(0, 1023);
    cr_assert(is_active(0, 40), "it stays with vCPU 1");
    guest_dir(0, 40);
    guest_takes(0, 40);
}

CASE(vgic_dir, exact_without_a_list_register)
{
    setup_split(1, 1);
    for (unsigned i = 0; i < 3; i++) {
        irq_on(0, 40 + i, 0xa0 - 0x20 * i);
        bit_write(0, 0, ISPENDR, 40 + i);
        cr_assert_eq(guest_ack(0), 40 + i);
    }
    for (unsigned i = 0; i < 3; i++)
        guest_eoi(0, 42 - i);
    settle();
    guest_dir(0, 40);
    settle();
    cr_assert_not(is_active(0, 40), "the least important of three");
    cr_assert(is_active(0, 41));
    cr_assert(is_active(0, 42));
    guest_dir(0, 42);
    settle();
    cr_assert(is_active(0, 41));
    cr_assert_not(is_active(0, 42));
    guest_dir(0, 41);
    settle();
    cr_assert_not(is_active(0, 41));
}

CASE(vgic_dir, private_interrupts_are_the_cpus_own)
{
    setup_split(2, 4);
    irq_on(1, 3, 0xa0);
    sgi(1, SGI1R(3, 2));
    cr_assert_eq(guest_ack(1), 3u);
    guest_eoi(1, 3);
    guest_dir(0, 3);
    settle();
    cr_assert(is_active(1, 3));
    guest_dir(1, 3);
    cr_assert_not(is_active(1, 3));
}

CASE(vgic_dir, deactivates_the_physical_interrupt)
{
    setup_split(1, 4);
    vgic_map_hw(&gic, 0, TIMER, TIMER_HW);
    irq_on(0, TIMER, 0xa0);
    for (unsigned again = 0; again < 2; again++) {
        hal_irq_activate(TIMER_HW);
        vgic_raise_hw(&gic, 0, TIMER);
        cr_assert_eq(guest_ack(0), TIMER);
        guest_eoi(0, TIMER);
        cr_assert(fakehal()->cpu[0].active[TIMER_HW]);
        if (again == 1)
            bit_write(0, 0, ISPENDR, TIMER);
        guest_dir(0, TIMER);
        if (again == 1) {
            guest_takes(0, TIMER);
            guest_dir(0, TIMER);
        }
        settle();
        cr_assert_not(fakehal()->cpu[0].active[TIMER_HW]);
    }
}

CASE(vgic_dir, ignored_where_it_means_nothing)
{
    static const uint32_t intids[] = {39, 96, 1019, 1020, 1023, 8192, 0xffffff};
    setup_split(1, 4);
    begin(0, 40);
    for (unsigned i = 0; i < sizeof(intids) / sizeof(intids[0]); i++) {
        guest_dir(0, intids[i]);
        settle();
        cr_assert(is_active(0, 40), "ICC_DIR of %u", intids[i]);
    }
    vcpus[0].gic.vmcr &= ~VEOIM;
    guest_dir(0, 40);
    cr_assert(is_active(0, 40), "EOImode 0");
}

/* --- RWP --- */

enum { DIST, REDIST_0, REDIST_1, NR_RWP };

static void expect_rwp(unsigned which, const char *when)
{
    bool got[NR_RWP] = {
        is_write_pending(0, 0, 32),
        is_write_pending(0, 0, 0),
        is_write_pending(0, 1, 0),
    };
    for (unsigned i = 0; i < NR_RWP; i++)
        cr_assert_eq(got[i], i == which, "RWP %u, %s", i, when);
}

/* Pending in vCPU 1's list register, while its guest runs. */
static void pend_at_1(unsigned intid)
{
    route(40, 1);
    irq_on(1, intid, 0xa0);
    bit_write(0, 1, ISPENDR, intid);
    settle();
    cr_assert(fakehal_gic_signals(&vcpus[1]));
}

CASE(vgic_dir, rwp_until_the_disable_is_where_the_interrupt_is)
{
    static const struct {
        unsigned intid;
        unsigned which;
    } rows[] = {{40, DIST}, {20, REDIST_1}, {3, REDIST_1}};
    setup(2, 4);
    for (unsigned i = 0; i < 3; i++) {
        pend_at_1(rows[i].intid);
        expect_rwp(NR_RWP, "nothing is disabled");
        bit_write(0, 1, ICENABLER, rows[i].intid);
        expect_rwp(rows[i].which, "disabled");
        settle();
        expect_rwp(NR_RWP, "after a flush");
        guest_takes(1, 1023);
        bit_write(0, 1, ICENABLER, rows[i].intid);
        expect_rwp(NR_RWP, "it was disabled");
        bit_write(0, 1, ICPENDR, rows[i].intid);
    }
}

CASE(vgic_dir, rwp_of_group_enables)
{
    setup(2, 4);
    dist_write(D_CTLR, 4, 0);
    expect_rwp(NR_RWP, "no list register is in use");
    dist_write(D_CTLR, 4, 2);
    settle();
    pend_at_1(40);
    dist_write(D_CTLR, 4, 3);
    expect_rwp(NR_RWP, "an enable");
    settle();
    dist_write(D_CTLR, 4, 1);
    expect_rwp(DIST, "a disable");
    settle();
    expect_rwp(NR_RWP, "after a flush");
    guest_takes(1, 1023);
}

CASE(vgic_dir, rwp_of_one_that_leaves_its_pcpu)
{
    setup(2, 4);
    pend_at_1(40);
    bit_write(0, 0, ICENABLER, 40);
    expect_rwp(DIST, "disabled");
    be(1);
    vgic_unload(&gic, 1);
    pcpu_of[1] = NOWHERE;
    expect_rwp(NR_RWP, "unloaded");
    bit_write(0, 0, ISENABLER, 40);
    bit_write(0, 0, ICENABLER, 40);
    expect_rwp(NR_RWP, "in no list register");
}

CASE(vgic_dir, rwp_of_two_disables)
{
    setup(2, 4);
    pend_at_1(40);
    pend_at_1(3);
    bit_write(0, 0, ICENABLER, 40);
    settle();
    bit_write(0, 1, ICENABLER, 3);
    expect_rwp(REDIST_1, "the first one has arrived");
}

CASES_RUN(vgic_dir, NULL, NULL)
