/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The switch: how long senders wait for a receiver that is slow, in ticks. Docs: network.md. */
#include "vswitch_fixture.h"

/* 100 ms, and what a frame that is taken is worth. */
static uint64_t limit, each;

static void setup_wait(void)
{
    setup();
    limit = hal_time_hz() / 10;
    each = (limit + 31) / 32;
    introduce();
}

static void advance(uint64_t ticks)
{
    fakehal_advance(ticks);
    timer_queue_run(&f.hv->pcpu[0].timers);
}

/* Port `from` fills what it may have of the queue of port 1; it has not yet waited. */
static void fill(unsigned from, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        cr_assert_eq(send_to(from, 1, i), NET_TAKEN);
}

/* Port n waits for port 1, for so many ticks from now on. */
static void waits(unsigned n, uint64_t ticks)
{
    cr_assert_eq(send_to(n, 1, 0), NET_WAIT);
    cr_assert(timer_active(&st[n].port.timer));
    cr_assert_eq(st[n].port.timer.deadline, hal_time_now() + ticks);
}

/*
 * Port 1 takes a frame each 100 ms. What port 0 has for others waits for the first 100 ms, and then
 * for a 32nd of that for each frame: 134 of 1200 ms.
 */
CASE(vswitch_wait, one_frame_each_100_ms_holds_nobody)
{
    uint64_t begin = hal_time_now(), waited = limit;

    fill(0, 86);
    waits(0, limit);
    advance(limit - 1);
    cr_assert_eq(take(1), 0);
    cr_assert_eq(st[0].wakes[NET_WAKE_SEND], 0, "not for one frame");
    for (unsigned i = 0; i < 11; i++) {
        advance(1);
        cr_assert_eq(st[0].wakes[NET_WAKE_SEND], 2 * i + 1);
        cr_assert_eq(send_to(0, 1, 0), NET_TAKEN, "there is room for one");
        waits(0, each);
        advance(each - 1);
        cr_assert_eq(send_to(0, 1, 0), NET_WAIT);
        advance(1);
        waited += each;
        cr_assert_eq(st[0].wakes[NET_WAKE_SEND], 2 * i + 2);
        for (unsigned more = 0; more < 100; more++) {
            cr_assert_eq(send_to(0, 1, 0), NET_DROPPED);
            cr_assert_eq(send_to(0, 2, 0), NET_TAKEN, "and the others get theirs");
            (void)take(2);
        }
        cr_assert_eq(dropped(1, NET_DROP_FULL), 100 * (i + 1));
        /* The next one is woken by its own timer, as it were: nobody waits. */
        advance(limit - each - 1);
        cr_assert_geq(take(1), 0);
        if (i < 10)
            st[0].wakes[NET_WAKE_SEND]++;
    }
    cr_assert_eq(hal_time_now() - begin, 12 * limit - 1);
    cr_assert_eq(waited, limit + 11 * each);
    cr_assert_eq(waited * 1000 / hal_time_hz(), 134);
}

/* --- A sender that has always more, and sends when it is woken --- */

static struct {
    uint64_t gap, next; /* port 1 takes a frame each `gap` ticks */
    uint32_t sent, taken;
} s;

static void send_all(void)
{
    while (send_to(0, 1, s.sent) == NET_TAKEN)
        s.sent++;
}

/* To the next thing that happens. */
static void pass(void)
{
    uint64_t to = s.next;

    if (timer_active(&st[0].port.timer) && st[0].port.timer.deadline < to)
        to = st[0].port.timer.deadline;
    advance(to - hal_time_now());
    if (to == s.next) {
        cr_assert_eq(take(1), s.taken++, "none was lost");
        s.next += s.gap;
    }
    if (st[0].wakes[NET_WAKE_SEND] != 0)
        send_all();
    st[0].wakes[NET_WAKE_SEND] = 0;
}

static void begin(uint64_t gap)
{
    memset(&s, 0, sizeof(s));
    s.gap = gap;
    s.next = hal_time_now() + gap;
    send_all();
}

CASE(vswitch_wait, for_ever_for_one_that_takes_32_in_100_ms)
{
    begin(each);
    while (s.taken < 10000)
        pass();
    cr_assert_eq(dropped(1, NET_DROP_FULL), 0);
    cr_assert_leq(s.sent - s.taken, 86);
}

/* What it has, 32 parts, and what it earns by then, 31 frames at two parts each. */
CASE(vswitch_wait, twice_as_long_for_one_that_takes_16_in_100_ms)
{
    uint64_t start = hal_time_now();

    begin(limit / 16);
    while (dropped(1, NET_DROP_FULL) == 0)
        pass();
    cr_assert_eq(hal_time_now() - start, limit + 31 * each);
    cr_assert_eq(s.taken, 31);
    cr_assert_eq(s.sent, 86 + 31, "all that there was room for");
}

/* One that was slow is waited for as any other one when it is no longer. */
CASE(vswitch_wait, it_recovers)
{
    begin(limit / 16);
    while (dropped(1, NET_DROP_FULL) == 0)
        pass();
    for (unsigned i = 0; i < 32; i++)
        (void)take(1);
    while (send_to(0, 1, 0) == NET_TAKEN) {
    }
    cr_assert_eq(st[0].port.timer.deadline, hal_time_now() + limit);
    for (unsigned i = 0; i < 22; i++)
        (void)take(1);
    cr_assert_eq(st[1].port.patience, limit, "no more than all");
}

/* Two that flood a receiver that takes 1000 frames in a second: nothing is lost, each has 45 % at
 * least. */
CASE(vswitch_wait, two_senders_share_and_lose_nothing)
{
    unsigned sent[3] = {0};

    for (unsigned ms = 0; ms < 10000; ms++) {
        for (unsigned n = 0; n <= 2; n += 2)
            while (!timer_active(&st[n].port.timer) || st[n].wakes[NET_WAKE_SEND] != 0) {
                st[n].wakes[NET_WAKE_SEND] = 0;
                if (send_to(n, 1, n) != NET_TAKEN)
                    break;
                sent[n]++;
                st[n].wakes[NET_WAKE_SEND] = 1;
            }
        advance(hal_time_hz() / 1000);
        cr_assert_geq(take(1), 0);
    }
    cr_assert_eq(dropped(1, NET_DROP_FULL), 0);
    cr_assert_geq(sent[0], 4500);
    cr_assert_geq(sent[2], 4500);
}

/* --- What counts --- */

CASE(vswitch_wait, not_while_nobody_waits)
{
    fill(0, 86);
    advance(100 * limit);
    waits(0, limit);
}

CASE(vswitch_wait, two_that_wait_do_so_at_the_same_time)
{
    fill(0, 86);
    fill(2, 28);
    waits(0, limit);
    advance(limit / 2);
    waits(2, limit / 2);
    advance(limit / 2);
    cr_assert_eq(st[0].wakes[NET_WAKE_SEND], 1);
    cr_assert_eq(st[2].wakes[NET_WAKE_SEND], 1);
    cr_assert_eq(send_to(0, 1, 0), NET_DROPPED);
    cr_assert_eq(send_to(2, 1, 0), NET_DROPPED);
    fill(3, 9);
    cr_assert_eq(dropped(1, NET_DROP_FULL), 2, "who has few in it finds a place");
}

CASE(vswitch_wait, who_goes_down_waits_no_longer)
{
    fill(0, 86);
    waits(0, limit);
    advance(limit / 4);
    set_up(0, false);
    cr_assert_eq(st[1].port.waiting, 0);
    advance(10 * limit);
    fill(2, 28);
    waits(2, limit / 4 * 3);
}

CASE(vswitch_wait, for_the_next_one_anew)
{
    fill(0, 86);
    waits(0, limit);
    for (unsigned i = 0; i < 86; i++)
        cr_assert_eq(send_to(0, 2, i), NET_TAKEN, "its ring was reset");
    cr_assert_eq(st[1].port.waiting, 0);
    advance(limit / 2);
    cr_assert_eq(send_to(0, 2, 0), NET_WAIT);
    cr_assert_eq(st[2].port.waiting, 1u << st[0].port.index);
    cr_assert_eq(st[0].port.timer.deadline, hal_time_now() + limit);
    waits(0, limit);
    cr_assert_eq(st[2].port.waiting, 0);
}

/* A receiver has no time back for a reset, but for the frames that it then throws away. */
CASE(vswitch_wait, a_reset_earns_what_it_throws_away)
{
    fill(0, 86);
    waits(0, limit);
    advance(limit);
    cr_assert_eq(send_to(0, 1, 0), NET_DROPPED);
    for (unsigned i = 0; i < 8; i++) {
        set_up(1, false);
        set_up(1, true);
    }
    cr_assert_eq(st[1].port.patience, limit, "86 are more than 32");
    fill(0, 86);
    waits(0, limit);
    advance(limit);
    cr_assert_eq(send_to(0, 1, 0), NET_DROPPED);
    while (st[1].port.nr_free < VSWITCH_QUEUE)
        (void)take(1);
    advance(limit);
    fill(0, 86);
    waits(0, limit);
    advance(limit);
    cr_assert_eq(send_to(0, 1, 0), NET_DROPPED);
    for (unsigned i = 0; i < 8; i++)
        (void)take(1);
    fill(0, 8);
    waits(0, 8 * each);
}

CASE(vswitch_wait, what_is_withdrawn_earns_nothing)
{
    struct net_frame *frame;

    fill(0, 86);
    waits(0, limit);
    advance(limit);
    cr_assert_eq(send_to(0, 1, 0), NET_DROPPED);
    for (unsigned i = 0; i < 100; i++) {
        cr_assert_eq(offer_from(2, mac(1), mac(2), 60, &frame), NET_TAKEN);
        st[2].port.net.ops->withdraw(&st[2].port.net, frame);
    }
    cr_assert_eq(st[1].port.patience, 0);
    cr_assert_eq(send_to(0, 1, 0), NET_DROPPED);
}

CASES_RUN(vswitch_wait, setup_wait, finish)
