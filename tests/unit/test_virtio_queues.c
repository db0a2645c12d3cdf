/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The virtio-mmio transport: queues and the work for them. */
#include "virtio_echo.h"

/* --- Queues --- */

CASE(virtio_queues, queue_registers)
{
    cr_assert(negotiate(F_VERSION_1));
    for (uint32_t n = 0; n < 3; n++) {
        wr(R_QUEUE_SEL, n);
        cr_assert_eq(rd(R_QUEUE_NUM_MAX), 256);
        cr_assert_eq(rd(R_QUEUE_READY), 0);
    }
    static const uint32_t none[] = {3, 31, 32, 0xffff, UINT32_MAX};
    for (unsigned i = 0; i < 5; i++) {
        wr(R_QUEUE_SEL, none[i]);
        cr_assert_eq(rd(R_QUEUE_NUM_MAX), 0);
        wr(R_QUEUE_NUM, 16);
        wr64(R_DESC, RINGS);
        wr(R_QUEUE_READY, 1);
        cr_assert_eq(rd(R_QUEUE_READY), 0);
        notify(none[i]);
    }
    cr_assert_eq(e.dev.pending, 0);
    cr_assert(set_queue(2, &drv[2], RINGS, 256));
    cr_assert_eq(e.queue[2].size, 256);
}

CASE(virtio_queues, a_queue_that_is_not_sound_does_not_get_ready)
{
    static const uint16_t size[] = {0, 3, 17, 257, 0xffff};

    cr_assert(negotiate(F_VERSION_1));
    cr_assert(set_queue(0, &drv[0], RINGS, 16));
    wr(R_QUEUE_READY, 0);
    for (unsigned i = 0; i < 5; i++) {
        wr(R_QUEUE_NUM, size[i]);
        wr(R_QUEUE_READY, 1);
        cr_assert_eq(rd(R_QUEUE_READY), 0);
    }
    wr(R_QUEUE_NUM, 16);
    wr(R_DESC, (uint32_t)RINGS + 8);
    wr(R_QUEUE_READY, 1);
    cr_assert_eq(rd(R_QUEUE_READY), 0);
    wr(R_DESC, (uint32_t)RINGS);
    wr(R_QUEUE_READY, 1);
    cr_assert_eq(rd(R_QUEUE_READY), 1);
}

CASE(virtio_queues, what_is_ready_does_not_change)
{
    cr_assert(negotiate(F_VERSION_1));
    cr_assert(set_queue(0, &drv[0], RINGS, 16));
    struct virtq before = e.queue[0];
    wr(R_QUEUE_NUM, 32);
    wr64(R_DESC, 0x1234567890);
    wr64(R_DRIVER, 0x1234567890);
    wr64(R_DEVICE, 0x1234567890);
    wr(R_QUEUE_READY, 1);
    cr_assert_eq(memcmp(&before, &e.queue[0], sizeof(before)), 0);
    wr(R_QUEUE_READY, 0);
    cr_assert_eq(rd(R_QUEUE_READY), 0);
    wr64(R_DESC, UINT64_C(0x1234567890));
    cr_assert_eq(e.queue[0].desc.v, UINT64_C(0x1234567890));
    cr_assert_eq(e.queue[0].size, 16, "what was written stays");
}

CASE(virtio_queues, a_queue_that_is_stopped_is_left_alone_and_begins_anew)
{
    go(F_EVENT_IDX);
    offer(0, "one");
    notify(0);
    serve_all();
    cr_assert(answered(0, "one"));
    wr(R_QUEUE_SEL, 0);
    wr(R_QUEUE_READY, 0);
    offer(0, "two");
    notify(0);
    serve_all();
    cr_assert(!answered(0, "two"));
    cr_assert(set_queue(0, &drv[0], RINGS, 16));
    offer(0, "three");
    notify(0);
    serve_all();
    cr_assert(answered(0, "three"));
    cr_assert(e.queue[0].event_idx);
}

CASE(virtio_queues, the_kind_is_told_which_queue_was_stopped)
{
    go(0);
    wr(R_QUEUE_SEL, 1);
    wr(R_QUEUE_READY, 0);
    cr_assert_eq(e.stopped[1], 1);
    wr(R_QUEUE_READY, 0);
    cr_assert_eq(e.stopped[1], 1, "it was stopped already");
    wr(R_QUEUE_READY, 2);
    wr(R_QUEUE_SEL, 3);
    wr(R_QUEUE_READY, 0);
    wr(R_QUEUE_SEL, 2);
    wr(R_QUEUE_READY, 1);
    cr_assert_eq(e.stopped[0] + e.stopped[2], 0, "the others were not");
    cr_assert(virtio_is_live(&e.dev));
    cr_assert_eq(e.resets, 1, "negotiate()'s");
    wr(R_STATUS, 0);
    cr_assert_eq(e.stopped[0] + e.stopped[2], 0, "a reset says so itself");
}

/* --- Work --- */

CASE(virtio_queues, a_request)
{
    go(0);
    offer(1, "hello");
    serve_all();
    cr_assert(!answered(1, "hello"), "nobody was told");
    notify(1);
    cr_assert(!answered(1, "hello"), "a notification only posts");
    serve_all();
    cr_assert_eq(e.dev.pending, 0);
    cr_assert(answered(1, "hello"));
    cr_assert_eq(rd(R_ISR), 1);
    cr_assert(irq_line());
    wr(R_ACK, 2);
    cr_assert(irq_line(), "there is no such event");
    wr(R_ACK, 1);
    cr_assert_eq(rd(R_ISR), 0);
    cr_assert(!irq_line());
}

CASE(virtio_queues, requests_are_served_in_pieces)
{
    go(0);
    for (unsigned i = 0; i < 8; i++)
        offer(0, "x");
    offer(2, "y");
    notify(0);
    notify(2);
    e.served = 0;
    (void)next(0);
    cr_assert_eq(e.served, 1);
    cr_assert_eq(driver_get16(&drv[0], drv[0].used + 2), 4);
    (void)next(0);
    cr_assert_eq(driver_get16(&drv[2], drv[2].used + 2), 1, "each queue in turn");
    serve_all();
    for (unsigned i = 0; i < 8; i++)
        cr_assert(answered(0, "x"));
}

CASE(virtio_queues, nothing_before_driver_ok_but_then_all)
{
    cr_assert(negotiate(F_VERSION_1));
    cr_assert(set_queue(0, &drv[0], RINGS, 16));
    offer(0, "early");
    notify(0);
    serve_all();
    cr_assert(!answered(0, "early"));
    cr_assert_eq(rd(R_ISR), 0);
    driver_ok();
    serve_all();
    cr_assert(answered(0, "early"));
}

CASE(virtio_queues, no_interrupt_if_the_driver_wants_none)
{
    go(0);
    driver_no_interrupt(&drv[0], true);
    offer(0, "quiet");
    notify(0);
    serve_all();
    cr_assert(answered(0, "quiet"));
    cr_assert_eq(rd(R_ISR), 0);
}

CASE(virtio_queues, event_idx_and_indirect_as_negotiated)
{
    go(F_EVENT_IDX | F_INDIRECT);
    cr_assert(e.queue[1].event_idx && e.queue[1].indirect);
    driver_used_event(&drv[0], 1);
    offer(0, "a");
    notify(0);
    serve_all();
    cr_assert_eq(rd(R_ISR), 0);
    cr_assert_eq(driver_avail_event(&drv[0]), 1);
    offer(0, "b");
    notify(0);
    serve_all();
    cr_assert_eq(rd(R_ISR), 1);
    go(0);
    cr_assert(!e.queue[1].event_idx && !e.queue[1].indirect);
}

CASES_RUN(virtio_queues, setup_echo, finish)

/* --- How much a piece of work looks at --- */

/* Offers `count` chains of `buffers` buffers without a byte, in indirect tables. */
static void offer_empty(uint32_t n, unsigned count, unsigned buffers)
{
    struct driver_seg seg[130] = {0};

    for (unsigned i = 0; i < buffers; i++)
        seg[i].at = DATA;
    for (unsigned i = 0; i < count; i++)
        driver_offer(&drv[n],
                     driver_indirect(&drv[n], DATA + 0x1000 * (i + 1ull), seg, buffers, 0));
}

static unsigned pieces(uint32_t n, unsigned *first)
{
    struct vm_device *device = &f.vm->device[e.dev.index];
    uint16_t head;
    uint32_t len;
    unsigned count = 0;

    do {
        unsigned chains = 0;
        bool more = device->work(device->dev);
        while (driver_used(&drv[n], &head, &len))
            chains++;
        if (count++ == 0)
            *first = chains;
        else
            cr_assert_leq(chains, *first);
        if (!more)
            return count;
    } while (count < 1000);
    return count;
}

CASE(virtio_queues, a_piece_ends_after_so_many_buffers)
{
    static const struct {
        unsigned chains, buffers;
        unsigned first, pieces; /* chains of the first, and how many */
    } rows[] = {
        /* 131 each: 393, 524. The last piece finds that there is no more. */
        {16, 130, 4, 5},
        {12, 130, 4, 4},
        {11, 130, 4, 3},
        /* 64 each, so that it is 512 on the spot. */
        {16, 63, 8, 3},
        {15, 63, 8, 2},
        /* 32: all in one, and then it is spent. */
        {16, 31, 16, 2},
        {16, 30, 16, 1},
        {1, 130, 1, 1},
    };

    e.at_once = UINT32_MAX;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned first;
        go(F_INDIRECT);
        offer_empty(1, rows[i].chains, rows[i].buffers);
        notify(1);
        cr_assert_eq(pieces(1, &first), rows[i].pieces, "row %u", i);
        cr_assert_eq(first, rows[i].first, "row %u", i);
        cr_assert_eq(drv[1].used_idx, rows[i].chains);
        serve_all();
    }
}
