/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The switch: where frames go, who waits, who gets how much, what is counted. */
#include "vswitch_fixture.h"

/* --- Where frames go --- */

CASE(vswitch, floods_what_it_does_not_know_and_never_back)
{
    cr_assert_eq(send_to(0, 1, 5), NET_TAKEN);
    cr_assert_eq(take(0), -1);
    for (unsigned n = 1; n < PORTS; n++) {
        cr_assert_eq(st[n].wakes[NET_WAKE_RECEIVE], 1);
        cr_assert_eq(take(n), 5);
        cr_assert_eq(take(n), -1);
    }
}

CASE(vswitch, learns_from_the_source)
{
    introduce();
    cr_assert_eq(send_to(0, 2, 9), NET_TAKEN);
    cr_assert_eq(take(1), -1);
    cr_assert_eq(take(3), -1);
    cr_assert_eq(take(2), 9);
    cr_assert_eq(st[1].wakes[NET_WAKE_RECEIVE], 0);
}

CASE(vswitch, a_station_moves)
{
    introduce();
    cr_assert_eq(send_as(3, broadcast, mac(2), 1), NET_TAKEN);
    for (unsigned n = 0; n < PORTS; n++)
        (void)take(n);
    cr_assert_eq(send_to(0, 2, 9), NET_TAKEN);
    cr_assert_eq(take(2), -1);
    cr_assert_eq(take(3), 9);
}

CASE(vswitch, broadcast_and_groups_go_to_all)
{
    static const uint8_t group[6] = {0x33, 0x33, 0, 0, 0, 1};

    introduce();
    cr_assert_eq(send_as(1, broadcast, mac(1), 1), NET_TAKEN);
    cr_assert_eq(send_as(1, group, mac(1), 2), NET_TAKEN);
    cr_assert_eq(take(1), -1);
    for (unsigned n = 0; n < PORTS; n += n == 0 ? 2 : 1) {
        cr_assert_eq(take(n), 1);
        cr_assert_eq(take(n), 2);
    }
}

CASE(vswitch, not_to_where_it_came_from)
{
    introduce();
    cr_assert_eq(send_as(0, broadcast, mac(6), 1), NET_TAKEN);
    for (unsigned n = 0; n < PORTS; n++)
        (void)take(n);
    cr_assert_eq(send_to(0, 6, 1), NET_DROPPED);
    cr_assert_eq(dropped(0, NET_DROP_LOCAL), 1);
}

CASE(vswitch, a_group_is_no_source)
{
    cr_assert_eq(send_as(0, mac(1), broadcast, 1), NET_DROPPED);
    cr_assert_eq(dropped(0, NET_DROP_BAD), 1);
    st[0].port.net.ops->count_drop(&st[0].port.net, NET_DROP_BAD);
    cr_assert_eq(dropped(0, NET_DROP_BAD), 2);
}

CASE(vswitch, forgets_after_300_seconds)
{
    introduce();
    fakehal_advance(300 * hal_time_hz());
    cr_assert_eq(send_to(0, 2, 1), NET_TAKEN);
    cr_assert_eq(take(1), -1, "still known");
    cr_assert_eq(take(2), 1);
    fakehal_advance(1);
    cr_assert_eq(send_to(0, 2, 2), NET_TAKEN);
    cr_assert_eq(take(1), 2, "flooded");
    cr_assert_eq(take(2), 2);
    cr_assert_eq(take(3), 2);
    fakehal_advance(300 * hal_time_hz());
    cr_assert_eq(send_to(2, 0, 3), NET_TAKEN);
    cr_assert_eq(take(0), 3, "0 was heard of since");
    cr_assert_eq(take(1), -1);
}

CASE(vswitch, who_has_many_addresses_forgets_its_own)
{
    introduce();
    for (uint32_t i = 0; i < 1000; i++) {
        fakehal_advance(1);
        uint8_t many[6] = {2, 1, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};
        cr_assert_eq(send_as(0, mac(1), many, i), NET_TAKEN);
        cr_assert_eq(take(1), i);
        cr_assert_eq(take(2), -1);
    }
    cr_assert_eq(send_to(3, 2, 1), NET_TAKEN);
    cr_assert_eq(take(1), -1, "2 is still known");
    cr_assert_eq(take(2), 1);
    cr_assert_eq(send_as(3, (const uint8_t[]){2, 1, 0, 0, 3, 0xe7}, mac(3), 1), NET_TAKEN);
    cr_assert_eq(take(2), -1, "the last one is known");
    cr_assert_eq(take(0), 1);
    cr_assert_eq(send_as(3, (const uint8_t[]){2, 1, 0, 0, 0, 0}, mac(3), 1), NET_TAKEN);
    cr_assert_eq(take(2), 1, "the first one is not");
}

CASE(vswitch, guarded)
{
    vswitch_detach(&st[2].port);
    init_port(2, true);
    cr_assert_eq(vswitch_attach(&sw, &st[2].port, frames[2]), HV_OK);
    set_up(2, true);
    cr_assert_eq(send_as(0, broadcast, mac(2), 1), NET_DROPPED);
    cr_assert_eq(dropped(0, NET_DROP_SPOOF), 1);
    cr_assert_eq(send_to(0, 2, 4), NET_TAKEN, "known before it sent anything");
    cr_assert_eq(take(1), -1);
    cr_assert_eq(take(2), 4);
    fakehal_advance(1000 * hal_time_hz());
    cr_assert_eq(send_to(0, 2, 5), NET_TAKEN);
    cr_assert_eq(take(1), -1, "and for ever");
    cr_assert_eq(send_to(2, 0, 6), NET_TAKEN);
    vswitch_detach(&st[3].port);
    init_port(3, true);
    memcpy(st[3].port.net.mac, mac(2), 6);
    cr_assert_eq(vswitch_attach(&sw, &st[3].port, frames[3]), HV_ERR_EXIST);
    cr_assert_null(st[3].port.on);
    vswitch_detach(&st[2].port);
    (void)send_as(0, broadcast, mac(2), 1);
    init_port(2, true);
    cr_assert_eq(vswitch_attach(&sw, &st[2].port, frames[2]), HV_OK, "it takes it from who has it");
    cr_assert_eq(send_as(0, broadcast, mac(2), 1), NET_DROPPED);
}

/* --- Up and down --- */

CASE(vswitch, one_that_is_down_gets_nothing)
{
    introduce();
    cr_assert_eq(send_to(0, 1, 1), NET_TAKEN);
    set_up(1, false);
    cr_assert_eq(take(1), -1);
    cr_assert_eq(send_to(0, 1, 2), NET_DROPPED);
    cr_assert_eq(send_as(0, broadcast, mac(0), 3), NET_TAKEN);
    cr_assert_eq(dropped(1, NET_DROP_DOWN), 2);
    set_up(1, true);
    cr_assert_eq(take(1), -1);
    cr_assert_eq(send_to(0, 1, 4), NET_TAKEN);
    cr_assert_eq(take(1), 4);
}

CASE(vswitch, goes_down_while_a_sender_fills)
{
    struct net_frame *frame;

    introduce();
    cr_assert_eq(offer_from(0, mac(1), mac(0), 60, &frame), NET_TAKEN);
    set_up(1, false);
    frame->len = 60;
    st[0].port.net.ops->submit(&st[0].port.net, frame);
    cr_assert_eq(take(1), -1);
    cr_assert_eq(dropped(1, NET_DROP_DOWN), 1);
    cr_assert_eq(st[1].port.nr_free, VSWITCH_QUEUE);
}

CASE(vswitch, withdrawn)
{
    struct net_frame *frame;

    introduce();
    cr_assert_eq(offer_from(0, mac(1), mac(0), 60, &frame), NET_TAKEN);
    cr_assert_eq(st[1].port.nr_free, VSWITCH_QUEUE - 1);
    st[0].port.net.ops->withdraw(&st[0].port.net, frame);
    cr_assert_eq(st[1].port.nr_free, VSWITCH_QUEUE);
    cr_assert_eq(offer_from(0, broadcast, mac(0), 60, &frame), NET_TAKEN);
    st[0].port.net.ops->withdraw(&st[0].port.net, frame);
    cr_assert_eq(take(1), -1);
}

static struct net_frame *being_filled;

static void fill_ends(void *ctx)
{
    (void)ctx;
    fixture_serve_kicks(&f);
    if (being_filled == NULL)
        return;
    st[0].port.net.ops->submit(&st[0].port.net, being_filled);
    being_filled = NULL;
}

CASE(vswitch, detaching_waits_for_who_fills)
{
    introduce();
    cr_assert_eq(offer_from(0, mac(1), mac(0), 60, &being_filled), NET_TAKEN);
    being_filled->len = 60;
    fakehal()->relax = fill_ends;
    vswitch_detach(&st[1].port);
    cr_assert_null(being_filled);
    cr_assert_eq(st[1].port.filling, 0);
    cr_assert_eq(send_to(0, 1, 1), NET_TAKEN, "flooded: nobody has it");
    cr_assert_eq(take(2), 1);
    vswitch_detach(&st[1].port);
    add_port(1);
    cr_assert_eq(st[1].port.index, 1, "the place is free again");
}

CASE(vswitch, full)
{
    static struct vswitch_port more[VSWITCH_PORTS_MAX - PORTS + 1];
    struct vswitch_view view;
    unsigned n = 0;

    memset(more, 0, sizeof(more));
    for (; n < VSWITCH_PORTS_MAX - PORTS; n++)
        cr_assert_eq(vswitch_attach(&sw, &more[n], frames[0]), HV_OK);
    cr_assert_eq(vswitch_attach(&sw, &more[n], frames[0]), HV_ERR_NOMEM);
    cr_assert(vswitch_view(&sw, VSWITCH_PORTS_MAX - 1, &view));
    cr_assert(!view.up);
    while (n-- > 0)
        vswitch_detach(&more[n]);
    cr_assert(!vswitch_view(&sw, VSWITCH_PORTS_MAX - 1, &view));
    add_port(0);
}

/* --- Room --- */

/* Frames that port `from` gets into the queue of port `to`. */
static unsigned fill_up(unsigned from, unsigned to)
{
    unsigned n = 0;

    while (send_to(from, to, n) == NET_TAKEN)
        cr_assert_lt(n++, VSWITCH_QUEUE);
    return n;
}

/* Of 128 places: one source leaves a third of them, two leave a fifth. */
CASE(vswitch, shares)
{
    introduce();
    cr_assert_eq(fill_up(0, 1), 86);
    unsigned second = fill_up(2, 1);
    cr_assert_eq(second, 28);
    cr_assert_gt(fill_up(3, 1), 8, "a third one finds room, too");
    cr_assert_eq(send_to(0, 2, 1), NET_TAKEN, "and the first one elsewhere");
}

/* One frame of each in turn, however many each has; of one, in order. */
CASE(vswitch, turns)
{
    introduce();
    cr_assert_eq(fill_up(0, 1), 86);
    cr_assert_eq(take(1), 0);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(send_to(2, 1, 200 + i), NET_TAKEN);
    cr_assert_eq(send_to(3, 1, 300), NET_TAKEN);
    static const int64_t order[] = {1, 200, 300, 2, 201, 3, 202, 4, 5};
    for (unsigned i = 0; i < 9; i++) {
        cr_assert_eq(peek(1), peek(1), "who comes later does not go before it");
        cr_assert_eq(take(1), order[i]);
        if (i == 7)
            cr_assert_eq(send_to(2, 1, 203), NET_TAKEN);
    }
    cr_assert_eq(take(1), 203);
    for (int64_t mark = 6; mark < 86; mark++)
        cr_assert_eq(take(1), mark);
    cr_assert_eq(take(1), -1);
}

CASE(vswitch, waits_and_goes_on)
{
    introduce();
    unsigned n = fill_up(0, 1);
    cr_assert_eq(send_to(0, 1, n), NET_WAIT);
    cr_assert_eq(st[0].wakes[NET_WAKE_SEND], 0);
    cr_assert_eq(st[1].wakes[NET_WAKE_RECEIVE], 1, "when the first one came");
    unsigned taken = 0;
    while (st[0].wakes[NET_WAKE_SEND] == 0)
        cr_assert_eq(take(1), taken++);
    cr_assert_lt(taken, 86, "before the queue is empty");
    cr_assert_gt(taken, 8, "not for each frame");
    cr_assert_eq(send_to(0, 1, n), NET_TAKEN);
    for (; taken <= n; taken++)
        cr_assert_eq(take(1), taken, "in order");
    cr_assert_eq(dropped(1, NET_DROP_FULL), 0);
    cr_assert_eq(st[0].wakes[NET_WAKE_SEND], 1);
}

CASE(vswitch, no_longer_than_100_ms)
{
    uint64_t limit = hal_time_hz() / 10;

    introduce();
    unsigned n = fill_up(0, 1);
    fakehal_advance(limit - 1);
    timer_queue_run(&f.hv->pcpu[0].timers);
    cr_assert_eq(st[0].wakes[NET_WAKE_SEND], 0);
    cr_assert_eq(send_to(0, 1, n), NET_WAIT);
    fakehal_advance(1);
    timer_queue_run(&f.hv->pcpu[0].timers);
    cr_assert_eq(st[0].wakes[NET_WAKE_SEND], 1);
    cr_assert_eq(send_to(0, 1, n), NET_DROPPED);
    cr_assert_eq(send_to(0, 1, n), NET_DROPPED, "nobody waits for it any more");
    cr_assert_eq(dropped(1, NET_DROP_FULL), 2);
    cr_assert_eq(send_to(2, 1, 0), NET_TAKEN, "what has room goes");
    for (unsigned i = 0; i < 30; i++)
        (void)take(1);
    (void)fill_up(0, 1);
    cr_assert_eq(send_to(0, 1, n), NET_WAIT, "it moved");
    cr_assert_eq(st[0].port.timer.deadline, hal_time_now() + (limit + 31) / 32 * 30,
                 "30 frames of 32");
}

CASE(vswitch, not_for_one_without_buffers)
{
    introduce();
    unsigned n = fill_up(0, 1);
    st[1].port.net.ops->starve(&st[1].port.net);
    cr_assert_eq(st[0].wakes[NET_WAKE_SEND], 1);
    cr_assert_eq(send_to(0, 1, n), NET_DROPPED);
    cr_assert_eq(dropped(1, NET_DROP_EMPTY), 1);
    cr_assert_eq(send_to(0, 2, 1), NET_TAKEN);
    cr_assert_eq(take(1), 0);
    cr_assert_eq(send_to(0, 1, n), NET_TAKEN, "there is room for one");
    cr_assert_eq(send_to(0, 1, n), NET_WAIT, "and it takes frames again");
}

CASE(vswitch, floods_never_wait)
{
    introduce();
    (void)fill_up(0, 1);
    cr_assert_eq(send_as(0, broadcast, mac(0), 1), NET_TAKEN);
    cr_assert_eq(dropped(1, NET_DROP_FULL), 1);
    cr_assert_eq(take(2), 1);
}

CASE(vswitch, whom_one_waits_for_goes)
{
    introduce();
    (void)fill_up(0, 1);
    vswitch_detach(&st[1].port);
    cr_assert_eq(st[0].wakes[NET_WAKE_SEND], 1);
    cr_assert_null(st[0].port.waits_for);
    add_port(1);
    introduce();
    (void)fill_up(0, 1);
    vswitch_detach(&st[0].port);
    cr_assert_eq(st[1].port.waiting, 0);
    cr_assert(!timer_active(&st[0].port.timer));
}

/* --- Ports that take frames at once --- */

static unsigned poured;

static void sink(struct vswitch_port *port, struct net_frame *frame)
{
    cr_assert_eq(port, &st[3].port);
    cr_assert_eq(frame->len, 60);
    spinlock_lock(&sw.lock);
    spinlock_unlock(&sw.lock);
    poured++;
}

CASE(vswitch, sink)
{
    poured = 0;
    st[3].port.sink = sink;
    cr_assert_eq(send_as(0, broadcast, mac(0), 1), NET_TAKEN);
    cr_assert_eq(poured, 1);
    (void)send_to(3, 0, 2);
    for (unsigned i = 0; i < 1000; i++)
        cr_assert_eq(send_to(0, 3, i), NET_TAKEN);
    cr_assert_eq(poured, 1001);
    cr_assert_eq(st[3].wakes[NET_WAKE_RECEIVE], 0);
    (void)send_to(0, 1, 1);
    (void)send_to(1, 0, 1);
    (void)fill_up(3, 0);
    cr_assert_eq(st[3].port.waits_for, NULL, "its own frames do not wait");
    cr_assert_eq(dropped(0, NET_DROP_FULL), 1);
}

/* --- Numbers --- */

CASE(vswitch, statistics)
{
    struct vswitch_view view;

    introduce();
    (void)send_to(0, 1, 1);
    (void)take(1);
    cr_assert(vswitch_view(&sw, 1, &view));
    cr_assert_eq(view.slot, 1);
    cr_assert_eq(view.unit, 7);
    cr_assert(view.up);
    cr_assert_arr_eq(view.mac, mac(1), 6);
    cr_assert_eq(view.stats.sent, 1);
    cr_assert_eq(view.stats.sent_bytes, 60);
    cr_assert_eq(view.stats.received, 4);
    cr_assert_eq(view.stats.received_bytes, 240);
}

CASES_RUN(vswitch, setup, finish)
