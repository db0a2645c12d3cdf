/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The balloon: its statistics, drivers that break rules, machines without memory. */
#include "balloon_fixture.h"

/* --- Statistics --- */

static void put_stat(unsigned n, uint16_t tag, uint64_t value)
{
    memcpy(driver_mem(&drv[2], ARRAY + 10 * n, 2), &tag, 2);
    memcpy(driver_mem(&drv[2], ARRAY + 10 * n + 2, 8), &value, 8);
}

CASE(virtio_balloon_rules, statistics)
{
    struct driver_seg s = {ARRAY, 33};
    struct vm_balloon_state state;

    put_stat(0, 5, 200 << 20);
    put_stat(1, 4, 50 << 20);
    put_stat(2, 99, 1);
    driver_offer(&drv[2], driver_chain(&drv[2], &s, 1, 0));
    notify(2);
    settle();
    cr_assert(!answered(2), "it is kept until more are wanted");
    f.vm->balloon.get(f.vm->balloon.dev, &state);
    cr_assert_eq(state.total, 200 << 20);
    cr_assert_eq(state.free, 50 << 20);
    settle();
    cr_assert(answered(2), "now they are");
    cr_assert(!answered(2));
    driver_offer(&drv[2], driver_chain(&drv[2], &s, 1, 0));
    driver_offer(&drv[2], driver_chain(&drv[2], &s, 1, 0));
    notify(2);
    settle();
    cr_assert(answered(2), "of two it keeps one");
    cr_assert(!answered(2));
}

CASE(virtio_balloon_rules, statistics_whose_queue_was_stopped)
{
    struct driver_seg s = {ARRAY, 10};
    struct vm_balloon_state state;

    driver_offer(&drv[2], driver_chain(&drv[2], &s, 1, 0));
    notify(2);
    settle();
    wr(R_QUEUE_SEL, 2);
    wr(R_QUEUE_READY, 0);
    cr_assert(set_queue(2, &drv[2], RINGS + 2 * 0x3000, 16));
    f.vm->balloon.get(f.vm->balloon.dev, &state);
    settle();
    cr_assert(!answered(2), "the buffer of before is not the device's any more");
    driver_offer(&drv[2], driver_chain(&drv[2], &s, 1, 0));
    notify(2);
    f.vm->balloon.get(f.vm->balloon.dev, &state);
    settle();
    f.vm->balloon.get(f.vm->balloon.dev, &state);
    settle();
    cr_assert(answered(2));
}

/* --- What a driver may not do --- */

static void expect_broken(unsigned queue)
{
    notify(queue);
    settle();
    cr_assert_eq(rd(R_STATUS) & S_NEEDS_RESET, S_NEEDS_RESET);
    cr_assert(!answered(queue));
}

CASE(virtio_balloon_rules, a_page_outside_of_memory)
{
    static const uint64_t bad[] = {0, GUEST_RAM - 0x1000, GUEST_RAM + GUEST_SIZE, VIRTIO_BASE,
                                   UINT64_C(0xffffffff) << 12};

    for (unsigned i = 0; i < 5; i++) {
        put_pfn(0, bad[i]);
        give(0, 1);
        expect_broken(0);
        go(F_STATS | F_REPORTING);
    }
}

CASE(virtio_balloon_rules, half_a_page_number)
{
    struct driver_seg s = {ARRAY, 6};

    put_pfn(0, VICTIM);
    driver_offer(&drv[0], driver_chain(&drv[0], &s, 1, 0));
    expect_broken(0);
}

CASE(virtio_balloon_rules, something_to_write_where_pages_are_given)
{
    struct driver_seg s[] = {{ARRAY, 4}, {ARRAY, 4}};

    put_pfn(0, VICTIM);
    driver_offer(&drv[0], driver_chain(&drv[0], s, 1, 1));
    expect_broken(0);
}

CASE(virtio_balloon_rules, bad_reports)
{
    static const struct driver_seg bad[] = {{VICTIM + 8, 0x1000},
                                            {VICTIM, 0x1008},
                                            {VICTIM, 0},
                                            {GUEST_RAM + GUEST_SIZE - 0x1000, 0x2000},
                                            {UINT64_C(0xfffffffffffff000), 0x1000}};

    for (unsigned i = 0; i < 5; i++) {
        driver_offer(&drv[3], driver_chain(&drv[3], &bad[i], 0, 1));
        expect_broken(3);
        go(F_STATS | F_REPORTING);
    }
    struct driver_seg s[] = {{ARRAY, 4}, {VICTIM, 0x1000}};
    driver_offer(&drv[3], driver_chain(&drv[3], s, 1, 1));
    expect_broken(3);
}

/* --- Without memory --- */

CASE(virtio_balloon_rules, no_table_to_cut_a_block)
{
    f.vm->account.limit = f.vm->account.used;
    put_pfn(0, VICTIM);
    give(0, 1);
    settle();
    cr_assert(answered(0));
    cr_assert(present(VICTIM), "it stays the guest's");
}

CASE(virtio_balloon_rules, no_page_for_what_is_touched)
{
    inflate(VICTIM, 4);
    f.vm->account.limit = f.vm->account.used;
    uint64_t value;
    cr_assert_eq(guest_mem_read(&f.vm->s2, ipa(VICTIM), &value, 8), HV_ERR_QUOTA);
    touch(VICTIM);
    cr_assert_eq(f.vm->state, VM_CRASHED);
    cr_assert(fakehal_console_has("no memory for the page at 0x40100000"));
}

CASE(virtio_balloon_rules, not_memory_at_all)
{
    touch(GUEST_RAM + GUEST_SIZE);
    cr_assert_neq(fixture_sys(&f, ARCH_ESR_EL1), 0, "an external abort");
    touch(VICTIM);
    cr_assert(present(VICTIM), "a fault between break and make is nothing");
}

CASE(virtio_balloon_rules, a_device_touches_what_is_no_memory)
{
    const uint64_t nowhere[] = {0, GUEST_RAM - 8, GUEST_RAM + GUEST_SIZE, UINT64_C(1) << 36};
    struct driver_seg s = {GUEST_RAM + GUEST_SIZE, 4};
    uint64_t value = 0;

    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(guest_mem_read(&f.vm->s2, ipa(nowhere[i]), &value, 8), HV_ERR_NOENT);
        cr_assert_eq(guest_mem_write(&f.vm->s2, ipa(nowhere[i]), &value, 8), HV_ERR_NOENT);
    }
    driver_offer(&drv[0], driver_chain(&drv[0], &s, 1, 0));
    notify(0);
    settle();
    cr_assert_eq(rd(R_STATUS) & S_NEEDS_RESET, S_NEEDS_RESET);
}

CASE(virtio_balloon_rules, no_memory_for_the_device)
{
    struct dev_config config = {.unit = 0};
    const struct dev_instance instance = {
        .base = VIRTIO_BASE, .intid = VIRTIO_INTID, .config = &config};
    struct vm *first = f.vm;

    f.config.affinity[0] = 2;
    cr_assert_eq(vm_create(f.hv, &f.config, 2, &f.vm), HV_OK);
    uint64_t used = f.vm->account.used;
    f.vm->account.limit = used;
    cr_assert_eq(balloon_device_create(f.vm, &instance), HV_ERR_QUOTA);
    f.vm->account.limit = UINT64_MAX;
    f.vm->nr_devices = VM_MAX_DEVICES;
    cr_assert_eq(balloon_device_create(f.vm, &instance), HV_ERR_NOMEM);
    cr_assert_eq(f.vm->account.used, used);
    f.vm->nr_devices = 0;
    vm_destroy(f.vm);
    f.vm = first;
}

CASES_RUN(virtio_balloon_rules, setup_balloon, finish)
