/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Connections: what a guest's packet does to them, and which packet a guest gets next. The lock of
 * the hub is held everywhere. */
#include "base/check.h"
#include "virtio/vsock.h"
#include <string.h>

/* Packets that a guest is to get, besides data, in this order; SHUTDOWN and CREDIT after it. */
enum todo { TODO_REQUEST = 1, TODO_RESPONSE = 2, TODO_SHUTDOWN = 4, TODO_CREDIT = 8 };

static uint32_t waiting(const struct vsock_end *end)
{
    return end->head - end->tail;
}

/* --- The pipe: in one copy, or two where it wraps around, as the hub's lock is everybody's --- */

static uint32_t first_part(uint32_t at, uint32_t len)
{
    uint32_t left = VSOCK_PIPE_SIZE - at % VSOCK_PIPE_SIZE;

    return len < left ? len : left;
}

/* There is room for them. */
static void pipe_put(struct vsock_end *to, const char *data, uint32_t len)
{
    uint32_t first = first_part(to->head, len);

    memcpy(to->pipe + to->head % VSOCK_PIPE_SIZE, data, first);
    memcpy(to->pipe, data + first, len - first);
    to->head += len;
}

/* There are so many. */
static void pipe_get(struct vsock_end *from, char *data, uint32_t len)
{
    uint32_t first = first_part(from->tail, len);

    memcpy(data, from->pipe + from->tail % VSOCK_PIPE_SIZE, first);
    memcpy(data + first, from->pipe, len - first);
    from->tail += len;
}

/* There may be something for the guest. */
static void post(struct virtio_vsock *v)
{
    virtio_post(&v->dev, VIRTIO_VSOCK_QUEUE_RX);
}

static struct virtio_vsock *find_device(struct virtio_vsock_hub *hub, uint64_t cid)
{
    for (struct list_node *node = hub->devices.next; node != &hub->devices; node = node->next) {
        struct virtio_vsock *v = list_entry(node, struct virtio_vsock, node);
        if (v->cid == cid)
            return v;
    }
    return NULL;
}

static struct vsock_end *find_end(struct virtio_vsock *v, const struct vsock_name *name)
{
    for (uint32_t i = 0; i < VSOCK_CONNECTIONS; i++) {
        struct vsock_end *end = &v->end[i];
        if (end->state != VSOCK_FREE && end->name.peer_cid == name->peer_cid &&
            end->name.port == name->port && end->name.peer_port == name->peer_port)
            return end;
    }
    return NULL;
}

/* --- The end of connections --- */

/* The guest gets a RST, and nothing before it. */
static void reset_end(struct virtio_vsock *v, struct vsock_end *end)
{
    end->state = VSOCK_RESET;
    end->todo = 0;
    end->tail = end->head;
    end->peer = NULL;
    end->other = NULL;
    post(v);
}

static void free_end(struct vsock_end *end)
{
    end->state = VSOCK_FREE;
}

/* The guest is done with its end, or there is none: the other one gets a RST. */
static void abandon(struct vsock_end *end)
{
    if (end->other != NULL)
        reset_end(end->peer, end->other);
    free_end(end);
}

/* Both get one. */
static void reset_both(struct virtio_vsock *v, struct vsock_end *end)
{
    if (end->other != NULL)
        reset_end(end->peer, end->other);
    reset_end(v, end);
}

/* Of what is not connected. */
static void refuse(struct virtio_vsock *v, const struct vsock_name *name)
{
    HV_CHECK(v->nr_refusals < VSOCK_REFUSALS);
    v->refusal[v->nr_refusals++] = *name;
    post(v);
}

void vsock_drop_all(struct virtio_vsock *v)
{
    for (uint32_t i = 0; i < VSOCK_CONNECTIONS; i++)
        if (v->end[i].state != VSOCK_FREE)
            abandon(&v->end[i]);
    v->nr_refusals = 0;
    v->stalled = false;
}

/* --- Packets of the guest --- */

/*
 * Whether one more end may go to what `cid` asks for. If there are others who might want some, it
 * gets as many as each of them, and as are left for the guest's own: what it has made of them does
 * not matter, as one that waits to be reset is in use, too. Of two devices neither needs a share,
 * as each may refuse the other anyway.
 */
static bool has_share(const struct virtio_vsock *v, uint64_t cid)
{
    const struct virtio_vsock_hub *hub = v->hub;
    uint32_t devices = 0;
    uint32_t taken = 0;

    for (const struct list_node *node = hub->devices.next; node != &hub->devices; node = node->next)
        devices++;
    for (uint32_t i = 0; i < VSOCK_CONNECTIONS; i++)
        if (v->end[i].state != VSOCK_FREE && v->end[i].theirs && v->end[i].name.peer_cid == cid)
            taken++;
    return devices <= 2 || taken == 0 || taken < VSOCK_CONNECTIONS / devices;
}

static struct vsock_end *new_end(struct virtio_vsock *v, const struct vsock_name *name)
{
    for (uint32_t i = 0; i < VSOCK_CONNECTIONS; i++) {
        struct vsock_end *end = &v->end[i];
        if (end->state != VSOCK_FREE)
            continue;
        memset(end, 0, offsetof(struct vsock_end, pipe));
        end->name = *name;
        return end;
    }
    return NULL;
}

static void set_credit(struct virtio_vsock *v, struct vsock_end *end)
{
    end->buf_alloc = v->hdr.buf_alloc;
    end->guest_fwd = v->hdr.fwd_cnt;
}

static void take_request(struct virtio_vsock *v, const struct vsock_name *name)
{
    const struct vsock_name back = {v->cid, name->peer_port, name->port};
    struct virtio_vsock *peer = find_device(v->hub, name->peer_cid);
    struct vsock_end *end = NULL;
    struct vsock_end *other = NULL;

    if (peer != NULL && peer != v && peer->driven && find_end(peer, &back) == NULL &&
        has_share(peer, v->cid))
        end = new_end(v, name);
    if (end != NULL)
        other = new_end(peer, &back);
    if (other == NULL) {
        refuse(v, name);
        return;
    }
    end->state = VSOCK_ASKING;
    end->peer = peer;
    end->other = other;
    set_credit(v, end);
    other->state = VSOCK_ASKED;
    other->theirs = true;
    other->peer = v;
    other->other = end;
    other->todo = TODO_REQUEST;
    post(peer);
}

static bool take_response(struct vsock_end *end)
{
    if (end->state != VSOCK_ASKED || (end->todo & TODO_REQUEST) != 0)
        return false;
    end->state = VSOCK_OPEN;
    end->other->state = VSOCK_OPEN;
    end->other->todo |= TODO_RESPONSE;
    post(end->peer);
    return true;
}

/* False: the guest had no credit for that. */
static bool take_data(struct virtio_vsock *v, struct vsock_end *end)
{
    struct vsock_end *to = end->other;

    if (end->state != VSOCK_OPEN || v->hdr.len > VSOCK_PIPE_SIZE - (end->sent - end->fwd))
        return false;
    pipe_put(to, v->data, v->hdr.len);
    end->sent += v->hdr.len;
    post(end->peer);
    return true;
}

static bool take_shutdown(const struct virtio_vsock *v, struct vsock_end *end)
{
    if (end->state != VSOCK_OPEN)
        return false;
    end->other->shutdown |= v->hdr.flags & (VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND);
    end->other->todo |= TODO_SHUTDOWN;
    post(end->peer);
    return true;
}

/* A packet of a connection that there is. False: it breaks a rule. */
static bool take_known(struct virtio_vsock *v, struct vsock_end *end)
{
    set_credit(v, end);
    switch (v->hdr.op) {
    case VIRTIO_VSOCK_OP_RESPONSE:
        return take_response(end);
    case VIRTIO_VSOCK_OP_SHUTDOWN:
        return take_shutdown(v, end);
    case VIRTIO_VSOCK_OP_RW:
        return take_data(v, end);
    case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
        post(v);
        return true;
    case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
        end->todo |= TODO_CREDIT;
        post(v);
        return true;
    default:
        return false;
    }
}

bool vsock_take(struct virtio_vsock *v)
{
    const struct virtio_vsock_hdr *hdr = &v->hdr;
    const struct vsock_name name = {hdr->dst_cid, hdr->src_port, hdr->dst_port};
    struct vsock_end *end = find_end(v, &name);

    v->stalled = v->nr_refusals == VSOCK_REFUSALS;
    if (v->stalled)
        return false;
    if (hdr->src_cid != v->cid)
        return true; /* not its own: there is nobody to answer (5.10.6.4.1) */
    if (hdr->op == VIRTIO_VSOCK_OP_RST) {
        if (end != NULL)
            abandon(end);
        return true;
    }
    /* What crosses a RST on its way to the guest is answered by that. */
    if (end != NULL && end->state == VSOCK_RESET)
        return true;
    if (end != NULL) {
        if (hdr->type != VIRTIO_VSOCK_TYPE_STREAM || !take_known(v, end))
            reset_both(v, end);
    } else if (hdr->type == VIRTIO_VSOCK_TYPE_STREAM && hdr->op == VIRTIO_VSOCK_OP_REQUEST) {
        take_request(v, &name);
    } else {
        refuse(v, &name);
    }
    return true;
}

/* --- Packets for the guest --- */

/* What the guest has room for, as it says. Its counters may be anything. */
static uint32_t credit(const struct vsock_end *end)
{
    uint32_t under_way = end->delivered - end->guest_fwd;

    return under_way < end->buf_alloc ? end->buf_alloc - under_way : 0;
}

static void fill_header(struct virtio_vsock *v, const struct vsock_name *name, uint16_t op)
{
    v->hdr = (struct virtio_vsock_hdr){
        .src_cid = name->peer_cid,
        .dst_cid = v->cid,
        .src_port = name->peer_port,
        .dst_port = name->port,
        .type = VIRTIO_VSOCK_TYPE_STREAM,
        .op = op,
    };
}

/* The sender gets credit for what has gone on, if it has less than half of what it could have. */
static void return_credit(struct vsock_end *end, uint32_t len)
{
    struct vsock_end *from = end->other;

    from->fwd += len;
    if (from->sent - from->told > VSOCK_PIPE_SIZE / 2) {
        from->todo |= TODO_CREDIT;
        post(end->peer);
    }
}

static void fill_data(struct virtio_vsock *v, struct vsock_end *end, uint32_t len)
{
    pipe_get(end, v->data, len);
    v->hdr.len = len;
    end->delivered += len;
    return_credit(end, len);
}

/* Which packet, 0 for none: VIRTIO_VSOCK_OP_*. Its bit in `todo` is cleared. */
static uint16_t choose(struct vsock_end *end, uint64_t room)
{
    static const struct {
        uint8_t todo;
        uint16_t op;
        bool after_data;
    } rows[] = {
        {TODO_REQUEST, VIRTIO_VSOCK_OP_REQUEST, false},
        {TODO_RESPONSE, VIRTIO_VSOCK_OP_RESPONSE, false},
        {TODO_CREDIT, VIRTIO_VSOCK_OP_CREDIT_UPDATE, false},
        {TODO_SHUTDOWN, VIRTIO_VSOCK_OP_SHUTDOWN, true},
    };

    if (end->state == VSOCK_RESET)
        return VIRTIO_VSOCK_OP_RST;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if ((end->todo & rows[i].todo) == 0 || (rows[i].after_data && waiting(end) > 0))
            continue;
        end->todo &= (uint8_t)~rows[i].todo;
        return rows[i].op;
    }
    return waiting(end) > 0 && credit(end) > 0 && room > 0 ? VIRTIO_VSOCK_OP_RW : 0;
}

static bool next_of_end(struct virtio_vsock *v, struct vsock_end *end, uint64_t room)
{
    uint16_t op = choose(end, room);
    uint32_t len = waiting(end) < credit(end) ? waiting(end) : credit(end);

    if (op == 0)
        return false;
    fill_header(v, &end->name, op);
    if (op == VIRTIO_VSOCK_OP_RST) {
        free_end(end);
        return true;
    }
    if (op == VIRTIO_VSOCK_OP_RW)
        fill_data(v, end, len < room ? len : (uint32_t)room);
    if (op == VIRTIO_VSOCK_OP_SHUTDOWN)
        v->hdr.flags = end->shutdown;
    v->hdr.buf_alloc = VSOCK_PIPE_SIZE;
    v->hdr.fwd_cnt = end->told = end->fwd;
    return true;
}

bool vsock_next(struct virtio_vsock *v, uint64_t room)
{
    if (v->nr_refusals > 0) {
        fill_header(v, &v->refusal[--v->nr_refusals], VIRTIO_VSOCK_OP_RST);
        if (v->stalled)
            virtio_post(&v->dev, VIRTIO_VSOCK_QUEUE_TX);
        return true;
    }
    for (uint32_t i = 0; i < VSOCK_CONNECTIONS; i++) {
        struct vsock_end *end = &v->end[(v->next + i) % VSOCK_CONNECTIONS];
        if (end->state == VSOCK_FREE || !next_of_end(v, end, room))
            continue;
        v->next = (v->next + i + 1) % VSOCK_CONNECTIONS;
        return true;
    }
    return false;
}
