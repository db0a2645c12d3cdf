/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The ITS, command by command and error by error: what it is told, what it makes of hostile tables,
 * and that a long queue is served a piece at a time. */
#include "its_fixture.h"

#define DEV   0x1234u
#define LPI_A 8200u
#define LPI_B 8300u

static void map_one(uint32_t device, uint32_t event, uint32_t intid, uint32_t collection)
{
    configure(intid, 0x80, true);
    cr_assert(cmd_mapti(device, event, intid, collection));
}

static void setup(void)
{
    setup_its(2, 4);
    cr_assert(cmd_mapc(0, 0, true));
    cr_assert(cmd_mapc(1, 1, true));
    cr_assert(cmd_mapd(DEV, ITT(0), 5, true));
    map_one(DEV, 3, LPI_A, 0);
    map_one(DEV, 4, LPI_B, 1);
}

CASE(its, int_reaches_the_vcpu_of_the_collection)
{
    cr_assert(cmd_int(DEV, 3));
    guest_takes(1, 1023);
    guest_takes(0, LPI_A);
    guest_takes(0, 1023);
    cr_assert(cmd_int(DEV, 4));
    guest_takes(0, 1023);
    guest_takes(1, LPI_B);
    guest_takes(1, 1023);
}

CASE(its, clear_takes_it_back)
{
    cr_assert(cmd_int(DEV, 3));
    settle(); /* it is in a list register */
    cr_assert(cmd_clear(DEV, 3));
    guest_takes(0, 1023);
}

CASE(its, mapi_takes_the_event_for_the_intid)
{
    cr_assert(cmd_mapd(7, RAM + 0x300000, 14, true));
    configure(8192, 0x40, true);
    cr_assert(cmd_mapi(7, 8192, 1));
    cr_assert(cmd_int(7, 8192));
    guest_takes(1, 8192);
    cr_expect_not(cmd_mapi(7, 8191, 1), "no LPI");
    cr_expect_not(cmd_mapi(7, 0x4000, 1), "no event of the device");
}

CASE(its, movi_takes_the_pending_state_along)
{
    cr_assert(cmd_int(DEV, 3));
    settle();
    cr_assert(cmd_movi(DEV, 3, 1));
    guest_takes(0, 1023);
    guest_takes(1, LPI_A);
    cr_assert(cmd_int(DEV, 3));
    guest_takes(0, 1023);
    guest_takes(1, LPI_A);
}

CASE(its, movall_moves_what_is_pending)
{
    map_one(DEV, 5, 9000, 0);
    cr_assert(cmd_int(DEV, 3));
    cr_assert(cmd_int(DEV, 5));
    settle();
    cr_assert(cmd_movall(0, 1));
    guest_takes(0, 1023);
    guest_takes(1, LPI_A);
    guest_takes(1, 9000);
    /* The collection was not moved. */
    cr_assert(cmd_int(DEV, 3));
    guest_takes(0, LPI_A);
}

CASE(its, mapc_moves_a_collection)
{
    cr_assert(cmd_mapc(0, 1, true));
    cr_assert(cmd_int(DEV, 3));
    guest_takes(0, 1023);
    guest_takes(1, LPI_A);
    cr_assert(cmd_mapc(0, 0, false));
    cr_expect_not(cmd_int(DEV, 3));
    cr_assert(cmd_mapc(0, 0, true));
    cr_assert(cmd_int(DEV, 3));
    guest_takes(0, LPI_A);
}

CASE(its, an_event_may_be_mapped_before_its_collection)
{
    configure(8500, 0x80, true);
    cr_assert(cmd_mapti(DEV, 9, 8500, 77));
    cr_expect_not(cmd_int(DEV, 9));
    cr_assert(cmd_mapc(77, 1, true));
    cr_assert(cmd_int(DEV, 9));
    guest_takes(1, 8500);
}

CASE(its, discard_forgets_translation_and_pending_state)
{
    cr_assert(cmd_int(DEV, 3));
    settle();
    cr_assert(cmd_discard(DEV, 3));
    guest_takes(0, 1023);
    cr_expect_not(cmd_int(DEV, 3));
    cr_expect_not(cmd_clear(DEV, 3));
    cr_expect_not(cmd_discard(DEV, 3));
    cr_assert(cmd_mapti(DEV, 3, LPI_A, 1));
    guest_takes(1, 1023);
    cr_assert(cmd_int(DEV, 3));
    guest_takes(1, LPI_A);
}

CASE(its, mapd_unmaps_a_device)
{
    cr_assert(cmd_mapd(DEV, 0, 1, false));
    cr_expect_not(cmd_int(DEV, 3));
    cr_expect_not(cmd_mapti(DEV, 3, LPI_A, 0));
}

CASE(its, configuration_is_cached_until_inv)
{
    configure(LPI_A, 0x80, false);
    cr_assert(cmd_int(DEV, 3));
    guest_takes(0, LPI_A);
    cr_assert(cmd_inv(DEV, 3));
    cr_assert(cmd_int(DEV, 3));
    guest_takes(0, 1023);
    configure(LPI_A, 0x80, true);
    guest_takes(0, 1023);
    cr_assert(cmd_inv(DEV, 3));
    guest_takes(0, LPI_A);
}

CASE(its, invall_reads_all_of_it)
{
    configure(LPI_A, 0x80, false);
    configure(LPI_B, 0x80, false);
    cr_assert(cmd_invall(1));
    cr_assert(cmd_int(DEV, 3));
    cr_assert(cmd_int(DEV, 4));
    guest_takes(0, 1023);
    guest_takes(1, 1023);
    configure(LPI_A, 0x80, true);
    configure(LPI_B, 0x80, true);
    cr_assert(cmd_invall(0));
    guest_takes(0, LPI_A);
    guest_takes(1, LPI_B);
    cr_assert(cmd_sync(0));
    cr_assert(cmd_sync(1));
}

CASE(its, what_is_wrong_is_ignored)
{
    static const unsigned per_event[] = {0x03, 0x04, 0x0c, 0x0f};
    for (unsigned i = 0; i < 4; i++) {
        unsigned number = per_event[i];
        cr_expect_not(cmd_event(number, DEV, 31), "%#x: not mapped", number);
        cr_expect_not(cmd_event(number, DEV, 32), "%#x: beyond the device's events", number);
        cr_expect_not(cmd_event(number, DEV, 0xffffffff), "%#x", number);
        cr_expect_not(cmd_event(number, DEV + 1, 3), "%#x: no such device", number);
        cr_expect_not(cmd_event(number, 0x10000 + DEV, 3), "%#x: DeviceID of 17 bits", number);
    }
    cr_expect_not(cmd_mapd(0x10000, ITT(1), 5, true));
    cr_expect_not(cmd_mapd(1, ITT(1), 17, true), "EventIDs of 17 bits");
    cr_expect(cmd_mapd(1, ITT(1), 16, true));
    cr_expect_not(cmd_mapc(2, 2, true), "no such vCPU");
    cr_expect_not(cmd_mapc(2, 0x10000, true), "no such vCPU");
    cr_expect_not(cmd_mapc(8192, 0, true), "beyond the collection table");
    cr_expect(cmd_mapc(8191, 0, true));
    cr_expect_not(cmd_mapti(DEV, 5, 8191, 0));
    cr_expect_not(cmd_mapti(DEV, 5, 65536, 0));
    cr_expect_not(cmd_mapti(DEV, 5, 0xffffffff, 0));
    cr_expect_not(cmd_mapti(DEV, 32, 8195, 0));
    cr_expect(cmd_mapti(DEV, 5, 65535, 0));
    cr_expect_not(cmd_movi(DEV, 3, 9), "collection not mapped");
    cr_expect_not(cmd_movi(DEV, 9, 1));
    cr_expect_not(cmd_movall(0, 2));
    cr_expect_not(cmd_movall(2, 0));
    cr_expect_not(cmd_movall(0, UINT64_C(1) << 32));
    cr_expect_not(cmd_invall(9));
    cr_expect_not(cmd_sync(2));
    cr_expect_not(cmd_ok(0x00, 0, 0, 0));
    cr_expect_not(cmd_ok(0x02, 0, 0, 0));
    cr_expect_not(cmd_ok(0x2a, 0, 0, 0), "virtual LPIs");
    cr_expect_not(cmd_ok(0xff, 0, 0, 0));
    /* And all is as before. */
    cr_assert(cmd_int(DEV, 3));
    guest_takes(0, LPI_A);
}

CASE(its, nothing_without_tables)
{
    its_write(G_CTLR, 4, 0);
    its_write(G_BASER, 8, 0);
    its_write(G_CTLR, 4, 1);
    cr_expect_not(cmd_int(DEV, 3));
    cr_expect_not(cmd_mapd(DEV, ITT(0), 5, true));
    its_write(G_CTLR, 4, 0);
    its_write(G_BASER, 8, VALID | DTABLE | 127);
    its_write(G_BASER + 8, 8, 0);
    its_write(G_CTLR, 4, 1);
    cr_expect_not(cmd_int(DEV, 3));
    cr_expect_not(cmd_mapc(0, 0, true));
}

CASE(its, tables_outside_of_memory)
{
    static const uint64_t bad[] = {HOLE, UINT64_C(0), (UINT64_C(1) << 48) - 0x10000,
                                   UINT64_C(0x0000ffffffff0000)};
    for (unsigned i = 0; i < 4; i++) {
        its_write(G_CTLR, 4, 0);
        its_write(G_BASER, 8, VALID | bad[i] | 127);
        its_write(G_CTLR, 4, 1);
        cr_expect_not(cmd_int(DEV, 3));
        cr_expect_not(cmd_mapd(DEV, ITT(0), 5, true));
        cr_expect_not(cmd_mapti(DEV, 5, 8205, 0));
    }
    its_write(G_CTLR, 4, 0);
    its_write(G_BASER, 8, VALID | DTABLE | 127);
    its_write(G_BASER + 8, 8, VALID | (HOLE - 0x1000) | 15);
    its_write(G_CTLR, 4, 1);
    cr_expect(cmd_mapc(511, 0, true));
    cr_expect_not(cmd_mapc(512, 0, true), "the table's second page is not there");
    /* 2^52 - 256 and the like: an interrupt translation table anywhere. */
    cr_assert(cmd_mapd(9, BITS(51, 8), 16, true));
    cr_expect_not(cmd_mapti(9, 0, 8210, 511));
    cr_expect_not(cmd_mapti(9, 0xffff, 8210, 511), "wraps");
    cr_expect_not(cmd_int(9, 32));
    cr_assert(cmd_mapd(9, HOLE - 0x100, 16, true));
    configure(8210, 0, true);
    cr_assert(cmd_mapc(0, 0, true));
    cr_expect(cmd_mapti(9, 31, 8210, 0));
    cr_expect_not(cmd_mapti(9, 32, 8211, 0));
    cr_assert(cmd_int(9, 31));
    guest_takes(0, 8210);
}

CASE(its, tables_that_can_only_be_read)
{
    uint64_t entry = ((const uint64_t *)guest(ITT(0)))[3];
    ((uint64_t *)guest(RAM + 0x380000))[2] = entry; /* forged */
    cr_assert_eq(
        s2_map(&its_s2, ipa(HOLE), pa(GUEST_BASE + 0x380000), 0x1000, S2_READ, S2_MEM_NORMAL),
        HV_OK);
    cr_assert(cmd_mapd(9, HOLE, 5, true));
    cr_assert(cmd_int(9, 2));
    guest_takes(0, LPI_A);
    cr_expect_not(cmd_mapti(9, 3, 8300, 0));
    cr_expect_not(cmd_movi(9, 2, 1));
    cr_expect_not(cmd_discard(9, 2));
    cr_assert(cmd_int(9, 2));
    guest_takes(0, LPI_A);
}

/* All tables on top of each other, and of the queue: nonsense, but no harm. */
CASE(its, tables_that_overlap)
{
    its_write(G_CTLR, 4, 0);
    its_write(G_BASER, 8, VALID | QUEUE | 15);
    its_write(G_BASER + 8, 8, VALID | QUEUE | 15);
    its_write(G_CTLR, 4, 1);
    for (uint32_t i = 0; i < 64; i++) {
        (void)cmd_mapc(i, i % 2, true);
        (void)cmd_mapd(i, QUEUE, 16, true);
        (void)cmd_mapti(i, i, 8192 + i, i);
        (void)cmd_int(i, i);
    }
    settle();
}

CASE(its, forged_entries)
{
    /* Entries of ours, found by what changed, then scribbled over. */
    uint64_t *device = (uint64_t *)guest(DTABLE) + DEV;
    uint64_t *event = (uint64_t *)guest(ITT(0)) + 3;
    uint64_t *collection = guest(CTABLE);
    uint64_t good_device = *device;
    uint64_t good_event = *event;
    uint64_t good_collection = *collection;
    cr_assert(good_device != 0 && good_event != 0 && good_collection != 0);
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t flip = UINT64_C(1) << bit;
        *device = good_device ^ flip;
        (void)cmd_int(DEV, 3);
        *device = good_device;
        *event = good_event ^ flip;
        (void)cmd_int(DEV, 3);
        *event = good_event;
        *collection = good_collection ^ flip;
        (void)cmd_int(DEV, 3);
        *collection = good_collection;
        guest_drains(0);
        guest_drains(1);
    }
    *event = UINT64_MAX;
    cr_expect_not(cmd_int(DEV, 3));
    *collection = UINT64_MAX;
    cr_expect_not(cmd_invall(0));
    *device = UINT64_MAX;
    cr_expect_not(cmd_int(DEV, 3));
}

CASE(its, two_level_device_table)
{
    uint64_t *first = guest(RAM + 0x30000);
    its_write(G_CTLR, 4, 0);
    its_write(G_BASER, 8, VALID | INDIRECT | (RAM + 0x30000));
    its_write(G_CTLR, 4, 1);
    cr_expect_not(cmd_mapd(0x1234, ITT(1), 5, true), "no second level");
    first[0x1234 / 512] = VALID | DTABLE;
    cr_expect(cmd_mapd(0x1234, ITT(1), 5, true));
    map_one(0x1234, 1, 8400, 0);
    cr_assert(cmd_int(0x1234, 1));
    guest_takes(0, 8400);
    cr_expect_not(cmd_mapd(0x1434, ITT(1), 5, true), "another page of the second level");
    first[0x1434 / 512] = VALID | HOLE;
    cr_expect_not(cmd_mapd(0x1434, ITT(1), 5, true), "and that is not there");
    first[0] = DTABLE;
    cr_expect_not(cmd_mapd(1, ITT(1), 5, true), "not valid");
    /* One page of 4 KiB has 512 entries: 2^18 devices, all that there can be. */
    its_write(G_CTLR, 4, 0);
    its_write(G_BASER, 8, VALID | INDIRECT | HOLE);
    its_write(G_CTLR, 4, 1);
    cr_expect_not(cmd_mapd(0x1234, ITT(1), 5, true), "no first level");
}

CASE(its, flat_tables_end_where_they_say)
{
    static const unsigned entries[] = {512, 2048, 8192}; /* of a page of 4, 16, 64 KiB */
    for (unsigned size = 0; size < 3; size++) {
        its_write(G_CTLR, 4, 0);
        its_write(G_BASER, 8, VALID | DTABLE | size << 8);
        its_write(G_CTLR, 4, 1);
        cr_expect(cmd_mapd(entries[size] - 1, ITT(1), 5, true));
        cr_expect_not(cmd_mapd(entries[size], ITT(1), 5, true), "page size %u", size);
    }
    /* Pages of 64 KiB: bits 15:12 are bits 51:48 of the address. */
    its_write(G_CTLR, 4, 0);
    its_write(G_BASER, 8, VALID | DTABLE | 2 << 8 | 0x1000);
    its_write(G_CTLR, 4, 1);
    cr_expect_not(cmd_mapd(1, ITT(1), 5, true));
}

CASE(its, messages_of_devices)
{
    cr_expect_eq(vgic_its_msi(&gic, DEV, 4), HV_OK);
    guest_takes(1, LPI_B);
    cr_expect_eq(vgic_its_msi(&gic, DEV, 9), HV_ERR_NOENT);
    cr_expect_eq(vgic_its_msi(&gic, 0xffffffff, 4), HV_ERR_NOENT);
    its_write(G_CTLR, 4, 0);
    cr_expect_eq(vgic_its_msi(&gic, DEV, 4), HV_ERR_NOENT);
    guest_takes(1, 1023);
}

CASE(its, out_of_quota)
{
    its_account.limit = its_account.used;
    configure(20000, 0, true);
    cr_expect_not(cmd_mapti(DEV, 6, 20000, 0));
    cr_expect_not(cmd_int(DEV, 6), "nor is it mapped");
    cr_expect_not(cmd_mapti(DEV, 6, 65535, 0));
    cr_expect(cmd_mapti(DEV, 6, LPI_A + 1, 0), "in a chunk that is there");
    cr_assert(cmd_int(DEV, 3));
    guest_takes(0, LPI_A);
    its_account.limit = UINT64_MAX;
    cr_expect(cmd_mapti(DEV, 6, 20000, 0));
    page_pool_fail_nth(&its_pool, 1);
    cr_expect_not(cmd_mapti(DEV, 7, 30000, 0));
    ((uint64_t *)guest(ITT(0)))[7] = ((uint64_t *)guest(ITT(0)))[3] + 30000 - LPI_A; /* forged */
    page_pool_fail_nth(&its_pool, 1);
    cr_expect_eq(vgic_its_msi(&gic, DEV, 7), HV_ERR_NOMEM);
    page_pool_fail_nth(&its_pool, 1);
    cr_expect_not(cmd_discard(DEV, 7));
}

/* --- The queue --- */

CASE(its, a_full_queue_is_served_a_piece_at_a_time)
{
    unsigned flushes = 0;
    uint64_t at = its_read(G_CREADR, 8);
    uint64_t cmd[4] = {(uint64_t)DEV << 32 | 0x03, 3, 0, 0};
    for (unsigned i = 0; i < QUEUE_SIZE / 32; i++)
        memcpy((char *)guest(QUEUE) + i * sizeof(cmd), cmd, sizeof(cmd));
    uint64_t end = (at + QUEUE_SIZE - 32) % QUEUE_SIZE;
    its_write(G_CWRITER, 8, end);
    while (its_read(G_CREADR, 8) != end) {
        uint64_t before = its_read(G_CREADR, 8);
        cr_assert(vgic_needs_flush(&gic, 0));
        cr_assert(vgic_has_pending(&gic, 0), "WFI must not block");
        uint64_t kicks_before = fakehal()->cpu[0].kicks;
        vgic_flush(&gic, 0);
        uint64_t done = (its_read(G_CREADR, 8) + QUEUE_SIZE - before) % QUEUE_SIZE / 32;
        cr_assert(done > 0 && done <= 64, "%lu commands at once", done);
        if (its_read(G_CREADR, 8) != end)
            cr_assert_eq(fakehal()->cpu[0].kicks, kicks_before + 1, "it comes back by itself");
        flushes++;
    }
    cr_expect_eq(flushes, (QUEUE_SIZE / 32 - 1 + 63) / 64);
    pump();
    guest_takes(0, LPI_A);
    guest_takes(0, 1023);
}

/* The vCPU that filled the queue is gone: another one that polls helps it on. */
CASE(its, whoever_polls_helps)
{
    queue_cmd((uint64_t)DEV << 32 | 0x03, 3, 0, 0);
    uint64_t value = 0;
    cr_assert(its_access(1, false, G_CREADR, 8, &value));
    cr_assert(vgic_needs_flush(&gic, 1));
    fakehal()->self = 1;
    vgic_flush(&gic, 1);
    cr_expect_eq(its_read(G_CREADR, 8), its_read(G_CWRITER, 8));
    pump();
    guest_takes(0, LPI_A);
}

CASE(its, maintenance_does_not_forget_the_queue)
{
    queue_cmd((uint64_t)DEV << 32 | 0x03, 3, 0, 0);
    fakehal()->self = 0;
    vgic_maintenance(&gic, 0);
    cr_assert(vgic_needs_flush(&gic, 0));
    pump();
    guest_takes(0, LPI_A);
}

/* INVALL and MOVALL over more states than one flush looks at. */
CASE(its, long_commands_go_on)
{
    cr_assert(cmd_mapd(2, RAM + 0x300000, 16, true));
    for (uint32_t i = 0; i < 57344; i += 40) {
        configure(8192 + i, 0x80, true);
        queue_cmd(UINT64_C(2) << 32 | 0x0a, (uint64_t)(8192 + i) << 32 | i, 0, 0);
        if (i % 4000 == 0)
            pump();
    }
    pump();
    uint64_t before = its_read(G_CREADR, 8);
    queue_cmd(0x0d, 0, 0, 0);
    fakehal()->self = 0;
    vgic_flush(&gic, 0);
    cr_assert_eq(its_read(G_CREADR, 8), before, "INVALL is not done");
    pump();
    cr_assert_neq(its_read(G_CREADR, 8), before);
    cr_assert(cmd_int(2, 0));
    cr_assert(cmd_int(2, 57320));
    cr_assert(cmd_movall(0, 1));
    guest_takes(0, 1023);
    guest_takes(1, 8192);
    guest_takes(1, 8192 + 57320);
    guest_takes(1, 1023);
}

CASES_RUN(its, setup, teardown_its)
