/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The ways of a frame: to one port, whose queue gives a place that the sender fills without the
 * lock; to all others (broadcast, groups, unknown stations), through the sender's own frame, from
 * which each of them gets a copy. Only the first kind waits if there is no room, for as long as the
 * receiver has patience left (vswitch.h), and not if its driver gave it no buffers.
 */
#include "dev/vswitch.h"
#include "base/bits.h"
#include "base/check.h"
#include "dev/vswitch_priv.h"
#include "hal/hal.h"
#include "vm/sched.h"
#include <string.h>

static struct vswitch_port *port_of(struct net_port *net)
{
    return (struct vswitch_port *)(void *)net;
}

static void wake(struct vswitch_port *port, enum net_wake what)
{
    if (port->net.wake != NULL)
        port->net.wake(port->net.ctx, what);
}

/* --- Places in a port's queue: lock held --- */

/* Whether a frame of port `source` may be in the queue beside those that are. */
static bool has_room(const struct vswitch_port *to, uint32_t source)
{
    return to->held[source] < 2 * to->nr_free;
}

static struct net_frame *take_place(struct vswitch_port *to, uint32_t source)
{
    struct net_frame *frame = list_entry(to->free.next, struct net_frame, node);

    list_remove(&frame->node);
    to->nr_free--;
    to->held[source]++;
    frame->source = (uint16_t)source;
    return frame;
}

static void give_place(struct vswitch_port *to, struct net_frame *frame)
{
    list_remove(&frame->node);
    list_insert_before(&to->free, &frame->node);
    to->nr_free++;
    to->held[frame->source]--;
}

static void enqueue(struct vswitch_port *to, struct net_frame *frame)
{
    struct vswitch_source *source = &to->from[frame->source];
    bool first = list_empty(&to->turns);

    if (list_empty(&source->frames))
        list_insert_before(&to->turns, &source->node);
    list_insert_before(&source->frames, &frame->node);
    if (first)
        wake(to, NET_WAKE_RECEIVE);
}

/* The first frame of the source whose turn it is; NULL: no frame waits. */
static struct net_frame *first_frame(const struct vswitch_port *to)
{
    const struct vswitch_source *source;

    if (list_empty(&to->turns))
        return NULL;
    source = list_entry(to->turns.next, struct vswitch_source, node);
    return list_entry(source->frames.next, struct net_frame, node);
}

/* It leaves the queue, and it is the next one's turn. */
static void dequeue(struct vswitch_port *to, struct net_frame *frame)
{
    struct vswitch_source *source = &to->from[frame->source];

    give_place(to, frame);
    list_remove(&source->node);
    if (!list_empty(&source->frames))
        list_insert_before(&to->turns, &source->node);
}

/* --- Waiting: lock held --- */

/* The time since the last look, if somebody waited for `to` then, is used up. Returns the time. */
static uint64_t settle(struct vswitch_port *to)
{
    uint64_t now = hal_time_now();
    uint64_t gone = to->waiting != 0 ? now - to->settled : 0;

    to->patience -= gone < to->patience ? gone : to->patience;
    to->settled = now;
    return now;
}

/* `to` took a frame, or threw it away. */
static void earn(struct vswitch_port *to)
{
    uint64_t most = to->on->patience;

    if (to->waiting != 0)
        (void)settle(to);
    to->patience += (most + VSWITCH_WAIT_FRAMES - 1) / VSWITCH_WAIT_FRAMES;
    if (to->patience > most)
        to->patience = most;
}

static void stop_waiting(struct vswitch_port *from)
{
    struct vswitch_port *to = from->waits_for;

    if (to == NULL)
        return;
    (void)settle(to);
    to->waiting &= ~BIT(from->index);
    from->waits_for = NULL;
}

/* Those that wait for `to` try again: all, or those that have a good part of their share free. */
static void wake_waiting(struct vswitch_port *to, bool all)
{
    for (uint64_t left = to->waiting; left != 0; left &= left - 1) {
        uint32_t n = (uint32_t)__builtin_ctzll(left);
        if (!all && to->held[n] > to->nr_free)
            continue;
        stop_waiting(to->on->port[n]);
        wake(to->on->port[n], NET_WAKE_SEND);
    }
}

static void flush(struct vswitch_port *to)
{
    struct net_frame *frame;

    wake_waiting(to, true);
    while ((frame = first_frame(to)) != NULL) {
        dequeue(to, frame);
        earn(to);
    }
    to->starved = false;
}

static void wait_over(struct timer *timer)
{
    struct vswitch_port *port = list_entry(timer, struct vswitch_port, timer);

    wake(port, NET_WAKE_SEND);
}

static enum net_verdict drop(struct vswitch_port *port, enum net_drop reason)
{
    port->stats.dropped[reason]++;
    return NET_DROPPED;
}

/* There is no room. Whose timer has gone off too early, as `to` earned more time meanwhile, waits
 * for the rest. */
static enum net_verdict wait_for(struct vswitch_port *from, struct vswitch_port *to)
{
    uint64_t now = settle(to);

    if (to->patience == 0)
        return drop(to, NET_DROP_FULL);
    if (from->waits_for == to && timer_active(&from->timer))
        return NET_WAIT;
    stop_waiting(from);
    from->waits_for = to;
    to->waiting |= BIT(from->index);
    timer_start(&from->on->hv->pcpu[hal_cpu_self()].timers, &from->timer, now + to->patience);
    return NET_WAIT;
}

static enum net_verdict reserve(struct vswitch_port *from, struct vswitch_port *to, bool may_wait,
                                struct net_frame **frame)
{
    if (!to->up)
        return drop(to, NET_DROP_DOWN);
    if (has_room(to, from->index)) {
        *frame = take_place(to, from->index);
        return NET_TAKEN;
    }
    if (to->starved)
        return drop(to, NET_DROP_EMPTY);
    return may_wait ? wait_for(from, to) : drop(to, NET_DROP_FULL);
}

/* --- net_port_ops --- */

static enum net_verdict choose(struct vswitch_port *from, const uint8_t *header,
                               struct net_frame **frame)
{
    struct vswitch *on = from->on;
    uint64_t target = vswitch_mac(header);
    uint64_t source = vswitch_mac(header + NET_MAC_LEN);
    struct vswitch_port *to;

    if (vswitch_is_group(source))
        return drop(from, NET_DROP_BAD);
    if (!vswitch_learn(from, source))
        return drop(from, NET_DROP_SPOOF);
    to = vswitch_is_group(target) ? NULL : vswitch_find(on, target);
    if (to == from)
        return drop(from, NET_DROP_LOCAL);
    if (to != NULL)
        return reserve(from, to, from->sink == NULL, frame);
    *frame = &from->staging;
    return NET_TAKEN;
}

static enum net_verdict port_offer(struct net_port *net, const uint8_t header[NET_HEADER_LEN],
                                   uint32_t len, struct net_frame **frame)
{
    struct vswitch_port *from = port_of(net);
    enum net_verdict verdict;

    HV_CHECK(len >= NET_HEADER_LEN && len <= NET_FRAME_MAX);
    spinlock_lock(&from->on->lock);
    verdict = choose(from, header, frame);
    if (verdict != NET_WAIT)
        stop_waiting(from);
    if (verdict == NET_TAKEN && *frame != &from->staging)
        port_of((*frame)->port)->filling++;
    spinlock_unlock(&from->on->lock);
    return verdict;
}

static void copy(struct net_frame *to, const struct net_frame *from)
{
    to->len = from->len;
    to->partial = from->partial;
    to->valid = from->valid;
    to->csum_start = from->csum_start;
    to->csum_offset = from->csum_offset;
    memcpy(to->data, from->data, from->len);
}

/* To a port that takes frames at once, with the lock let go meanwhile: `filling` keeps it there. */
static void pour(struct vswitch_port *to, struct net_frame *frame)
{
    spinlock_unlock(&to->on->lock);
    to->sink(to, frame);
    spinlock_lock(&to->on->lock);
    to->stats.received++;
    to->stats.received_bytes += frame->len;
    give_place(to, frame);
}

/* A filled place: it is in no list, and one of `filling`. */
static void arrive(struct vswitch_port *to, struct net_frame *frame)
{
    if (!to->up) {
        (void)drop(to, NET_DROP_DOWN);
        give_place(to, frame);
    } else if (to->sink != NULL) {
        pour(to, frame);
    } else {
        enqueue(to, frame);
    }
    to->filling--;
}

/* The lock is let go between two ports, each of which takes a copy's time. */
static void flood(struct vswitch_port *from, const struct net_frame *frame)
{
    struct vswitch *on = from->on;

    for (uint32_t n = 0; n < VSWITCH_PORTS_MAX; n++) {
        struct net_frame *place;

        spinlock_lock(&on->lock);
        struct vswitch_port *to = on->port[n];
        if (to != NULL && to != from && reserve(from, to, false, &place) == NET_TAKEN) {
            copy(place, frame);
            to->filling++;
            arrive(to, place);
        }
        spinlock_unlock(&on->lock);
    }
}

static void port_submit(struct net_port *net, struct net_frame *frame)
{
    struct vswitch_port *from = port_of(net);
    struct vswitch *on = from->on;
    uint16_t len = frame->len;

    if (frame == &from->staging)
        flood(from, frame);
    spinlock_lock(&on->lock);
    if (frame != &from->staging)
        arrive(port_of(frame->port), frame);
    from->stats.sent++;
    from->stats.sent_bytes += len;
    spinlock_unlock(&on->lock);
}

static void port_withdraw(struct net_port *net, struct net_frame *frame)
{
    struct vswitch_port *from = port_of(net);

    if (frame == &from->staging)
        return;
    spinlock_lock(&from->on->lock);
    give_place(port_of(frame->port), frame);
    port_of(frame->port)->filling--;
    spinlock_unlock(&from->on->lock);
}

static void finish(struct vswitch_port *to, struct net_frame *frame)
{
    to->stats.received++;
    to->stats.received_bytes += frame->len;
    dequeue(to, frame);
    to->starved = false;
    earn(to);
    wake_waiting(to, false);
}

static struct net_frame *port_next(struct net_port *net, struct net_frame *done)
{
    struct vswitch_port *to = port_of(net);
    struct net_frame *frame;

    spinlock_lock(&to->on->lock);
    if (done != NULL)
        finish(to, done);
    frame = first_frame(to);
    spinlock_unlock(&to->on->lock);
    return frame;
}

static void port_starve(struct net_port *net)
{
    struct vswitch_port *to = port_of(net);

    spinlock_lock(&to->on->lock);
    to->starved = true;
    wake_waiting(to, true);
    spinlock_unlock(&to->on->lock);
}

static void port_set_up(struct net_port *net, bool up)
{
    struct vswitch_port *port = port_of(net);

    spinlock_lock(&port->on->lock);
    port->up = up;
    stop_waiting(port);
    flush(port);
    spinlock_unlock(&port->on->lock);
}

static void port_count_drop(struct net_port *net, enum net_drop reason)
{
    struct vswitch_port *port = port_of(net);

    spinlock_lock(&port->on->lock);
    (void)drop(port, reason);
    spinlock_unlock(&port->on->lock);
}

static const struct net_port_ops port_ops = {
    .set_up = port_set_up,
    .offer = port_offer,
    .submit = port_submit,
    .withdraw = port_withdraw,
    .next = port_next,
    .starve = port_starve,
    .count_drop = port_count_drop,
};

/* --- Life --- */

void vswitch_init(struct vswitch *on, struct hv *hv, const char *name)
{
    size_t len = strlen(name);

    HV_CHECK(len < VSWITCH_NAME_MAX);
    memset(on, 0, sizeof(*on));
    spinlock_init(&on->lock, LOCK_RANK_DEV);
    on->hv = hv;
    on->patience = hal_time_hz() / 1000 * VSWITCH_WAIT_MILLIS;
    memcpy(on->name, name, len);
    for (uint32_t i = 0; i < VSWITCH_BUCKETS; i++)
        list_init(&on->bucket[i]);
}

static void prepare(struct vswitch *on, struct vswitch_port *port, void *frames)
{
    port->net.ops = &port_ops;
    port->on = on;
    list_init(&port->free);
    list_init(&port->turns);
    for (uint32_t i = 0; i < VSWITCH_PORTS_MAX; i++) {
        list_init(&port->from[i].node);
        list_init(&port->from[i].frames);
    }
    for (uint32_t i = 0; i < VSWITCH_QUEUE; i++) {
        struct net_frame *frame = (void *)((char *)frames + (size_t)i * VSWITCH_FRAME_SIZE);
        frame->port = &port->net;
        list_insert_before(&port->free, &frame->node);
    }
    port->nr_free = VSWITCH_QUEUE;
    port->patience = on->patience;
    port->staging.port = &port->net;
    timer_init(&port->timer, wait_over);
    vswitch_forget_all(port);
}

static uint32_t find_index(const struct vswitch *on)
{
    uint32_t n = 0;

    while (n < VSWITCH_PORTS_MAX && on->port[n] != NULL)
        n++;
    return n;
}

hv_err vswitch_attach(struct vswitch *on, struct vswitch_port *port, void *frames)
{
    hv_err err = HV_OK;

    prepare(on, port, frames);
    spinlock_lock(&on->lock);
    port->index = find_index(on);
    if (port->index == VSWITCH_PORTS_MAX)
        err = HV_ERR_NOMEM;
    else if (!vswitch_claim(port))
        err = HV_ERR_EXIST;
    else
        on->port[port->index] = port;
    spinlock_unlock(&on->lock);
    if (err != HV_OK)
        port->on = NULL;
    return err;
}

/* Nobody sends to it, or waits for it, from now on. Lock held. */
static void leave(struct vswitch_port *port)
{
    port->up = false;
    stop_waiting(port);
    flush(port);
    vswitch_forget_all(port);
    port->on->port[port->index] = NULL;
}

void vswitch_detach(struct vswitch_port *port)
{
    struct vswitch *on = port->on;

    if (on == NULL)
        return;
    spinlock_lock(&on->lock);
    leave(port);
    while (port->filling != 0) {
        spinlock_unlock(&on->lock);
        hal_cpu_relax();
        spinlock_lock(&on->lock);
    }
    spinlock_unlock(&on->lock);
    timer_cancel(&port->timer);
    /* wait_over() may be running. */
    sched_quiesce(on->hv);
    port->on = NULL;
}

bool vswitch_view(struct vswitch *on, uint32_t index, struct vswitch_view *out)
{
    const struct vswitch_port *port;

    spinlock_lock(&on->lock);
    port = on->port[index];
    if (port != NULL) {
        *out = (struct vswitch_view){
            .slot = port->slot, .unit = port->unit, .up = port->up, .stats = port->stats};
        memcpy(out->mac, port->net.mac, NET_MAC_LEN);
    }
    spinlock_unlock(&on->lock);
    return port != NULL;
}
