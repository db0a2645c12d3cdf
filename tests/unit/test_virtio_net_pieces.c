/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* How much a piece of the network device's work looks at: 512 buffers, of which a chain is one
 * more. */
#include "virtio_net_fixture.h"

/* One piece; true if there is more. */
static bool piece(void)
{
    struct vm_device *device = &f.vm->device[net.dev.index];

    return device->work(device->dev);
}

/* `count` buffers of `len` bytes, in `parts` descriptors each of which the last has a byte. */
static void give_parts(unsigned count, uint32_t len, unsigned parts)
{
    struct driver_seg seg[130];

    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = 0; k < parts; k++)
            seg[k] = (struct driver_seg){BUFS + i * 0x2000ull, 0};
        seg[0].len = len - (parts > 1);
        seg[parts - 1].len += parts > 1;
        driver_offer(&rx, driver_indirect(&rx, BUFS + 0x800 + i * 0x2000ull, seg, 0, parts));
    }
}

/* What is in the next buffer of give_parts(). */
static const unsigned char *received_in_parts(uint32_t expected)
{
    return received(expected) - 0x800;
}

static void start_of(uint64_t features, uint16_t size)
{
    cr_assert(negotiate(F_VERSION_1 | F_INDIRECT | features));
    cr_assert(set_queue(RX, &rx, RINGS, size));
    cr_assert(set_queue(TX, &tx, RINGS + 0x3000, size));
    driver_ok();
    serve_all();
}

CASE(virtio_net_pieces, sends_so_many_buffers_in_a_piece)
{
    struct driver_seg seg[130];

    start_of(0, 16);
    unsigned char *mem = driver_mem(&tx, BUFS, 64);
    memset(mem, 0, 64);
    memcpy(mem + HDR, "abcdefghijklmn", 14);
    for (unsigned k = 0; k < 130; k++)
        seg[k] = (struct driver_seg){BUFS, k == 129 ? 64 : 0};
    for (unsigned i = 0; i < 16; i++)
        driver_offer(&tx, driver_indirect(&tx, BUFS + 0x1000 * (i + 1ull), seg, 130, 0));
    notify(TX);
    for (unsigned i = 1; i <= 4; i++) {
        cr_assert(piece());
        cr_assert_eq(p.submits, 4 * i, "131 each, until it is 512");
    }
    cr_assert(!piece());
    cr_assert_eq(sent_back(), 16);
}

/* One piece over four frames, with buffers of so many descriptors. */
static void receive_four(uint32_t size, uint32_t descs)
{
    p.first = 0;
    start_of(F_MRG, 16);
    give_parts(16, size, descs);
    for (unsigned i = 0; i < 4; i++)
        (void)frame_for(100);
    p.net.wake(p.net.ctx, NET_WAKE_RECEIVE);
    cr_assert(piece());
}

CASE(virtio_net_pieces, receives_so_many_buffers_in_a_piece)
{
    receive_four(2048, 130);
    cr_assert_eq(p.count, 0, "four of 131");
    serve_all();
    /* A frame in two of 70 descriptors each, and each takes 142: the fourth is begun in vain. */
    receive_four(64, 70);
    cr_assert_eq(p.count, 0, "426, and 568 is beyond, but no chain was begun after 512");
    receive_four(64, 90);
    cr_assert_eq(p.count, 1, "546 after three: the fourth has to wait");
    cr_assert_eq(p.starved, 0, "which is not for want of buffers");
    cr_assert(!piece());
    cr_assert_eq(p.count, 0);
    cr_assert_eq(p.drops[NET_DROP_SMALL], 0);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(num_buffers(received_in_parts(64)), 2);
        (void)received_in_parts(48);
    }
}

/* One that finds no end with a whole piece is dropped, and the buffers stay the driver's. */
CASE(virtio_net_pieces, a_frame_that_takes_more_than_a_piece)
{
    start_of(F_MRG, 16);
    give_parts(16, 20, 130);
    (void)frame_for(60); /* 72 bytes: four buffers of 131 */
    (void)frame_for(100);
    (void)frame_for(68);
    p.net.wake(p.net.ctx, NET_WAKE_RECEIVE);
    cr_assert(piece());
    cr_assert_eq(p.count, 2);
    cr_assert_eq(p.drops[NET_DROP_SMALL], 0);
    cr_assert(piece());
    cr_assert_eq(p.count, 1, "112 bytes: six of them");
    cr_assert_eq(p.drops[NET_DROP_SMALL], 1);
    serve_all();
    cr_assert_eq(p.count, 0);
    cr_assert_eq(p.drops[NET_DROP_SMALL], 1);
    cr_assert_eq(rx.used_idx, 0);
    cr_assert_eq(num_buffers(received_in_parts(20)), 4);
    for (unsigned i = 0; i < 3; i++)
        (void)received_in_parts(i < 2 ? 20 : 12);
    cr_assert_eq(num_buffers(received_in_parts(20)), 4);
    for (unsigned i = 0; i < 3; i++)
        (void)received_in_parts(20);
    cr_assert_eq(p.starved, 0);
}

/* The smallest buffers that there are, a descriptor each, are enough for the largest frame. */
CASE(virtio_net_pieces, the_largest_frame_in_the_smallest_buffers)
{
    start_of(F_MRG, 256);
    for (unsigned i = 0; i < 128; i++)
        driver_offer(&rx, driver_chain(&rx, &(struct driver_seg){BUFS + i * 0x10ull, 12}, 0, 1));
    (void)frame_for(1518);
    wake_rx();
    cr_assert_eq(p.count, 0);
    cr_assert_eq(p.drops[NET_DROP_SMALL], 0);
    cr_assert_eq(num_buffers(received(12)), 128);
}

CASES_RUN(virtio_net_pieces, setup_net, finish)
