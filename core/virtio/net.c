/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Frames from the driver's transmit queue to the port, and from the port to its receive queue, a
 * bounded number at a time with the device's lock held. A partial checksum stays one if the
 * receiver takes such frames (5.1.6.2, 5.1.6.4): between VMs nobody computes it.
 */
#include "virtio/net.h"
#include "abi/virtio.h"
#include "base/check.h"
#include <string.h>

#define BATCH 32u /* frames that one call of serve() moves at most */
_Static_assert((uint64_t)BATCH *NET_FRAME_MAX <= KIB(64), "as docs/virtio.md has it for a piece");
#define HDR_LEN sizeof(struct virtio_net_hdr)

static struct virtio_net *net_of(struct virtio_device *dev)
{
    return (struct virtio_net *)(void *)dev;
}

/* --- Transmit (5.1.6.2) --- */

struct outgoing {
    struct virtio_net_hdr hdr;
    uint8_t header[NET_HEADER_LEN];
};
_Static_assert(sizeof(struct outgoing) == HDR_LEN + NET_HEADER_LEN, "as in the chain");

/* What was not negotiated is not to be used (5.1.6.2.1). */
static bool is_allowed(const struct virtio_net *net, const struct virtio_net_hdr *hdr)
{
    bool partial = (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;

    return hdr->gso_type == VIRTIO_NET_HDR_GSO_NONE &&
           (!partial || virtio_has(&net->dev, VIRTIO_NET_F_CSUM));
}

/* The rest of the frame from the chain. False if it is no such frame as the header says. */
static bool fill(struct virtio_net *net, const struct outgoing *out, struct net_frame *frame,
                 uint32_t len)
{
    frame->len = (uint16_t)len;
    frame->partial = (out->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
    frame->valid = false;
    frame->csum_start = out->hdr.csum_start;
    frame->csum_offset = out->hdr.csum_offset;
    memcpy(frame->data, out->header, NET_HEADER_LEN);
    return net_frame_is_sound(frame) &&
           virtq_read(&net->chain, sizeof(*out), frame->data + NET_HEADER_LEN,
                      len - NET_HEADER_LEN) == HV_OK;
}

/* False: the frame stays in the queue. */
static bool send(struct virtio_net *net, const struct outgoing *out, uint32_t len)
{
    struct net_port *port = net->port;
    struct net_frame *frame;

    switch (port->ops->offer(port, out->header, len, &frame)) {
    case NET_WAIT:
        return false;
    case NET_DROPPED:
        break;
    case NET_TAKEN:
        if (fill(net, out, frame, len)) {
            port->ops->submit(port, frame);
        } else {
            port->ops->withdraw(port, frame);
            port->ops->count_drop(port, NET_DROP_BAD);
        }
    }
    return true;
}

/* The next frame of the transmit queue. False: there is none, or it has to wait. */
static bool transmit(struct virtio_net *net)
{
    struct virtio_device *dev = &net->dev;
    struct outgoing out;

    if (!virtio_pop(dev, VIRTIO_NET_QUEUE_TX, &net->chain))
        return false;
    uint64_t len = net->chain.out_len - HDR_LEN;
    if (net->chain.out_len < sizeof(out) || len > NET_FRAME_MAX ||
        virtq_read(&net->chain, 0, &out, sizeof(out)) != HV_OK || !is_allowed(net, &out.hdr)) {
        net->port->ops->count_drop(net->port, NET_DROP_BAD);
    } else if (!send(net, &out, (uint32_t)len)) {
        virtq_unpop(&dev->queue[VIRTIO_NET_QUEUE_TX], 1);
        return false;
    }
    return virtio_push(dev, VIRTIO_NET_QUEUE_TX, net->chain.head, 0);
}

/* --- Receive (5.1.6.4) --- */

enum receipt {
    RECEIPT_DONE,  /* the frame is in the driver's buffers */
    RECEIPT_SMALL, /* it does not fit into one, and that is all that it may have */
    RECEIPT_NONE,  /* there are not enough buffers */
    RECEIPT_SPENT, /* this piece of work may look at no more of them */
    RECEIPT_DEAD,  /* the device is */
};

/* Bytes [from, to) of header and frame, without the header, to the beginning of the chain. */
static bool put(const struct virtq_chain *chain, const struct net_frame *frame, uint32_t from,
                uint32_t to)
{
    uint32_t skip = from == 0 ? (uint32_t)HDR_LEN : 0;

    return virtq_write(chain, skip, &frame->data[from + skip - HDR_LEN], to - from - skip) == HV_OK;
}

static bool finish(struct virtio_net *net, const struct net_frame *frame, uint16_t chains)
{
    struct virtio_net_hdr hdr = {
        .flags = frame->partial ? VIRTIO_NET_HDR_F_NEEDS_CSUM
                 : frame->valid && virtio_has(&net->dev, VIRTIO_NET_F_GUEST_CSUM)
                     ? VIRTIO_NET_HDR_F_DATA_VALID
                     : (uint8_t)0,
        .csum_start = frame->partial ? frame->csum_start : 0,
        .csum_offset = frame->partial ? frame->csum_offset : 0,
        .num_buffers = chains,
    };

    return virtq_write(&net->chain, 0, &hdr, HDR_LEN) == HV_OK &&
           virtio_publish(&net->dev, VIRTIO_NET_QUEUE_RX, chains);
}

static enum receipt broken(struct virtio_net *net)
{
    virtio_break(&net->dev);
    return RECEIPT_DEAD;
}

/* Nothing that was filled is seen by the driver before it is published. */
static enum receipt receive(struct virtio_net *net, const struct net_frame *frame)
{
    struct virtio_device *dev = &net->dev;
    struct virtq *queue = &dev->queue[VIRTIO_NET_QUEUE_RX];
    bool several = virtio_has(dev, VIRTIO_NET_F_MRG_RXBUF);
    uint32_t total = HDR_LEN + frame->len;
    uint16_t chains = 0;

    for (uint32_t done = 0, end; done < total; done = end) {
        struct virtq_chain *chain = chains == 0 ? &net->chain : &net->more;
        if (!virtio_pop(dev, VIRTIO_NET_QUEUE_RX, chain)) {
            virtq_unpop(queue, chains);
            return !virtio_is_live(dev)   ? RECEIPT_DEAD
                   : virtio_is_spent(dev) ? RECEIPT_SPENT
                                          : RECEIPT_NONE;
        }
        if (chain->in_len < HDR_LEN)
            return broken(net);
        if (!several && chain->in_len < total) {
            virtq_unpop(queue, 1);
            return RECEIPT_SMALL;
        }
        end = chain->in_len < total - done ? done + (uint32_t)chain->in_len : total;
        if (!put(chain, frame, done, end) ||
            !virtio_fill(dev, VIRTIO_NET_QUEUE_RX, chains, chain->head, end - done))
            return broken(net);
        chains++;
    }
    return finish(net, frame, chains) ? RECEIPT_DONE : broken(net);
}

/* Frames of the port to the driver. True if there may be more for it. */
static bool receive_all(struct virtio_net *net)
{
    struct net_port *port = net->port;
    struct net_frame *frame = port->ops->next(port, NULL);

    for (uint32_t i = 0; i < BATCH && frame != NULL; i++) {
        if (!virtio_has(&net->dev, VIRTIO_NET_F_GUEST_CSUM))
            net_frame_complete(frame);
        switch (receive(net, frame)) {
        case RECEIPT_SPENT:
            /* With all of the next piece it may fit; who gives it that had all of this one. */
            if (i != 0)
                return true;
            __attribute__((fallthrough));
        case RECEIPT_SMALL:
            port->ops->count_drop(port, NET_DROP_SMALL);
            break;
        case RECEIPT_NONE:
            port->ops->starve(port);
            return false;
        case RECEIPT_DEAD:
            port->ops->set_up(port, false);
            return false;
        case RECEIPT_DONE:
            break;
        }
        frame = port->ops->next(port, frame);
    }
    return frame != NULL;
}

/* --- virtio_ops --- */

static bool net_serve(struct virtio_device *dev, uint32_t queue)
{
    struct virtio_net *net = net_of(dev);
    bool more = false;

    virtio_lock(dev);
    if (virtio_is_live(dev)) {
        if (queue == VIRTIO_NET_QUEUE_RX) {
            more = receive_all(net);
        } else {
            uint32_t sent = 0;
            while (sent < BATCH && transmit(net))
                sent++;
            more = sent == BATCH;
        }
        virtio_signal(dev, queue);
    }
    virtio_unlock(dev);
    return more;
}

static void net_started(struct virtio_device *dev)
{
    struct net_port *port = net_of(dev)->port;

    port->ops->set_up(port, true);
}

static void net_reset(struct virtio_device *dev)
{
    struct net_port *port = net_of(dev)->port;

    port->ops->set_up(port, false);
}

static uint32_t net_config_read(struct virtio_device *dev, uint32_t offset, uint32_t size)
{
    uint32_t value = 0;

    memcpy(&value, (const char *)&net_of(dev)->config + offset, size);
    return value;
}

static const struct virtio_ops net_ops = {
    .id = VIRTIO_ID_NET,
    .features = VIRTIO_NET_F_CSUM | VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_MTU | VIRTIO_NET_F_MAC |
                VIRTIO_NET_F_MRG_RXBUF | VIRTIO_NET_F_STATUS,
    .started = net_started,
    .reset = net_reset,
    .serve = net_serve,
    .config_read = net_config_read,
    .config_size = sizeof(struct virtio_net_config),
};

static void net_wake(void *ctx, enum net_wake what)
{
    virtio_post(ctx, what == NET_WAKE_SEND ? VIRTIO_NET_QUEUE_TX : VIRTIO_NET_QUEUE_RX);
}

hv_err virtio_net_create(struct virtio_net *net, struct vm *vm, uint64_t base, uint32_t intid,
                         struct net_port *port, void (*destroy)(struct vm *vm, void *dev))
{
    const struct virtio_setup setup = {
        .ops = &net_ops,
        .base = base,
        .intid = intid,
        .queue = net->queue,
        .nr_queues = VIRTIO_NET_QUEUES,
    };

    net->port = port;
    net->config = (struct virtio_net_config){
        .status = VIRTIO_NET_S_LINK_UP,
        .max_virtqueue_pairs = 1,
        .mtu = NET_MTU,
    };
    memcpy(net->config.mac, port->mac, sizeof(net->config.mac));
    port->ctx = &net->dev;
    port->wake = net_wake;
    return virtio_create(&net->dev, vm, &setup, destroy);
}
