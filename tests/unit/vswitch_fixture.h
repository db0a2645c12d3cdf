/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A switch with ports whose users a test plays. */
#ifndef TESTS_VSWITCH_FIXTURE_H
#define TESTS_VSWITCH_FIXTURE_H

#include "dev/vswitch.h"
#include "vm_fixture.h"

#define PORTS 4u

struct station {
    struct vswitch_port port;
    unsigned wakes[2]; /* by enum net_wake */
};

static struct fixture f;
static struct vswitch sw;
static struct station st[PORTS];
static _Alignas(16) unsigned char frames[PORTS][VSWITCH_QUEUE * VSWITCH_FRAME_SIZE];

static inline void woken(void *ctx, enum net_wake what)
{
    ((struct station *)ctx)->wakes[what]++;
}

/* The address of station n: 02:00:00:00:00:n. */
static inline const uint8_t *mac(unsigned n)
{
    static uint8_t bytes[8][6];

    memcpy(bytes[n % 8], (const uint8_t[]){2, 0, 0, 0, 0, (uint8_t)n}, 6);
    return bytes[n % 8];
}

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static inline void init_port(unsigned n, bool guarded)
{
    memset(&st[n], 0, sizeof(st[n]));
    memset(frames[n], 0, sizeof(frames[n]));
    memcpy(st[n].port.net.mac, mac(n), 6);
    st[n].port.net.wake = woken;
    st[n].port.net.ctx = &st[n];
    st[n].port.slot = n;
    st[n].port.unit = 7;
    st[n].port.guarded = guarded;
}

static inline void set_up(unsigned n, bool up)
{
    st[n].port.net.ops->set_up(&st[n].port.net, up);
}

static inline void add_port(unsigned n)
{
    init_port(n, false);
    cr_assert_eq(vswitch_attach(&sw, &st[n].port, frames[n]), HV_OK);
    set_up(n, true);
}

static inline enum net_verdict offer_from(unsigned n, const uint8_t *to, const uint8_t *from,
                                          uint32_t len, struct net_frame **frame)
{
    uint8_t header[NET_HEADER_LEN] = {0};

    memcpy(header, to, 6);
    memcpy(header + 6, from, 6);
    return st[n].port.net.ops->offer(&st[n].port.net, header, len, frame);
}

/* A frame of 60 bytes with `mark` in it. */
static inline enum net_verdict send_as(unsigned n, const uint8_t *to, const uint8_t *from,
                                       uint32_t mark)
{
    struct net_frame *frame;
    enum net_verdict verdict = offer_from(n, to, from, 60, &frame);

    if (verdict != NET_TAKEN)
        return verdict;
    memset(frame->data, 0, 60);
    memcpy(frame->data, to, 6);
    memcpy(frame->data + 6, from, 6);
    memcpy(frame->data + 14, &mark, 4);
    frame->len = 60;
    frame->partial = false;
    frame->valid = false;
    frame->csum_start = 0;
    frame->csum_offset = 0;
    st[n].port.net.ops->submit(&st[n].port.net, frame);
    return NET_TAKEN;
}

static inline enum net_verdict send_to(unsigned n, unsigned to, uint32_t mark)
{
    return send_as(n, mac(to), mac(n), mark);
}

static inline struct net_frame *peek(unsigned n)
{
    return st[n].port.net.ops->next(&st[n].port.net, NULL);
}

/* The mark of the next frame of port n, which is taken; -1: there is none. */
static inline int64_t take(unsigned n)
{
    struct net_frame *frame = peek(n);
    uint32_t mark;

    if (frame == NULL)
        return -1;
    cr_assert_eq(frame->len, 60);
    memcpy(&mark, frame->data + 14, 4);
    (void)st[n].port.net.ops->next(&st[n].port.net, frame);
    return mark;
}

static inline uint64_t dropped(unsigned n, enum net_drop reason)
{
    struct vswitch_view view;

    cr_assert(vswitch_view(&sw, st[n].port.index, &view));
    return view.stats.dropped[reason];
}

static inline void setup(void)
{
    fixture_hv(&f, MIB(8), 2);
    vswitch_init(&sw, f.hv, "default");
    for (unsigned n = 0; n < PORTS; n++)
        add_port(n);
}

/* Each knows the others: one frame from everybody, which is thrown away. */
static inline void introduce(void)
{
    for (unsigned n = 0; n < PORTS; n++)
        cr_assert_eq(send_as(n, broadcast, mac(n), 0), NET_TAKEN);
    for (unsigned n = 0; n < PORTS; n++)
        while (take(n) != -1) {
        }
    for (unsigned n = 0; n < PORTS; n++)
        memset(st[n].wakes, 0, sizeof(st[n].wakes));
}

static inline void finish(void)
{
    fakehal()->self = 0;
    for (unsigned n = 0; n < PORTS; n++)
        if (st[n].port.on != NULL)
            vswitch_detach(&st[n].port);
    for (unsigned i = 0; i < VSWITCH_BUCKETS; i++)
        cr_expect(list_empty(&sw.bucket[i]), "a station of nobody's is known");
    fixture_end(&f);
}

#endif
