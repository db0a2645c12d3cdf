/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The network device: what its driver's chains become at the port, and the port's frames in the
 * driver's buffers. */
#include "virtio_net_fixture.h"

/* --- Transmit --- */

CASE(virtio_net, configuration)
{
    uint64_t value = 0;

    cr_assert_eq(rd(R_DEVICE_ID), 1);
    cr_assert_eq(offered_features(), F_CSUM | F_GUEST_CSUM | UINT64_C(1) << 3 | UINT64_C(1) << 5 |
                                         F_MRG | UINT64_C(1) << 16 | F_INDIRECT | F_EVENT_IDX |
                                         F_VERSION_1);
    for (unsigned i = 0; i < 6; i++) {
        cr_assert(guest_access(R_CONFIG + i, 1, false, &value));
        cr_assert_eq(value, p.net.mac[i]);
    }
    cr_assert(guest_access(R_CONFIG + 6, 2, false, &value));
    cr_assert_eq(value, 1, "the link is up");
    cr_assert(guest_access(R_CONFIG + 10, 2, false, &value));
    cr_assert_eq(value, 1500);
}

CASE(virtio_net, sends)
{
    start(0);
    send_frame(0, 0, 0, 64);
    cr_assert_eq(p.submits, 1);
    cr_assert_eq(p.out.len, 64);
    cr_assert(!p.out.partial && !p.out.valid);
    cr_assert_arr_eq(p.out.data, "abcdefghijklmn", 14);
    cr_assert_eq(sent_back(), 1);
    cr_assert(irq_line());
    send_frame(0, 0, 0, 14);
    send_frame(0, 0, 0, 1518);
    cr_assert_eq(p.submits, 3);
}

CASE(virtio_net, sends_a_partial_checksum)
{
    start(F_CSUM);
    send_frame(1, 34, 16, 64);
    cr_assert_eq(p.submits, 1);
    cr_assert(p.out.partial);
    cr_assert_eq(p.out.csum_start, 34);
    cr_assert_eq(p.out.csum_offset, 16);
    send_frame(1, 34, 28, 64);
    cr_assert_eq(p.submits, 2, "the last two bytes");
    send_frame(1, 34, 29, 64);
    send_frame(1, 0xffff, 0xffff, 64);
    cr_assert_eq(p.withdraws, 2);
    cr_assert_eq(p.drops[NET_DROP_BAD], 2);
    cr_assert_eq(sent_back(), 4);
}

CASE(virtio_net, refuses_what_was_not_negotiated_or_is_no_frame)
{
    start(0);
    send_frame(1, 34, 16, 64);
    cr_assert_eq(p.offers, 0);
    send_frame(0, 0, 0, 13);
    send_frame(0, 0, 0, 1519);
    driver_offer(&tx, driver_chain(&tx, &(struct driver_seg){BUFS, 5}, 1, 0));
    driver_offer(&tx, driver_chain(&tx, &(struct driver_seg){BUFS, 64}, 0, 1));
    driver_offer(&tx, driver_chain(&tx, &(struct driver_seg){UINT64_C(0x1000), 64}, 1, 0));
    notify(TX);
    serve_all();
    memset(driver_mem(&tx, BUFS, 64), 0, 64);
    *(unsigned char *)driver_mem(&tx, BUFS + 1, 1) = 1; /* GSO_TCPV4 */
    driver_offer(&tx, driver_chain(&tx, &(struct driver_seg){BUFS, 64}, 1, 0));
    notify(TX);
    serve_all();
    cr_assert_eq(p.offers, 0);
    cr_assert_eq(p.drops[NET_DROP_BAD], 7);
    cr_assert_eq(sent_back(), 7);
}

CASE(virtio_net, a_frame_that_is_not_all_there)
{
    unsigned char *mem;
    struct driver_seg seg[2] = {{BUFS, HDR + 14}, {UINT64_C(0x1000), 50}};

    start(0);
    mem = driver_mem(&tx, BUFS, 64);
    memset(mem, 0, HDR);
    memcpy(mem + HDR, "abcdefghijklmn", 14);
    driver_offer(&tx, driver_chain(&tx, seg, 2, 0));
    notify(TX);
    serve_all();
    cr_assert_eq(p.withdraws, 1);
    cr_assert_eq(p.drops[NET_DROP_BAD], 1);
    cr_assert_eq(sent_back(), 1);
}

CASE(virtio_net, waits_with_the_frame_in_the_ring)
{
    start(F_EVENT_IDX);
    p.verdict = NET_WAIT;
    send_frame(0, 0, 0, 64);
    cr_assert_eq(p.offers, 1);
    cr_assert_eq(sent_back(), 0);
    cr_assert(!pcpu(0)->resched, "nothing to do until it is woken");
    p.net.wake(p.net.ctx, NET_WAKE_SEND);
    serve_all();
    cr_assert_eq(p.offers, 2);
    p.verdict = NET_TAKEN;
    p.net.wake(p.net.ctx, NET_WAKE_SEND);
    serve_all();
    cr_assert_eq(p.submits, 1);
    cr_assert_eq(sent_back(), 1);
    p.verdict = NET_DROPPED;
    send_frame(0, 0, 0, 64);
    cr_assert_eq(sent_back(), 1);
    cr_assert_eq(p.submits, 1);
}

CASE(virtio_net, sends_all_that_waits_at_one_notification)
{
    uint16_t heads[16];
    unsigned char *mem;

    start(0);
    mem = driver_mem(&tx, BUFS, 64);
    memset(mem, 0, 64);
    memcpy(mem + HDR, "abcdefghijklmn", 14);
    for (unsigned i = 0; i < 16; i++)
        heads[i] = driver_chain(&tx, &(struct driver_seg){BUFS, 64}, 1, 0);
    for (unsigned i = 0; i < 16; i++)
        driver_stage(&tx, heads[i]);
    driver_show(&tx);
    notify(TX);
    serve_all();
    cr_assert_eq(p.submits, 16);
    cr_assert_eq(sent_back(), 16);
}

/* --- Receive --- */

CASE(virtio_net, receives)
{
    start(0);
    give_buffers(2, 2048);
    (void)frame_for(100);
    cr_assert_eq(p.count, 1);
    wake_rx();
    cr_assert_eq(p.count, 0);
    const unsigned char *at = received(HDR + 100);
    cr_assert_eq(at[0], 0);
    cr_assert_eq(num_buffers(at), 1);
    for (unsigned i = 0; i < 100; i++)
        cr_assert_eq(at[HDR + i], (uint8_t)(i * 7 + 1));
    cr_assert(irq_line());
}

CASE(virtio_net, receives_into_several_buffers)
{
    start(F_MRG);
    give_buffers(3, 40);
    (void)frame_for(100);
    wake_rx();
    const unsigned char *at = received(40);
    cr_assert_eq(num_buffers(at), 3);
    cr_assert_eq(at[HDR], 1);
    at = received(40);
    cr_assert_eq(at[0], (uint8_t)(28 * 7 + 1));
    at = received(32);
    cr_assert_eq(at[0], (uint8_t)(68 * 7 + 1));
    cr_assert_eq(p.starved, 0);
    /* Two are not enough: they stay the driver's until there is a third. */
    give_buffers(2, 40);
    (void)frame_for(100);
    wake_rx();
    cr_assert_eq(p.starved, 1);
    cr_assert_eq(p.count, 1);
    give_buffers(1, 40);
    cr_assert_eq(p.count, 0);
    cr_assert_eq(num_buffers(received(40)), 3);
}

CASE(virtio_net, without_buffers)
{
    start(F_EVENT_IDX);
    (void)frame_for(60);
    wake_rx();
    cr_assert_eq(p.starved, 1);
    cr_assert_eq(p.count, 1);
    cr_assert(driver_must_notify(&rx, true, rx.avail_idx) == false);
    give_buffers(1, 2048);
    cr_assert_eq(p.count, 0);
    (void)received(HDR + 60);
}

CASE(virtio_net, too_small_a_buffer)
{
    start(0);
    give_buffers(1, 64);
    (void)frame_for(100);
    (void)frame_for(52);
    wake_rx();
    cr_assert_eq(p.drops[NET_DROP_SMALL], 1);
    cr_assert_eq(p.count, 0);
    (void)received(64);
}

CASE(virtio_net, a_buffer_without_room_for_the_header_breaks_it)
{
    start(F_MRG);
    give_buffers(1, 11);
    (void)frame_for(100);
    wake_rx();
    cr_assert_neq(rd(R_STATUS) & S_NEEDS_RESET, 0);
    cr_assert(!p.up);
    cr_assert_eq(p.count, 1);
    wr(R_STATUS, 0);
    cr_assert(!p.up);
}

CASE(virtio_net, a_buffer_outside_of_memory_breaks_it)
{
    start(0);
    driver_offer(&rx, driver_chain(&rx, &(struct driver_seg){UINT64_C(0x1000), 2048}, 0, 1));
    (void)frame_for(100);
    wake_rx();
    cr_assert_neq(rd(R_STATUS) & S_NEEDS_RESET, 0);
    wake_rx();
    send_frame(0, 0, 0, 64);
    cr_assert_eq(p.offers, 0);
}

CASE(virtio_net, down_after_a_reset)
{
    start(0);
    wr(R_STATUS, 0);
    cr_assert(!p.up);
    p.net.wake(p.net.ctx, NET_WAKE_RECEIVE);
    serve_all();
    start(0);
    cr_assert(p.up);
}

/* --- Checksums: RFC 1071 --- */

/* The ones' complement sum of 16-bit words in network order. */
static uint16_t naive_sum(const uint8_t *data, unsigned len)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < len; i++)
        sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

CASE(virtio_net, partial_for_who_takes_it)
{
    start(F_GUEST_CSUM);
    give_buffers(3, 2048);
    struct net_frame *frame = frame_for(100);
    frame->partial = true;
    frame->csum_start = 34;
    frame->csum_offset = 6;
    frame = frame_for(60);
    frame->valid = true;
    (void)frame_for(60);
    wake_rx();
    const unsigned char *at = received(HDR + 100);
    cr_assert_eq(at[0], 1);
    cr_assert_eq(at[6], 34);
    cr_assert_eq(at[8], 6);
    cr_assert_eq(at[HDR + 40], (uint8_t)(40 * 7 + 1), "as it came");
    cr_assert_eq(received(HDR + 60)[0], 2, "DATA_VALID");
    cr_assert_eq(received(HDR + 60)[0], 0);
}

CASE(virtio_net, completed_for_who_does_not)
{
    for (uint16_t len = 42; len < 100; len++) {
        struct net_frame *frame = &p.queue[0];
        p.first = p.count = 0;
        frame = frame_for(len);
        frame->partial = true;
        frame->csum_start = 34;
        frame->csum_offset = 6;
        net_frame_complete(frame);
        cr_assert(!frame->partial && frame->valid);
        uint8_t copy[128];
        memcpy(copy, frame->data, len);
        copy[40] = (uint8_t)(40 * 7 + 1);
        copy[41] = (uint8_t)(41 * 7 + 1);
        uint16_t sum = (uint16_t)~naive_sum(copy + 34, len - 34u);
        cr_assert_eq(frame->data[40] << 8 | frame->data[41], sum == 0 ? 0xffff : sum);
        net_frame_complete(frame);
    }
}

CASE(virtio_net, a_sum_of_zero_is_written_as_ones)
{
    p.first = p.count = 0;
    struct net_frame *frame = frame_for(60);
    frame->partial = true;
    frame->csum_start = 34;
    frame->csum_offset = 6;
    memset(frame->data + 34, 0, 26);
    frame->data[34] = frame->data[35] = 0xff;
    net_frame_complete(frame);
    cr_assert_eq(frame->data[40], 0xff);
    cr_assert_eq(frame->data[41], 0xff);
    p.count = 0;
}

CASE(virtio_net, completed_on_the_way)
{
    start(0);
    give_buffers(1, 2048);
    struct net_frame *frame = frame_for(100);
    frame->partial = true;
    frame->csum_start = 34;
    frame->csum_offset = 6;
    wake_rx();
    const unsigned char *at = received(HDR + 100);
    cr_assert_eq(at[0], 0);
    uint8_t copy[66];
    memcpy(copy, at + HDR + 34, 66);
    memcpy(copy + 6, (const uint8_t[]){(uint8_t)(40 * 7 + 1), (uint8_t)(41 * 7 + 1)}, 2);
    uint16_t sum = (uint16_t)~naive_sum(copy, 66);
    cr_assert_eq(at[HDR + 40] << 8 | at[HDR + 41], sum);
}

CASES_RUN(virtio_net, setup_net, finish)
