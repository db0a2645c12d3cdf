/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The device: queues and life. */
#include "virtio/vsock.h"
#include "abi/virtio.h"
#include <string.h>

static struct virtio_vsock *vsock_of(struct virtio_device *dev)
{
    return (struct virtio_vsock *)dev;
}

/* --- Queues --- */

static bool pop(struct virtio_vsock *v, uint32_t queue)
{
    virtio_lock(&v->dev);
    bool got = virtio_pop(&v->dev, queue, &v->chain);
    virtio_unlock(&v->dev);
    return got;
}

static bool push(struct virtio_vsock *v, uint32_t queue, uint32_t written)
{
    virtio_lock(&v->dev);
    if (virtio_push(&v->dev, queue, v->chain.head, written))
        virtio_signal(&v->dev, queue);
    virtio_unlock(&v->dev);
    return true;
}

/* The chain is found again the next time. */
static bool unpop(struct virtio_vsock *v, uint32_t queue)
{
    virtio_lock(&v->dev);
    virtq_unpop(&v->dev.queue[queue], 1);
    virtio_unlock(&v->dev);
    return false;
}

static bool give_up(struct virtio_vsock *v)
{
    virtio_lock(&v->dev);
    virtio_break(&v->dev);
    virtio_unlock(&v->dev);
    return false;
}

/* One packet of the guest. No data are read that it can have no credit for. */
static bool serve_tx(struct virtio_vsock *v, uint32_t queue)
{
    if (!pop(v, queue))
        return false;
    if (virtq_read(&v->chain, 0, &v->hdr, sizeof(v->hdr)) != HV_OK)
        return give_up(v);
    if (v->hdr.len <= sizeof(v->data) &&
        virtq_read(&v->chain, sizeof(v->hdr), v->data, v->hdr.len) != HV_OK)
        return give_up(v);
    spinlock_lock(&v->hub->lock);
    bool taken = vsock_take(v);
    spinlock_unlock(&v->hub->lock);
    return taken ? push(v, queue, 0) : unpop(v, queue);
}

static bool serve_rx(struct virtio_vsock *v, uint32_t queue)
{
    if (!pop(v, queue))
        return false;
    if (v->chain.in_len < sizeof(v->hdr))
        return give_up(v);
    spinlock_lock(&v->hub->lock);
    bool found = vsock_next(v, v->chain.in_len - sizeof(v->hdr));
    spinlock_unlock(&v->hub->lock);
    if (!found)
        return unpop(v, queue);
    if (virtq_write(&v->chain, 0, &v->hdr, sizeof(v->hdr)) != HV_OK ||
        virtq_write(&v->chain, sizeof(v->hdr), v->data, v->hdr.len) != HV_OK)
        return give_up(v);
    return push(v, queue, (uint32_t)sizeof(v->hdr) + v->hdr.len);
}

/* Nothing ever happens that the driver would hear of on the event queue. */
static bool serve(struct virtio_device *dev, uint32_t queue)
{
    if (queue == VIRTIO_VSOCK_QUEUE_RX)
        return serve_rx(vsock_of(dev), queue);
    return queue == VIRTIO_VSOCK_QUEUE_TX && serve_tx(vsock_of(dev), queue);
}

/* --- Life --- */

static void started(struct virtio_device *dev)
{
    struct virtio_vsock *v = vsock_of(dev);

    spinlock_lock(&v->hub->lock);
    v->driven = true;
    spinlock_unlock(&v->hub->lock);
}

static void reset(struct virtio_device *dev)
{
    struct virtio_vsock *v = vsock_of(dev);

    spinlock_lock(&v->hub->lock);
    v->driven = false;
    vsock_drop_all(v);
    spinlock_unlock(&v->hub->lock);
}

static uint32_t config_read(struct virtio_device *dev, uint32_t offset, uint32_t size)
{
    uint32_t value = 0;

    memcpy(&value, (const char *)&vsock_of(dev)->cid + offset, size);
    return value;
}

static const struct virtio_ops ops = {
    .id = VIRTIO_ID_VSOCK,
    .features = VIRTIO_VSOCK_F_STREAM,
    .started = started,
    .reset = reset,
    .serve = serve,
    .config_read = config_read,
    .config_size = sizeof(uint64_t),
};

void virtio_vsock_hub_init(struct virtio_vsock_hub *hub)
{
    spinlock_init(&hub->lock, LOCK_RANK_DEV);
    list_init(&hub->devices);
}

static bool is_taken(struct virtio_vsock_hub *hub, uint32_t cid)
{
    bool taken = false;

    spinlock_lock(&hub->lock);
    for (struct list_node *node = hub->devices.next; node != &hub->devices; node = node->next)
        taken = taken || list_entry(node, struct virtio_vsock, node)->cid == cid;
    spinlock_unlock(&hub->lock);
    return taken;
}

void virtio_vsock_leave(struct virtio_vsock *vsock)
{
    spinlock_lock(&vsock->hub->lock);
    vsock_drop_all(vsock);
    list_remove(&vsock->node);
    spinlock_unlock(&vsock->hub->lock);
}

hv_err virtio_vsock_create(struct virtio_vsock *vsock, struct vm *vm, uint64_t base, uint32_t intid,
                           uint32_t cid, struct virtio_vsock_hub *hub,
                           void (*destroy)(struct vm *vm, void *dev))
{
    const struct virtio_setup setup = {
        .ops = &ops,
        .base = base,
        .intid = intid,
        .queue = vsock->queue,
        .nr_queues = VIRTIO_VSOCK_QUEUES,
    };

    /* Only the manager makes VMs: nobody takes it meanwhile. */
    if (is_taken(hub, cid))
        return HV_ERR_EXIST;
    hv_err err = virtio_create(&vsock->dev, vm, &setup, destroy);
    if (err != HV_OK)
        return err;
    vsock->hub = hub;
    vsock->cid = cid;
    spinlock_lock(&hub->lock);
    list_insert_before(&hub->devices, &vsock->node);
    spinlock_unlock(&hub->lock);
    return HV_OK;
}
