/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Property: a virtqueue is two deques. What the driver offers is popped in its order, each chain as
 * it was made; what the device gives back the driver finds in that order; and neither side, if it
 * asks to be told, ever waits for something that is there already.
 */
#include "prng.h"
#include "virtq_fixture.h"

#define CHAINS 256u

struct model_chain {
    uint16_t head;
    unsigned out, in;
    struct driver_seg seg[6];
};

struct deque {
    unsigned first, count;
    unsigned item[CHAINS]; /* heads, or used elements */
};

static struct model {
    struct model_chain chain[CHAINS]; /* by head */
    uint32_t written[CHAINS];         /* by head: what the device says */
    struct deque offered;             /* not popped */
    struct deque held;                /* popped */
    struct deque used;                /* given back, the driver has not looked */
    bool event_idx;
    uint64_t state;
    bool told;      /* a notification is on its way to the device */
    bool rests;     /* the device saw it empty, and will look again when it is told */
    bool interrupt; /* one is on its way to the driver */
    bool sleeps;    /* the driver saw nothing used, asked for an interrupt, and waits for it */
    uint16_t told_at;
} m;

static unsigned draw(unsigned below)
{
    return (unsigned)(prng_next(&m.state) >> 33) % below;
}

static void push_back(struct deque *deque, unsigned item)
{
    cr_assert_lt(deque->count, CHAINS);
    deque->item[(deque->first + deque->count++) % CHAINS] = item;
}

static unsigned pop_front(struct deque *deque)
{
    unsigned item = deque->item[deque->first];

    cr_assert_gt(deque->count, 0);
    deque->first = (deque->first + 1) % CHAINS;
    deque->count--;
    return item;
}

/* Out of anywhere: it is swapped to the front. */
static unsigned pop_any(struct deque *deque)
{
    unsigned *front = &deque->item[deque->first];
    unsigned *other = &deque->item[(deque->first + draw(deque->count)) % CHAINS];
    unsigned item = *other;

    *other = *front;
    *front = item;
    return pop_front(deque);
}

/* --- The driver's steps --- */

static void offer_one(void)
{
    struct model_chain made = {.out = draw(4), .in = draw(3)};
    bool indirect = q.indirect && draw(3) == 0;

    if (made.out + made.in == 0)
        made.in = 1;
    for (unsigned i = 0; i < made.out + made.in; i++)
        made.seg[i] = (struct driver_seg){DATA + draw(0x7000), draw(0x100)};
    if (d.nr_free < (indirect ? 1 : made.out + made.in))
        return;
    /* Each table has its place by the descriptor that refers to it. */
    if (indirect)
        made.head = driver_indirect(&d, TABLE + 16 * 6u * d.free[d.nr_free - 1], made.seg, made.out,
                                    made.in);
    else
        made.head = driver_chain(&d, made.seg, made.out, made.in);
    m.chain[made.head] = made;
    driver_stage(&d, made.head);
    push_back(&m.offered, made.head);
}

static void offer(void)
{
    uint16_t before = d.avail_idx;

    for (unsigned n = draw(4); n > 0; n--)
        offer_one();
    driver_show(&d);
    if (d.avail_idx != before && driver_must_notify(&d, m.event_idx, before))
        m.told = true;
    /* The promise of 2.7.10: who saw the queue empty hears of the next chain. */
    cr_assert(!m.rests || m.offered.count == 0 || m.told, "the device would sleep for ever");
}

static void take_back(void)
{
    uint16_t head;
    uint32_t len;

    while (driver_used(&d, &head, &len)) {
        cr_assert_eq(head, pop_front(&m.used));
        cr_assert_eq(len, m.written[head]);
        driver_free(&d, head);
    }
    cr_assert_eq(m.used.count, 0, "nothing is missing");
}

/* It wants to be told of the next one, or of one later on, or not at all. */
static void driver_waits(void)
{
    unsigned ahead = draw(3);

    take_back();
    m.interrupt = false;
    driver_no_interrupt(&d, !m.event_idx && ahead == 2);
    driver_used_event(&d, (uint16_t)(d.used_idx + ahead));
    m.sleeps = m.event_idx || ahead != 2;
    m.told_at = (uint16_t)(m.event_idx ? d.used_idx + ahead : d.used_idx);
}

/* --- The device's steps --- */

static void check_chain(const struct model_chain *made)
{
    uint64_t out_len = 0;
    uint64_t in_len = 0;

    cr_assert_eq(chain.head, made->head);
    cr_assert_eq(chain.nr_out, made->out);
    cr_assert_eq(chain.nr_in, made->in);
    for (unsigned i = 0; i < made->out + made->in; i++) {
        cr_assert_eq(chain.seg[i].at.v, made->seg[i].at);
        cr_assert_eq(chain.seg[i].len, made->seg[i].len);
        *(i < made->out ? &out_len : &in_len) += made->seg[i].len;
    }
    cr_assert_eq(chain.out_len, out_len);
    cr_assert_eq(chain.in_len, in_len);
}

static bool pop_one(void)
{
    hv_err err = virtq_pop(&q, &chain);

    if (err != HV_OK) {
        cr_assert_eq(err, HV_ERR_NOENT);
        cr_assert_eq(m.offered.count, 0);
        return false;
    }
    check_chain(&m.chain[pop_front(&m.offered)]);
    push_back(&m.held, chain.head);
    return true;
}

/* Woken or not, it takes a few or all. When it has seen the end it rests. */
static void serve(void)
{
    unsigned popped = 0;

    m.told = false;
    m.rests = false;
    (void)virtq_set_notify(&q, draw(2) == 0);
    for (unsigned n = draw(6); n > 0; n--)
        if (pop_one())
            popped++;
    if (draw(4) == 0 && popped != 0) {
        /* The last one popped once more. */
        unsigned last = m.held.item[(m.held.first + --m.held.count) % CHAINS];
        virtq_unpop(&q, 1);
        cr_assert(virtq_has_avail(&q));
        cr_assert_eq(virtq_pop(&q, &chain), HV_OK);
        check_chain(&m.chain[last]);
        push_back(&m.held, last);
    }
    cr_assert_eq(virtq_set_notify(&q, true), m.offered.count != 0);
    cr_assert_eq(virtq_has_avail(&q), m.offered.count != 0);
    m.rests = m.offered.count == 0;
    m.told = !m.rests;
}

static void give_back(void)
{
    unsigned batch = draw(3) + 1;
    unsigned n = 0;

    for (; n < batch && m.held.count != 0; n++) {
        uint16_t head = (uint16_t)pop_any(&m.held);
        m.written[head] = draw(1u << 31);
        cr_assert_eq(virtq_fill(&q, (uint16_t)n, head, m.written[head]), HV_OK);
        push_back(&m.used, head);
    }
    uint16_t before = q.next_used;
    cr_assert_eq(virtq_publish(&q, (uint16_t)n), HV_OK);
    bool interrupt = virtq_must_interrupt(&q);
    m.interrupt = m.interrupt || interrupt;
    if (!m.sleeps)
        return;
    bool past = (uint16_t)(q.next_used - m.told_at - 1) < (uint16_t)(q.next_used - before);
    cr_assert(!past || m.interrupt, "the driver would sleep for ever");
    cr_assert(!m.event_idx || past == interrupt, "and is not woken for nothing");
    m.sleeps = !interrupt;
}

static void start(uint16_t size, bool indirect, bool event_idx, uint64_t seed)
{
    setup();
    ready(size, indirect, event_idx);
    m = (struct model){.event_idx = event_idx, .state = seed, .rests = true};
    /* The indices wrap in the middle. */
    q.next_avail = q.seen_avail = q.next_used = q.signalled = q.event = 65000;
    d.avail_idx = d.used_idx = 65000;
    driver_show(&d);
    driver_put16(&d, d.used + 2, 65000);
    driver_put16(&d, d.used + 4 + 8u * size, 65000);
}

static void run(uint16_t size, bool indirect, bool event_idx, uint64_t seed)
{
    start(size, indirect, event_idx, seed);
    for (unsigned step = 0; step < 3000; step++) {
        switch (draw(5)) {
        case 0:
        case 1:
            offer();
            break;
        case 2:
            driver_waits();
            break;
        case 3:
            /* Nobody calls the device but a notification. */
            if (m.told)
                serve();
            break;
        default:
            give_back();
            break;
        }
    }
    cr_assert_gt(q.next_used, 0);
}

static void run_sizes(bool indirect, bool event_idx)
{
    for (uint16_t size = 4; size <= 256; size = (uint16_t)(size * 4))
        run(size, indirect, event_idx, 0x1234 + size);
}

CASE(virtq_model, flags)
{
    run_sizes(false, false);
}

CASE(virtq_model, flags_indirect)
{
    run_sizes(true, false);
}

CASE(virtq_model, event_idx)
{
    run_sizes(false, true);
}

CASE(virtq_model, event_idx_indirect)
{
    run_sizes(true, true);
}

CASES_RUN(virtq_model, setup, finish)
