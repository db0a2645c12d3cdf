/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The socket device: connections and their data. */
#include "vsock_fixture.h"

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

CASES_RUN(virtio_vsock, setup_vsock, finish_vsock)
