/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The socket device: who is not there, what breaks a rule, limits, life. */
#include "vsock_fixture.h"

/* --- Who is not there --- */

CASE(virtio_vsock_rules, refused)
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

CASE(virtio_vsock_rules, the_other_one_refuses)
{
    say(0, REQUEST, 0);
    expect(1, REQUEST);
    say(1, RST, 0);
    expect(0, RST);
}

CASE(virtio_vsock_rules, without_a_connection)
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

CASE(virtio_vsock_rules, in_the_name_of_another)
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
CASE(virtio_vsock_rules, breaches)
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

CASE(virtio_vsock_rules, bad_buffers)
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

CASE(virtio_vsock_rules, too_many_connections)
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

/* VM `from` asks `to` for one more connection, by a port of its own; the answer is left there. */
static void ask(unsigned from, unsigned to, uint32_t port)
{
    struct virtio_vsock_hdr p = packet(0, REQUEST, 0);

    p.src_cid = cids[from];
    p.dst_cid = cids[to];
    p.src_port = port;
    put(from, &p);
}

/* How many of `count` get through. */
static unsigned asks(unsigned from, unsigned to, unsigned count)
{
    unsigned taken = 0;

    for (unsigned i = 0; i < count; i++) {
        ask(from, to, 5000 + i);
        taken += get(to) == REQUEST;
        while (get(from) == RST) {
        }
    }
    return taken;
}

/* With a third VM nobody has more of another's than a third, and the last one is its own. */
CASE(virtio_vsock_rules, connections_are_shared_out)
{
    make_other(2);
    cr_assert_eq(asks(0, 1, VSOCK_CONNECTIONS), 8);
    cr_assert_eq(asks(2, 1, VSOCK_CONNECTIONS), 8);
    cr_assert_eq(asks(1, 2, VSOCK_CONNECTIONS), 8, "it can have as many of others");
    cr_assert_eq(asks(1, 0, VSOCK_CONNECTIONS), 0, "which are all of its own");
    be(0);
    go();
    be(1);
    while (get(1) == RST) {
    }
    cr_assert_eq(asks(0, 1, VSOCK_CONNECTIONS), 8, "what was reset can be had again");
    be(0);
}

/* A connection that was reset counts until its guest has heard of it. */
CASE(virtio_vsock_rules, a_share_is_not_had_again_by_resets)
{
    unsigned refused = 0;

    make_other(2);
    for (unsigned i = 0; i < VSOCK_CONNECTIONS; i++) {
        struct virtio_vsock_hdr p = packet(0, REQUEST, 0);
        p.src_port = i;
        put(0, &p);
        refused += get(0) == RST;
        p.op = RST;
        put(0, &p);
    }
    cr_assert_eq(refused, VSOCK_CONNECTIONS - 8);
    ask(2, 1, 5000);
    for (unsigned i = 0; i < 8; i++)
        cr_assert_eq(get(1), RST);
    cr_assert_eq(get(1), REQUEST, "the other one has its place");
    cr_assert_eq(hdr.src_cid, cids[2]);
}

/* Who takes no refusals sends nothing more, and nothing is forgotten. */
CASE(virtio_vsock_rules, refusals_wait)
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

CASE(virtio_vsock_rules, a_reset_ends_connections)
{
    connect_both();
    say(1, RW, 10);
    go();
    expect(1, RST);
    cr_assert_eq(get(0), -1);
    connect_both();
}

CASE(virtio_vsock_rules, a_vm_ends_and_comes_back)
{
    connect_both();
    fixture_destroy(&f, vms[1]);
    at(0);
    expect(0, RST);
    say(0, REQUEST, 0);
    expect(0, RST);
    make_other(1);
    connect_both();
}

CASE(virtio_vsock_rules, not_driven_yet)
{
    be(1);
    wr(R_STATUS, 0);
    be(0);
    say(0, REQUEST, 0);
    expect(0, RST);
}

CASE(virtio_vsock_rules, what_cannot_be_made)
{
    peer_make(2, "i");
    be(2);
    struct vm *vm = f.vm;
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
    be(0);
}

CASES_RUN(virtio_vsock_rules, setup_vsock, finish_vsock)
