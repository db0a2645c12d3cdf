/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A network device on a port with a queue of a few frames, and its driver. */
#ifndef TESTS_VIRTIO_NET_FIXTURE_H
#define TESTS_VIRTIO_NET_FIXTURE_H

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

static inline void p_set_up(struct net_port *port, bool up)
{
    cr_assert_eq(port, &p.net);
    p.up = up;
}

static inline enum net_verdict p_offer(struct net_port *port, const uint8_t header[NET_HEADER_LEN],
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

static inline void p_submit(struct net_port *port, struct net_frame *frame)
{
    cr_assert(port == &p.net && frame == &p.out);
    p.submits++;
}

static inline void p_withdraw(struct net_port *port, struct net_frame *frame)
{
    cr_assert(port == &p.net && frame == &p.out);
    p.withdraws++;
}

static inline struct net_frame *p_next(struct net_port *port, struct net_frame *done)
{
    cr_assert_eq(port, &p.net);
    if (done != NULL) {
        cr_assert_eq(done, &p.queue[p.first]);
        p.first++;
        p.count--;
    }
    return p.count > 0 ? &p.queue[p.first] : NULL;
}

static inline void p_starve(struct net_port *port)
{
    cr_assert_eq(port, &p.net);
    p.starved++;
}

static inline void p_count_drop(struct net_port *port, enum net_drop reason)
{
    cr_assert_eq(port, &p.net);
    p.drops[reason]++;
}

static const struct net_port_ops p_ops = {
    p_set_up, p_offer, p_submit, p_withdraw, p_next, p_starve, p_count_drop,
};

static inline void destroy(struct vm *vm, void *dev)
{
    cr_assert(vm == f.vm && dev == &net);
}

static inline void setup_net(void)
{
    setup();
    memset(&net, 0, sizeof(net));
    memset(&p, 0, sizeof(p));
    p.net.ops = &p_ops;
    memcpy(p.net.mac, "\x02mac!\x07", 6);
    cr_assert_eq(virtio_net_create(&net, f.vm, VIRTIO_BASE, VIRTIO_INTID, &p.net, destroy), HV_OK);
}

static inline void start(uint64_t features)
{
    cr_assert(negotiate(F_VERSION_1 | features));
    cr_assert(set_queue(RX, &rx, RINGS, 16));
    cr_assert(set_queue(TX, &tx, RINGS + 0x3000, 16));
    driver_ok();
    serve_all();
    cr_assert(p.up);
}

/* --- The driver --- */

/* A header of `flags` and a frame of `len` bytes: "abcdefghijklmn", then zeroes. */
static inline void send_frame(uint8_t flags, uint16_t start_at, uint16_t offset, uint32_t len)
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

static inline unsigned sent_back(void)
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

static inline void give_buffers(unsigned count, uint32_t len)
{
    for (unsigned i = 0; i < count; i++)
        driver_offer(&rx, driver_chain(&rx, &(struct driver_seg){BUFS + i * 0x1000ull, len}, 0, 1));
    notify(RX);
    serve_all();
}

static inline struct net_frame *frame_for(uint16_t len)
{
    struct net_frame *frame = &p.queue[p.first + p.count++];

    memset(frame, 0, sizeof(*frame));
    frame->len = len;
    for (unsigned i = 0; i < len; i++)
        frame->data[i] = (uint8_t)(i * 7 + 1);
    return frame;
}

static inline void wake_rx(void)
{
    p.net.wake(p.net.ctx, NET_WAKE_RECEIVE);
    serve_all();
}

static inline const unsigned char *received(uint32_t expected)
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

static inline uint16_t num_buffers(const unsigned char *at)
{
    return (uint16_t)(at[10] | at[11] << 8);
}

#endif
