/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The network device: what its driver's chains become at the port, and the port's frames in the
 * driver's buffers. */
#include "virtio/net.h"
#include "virtio_fixture.h"

#define RINGS        (GUEST_RAM + 0x10000) /* 0x3000 for each queue */
#define BUFS         (GUEST_RAM + 0x40000)
#define F_CSUM       UINT64_C(0x1)
#define F_GUEST_CSUM UINT64_C(0x2)
#define F_MRG        (UINT64_C(1) << 15)
#define RX           0u
#define TX           1u
#define HDR          12u

/* --- A port with a queue of a few frames --- */

static struct fake {
    struct net_port net;
    struct net_frame queue[4]; /* to the driver */
    unsigned first, count;
    struct net_frame out; /* from it */
    enum net_verdict verdict;
    unsigned offers, submits, withdraws, starved, drops[NET_DROPS];
    bool up;
} p;

static struct virtio_net net;
static struct driver rx, tx;

static void p_set_up(struct net_port *port, bool up)
{
    cr_assert_eq(port, &p.net);
    p.up = up;
}

static enum net_verdict p_offer(struct net_port *port, const uint8_t header[NET_HEADER_LEN],
                                uint32_t len, struct net_frame **frame)
{
    cr_assert_eq(port, &p.net);
    cr_assert(len >= NET_HEADER_LEN && len <= NET_FRAME_MAX);
    cr_assert_eq(header[0], 'a');
    cr_assert_eq(header[13], 'n');
    p.offers++;
    *frame = &p.out;
    return p.verdict;
}

static void p_submit(struct net_port *port, struct net_frame *frame)
{
    cr_assert(port == &p.net && frame == &p.out);
    p.submits++;
}

static void p_withdraw(struct net_port *port, struct net_frame *frame)
{
    cr_assert(port == &p.net && frame == &p.out);
    p.withdraws++;
}

static struct net_frame *p_next(struct net_port *port, struct net_frame *done)
{
    cr_assert_eq(port, &p.net);
    if (done != NULL) {
        cr_assert_eq(done, &p.queue[p.first]);
        p.first++;
        p.count--;
    }
    return p.count > 0 ? &p.queue[p.first] : NULL;
}

static void p_starve(struct net_port *port)
{
    cr_assert_eq(port, &p.net);
    p.starved++;
}

static void p_count_drop(struct net_port *port, enum net_drop reason)
{
    cr_assert_eq(port, &p.net);
    p.drops[reason]++;
}

static const struct net_port_ops p_ops = {
    p_set_up, p_offer, p_submit, p_withdraw, p_next, p_starve, p_count_drop,
};

static void destroy(struct vm *vm, void *dev)
{
    cr_assert(vm == f.vm && dev == &net);
}

static void setup_net(void)
{
    setup();
    memset(&net, 0, sizeof(net));
    memset(&p, 0, sizeof(p));
    p.net.ops = &p_ops;
    memcpy(p.net.mac, "\x02mac!\x07", 6);
    cr_assert_eq(virtio_net_create(&net, f.vm, VIRTIO_BASE, VIRTIO_INTID, &p.net, destroy), HV_OK);
}

static void start(uint64_t features)
{
    cr_assert(negotiate(F_VERSION_1 | features));
    cr_assert(set_queue(RX, &rx, RINGS, 16));
    cr_assert(set_queue(TX, &tx, RINGS + 0x3000, 16));
    driver_ok();
    serve_all();
    cr_assert(p.up);
}

/* --- Transmit --- */

/* A header of `flags` and a frame of `len` bytes: "abcdefghijklmn", then zeroes. */
static void send_frame(uint8_t flags, uint16_t start_at, uint16_t offset, uint32_t len)
{
    unsigned char *mem = driver_mem(&tx, BUFS, HDR + 2048);
    struct driver_seg seg[2] = {{BUFS, HDR}, {BUFS + HDR, len}};

    memset(mem, 0, HDR + 2048);
    mem[0] = flags;
    memcpy(mem + 6, &start_at, 2);
    memcpy(mem + 8, &offset, 2);
    memcpy(mem + HDR, "abcdefghijklmn", 14);
    driver_offer(&tx, driver_chain(&tx, seg, 2, 0));
    notify(TX);
    serve_all();
}

static unsigned sent_back(void)
{
    unsigned n = 0;
    uint16_t head;
    uint32_t len;

    for (; driver_used(&tx, &head, &len); n++) {
        cr_assert_eq(len, 0);
        driver_free(&tx, head);
    }
    return n;
}

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

static void give_buffers(unsigned count, uint32_t len)
{
    for (unsigned i = 0; i < count; i++)
        driver_offer(&rx, driver_chain(&rx, &(struct driver_seg){BUFS + i * 0x1000ull, len}, 0, 1));
    notify(RX);
    serve_all();
}

static struct net_frame *frame_for(uint16_t len)
{
    struct net_frame *frame = &p.queue[p.first + p.count++];

    memset(frame, 0, sizeof(*frame));
    frame->len = len;
    for (unsigned i = 0; i < len; i++)
        frame->data[i] = (uint8_t)(i * 7 + 1);
    return frame;
}

static void wake_rx(void)
{
    p.net.wake(p.net.ctx, NET_WAKE_RECEIVE);
    serve_all();
}

static const unsigned char *received(uint32_t expected)
{
    uint16_t head;
    uint32_t len;

    cr_assert(driver_used(&rx, &head, &len));
    cr_assert_eq(len, expected);
    uint64_t at = 0;
    memcpy(&at, driver_mem(&rx, rx.desc + 16u * head, 8), 8);
    driver_free(&rx, head);
    return driver_mem(&rx, at, len);
}

static uint16_t num_buffers(const unsigned char *at)
{
    return (uint16_t)(at[10] | at[11] << 8);
}

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

/* --- How much a piece of work looks at: 512 buffers, of which a chain is one more --- */

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

CASE(virtio_net, sends_so_many_buffers_in_a_piece)
{
    struct driver_seg seg[130];
    unsigned char *mem = driver_mem(&tx, BUFS, 64);

    start_of(0, 16);
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

CASE(virtio_net, receives_so_many_buffers_in_a_piece)
{
    start_of(F_MRG, 16);
    give_parts(16, 2048, 130);
    for (unsigned i = 0; i < 4; i++)
        (void)frame_for(100);
    p.net.wake(p.net.ctx, NET_WAKE_RECEIVE);
    cr_assert(piece());
    cr_assert_eq(p.count, 0, "four of 131");
    serve_all();
    /* A frame in two of 70 descriptors each, and each takes 142: the fourth is begun in vain. */
    p.first = 0;
    start_of(F_MRG, 16);
    give_parts(16, 64, 70);
    for (unsigned i = 0; i < 4; i++)
        (void)frame_for(100);
    p.net.wake(p.net.ctx, NET_WAKE_RECEIVE);
    cr_assert(piece());
    cr_assert_eq(p.count, 0, "426, and 568 is beyond, but no chain was begun after 512");
    p.first = 0;
    start_of(F_MRG, 16);
    give_parts(16, 64, 90);
    for (unsigned i = 0; i < 4; i++)
        (void)frame_for(100);
    p.net.wake(p.net.ctx, NET_WAKE_RECEIVE);
    cr_assert(piece());
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
CASE(virtio_net, a_frame_that_takes_more_than_a_piece)
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
CASE(virtio_net, the_largest_frame_in_the_smallest_buffers)
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
