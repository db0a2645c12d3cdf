/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Sockets between two VMs, whose drivers the test plays packet by packet. */
#include "dev/vsock_device.h"
#include "virtio/vsock.h"
#include "virtio_fixture.h"

#define RINGS (GUEST_RAM + 0x10000) /* 0x3000 for each queue */
#define DATA  (GUEST_RAM + 0x80000)
#define IN    (GUEST_RAM + 0x90000)

/* 5.10.6 */
enum { INVALID, REQUEST, RESPONSE, RST, SHUTDOWN, RW, CREDIT_UPDATE, CREDIT_REQUEST };
enum { STREAM = 1, SEQPACKET = 2 };

static struct virtio_vsock_hub hub;
static struct vm_config other_config;
static struct vm *vms[2];
static struct driver drv[2][3];
static struct virtio_vsock_hdr hdr; /* of the packet that came last */
static char data[8192];

static const uint32_t cids[2] = {3, 77};

/* From here on registers and rings are those of VM n, which runs on pCPU n. */
static unsigned be(unsigned n)
{
    unsigned before = fakehal()->self;

    f.vm = vms[n];
    at(n);
    return before;
}

static hv_err create(uint32_t cid)
{
    struct dev_config config = {.number = {cid}};
    const struct dev_instance instance = {
        .base = VIRTIO_BASE, .intid = VIRTIO_INTID, .config = &config};

    return vsock_device_create(f.vm, &instance);
}

static void settle(void)
{
    unsigned self = fakehal()->self;
    unsigned idle = 0;

    for (unsigned i = 0; idle < 4; i++) {
        cr_assert_lt(i, 20000, "it comes to no end");
        unsigned cpu = i % 2;
        bool busy = fakehal()->cpu[cpu].pending[HAL_INTID_KICK] || pcpu(cpu)->resched;
        idle = busy ? 0 : idle + 1;
        fakehal()->cpu[cpu].pending[HAL_INTID_KICK] = false;
        if (busy)
            (void)next(cpu);
    }
    at(self);
}

static void go(void)
{
    unsigned n = fakehal()->self;

    cr_assert(negotiate(F_VERSION_1 | 1));
    for (unsigned q = 0; q < 3; q++)
        cr_assert(set_queue(q, &drv[n][q], RINGS + q * 0x3000, 16));
    driver_ok();
    settle();
}

static void make_other(void)
{
    cr_assert_eq(vm_create(f.hv, &other_config, 2, &vms[1]), HV_OK);
    vm_start(vms[1], ipa(GUEST_ENTRY), 0);
    cr_assert_eq(next(1), &vms[1]->vcpu[0]);
    be(1);
    cr_assert_eq(create(cids[1]), HV_OK);
    go();
    be(0);
}

static void setup_vsock(void)
{
    setup();
    virtio_vsock_hub_init(&hub);
    f.hv->vsocks = &hub;
    vms[0] = f.vm;
    other_config = f.config;
    strcpy(other_config.name, "h");
    other_config.vcpus = 1;
    other_config.affinity[0] = 2;
    cr_assert_eq(create(cids[0]), HV_OK);
    go();
    make_other();
}

static void finish_vsock(void)
{
    if (vms[1] != NULL)
        fixture_destroy(&f, vms[1]);
    f.vm = vms[0];
    finish();
}

/* --- Packets --- */

/* A packet from VM n, port 1000 + n, to the other one's; `len` bytes of data[]. */
static struct virtio_vsock_hdr packet(unsigned n, uint16_t op, uint32_t len)
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

static void offer(unsigned n, const struct virtio_vsock_hdr *p)
{
    struct driver *d = &drv[n][1];
    uint32_t len = p->len < sizeof(data) ? p->len : 0;
    struct driver_seg s = {DATA, 44 + len};

    memcpy(driver_mem(d, DATA, 44), p, 44);
    memcpy(driver_mem(d, DATA + 44, len + 1), data, len);
    driver_offer(d, driver_chain(d, &s, 1, 0));
}

static bool is_sent(unsigned n)
{
    struct driver *d = &drv[n][1];
    uint16_t head;
    uint32_t len;

    if (!driver_used(d, &head, &len))
        return false;
    driver_free(d, head);
    return true;
}

static void put(unsigned n, const struct virtio_vsock_hdr *p)
{
    unsigned before = be(n);

    offer(n, p);
    notify(1);
    settle();
    cr_assert(is_sent(n));
    be(before);
}

static void say(unsigned n, uint16_t op, uint32_t len)
{
    const struct virtio_vsock_hdr p = packet(n, op, len);

    put(n, &p);
}

/* The next packet for VM n into a buffer of `size` bytes; its operation, or -1. */
static int get_into(unsigned n, uint32_t size)
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

static int get(unsigned n)
{
    return get_into(n, 44 + 4096);
}

/* From the other one's port to this one's. */
static void expect(unsigned n, int op)
{
    cr_assert_eq(get(n), op, "%d instead of %d", hdr.op, op);
    cr_assert_eq(hdr.src_cid, cids[1 - n]);
    cr_assert_eq(hdr.src_port, 1000 + (1 - n));
    cr_assert_eq(hdr.dst_port, 1000 + n);
}

static void connect_both(void)
{
    say(0, REQUEST, 0);
    expect(1, REQUEST);
    cr_assert_eq(hdr.buf_alloc, 4096);
    say(1, RESPONSE, 0);
    expect(0, RESPONSE);
    cr_assert_eq(get(0), -1);
    cr_assert_eq(get(1), -1);
}

static void fill(uint32_t from, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        data[i] = (char)((from + i) % 251);
}

/* --- Cases --- */

CASE(virtio_vsock, identity)
{
    cr_assert_eq(rd(R_DEVICE_ID), 19);
    cr_assert_eq(offered_features(), F_VERSION_1 | F_INDIRECT | F_EVENT_IDX | 1);
    cr_assert_eq(rd(R_CONFIG), 3);
    cr_assert_eq(rd(R_CONFIG + 4), 0);
    wr(R_QUEUE_SEL, 3);
    cr_assert_eq(rd(R_QUEUE_NUM_MAX), 0);
}

CASE(virtio_vsock, data)
{
    connect_both();
    strcpy(data, "hello");
    say(0, RW, 5);
    expect(1, RW);
    cr_assert_eq(hdr.len, 5);
    cr_assert_eq(memcmp(driver_mem(&drv[1][0], IN + 44, 5), "hello", 5), 0);
    say(1, RW, 3);
    expect(0, RW);
    cr_assert_eq(hdr.len, 3);
    cr_assert_eq(hdr.fwd_cnt, 5);
    say(0, RW, 0);
    cr_assert_eq(get(1), -1);
}

/* As much as it may, and in small buffers; credit comes back, and is enough for all. */
CASE(virtio_vsock, a_long_stream)
{
    uint32_t sent = 0;
    uint32_t seen = 0;
    uint32_t fwd = 0;

    connect_both();
    while (seen < 50000) {
        uint32_t room = 4096 - (sent - fwd);
        cr_assert_leq(room, 4096);
        if (room > 0) {
            uint32_t len = room < 1500 ? room : 1500;
            fill(sent, len);
            say(0, RW, len);
            sent += len;
        }
        while (get_into(1, 44 + 700) == RW) {
            for (uint32_t i = 0; i < hdr.len; i++, seen++)
                cr_assert_eq(*(uint8_t *)driver_mem(&drv[1][0], IN + 44 + i, 1), seen % 251);
            struct virtio_vsock_hdr p = packet(1, CREDIT_UPDATE, 0);
            p.fwd_cnt = seen;
            put(1, &p);
        }
        cr_assert_eq(seen, sent);
        while (get(0) == CREDIT_UPDATE)
            fwd = hdr.fwd_cnt;
        cr_assert_leq(sent - fwd, 2048, "half of it is there, if all was read");
    }
}

CASE(virtio_vsock, more_than_the_credit)
{
    connect_both();
    say(0, RW, 4096); /* goes into the buffer that is there */
    expect(0, CREDIT_UPDATE);
    cr_assert_eq(hdr.fwd_cnt, 4096);
    say(0, RW, 4096);
    say(0, RW, 1);
    expect(0, RST);
    expect(1, RW);
    expect(1, RST);
    cr_assert_eq(get(0), -1);
    cr_assert_eq(get(1), -1);
    connect_both();
    struct virtio_vsock_hdr p = packet(0, RW, UINT32_MAX);
    put(0, &p);
    expect(0, RST);
    expect(1, RST);
}

/* The receiver's credit is kept, too. */
CASE(virtio_vsock, no_room_at_the_receiver)
{
    struct virtio_vsock_hdr p;

    connect_both();
    p = packet(1, CREDIT_UPDATE, 0);
    p.buf_alloc = 100;
    put(1, &p);
    say(0, RW, 150);
    expect(1, RW);
    cr_assert_eq(hdr.len, 100);
    cr_assert_eq(get(1), -1);
    p.fwd_cnt = 20;
    put(1, &p);
    expect(1, RW);
    cr_assert_eq(hdr.len, 20);
    p.fwd_cnt = 5000; /* more than there ever was */
    put(1, &p);
    cr_assert_eq(get(1), -1);
    say(1, CREDIT_REQUEST, 0);
    expect(1, CREDIT_UPDATE);
    cr_assert_eq(hdr.buf_alloc, 4096);
}

CASE(virtio_vsock, shutdown_after_the_data)
{
    struct virtio_vsock_hdr p = packet(0, SHUTDOWN, 0);

    connect_both();
    say(0, RW, 10);
    p.flags = 0xf3;
    put(0, &p);
    expect(1, RW);
    expect(1, SHUTDOWN);
    cr_assert_eq(hdr.flags, 3);
    say(1, RST, 0);
    expect(0, RST);
    connect_both();
}

/* --- Who is not there --- */

CASE(virtio_vsock, refused)
{
    static const uint64_t nobody[] = {0, 1, 2, 3, 4, UINT64_C(0x10000004d), UINT64_MAX};

    for (unsigned i = 0; i < 7; i++) {
        struct virtio_vsock_hdr p = packet(0, REQUEST, 0);
        p.dst_cid = nobody[i];
        put(0, &p);
        cr_assert_eq(get(0), RST);
        cr_assert_eq(hdr.src_cid, nobody[i]);
        cr_assert_eq(hdr.src_port, 1001);
        cr_assert_eq(hdr.dst_port, 1000);
    }
    cr_assert_eq(get(1), -1);
}

CASE(virtio_vsock, the_other_one_refuses)
{
    say(0, REQUEST, 0);
    expect(1, REQUEST);
    say(1, RST, 0);
    expect(0, RST);
}

CASE(virtio_vsock, without_a_connection)
{
    static const uint16_t ops[] = {INVALID,       RESPONSE,       SHUTDOWN, RW,
                                   CREDIT_UPDATE, CREDIT_REQUEST, 99};

    for (unsigned i = 0; i < 7; i++) {
        say(0, ops[i], 0);
        expect(0, RST);
    }
    say(0, RST, 0);
    cr_assert_eq(get(0), -1, "a RST is not answered");
    struct virtio_vsock_hdr p = packet(0, REQUEST, 0);
    p.type = SEQPACKET;
    put(0, &p);
    expect(0, RST);
    cr_assert_eq(get(1), -1);
}

CASE(virtio_vsock, in_the_name_of_another)
{
    struct virtio_vsock_hdr p = packet(0, REQUEST, 0);

    p.src_cid = cids[1];
    put(0, &p);
    p.src_cid |= UINT64_C(1) << 32;
    put(0, &p);
    cr_assert_eq(get(0), -1);
    cr_assert_eq(get(1), -1);
}

/* In each state what does not belong there ends the connection. */
CASE(virtio_vsock, breaches)
{
    static const uint16_t early[] = {RW, SHUTDOWN, REQUEST, RESPONSE, 99};
    struct virtio_vsock_hdr p;

    for (unsigned i = 0; i < 5; i++) {
        say(0, REQUEST, 0);
        say(0, early[i], 0);
        expect(0, RST);
        expect(1, RST);
    }
    say(0, REQUEST, 0);
    say(1, RESPONSE, 0); /* to what it has not got yet */
    expect(0, RST);
    expect(1, RST);
    connect_both();
    say(1, RESPONSE, 0);
    expect(0, RST);
    expect(1, RST);
    connect_both();
    say(0, CREDIT_REQUEST, 0); /* its answer takes the buffer that is there */
    p = packet(0, RW, 1);
    p.type = SEQPACKET;
    put(0, &p);
    expect(1, RST);
    say(0, RW, 1); /* crosses the RST */
    expect(0, CREDIT_UPDATE);
    expect(0, RST);
    cr_assert_eq(get(0), -1);
}

CASE(virtio_vsock, bad_buffers)
{
    struct driver_seg s = {DATA, 43};

    driver_offer(&drv[0][1], driver_chain(&drv[0][1], &s, 1, 0));
    notify(1);
    settle();
    cr_assert_neq(rd(R_STATUS) & S_NEEDS_RESET, 0);
    go();
    struct virtio_vsock_hdr p = packet(0, RW, 100);
    offer(0, &p);
    driver_put32(&drv[0][1], drv[0][1].desc + 8, 44 + 99);
    notify(1);
    settle();
    cr_assert_neq(rd(R_STATUS) & S_NEEDS_RESET, 0);
    go();
    s.len = 43;
    driver_offer(&drv[0][0], driver_chain(&drv[0][0], &s, 0, 1));
    notify(0);
    settle();
    cr_assert_neq(rd(R_STATUS) & S_NEEDS_RESET, 0);
    go();
    s = (struct driver_seg){GUEST_RAM + GUEST_SIZE, 100};
    driver_offer(&drv[0][0], driver_chain(&drv[0][0], &s, 0, 1));
    say(0, RW, 0);
    cr_assert_neq(rd(R_STATUS) & S_NEEDS_RESET, 0);
}

/* --- Limits --- */

CASE(virtio_vsock, too_many_connections)
{
    for (uint32_t i = 0; i < VSOCK_CONNECTIONS + 3; i++) {
        struct virtio_vsock_hdr p = packet(0, REQUEST, 0);
        p.src_port = i;
        put(0, &p);
        if (i < VSOCK_CONNECTIONS) {
            cr_assert_eq(get(1), REQUEST);
            cr_assert_eq(hdr.src_port, i);
        } else {
            cr_assert_eq(get(0), RST);
            cr_assert_eq(hdr.dst_port, i);
        }
    }
}

/* Who takes no refusals sends nothing more, and nothing is forgotten. */
CASE(virtio_vsock, refusals_wait)
{
    for (unsigned i = 0; i < 16; i++)
        say(0, RW, 0);
    struct virtio_vsock_hdr p = packet(0, RW, 0);
    offer(0, &p);
    notify(1);
    settle();
    cr_assert(!is_sent(0));
    for (unsigned i = 0; i < 17; i++)
        expect(0, RST);
    cr_assert(is_sent(0));
    cr_assert_eq(get(0), -1);
}

/* --- Life --- */

CASE(virtio_vsock, a_reset_ends_connections)
{
    connect_both();
    say(1, RW, 10);
    go();
    expect(1, RST);
    cr_assert_eq(get(0), -1);
    connect_both();
}

CASE(virtio_vsock, a_vm_ends_and_comes_back)
{
    connect_both();
    fixture_destroy(&f, vms[1]);
    at(0);
    expect(0, RST);
    say(0, REQUEST, 0);
    expect(0, RST);
    make_other();
    connect_both();
}

CASE(virtio_vsock, not_driven_yet)
{
    be(1);
    wr(R_STATUS, 0);
    be(0);
    say(0, REQUEST, 0);
    expect(0, RST);
}

CASE(virtio_vsock, what_cannot_be_made)
{
    struct vm *vm;

    strcpy(other_config.name, "i");
    cr_assert_eq(vm_create(f.hv, &other_config, 3, &vm), HV_OK);
    f.vm = vm;
    uint64_t used = vm->account.used;
    uint64_t limit = vm->account.limit;
    cr_assert_eq(create(77), HV_ERR_EXIST);
    cr_assert(fakehal_console_has("i: vsock: another VM has CID 77"));
    vm->account.limit = used;
    cr_assert_eq(create(5), HV_ERR_QUOTA);
    vm->account.limit = limit;
    vm->nr_devices = VM_MAX_DEVICES;
    cr_assert_eq(create(5), HV_ERR_NOMEM);
    cr_assert_eq(vm->account.used, used);
    vm->nr_devices = 0;
    vm_destroy(vm);
    be(0);
}

CASES_RUN(virtio_vsock, setup_vsock, finish_vsock)
