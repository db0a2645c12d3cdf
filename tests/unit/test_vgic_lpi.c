/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* LPIs on their way to the guest: list registers, those that wait for one, tables of the
 * redistributors. */
#include "its_fixture.h"
#include "vgic_cases.h"

#define DEV 1u

/* Event n of DEV is LPI 8192 + n, in collection 0. */
static void map_many(uint32_t count, unsigned (*priority)(uint32_t n))
{
    cr_assert(cmd_mapd(DEV, RAM + 0x300000, 16, true));
    for (uint32_t n = 0; n < count; n++) {
        configure(FIRST_LPI + n, priority(n), true);
        cr_assert(cmd_mapti(DEV, n, FIRST_LPI + n, 0));
    }
}

static unsigned same(uint32_t n)
{
    (void)n;
    return 0x80;
}

static unsigned falling(uint32_t n)
{
    return n < 30 ? 0xf0 - 8 * n : 0;
}

static unsigned mixed(uint32_t n)
{
    return 8 * (n * 7 % 31);
}

static void setup_lr(unsigned lrs)
{
    setup_its(2, lrs);
    cr_assert(cmd_mapc(0, 0, true));
    cr_assert(cmd_mapc(1, 1, true));
}

static void setup_cases(void)
{
    setup_lr(4);
}

CASE(vgic_lpi, most_important_first)
{
    map_many(200, mixed);
    for (uint32_t n = 0; n < 200; n++)
        cr_assert(cmd_int(DEV, n));
    unsigned last = 0;
    for (unsigned i = 0; i < 200; i++) {
        uint32_t got = guest_ack(0);
        cr_assert(got >= FIRST_LPI && got < FIRST_LPI + 200, "number %u: %u", i, got);
        cr_assert_geq(mixed(got - FIRST_LPI), last, "number %u comes late", got);
        last = mixed(got - FIRST_LPI);
        guest_eoi(0, got);
    }
    guest_takes(0, 1023);
}

/* Each is more important than all before it: those that wait take the place of those that do not.
 */
CASE(vgic_lpi, a_newcomer_takes_the_place_of_another)
{
    map_many(30, falling);
    cr_assert(cmd_mapd(2, RAM + 0x380000, 16, true));
    for (uint32_t n = 0; n < 40; n++) {
        configure(9000 + n, 0xf0, true);
        cr_assert(cmd_mapti(2, n, 9000 + n, 0));
        cr_assert(cmd_int(2, n));
    }
    for (uint32_t n = 0; n < 30; n++)
        cr_assert(cmd_int(DEV, n));
    for (uint32_t n = 30; n-- > 1;)
        guest_takes(0, FIRST_LPI + n);
    cr_expect_eq(guest_drains(0), 41u);
}

CASE(vgic_lpi, an_spi_goes_between)
{
    map_many(100, same);
    irq_on(0, 40, 0x40);
    irq_on(0, 41, 0xc0);
    for (uint32_t n = 0; n < 100; n++)
        cr_assert(cmd_int(DEV, n));
    bit_write(0, 0, ISPENDR, 41);
    bit_write(0, 0, ISPENDR, 40);
    guest_takes(0, 40);
    for (unsigned i = 0; i < 100; i++) {
        uint32_t got = guest_ack(0);
        cr_assert_geq(got, FIRST_LPI);
        guest_eoi(0, got);
    }
    guest_takes(0, 41);
    guest_takes(0, 1023);
}

CASE(vgic_lpi, wfi_sees_what_waits)
{
    map_many(60, same);
    for (uint32_t n = 0; n < 59; n++)
        cr_assert(cmd_int(DEV, n));
    fakehal_gic_enable(&vcpus[0], false, 0x80);
    settle();
    cr_expect_not(vgic_has_pending(&gic, 0), "0x80 is masked");
    configure(FIRST_LPI + 59, 0x10, true);
    cr_assert(cmd_inv(DEV, 59));
    cr_assert_eq(vgic_its_msi(&gic, DEV, 59), HV_OK);
    cr_expect(vgic_has_pending(&gic, 0), "before the flush that stages it");
    guest_takes(0, FIRST_LPI + 59);
    cr_expect_not(vgic_has_pending(&gic, 0));
}

CASE(vgic_lpi, changes_of_those_that_wait)
{
    map_many(60, same);
    for (uint32_t n = 0; n < 60; n++)
        cr_assert(cmd_int(DEV, n));
    settle();
    /* The last ones wait: cleared, disabled, moved, discarded, made important. */
    cr_assert(cmd_clear(DEV, 59));
    configure(FIRST_LPI + 58, 0x80, false);
    cr_assert(cmd_inv(DEV, 58));
    cr_assert(cmd_movi(DEV, 57, 1));
    cr_assert(cmd_discard(DEV, 56));
    configure(FIRST_LPI + 55, 0x08, true);
    cr_assert(cmd_inv(DEV, 55));
    guest_takes(1, FIRST_LPI + 57);
    guest_takes(1, 1023);
    guest_takes(0, FIRST_LPI + 55);
    cr_expect_eq(guest_drains(0), 55u);
    configure(FIRST_LPI + 58, 0x80, true);
    cr_assert(cmd_inv(DEV, 58));
    guest_takes(0, FIRST_LPI + 58);
    guest_takes(0, 1023);
}

CASE(vgic_lpi, movall_takes_those_that_wait)
{
    map_many(100, same);
    for (uint32_t n = 0; n < 100; n++)
        cr_assert(cmd_int(DEV, n));
    settle();
    cr_assert(cmd_movall(0, 1));
    guest_takes(0, 1023);
    cr_expect_eq(guest_drains(1), 100u);
}

CASE(vgic_lpi, group_1_off_and_on)
{
    map_many(50, same);
    dist_write(D_CTLR, 4, 0);
    for (uint32_t n = 0; n < 50; n++)
        cr_assert(cmd_int(DEV, n));
    guest_takes(0, 1023);
    cr_expect_not(vgic_has_pending(&gic, 0));
    dist_write(D_CTLR, 4, 2);
    cr_expect_eq(guest_drains(0), 50u);
}

/* Pending again while the guest handles it: once more after the EOI. */
static void check_again(bool split)
{
    map_many(2, same);
    if (split)
        vcpus[0].gic.vmcr |= 1u << 9;
    cr_assert(cmd_int(DEV, 0));
    cr_assert_eq(guest_ack(0), FIRST_LPI);
    cr_assert(cmd_int(DEV, 0));
    cr_assert(cmd_int(DEV, 0));
    settle();
    cr_assert_eq(guest_ack(0), 1023u, "no preemption by the same priority");
    guest_eoi(0, FIRST_LPI);
    guest_takes(0, FIRST_LPI);
    guest_takes(0, 1023);
    cr_assert(cmd_int(DEV, 1));
    guest_takes(0, FIRST_LPI + 1);
    cr_assert(cmd_int(DEV, 1));
    guest_takes(0, FIRST_LPI + 1);
    guest_takes(0, 1023);
}

CASE(vgic_lpi, pending_again)
{
    check_again(false);
}

CASE(vgic_lpi, pending_again_with_split_eoi)
{
    check_again(true);
}

CASE(vgic_lpi, pending_again_where_list_registers_become_active)
{
    fakehal()->lpi_active = true;
    check_again(false);
}

CASE(vgic_lpi, where_an_active_list_register_is_never_deactivated)
{
    map_many(1, same);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert(cmd_int(DEV, 0));
        guest_takes(0, FIRST_LPI);
        /* What QEMU 7.2 leaves behind with EOImode 1. */
        for (unsigned n = 0; n < 4; n++)
            if ((uint32_t)vcpus[0].gic.lr[n] == FIRST_LPI)
                vcpus[0].gic.lr[n] |= LR_ACTIVE;
    }
    guest_takes(0, 1023);
}

CASE(vgic_lpi, taken_here_and_moved_meanwhile)
{
    map_many(1, same);
    cr_assert(cmd_int(DEV, 0));
    cr_assert_eq(guest_ack(0), FIRST_LPI);
    cr_assert(cmd_movi(DEV, 0, 1));
    cr_assert(cmd_int(DEV, 0));
    guest_takes(1, FIRST_LPI);
    guest_eoi(0, FIRST_LPI);
    guest_takes(0, 1023);
    guest_takes(1, 1023);
}

/* vCPU 0 does not run, and looks at nothing: what it has not taken need not wait for it. */
CASE(vgic_lpi, moved_from_a_vcpu_that_does_not_run)
{
    map_many(2, same);
    cr_assert_eq(vgic_its_msi(&gic, DEV, 0), HV_OK);
    cr_assert(vgic_needs_flush(&gic, 0));
    fakehal()->self = 1;
    uint64_t at = its_read(G_CWRITER, 8);
    uint64_t cmd[4] = {(uint64_t)DEV << 32 | 0x01, 0, 1, 0};
    memcpy((char *)guest(QUEUE) + at, cmd, sizeof(cmd));
    at += sizeof(cmd);
    cr_assert(its_access(1, true, G_CWRITER, 8, &at));
    vgic_flush(&gic, 1);
    cr_expect_eq(fakehal_gic_ack(&vcpus[1]), FIRST_LPI);
    guest_eoi(1, FIRST_LPI);
    guest_takes(0, 1023);
    guest_takes(1, 1023);
}

/* What asks for a vCPU that is powered down: those that wait, too. */
CASE(vgic_lpi, wakes_a_vcpu)
{
    map_many(40, same);
    for (uint32_t n = 0; n < 40; n++)
        cr_assert(cmd_int(DEV, n));
    settle();
    cr_assert(cmd_movi(DEV, 39, 1)); /* it waited */
    be(0);
    vgic_unload(&gic, 0);
    pcpu_of[0] = NOWHERE;
    be(1);
    vgic_cpu_reset(&gic, 0);
    /* The first 32 go, so that the queue is empty and seven wait. */
    for (uint32_t n = 0; n < 32; n++) {
        uint64_t at = 0;
        cr_assert(its_access(1, false, G_CWRITER, 8, &at));
        uint64_t cmd[4] = {(uint64_t)DEV << 32 | 0x01, n, 1, 0};
        memcpy((char *)guest(QUEUE) + at, cmd, sizeof(cmd));
        at += sizeof(cmd);
        cr_assert(its_access(1, true, G_CWRITER, 8, &at));
        pump();
    }
    cr_expect(vgic_requests_wake(&gic, 0));
    cr_expect_eq(guest_drains(1), 33u);
    pcpu_of[0] = 0;
    be(0);
    vgic_load(&gic, 0);
    fakehal_gic_enable(&vcpus[0], false, 0xf8);
    cr_expect_eq(guest_drains(0), 7u);
    vgic_unload(&gic, 0);
    cr_expect_not(vgic_requests_wake(&gic, 0));
}

/* --- Tables of the redistributors --- */

static void restart(unsigned cpus)
{
    teardown_its();
    setup_lpis(cpus, 4);
}

CASE(vgic_lpi, pending_table_is_loaded)
{
    restart(2);
    uint8_t *pending = guest(PENDING(1));
    pending[8192 / 8] = 0x05;
    pending[65535 / 8] = 0x80;
    pending[0] = 0xff; /* no LPIs */
    configure(8192, 0x80, true);
    configure(8194, 0x80, true);
    configure(65535, 0x80, true);
    redist_of(1, R_PROPBASER, 8, CONFIGS | 15);
    redist_of(1, R_PENDBASER, 8, PENDING(1));
    redist_of(1, R_CTLR, 4, 1);
    pump();
    guest_takes(1, 8192);
    guest_takes(1, 8194);
    guest_takes(1, 65535);
    guest_takes(1, 1023);
}

CASE(vgic_lpi, pending_table_is_not_loaded_if_it_is_zero)
{
    restart(1);
    ((uint8_t *)guest(PENDING(0)))[1024] = 0xff;
    configure(8192, 0x80, true);
    redist_of(0, R_PROPBASER, 8, CONFIGS | 15);
    redist_of(0, R_PENDBASER, 8, PENDING(0) | PTZ);
    redist_of(0, R_CTLR, 4, 1);
    pump();
    guest_takes(0, 1023);
    cr_expect_null(gic.its.chunk);
}

CASE(vgic_lpi, table_sizes)
{
    restart(1);
    memset(guest(PENDING(0)), 0xff, 0x2000);
    memset(guest(CONFIGS), 0x81, 57344);
    redist_of(0, R_PROPBASER, 8, CONFIGS | 13); /* 14 bits */
    redist_of(0, R_PENDBASER, 8, PENDING(0));
    redist_of(0, R_CTLR, 4, 1);
    pump();
    cr_expect_eq(guest_drains(0), 8192u);
    enable_its();
    cr_assert(cmd_mapc(0, 0, true));
    cr_assert(cmd_mapd(DEV, ITT(0), 5, true));
    cr_assert(cmd_mapti(DEV, 0, 16384, 0));
    cr_assert(cmd_int(DEV, 0));
    guest_takes(0, 1023);
    cr_assert(cmd_mapti(DEV, 1, 16383, 0));
    cr_assert(cmd_int(DEV, 1));
    guest_takes(0, 16383);
    cr_assert(cmd_invall(0));
    guest_takes(0, 1023);
}

CASE(vgic_lpi, no_table_at_all)
{
    restart(1);
    redist_of(0, R_PROPBASER, 8, CONFIGS | 11);
    redist_of(0, R_PENDBASER, 8, PENDING(0));
    memset(guest(PENDING(0)), 0xff, 0x2000);
    redist_of(0, R_CTLR, 4, 1);
    pump();
    guest_takes(0, 1023);
}

CASE(vgic_lpi, tables_outside_of_memory)
{
    restart(1);
    redist_of(0, R_PROPBASER, 8, (HOLE - 0x1000) | 31);
    redist_of(0, R_PENDBASER, 8, UINT64_C(0xffffffff0000));
    redist_of(0, R_CTLR, 4, 1);
    pump();
    enable_its();
    cr_assert(cmd_mapc(0, 0, true));
    cr_assert(cmd_mapd(DEV, RAM + 0x300000, 16, true));
    ((uint8_t *)guest(HOLE - 0x1000))[4095] = 0x81;
    cr_assert(cmd_mapti(DEV, 0, 8192 + 4095, 0));
    cr_assert(cmd_mapti(DEV, 1, 8192 + 4096, 0));
    cr_assert(cmd_int(DEV, 0));
    cr_assert(cmd_int(DEV, 1));
    guest_takes(0, 8192 + 4095);
    guest_takes(0, 1023);
}

CASE(vgic_lpi, pending_table_beyond_the_quota)
{
    restart(1);
    its_account.limit = its_account.used + 8;
    memset(guest(PENDING(0)), 0xff, 0x2000);
    memset(guest(CONFIGS), 0x81, 57344);
    enable_lpis(0);
    guest_takes(0, 1023); /* PTZ */
    restart(1);
    its_account.limit = its_account.used + 8;
    memset(guest(PENDING(0)), 0xff, 0x2000);
    memset(guest(CONFIGS), 0x81, 57344);
    redist_of(0, R_PROPBASER, 8, CONFIGS | 15);
    redist_of(0, R_PENDBASER, 8, PENDING(0));
    redist_of(0, R_CTLR, 4, 1);
    pump();
    cr_expect_gt(gic.its.errors, 0u);
    cr_expect_gt(guest_drains(0), 100u, "what there was room for");
}

CASE(vgic_lpi, no_page_for_the_first_one)
{
    restart(1);
    enable_lpis(0);
    enable_its();
    cr_assert(cmd_mapc(0, 0, true));
    cr_assert(cmd_mapd(DEV, ITT(0), 5, true));
    cr_assert(cmd_movall(0, 0), "there is nothing to move");
    page_pool_fail_nth(&its_pool, 1);
    cr_expect_not(cmd_mapti(DEV, 0, 8192, 0));
    page_pool_fail_nth(&its_pool, 2);
    cr_expect_not(cmd_mapti(DEV, 0, 8192, 0));
    cr_expect(cmd_mapti(DEV, 0, 8192, 0));
}

/* The ITS is set up before the redistributor. */
CASE(vgic_lpi, enabled_after_it_was_mapped)
{
    restart(2);
    enable_its();
    cr_assert(cmd_mapc(0, 0, true));
    cr_assert(cmd_mapd(DEV, ITT(0), 5, true));
    configure(8192, 0x80, true);
    cr_assert(cmd_mapti(DEV, 0, 8192, 0));
    cr_expect_not(cmd_int(DEV, 0), "LPIs are not enabled");
    cr_expect_not(cmd_inv(DEV, 0));
    cr_expect_not(cmd_invall(0));
    cr_expect_not(cmd_movall(1, 0));
    enable_lpis(0);
    cr_assert(cmd_int(DEV, 0));
    cr_assert(cmd_mapc(1, 1, true));
    cr_expect_not(cmd_movi(DEV, 0, 1), "the other vCPU's are not");
    guest_takes(0, 8192);
}

/* Enabled by another vCPU, which may run on at once. */
CASE(vgic_lpi, one_vcpu_enables_for_another)
{
    restart(2);
    ((uint8_t *)guest(PENDING(1)))[1024] = 1;
    configure(8192, 0x80, true);
    redist_of(1, R_PROPBASER, 8, CONFIGS | 15);
    redist_of(1, R_PENDBASER, 8, PENDING(1));
    redist_of(1, R_CTLR, 4, 1);
    cr_assert(vgic_needs_flush(&gic, 0));
    fakehal()->self = 0;
    vgic_flush(&gic, 0);
    guest_takes(1, 8192);
}

CASES_RUN(vgic_lpi, setup_cases, teardown_its)
