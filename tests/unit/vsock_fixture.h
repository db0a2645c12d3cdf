/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sockets between VMs, two at first, whose drivers the test plays packet by packet. */
#ifndef TESTS_VSOCK_FIXTURE_H
#define TESTS_VSOCK_FIXTURE_H

#include "dev/vsock_device.h"
#include "virtio/vsock.h"
#include "virtio_peers.h"

#define IN (GUEST_RAM + 0x90000)

/* 5.10.6 */
enum { INVALID, REQUEST, RESPONSE, RST, SHUTDOWN, RW, CREDIT_UPDATE, CREDIT_REQUEST };
enum { STREAM = 1, SEQPACKET = 2 };

static struct virtio_vsock_hub hub;
static struct virtio_vsock_hdr hdr; /* of the packet that came last */
static char data[8192];

static const uint32_t cids[PEERS] = {3, 77, 12};
static const char *const names[PEERS] = {"g", "h", "i"};

static inline hv_err create(uint32_t cid)
{
    struct dev_config config = {.number = {cid}};
    const struct dev_instance instance = {
        .base = VIRTIO_BASE, .intid = VIRTIO_INTID, .config = &config};

    return vsock_device_create(f.vm, &instance);
}

static inline void go(void)
{
    go_with(1, 3);
}

/* Another VM, whose driver has started its device. */
static inline void make_other(unsigned n)
{
    peer_make(n, names[n]);
    be(n);
    cr_assert_eq(create(cids[n]), HV_OK);
    go();
    be(0);
}

static inline void setup_vsock(void)
{
    setup();
    peers_begin();
    virtio_vsock_hub_init(&hub);
    f.hv->vsocks = &hub;
    cr_assert_eq(create(cids[0]), HV_OK);
    go();
    make_other(1);
}

static inline void finish_vsock(void)
{
    peers_end();
    finish();
}

/* --- Packets --- */

/* A packet from VM n, port 1000 + n, to the other one's; `len` bytes of data[]. */
static inline struct virtio_vsock_hdr packet(unsigned n, uint16_t op, uint32_t len)
{
    return (struct virtio_vsock_hdr){
        .src_cid = cids[n],
        .dst_cid = cids[1 - n],
        .src_port = 1000 + n,
        .dst_port = 1000 + (1 - n),
        .len = len,
        .type = STREAM,
        .op = op,
        .buf_alloc = 65536,
    };
}

static inline void offer(unsigned n, const struct virtio_vsock_hdr *p)
{
    struct driver *d = &drv[n][1];
    uint32_t len = p->len < sizeof(data) ? p->len : 0;
    struct driver_seg s = {DATA, 44 + len};

    memcpy(driver_mem(d, DATA, 44), p, 44);
    memcpy(driver_mem(d, DATA + 44, len + 1), data, len);
    driver_offer(d, driver_chain(d, &s, 1, 0));
}

static inline bool is_sent(unsigned n)
{
    unsigned before = be(n);
    bool sent = taken_back(1) != UINT32_MAX;

    be(before);
    return sent;
}

static inline void put(unsigned n, const struct virtio_vsock_hdr *p)
{
    unsigned before = be(n);

    offer(n, p);
    notify(1);
    settle();
    cr_assert(is_sent(n));
    be(before);
}

static inline void say(unsigned n, uint16_t op, uint32_t len)
{
    const struct virtio_vsock_hdr p = packet(n, op, len);

    put(n, &p);
}

/* The next packet for VM n into a buffer of `size` bytes; its operation, or -1. */
static inline int get_into(unsigned n, uint32_t size)
{
    struct driver *d = &drv[n][0];
    struct driver_seg s = {IN, size};
    unsigned before = be(n);
    uint16_t head;
    uint32_t len;

    if (d->nr_free == d->size)
        driver_offer(d, driver_chain(d, &s, 0, 1));
    notify(0);
    settle();
    be(before);
    if (!driver_used(d, &head, &len))
        return -1;
    driver_free(d, head);
    memcpy(&hdr, driver_mem(d, IN, 44), 44);
    cr_assert_eq(len, 44 + hdr.len);
    cr_assert_eq(hdr.dst_cid, cids[n]);
    cr_assert_eq(hdr.type, STREAM);
    return hdr.op;
}

static inline int get(unsigned n)
{
    return get_into(n, 44 + 4096);
}

/* From the other one's port to this one's. */
static inline void expect(unsigned n, int op)
{
    cr_assert_eq(get(n), op, "%d instead of %d", hdr.op, op);
    cr_assert_eq(hdr.src_cid, cids[1 - n]);
    cr_assert_eq(hdr.src_port, 1000 + (1 - n));
    cr_assert_eq(hdr.dst_port, 1000 + n);
}

static inline void connect_both(void)
{
    say(0, REQUEST, 0);
    expect(1, REQUEST);
    cr_assert_eq(hdr.buf_alloc, 4096);
    say(1, RESPONSE, 0);
    expect(0, RESPONSE);
    cr_assert_eq(get(0), -1);
    cr_assert_eq(get(1), -1);
}

static inline void fill(uint32_t from, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        data[i] = (char)((from + i) % 251);
}

#endif
