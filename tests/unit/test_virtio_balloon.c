/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The balloon: what the guest gives is free for others when nobody can be at it any more, and what
 * is touched again is zero. */
#include "balloon_fixture.h"
#include "prng.h"

/* --- What it says --- */

CASE(virtio_balloon, identity)
{
    cr_assert_eq(rd(R_DEVICE_ID), 5);
    cr_assert_eq(offered_features(),
                 F_VERSION_1 | F_INDIRECT | F_EVENT_IDX | F_STATS | F_OOM | F_REPORTING);
    cr_assert_eq(rd(R_CONFIG), 0);
    wr(R_CONFIG, 7);
    cr_assert_eq(rd(R_CONFIG), 0, "num_pages is the device's");
    wr(R_CONFIG + 4, 7);
    cr_assert_eq(rd(R_CONFIG + 4), 7, "actual is the driver's");
    wr(R_STATUS, 0);
    cr_assert_eq(rd(R_CONFIG + 4), 0);
}

CASE(virtio_balloon, features_by_the_bundle)
{
    struct vm *first = f.vm;

    f.config.affinity[0] = 2;
    cr_assert_eq(vm_create(f.hv, &f.config, 2, &f.vm), HV_OK);
    create(false, false);
    cr_assert_eq(offered_features(), F_VERSION_1 | F_INDIRECT | F_EVENT_IDX | F_STATS);
    vm_destroy(f.vm);
    f.vm = first;
}

CASE(virtio_balloon, target)
{
    struct vm_balloon_state state;
    uint32_t generation = rd(R_GENERATION);

    f.vm->balloon.set(f.vm->balloon.dev, 0x123);
    cr_assert_eq(rd(R_CONFIG), 0x123);
    cr_assert_neq(rd(R_GENERATION), generation);
    cr_assert_eq(rd(R_ISR), 2);
    cr_assert(irq_line());
    wr(R_CONFIG + 4, 0x100);
    f.vm->balloon.get(f.vm->balloon.dev, &state);
    cr_assert_eq(state.target, 0x123);
    cr_assert_eq(state.taken, 0x100);
    cr_assert_eq(state.total, 0);
    f.vm->balloon.set(f.vm->balloon.dev, UINT64_C(1) << 40);
    cr_assert_eq(rd(R_CONFIG), UINT32_MAX);
}

/* --- Pages --- */

CASE(virtio_balloon, a_page_goes_and_comes_back_empty)
{
    uint64_t free = free_pages();
    uint64_t used = f.vm->account.used;

    write64(VICTIM, 0x1234);
    write64(VICTIM + 0x1000, 0x5678);
    inflate(VICTIM, 1);
    cr_assert(!present(VICTIM));
    cr_assert_eq(read64(VICTIM + 0x1000), 0x5678, "its neighbour stays");
    cr_assert_eq(free_pages(), free, "one came, one became a table");
    cr_assert_eq(f.vm->account.used, used);
    inflate(VICTIM + 0x2000, 1);
    cr_assert_eq(free_pages(), free + 1);
    cr_assert_eq(f.vm->account.used, used - 1);
    touch(VICTIM);
    cr_assert_eq(fixture_sys(&f, ARCH_ESR_EL1), 0, "no abort");
    cr_assert(present(VICTIM));
    cr_assert_eq(read64(VICTIM), 0);
    cr_assert_eq(f.vm->account.used, used);
}

/* What the hypervisor copies for the guest is a touch too. */
CASE(virtio_balloon, a_device_touches_a_page_that_is_gone)
{
    write64(VICTIM + 8, 0x1234);
    inflate(VICTIM, 2);
    cr_assert_eq(read64(VICTIM + 8), 0);
    write64(VICTIM + 0x1ffc, UINT64_C(0x1122334455667788));
    cr_assert_eq(read64(VICTIM + 0x1ffc), UINT64_C(0x1122334455667788));
}

CASE(virtio_balloon, deflating_is_only_answered)
{
    inflate(VICTIM, 3);
    put_pfn(0, VICTIM);
    give(1, 1);
    settle();
    cr_assert(answered(1));
    cr_assert(!present(VICTIM), "until it is touched");
}

CASE(virtio_balloon, twice_the_same_page)
{
    uint64_t used = f.vm->account.used;

    inflate(VICTIM, 1);
    put_pfn(0, VICTIM);
    put_pfn(1, VICTIM);
    give(0, 2);
    settle();
    cr_assert(answered(0));
    cr_assert_eq(f.vm->account.used, used, "less one, and a table");
}

CASE(virtio_balloon, many_pages)
{
    uint64_t used = f.vm->account.used;

    inflate(VICTIM, 200);
    for (unsigned i = 0; i < 200; i++)
        cr_assert(!present(VICTIM + i * 0x1000));
    cr_assert_eq(f.vm->account.used, used + 1 - 200);
}

/* --- Nobody may be in the middle of a copy --- */

/* vCPUs 1 and 2 run on the pCPUs of the same numbers. */
static void run_everywhere(void)
{
    run_on(1, 1);
    run_on(2, 2);
    fakehal()->cpu[1].pending[HAL_INTID_KICK] = false;
    fakehal()->cpu[2].pending[HAL_INTID_KICK] = false;
    at(0);
}

CASE(virtio_balloon, pages_wait_for_the_other_cpus)
{
    uint64_t free = free_pages();

    run_everywhere();
    for (unsigned i = 0; i < 4; i++)
        put_pfn(i, VICTIM + i * 0x1000);
    give(0, 4);
    for (unsigned i = 0; i < 20; i++)
        (void)next(0);
    cr_assert(!present(VICTIM));
    cr_assert_eq(free_pages(), free - 1, "the table alone");
    cr_assert_geq(kicks(1), 1);
    cr_assert_geq(kicks(2), 1);
    (void)next(1);
    (void)next(0);
    cr_assert_eq(free_pages(), free - 1, "one may still be at it");
    (void)next(2);
    for (unsigned i = 0; i < 20; i++)
        (void)next(0);
    cr_assert_eq(free_pages(), free + 3);
    cr_assert(answered(0));
}

CASE(virtio_balloon, a_cpu_that_goes_offline_is_not_waited_for)
{
    uint64_t free = free_pages();

    run_everywhere();
    put_pfn(0, VICTIM);
    put_pfn(1, VICTIM + 0x1000);
    give(0, 2);
    for (unsigned i = 0; i < 4; i++)
        (void)next(0);
    (void)next(1);
    f.hv->online &= ~UINT64_C(4);
    for (unsigned i = 0; i < 4; i++)
        (void)next(0);
    cr_assert_eq(free_pages(), free + 1);
    f.hv->online |= 4;
}

/* Others are not even told: none of them is at this VM's memory. */
CASE(virtio_balloon, who_does_not_run_the_vm_is_left_alone)
{
    uint64_t free = free_pages();
    uint64_t before;

    run_on(1, 1);
    waits(1);
    at(0);
    before = kicks(1) + kicks(2);
    put_pfn(0, VICTIM);
    put_pfn(1, VICTIM + 0x1000);
    give(0, 2);
    for (unsigned i = 0; i < 10; i++)
        (void)next(0);
    cr_assert(answered(0));
    cr_assert_eq(free_pages(), free + 1);
    cr_assert_eq(kicks(1) + kicks(2), before);
}

/* What Linux gives at once, 256 pages, waits once, and one more once more. */
CASE(virtio_balloon, a_batch_waits_once)
{
    uint64_t before;

    run_everywhere();
    for (unsigned i = 0; i < 257; i++)
        put_pfn(i, VICTIM - 0x1000 + i * 0x1000);
    before = kicks(1);
    give(0, 256);
    settle();
    cr_assert(answered(0));
    cr_assert_eq(kicks(1), before + 1);
    cr_assert_eq(kicks(2), before + 1);
    for (unsigned i = 0; i < 256; i++)
        touch(VICTIM - 0x1000 + i * 0x1000);
    before = kicks(1);
    give(0, 257);
    settle();
    cr_assert(answered(0));
    cr_assert_eq(kicks(1), before + 2);
    cr_assert(!present(VICTIM + 0xff000));
}

static void begin_to_give_100(void)
{
    for (unsigned i = 0; i < 100; i++)
        put_pfn(i, VICTIM + i * 0x1000);
    give(0, 100);
    (void)next(0);
    cr_assert(!present(VICTIM));
}

/* A reset in between does not lose them, and the chain is forgotten. */
CASE(virtio_balloon, reset_with_pages_under_way)
{
    uint64_t free = free_pages();

    begin_to_give_100();
    wr(R_STATUS, 0);
    settle();
    cr_assert_eq(free_pages(), free - 1 + 32, "what was begun is done");
    go(F_STATS | F_REPORTING);
    inflate(VICTIM, 100);
    cr_assert_eq(free_pages(), free - 1 + 100);
}

static void restart_queue(unsigned n)
{
    wr(R_QUEUE_SEL, n);
    wr(R_QUEUE_READY, 0);
    cr_assert(set_queue(n, &drv[n], RINGS + n * 0x3000, 16));
}

/* The same for the queue alone, which begins anew: it gets back what it was given since. */
CASE(virtio_balloon, the_queue_is_stopped_with_pages_under_way)
{
    uint64_t free = free_pages();

    begin_to_give_100();
    restart_queue(0);
    settle();
    cr_assert(!answered(0), "the chain of before is forgotten");
    cr_assert_geq(free_pages(), free - 1 + 32, "its pages are not");
    inflate(VICTIM, 100);
    cr_assert_eq(free_pages(), free - 1 + 100);
}

/* Another queue's stop changes nothing. */
CASE(virtio_balloon, another_queue_is_stopped_with_pages_under_way)
{
    for (unsigned i = 0; i < 100; i++)
        put_pfn(i, VICTIM + i * 0x1000);
    give(0, 100);
    (void)next(0);
    restart_queue(1);
    settle();
    cr_assert(answered(0));
    cr_assert(!present(VICTIM + 99 * 0x1000));
}

CASE(virtio_balloon, the_vm_ends_with_pages_under_way)
{
    for (unsigned i = 0; i < 4; i++)
        put_pfn(i, VICTIM + i * 0x1000);
    give(0, 4);
    (void)next(0);
    cr_assert(!present(VICTIM));
}

/* --- Reported pages --- */

CASE(virtio_balloon, reporting)
{
    struct driver_seg s[] = {{VICTIM, 0x20000}, {VICTIM + 0x40000, 0x1000}};
    uint64_t used = f.vm->account.used;

    write64(VICTIM + 0x1f000, 5);
    inflate(VICTIM + 0x3000, 1);
    report(s, 2);
    cr_assert(answered(3));
    cr_assert(!present(VICTIM) && !present(VICTIM + 0x1f000) && !present(VICTIM + 0x40000));
    cr_assert(present(VICTIM + 0x20000));
    cr_assert_eq(f.vm->account.used, used + 1 - 33);
    cr_assert_eq(read64(VICTIM + 0x1f000), 0);
}

/* All of a block at once, which is larger than a piece. */
CASE(virtio_balloon, reporting_a_block)
{
    struct driver_seg s = {VICTIM, 0x80000};
    uint64_t free = free_pages();

    report(&s, 1);
    cr_assert(answered(3));
    cr_assert_eq(free_pages(), free - 1 + 128);
}

CASE(virtio_balloon, without_statistics_the_reports_move_up)
{
    struct driver_seg s = {VICTIM, 0x1000};

    go(F_REPORTING);
    driver_offer(&drv[2], driver_chain(&drv[2], &s, 0, 1));
    notify(2);
    settle();
    cr_assert(answered(2));
    cr_assert(!present(VICTIM));
    go(0);
    driver_offer(&drv[2], driver_chain(&drv[2], &s, 0, 1));
    notify(2);
    settle();
    cr_assert(!answered(2), "nobody serves that");
}

/* --- Against an array --- */

/* Each page has a number that the guest wrote there, or 0. Pages go in any order, singly and in
 * ranges, and others take what is free and fill it with what no guest may ever see. */
CASE(virtio_balloon, random_against_an_array)
{
    static uint64_t content[NR_PAGE];
    uint64_t state = 0x1234567;
    pa_t other[64];
    unsigned nr_others = 0;

    memset(content, 0, sizeof(content));
    for (unsigned round = 0; round < 3000; round++) {
        uint64_t random = prng_next(&state);
        unsigned n = (unsigned)(random >> 8) % NR_PAGE;
        uint64_t at = VICTIM + n * UINT64_C(0x1000);
        switch (random % 6) {
        case 0:
            inflate(at, 1);
            content[n] = 0;
            break;
        case 1: {
            unsigned count = 1 + (unsigned)(random >> 32) % (NR_PAGE - n);
            struct driver_seg s = {at, count * 0x1000};
            report(&s, 1);
            cr_assert(answered(3));
            memset(&content[n], 0, count * sizeof(content[0]));
            break;
        }
        case 2:
            content[n] = random;
            write64(at + 0xff8, random);
            break;
        case 3:
            if (!present(at))
                touch(at);
            cr_assert(present(at));
            break;
        case 4:
            if (nr_others < 64 &&
                page_pool_alloc(&f.hv->pool, &f.hv->account, 0, &other[nr_others]) == HV_OK)
                memset(fakehal_mem(other[nr_others++], 0x1000), 0xdd, 0x1000);
            else if (nr_others > 0)
                page_pool_free(&f.hv->pool, &f.hv->account, other[--nr_others], 0);
            break;
        default:
            cr_assert_eq(read64(at + 0xff8), content[n], "page %u", n);
        }
    }
    while (nr_others > 0)
        page_pool_free(&f.hv->pool, &f.hv->account, other[--nr_others], 0);
}

CASES_RUN(virtio_balloon, setup_balloon, finish)
