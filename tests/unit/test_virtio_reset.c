/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The virtio-mmio transport: broken devices, resets, several pCPUs. */
#include "virtio_echo.h"

/* --- Broken --- */

static void breaks(void)
{
    cr_assert_eq(rd(R_STATUS), 15 | S_NEEDS_RESET);
    cr_assert_eq(rd(R_ISR) & 2, 2);
    cr_assert(irq_line());
    wr(R_ACK, 3);
    offer(1, "more");
    notify(1);
    serve_all();
    cr_assert(!answered(1, "more"));
    cr_assert_eq(rd(R_ISR), 0, "it says so once");
    wr(R_STATUS, 15);
    cr_assert_eq(rd(R_STATUS), 15 | S_NEEDS_RESET);
    go(0);
    offer(1, "again");
    notify(1);
    serve_all();
    cr_assert(answered(1, "again"));
}

CASE(virtio_reset, a_broken_queue_needs_a_reset)
{
    go(0);
    driver_offer(&drv[0], 16);
    notify(0);
    serve_all();
    breaks();
}

CASE(virtio_reset, a_buffer_outside_of_memory_needs_a_reset)
{
    struct driver_seg s[] = {{0x1000, 16}, {RESULT, 16}};

    go(0);
    driver_offer(&drv[0], driver_chain(&drv[0], s, 1, 1));
    notify(0);
    serve_all();
    breaks();
}

/* Each function of the device's side finds out, and says so. */
CASE(virtio_reset, a_used_ring_outside_of_memory)
{
    for (unsigned what = 0; what < 5; what++) {
        go(0);
        e.queue[0].device = ipa(0x1000);
        e.queue[0].driver = ipa(what == 3 ? 0x1000 : e.queue[0].driver.v);
        e.queue[0].next_used = 1;
        virtio_lock(&e.dev);
        if (what == 0)
            cr_assert(!virtio_push(&e.dev, 0, 0, 0));
        else if (what == 1)
            cr_assert(!virtio_fill(&e.dev, 0, 0, 0, 0));
        else if (what == 2)
            cr_assert(!virtio_publish(&e.dev, 0, 1));
        else if (what == 3)
            virtio_signal(&e.dev, 0);
        else
            cr_assert(!virtio_set_notify(&e.dev, 0, true));
        cr_assert(!virtio_push(&e.dev, 1, 0, 0), "none of its queues is touched any more");
        virtio_unlock(&e.dev);
        breaks();
    }
}

CASE(virtio_reset, dead_queues_are_not_touched)
{
    virtio_lock(&e.dev);
    e.queue[0].ready = true;
    cr_assert(!virtio_pop(&e.dev, 0, &chain));
    cr_assert(!virtio_push(&e.dev, 0, 0, 0));
    cr_assert(!virtio_fill(&e.dev, 0, 0, 0, 0));
    cr_assert(!virtio_publish(&e.dev, 0, 1));
    cr_assert(!virtio_set_notify(&e.dev, 0, true));
    virtio_signal(&e.dev, 0);
    virtio_break(&e.dev);
    virtio_unlock(&e.dev);
    cr_assert_eq(rd(R_STATUS), S_NEEDS_RESET);
    cr_assert_eq(rd(R_ISR), 0, "not before DRIVER_OK");
}

/* --- Reset --- */

CASE(virtio_reset, reset)
{
    go(F_EVENT_IDX);
    offer(0, "x");
    notify(0);
    serve_all();
    wr(R_QUEUE_SEL, 1);
    wr(R_FEATURES_SEL, 1);
    uint32_t epoch = e.dev.epoch;
    unsigned resets = e.resets;
    offer(0, "y");
    notify(0);
    wr(R_STATUS, 0);
    cr_assert_eq(rd(R_STATUS), 0);
    cr_assert_eq(rd(R_ISR), 0);
    cr_assert(!irq_line());
    cr_assert_eq(e.resets, resets + 1);
    cr_assert_neq(e.dev.epoch, epoch);
    cr_assert_eq(e.dev.accepted, 0);
    for (uint32_t n = 0; n < 3; n++) {
        wr(R_QUEUE_SEL, n);
        cr_assert_eq(rd(R_QUEUE_READY), 0);
        cr_assert_eq(e.queue[n].desc.v, 0);
    }
    serve_all();
    cr_assert(answered(0, "x"));
    cr_assert(!answered(0, "y"), "its memory is the driver's again");
}

/* --- Several pCPUs --- */

static unsigned depth;

/* Another vCPU, on pCPU 1, comes by while pCPU 0 serves. */
static void other_notifies(void)
{
    unsigned served = e.served;

    e.during = NULL;
    offer(0, "same");
    at(1);
    notify(0);
    (void)next(1);
    cr_assert_eq(e.served, served, "one pCPU at a time");
    cr_assert(!pcpu(1)->resched, "and it does not wait for that");
    at(0);
}

CASE(virtio_reset, posted_while_another_pcpu_serves)
{
    go(0);
    run_on(1, 1);
    at(0);
    e.during = other_notifies;
    e.at_once = 1;
    offer(0, "same");
    notify(0);
    serve_all();
    cr_assert_eq(e.dev.pending, 0);
    cr_assert(answered(0, "same"));
    cr_assert(answered(0, "same"), "the one that served does it");
}

/* pCPU 1 waits in its reset: pCPU 0 is let go on, to the end of its serve(). */
static void finish_serve(void *ctx)
{
    (void)ctx;
    depth++;
    cr_assert(e.dev.resetting);
    cr_assert(!virtio_is_live(&e.dev));
    at(0);
    virtio_lock(&e.dev);
    cr_assert(!virtio_push(&e.dev, 0, chain.head, 0), "it is forgotten");
    virtio_unlock(&e.dev);
    e.dev.serving = false;
    at(1);
}

static uint64_t passes;

static void other_resets(void)
{
    e.during = NULL;
    at(1);
    fakehal()->relax = finish_serve;
    passes = pcpu(1)->passes;
    wr(R_STATUS, 0);
    cr_assert_eq(depth, 1);
    cr_assert_gt(pcpu(1)->passes, passes, "nobody waits for it in vain");
    cr_assert(!e.dev.resetting);
    cr_assert_eq(e.resets, 2);
    fakehal()->relax = fixture_serve_kicks;
    at(0);
}

CASE(virtio_reset, reset_waits_for_the_pcpu_that_serves)
{
    go(0);
    depth = 0;
    run_on(1, 1);
    at(0);
    e.during = other_resets;
    offer(0, "x");
    notify(0);
    serve_all();
    cr_assert_eq(depth, 1);
    cr_assert(!answered(0, "x"));
    cr_assert_eq(rd(R_STATUS), 0);
}

/* The same for one queue: the device lives, and the kind is told once nobody serves. */
static void finish_serve_of_one(void *ctx)
{
    (void)ctx;
    depth++;
    cr_assert(e.dev.resetting);
    cr_assert_eq(e.stopped[0], 0);
    e.dev.serving = false;
}

static void other_stops(void)
{
    e.during = NULL;
    at(1);
    fakehal()->relax = finish_serve_of_one;
    wr(R_QUEUE_SEL, 0);
    wr(R_QUEUE_READY, 0);
    cr_assert_eq(depth, 1);
    cr_assert_eq(e.stopped[0], 1);
    fakehal()->relax = fixture_serve_kicks;
    at(0);
}

CASE(virtio_reset, a_stop_waits_for_the_pcpu_that_serves)
{
    go(0);
    depth = 0;
    run_on(1, 1);
    at(0);
    e.during = other_stops;
    offer(0, "x");
    notify(0);
    serve_all();
    cr_assert_eq(depth, 1);
    cr_assert(!answered(0, "x"));
    cr_assert(virtio_is_live(&e.dev));
}

static void end_reset(void *ctx)
{
    (void)ctx;
    depth++;
    e.dev.resetting = false;
    fakehal()->relax = fixture_serve_kicks;
}

CASE(virtio_reset, registers_wait_for_a_reset)
{
    depth = 0;
    e.dev.resetting = true;
    fakehal()->relax = end_reset;
    cr_assert_eq(rd(R_STATUS), 0);
    cr_assert_eq(depth, 1);
}

CASES_RUN(virtio_reset, setup_echo, finish)
