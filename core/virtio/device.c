/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The device as its kind sees it: work, queues, interrupts. As the driver sees it: device_regs.c.
 */
#include "virtio/device.h"
#include "abi/gicv3.h"
#include "abi/virtio.h"
#include "base/check.h"
#include "virtio/device_priv.h"

/* --- Work --- */

/*
 * A bit that is set was posted already, and whoever serves has yet to take it: it needs no second
 * post. All of it is sequentially consistent, see virtio_work().
 */
void virtio_post(struct virtio_device *dev, uint32_t queue)
{
    (void)atomic_fetch_or(&dev->pending, UINT32_C(1) << queue);
    vm_post_device(dev->vm, dev->index);
}

/* A queue of those in `pending`, which is not 0: the next in turn. */
static uint32_t choose_queue(struct virtio_device *dev, uint32_t pending)
{
    uint32_t later = pending & ~UINT32_C(0) << dev->next_queue;
    uint32_t queue = (uint32_t)__builtin_ctz(later != 0 ? later : pending);

    dev->next_queue = (queue + 1) % VIRTIO_QUEUES_MAX;
    return queue;
}

/*
 * A vm_device.work. Who finds another pCPU serving leaves its work to it: `pending` was set before
 * it looked at `serving`, and the other one clears `serving` before it looks at `pending` for the
 * last time. Both are sequentially consistent, so that one of the two sees the other.
 */
static bool virtio_work(void *self)
{
    struct virtio_device *dev = self;

    if (atomic_exchange(&dev->serving, true))
        return false;
    uint32_t pending = atomic_load(&dev->pending);
    if (pending != 0) {
        uint32_t queue = choose_queue(dev, pending);
        atomic_fetch_and(&dev->pending, ~(UINT32_C(1) << queue));
        dev->left = VIRTIO_PIECE_BUFFERS;
        if (dev->ops->serve(dev, queue) || virtio_is_spent(dev))
            atomic_fetch_or(&dev->pending, UINT32_C(1) << queue);
    }
    atomic_store(&dev->serving, false);
    return atomic_load(&dev->pending) != 0;
}

/* --- Life --- */

hv_err virtio_create(struct virtio_device *dev, struct vm *vm, const struct virtio_setup *setup,
                     void (*destroy)(struct vm *vm, void *dev))
{
    const struct mmio_region region = {
        .base = setup->base,
        .size = VIRTIO_FRAME_SIZE,
        .access = virtio_access,
        .dev = dev,
        .name = "virtio",
    };

    HV_CHECK(setup->nr_queues - 1 < VIRTIO_QUEUES_MAX && setup->intid >= GIC_FIRST_SPI);
    if (setup->intid - GIC_FIRST_SPI >= vm->vgic.nr_spis)
        return HV_ERR_RANGE;
    *dev = (struct virtio_device){
        .vm = vm,
        .ops = setup->ops,
        .intid = setup->intid,
        .nr_queues = setup->nr_queues,
        .queue = setup->queue,
        .offered = (setup->ops->features & ~setup->withheld) | VIRTIO_F_VERSION_1 |
                   VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX,
    };
    spinlock_init(&dev->lock, LOCK_RANK_VIRTIO);
    virtio_device_clear(dev);
    hv_err err = mmio_bus_add(&vm->bus, &region);
    if (err == HV_OK)
        err = vm_add_worker(vm, dev, destroy, virtio_work, &dev->index);
    return err;
}

bool virtio_is_live(const struct virtio_device *dev)
{
    return (dev->status & (VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_NEEDS_RESET |
                           VIRTIO_STATUS_FAILED)) == VIRTIO_STATUS_DRIVER_OK;
}

/* --- Interrupts --- */

static void set_isr(struct virtio_device *dev, uint32_t isr)
{
    atomic_store_explicit(&dev->isr, isr, memory_order_relaxed);
    if ((isr != 0) == dev->line)
        return;
    dev->line = isr != 0;
    vgic_set_level(&dev->vm->vgic, 0, dev->intid, dev->line);
}

void virtio_raise(struct virtio_device *dev, uint32_t bits)
{
    set_isr(dev, atomic_load_explicit(&dev->isr, memory_order_relaxed) | bits);
}

void virtio_lower(struct virtio_device *dev, uint32_t bits)
{
    set_isr(dev, atomic_load_explicit(&dev->isr, memory_order_relaxed) & ~bits);
}

void virtio_break(struct virtio_device *dev)
{
    bool tell = virtio_is_live(dev);

    dev->status |= VIRTIO_STATUS_NEEDS_RESET;
    if (tell)
        virtio_raise(dev, VIRTIO_MMIO_INT_CONFIG);
}

void virtio_config_changed(struct virtio_device *dev)
{
    dev->generation++;
    if (virtio_is_live(dev))
        virtio_raise(dev, VIRTIO_MMIO_INT_CONFIG);
}

/* --- Queues --- */

/* What a function of virtq.h returned. */
static bool judge(struct virtio_device *dev, hv_err err)
{
    if (err == HV_ERR_FORMAT)
        virtio_break(dev);
    return err == HV_OK;
}

bool virtio_pop(struct virtio_device *dev, uint32_t queue, struct virtq_chain *chain)
{
    if (!virtio_is_live(dev) || virtio_is_spent(dev) ||
        !judge(dev, virtq_pop(&dev->queue[queue], chain)))
        return false;
    uint32_t cost = 1 + (uint32_t)chain->nr_out + chain->nr_in;
    dev->left -= cost < dev->left ? cost : dev->left;
    return true;
}

bool virtio_push(struct virtio_device *dev, uint32_t queue, uint16_t head, uint32_t written)
{
    return virtio_is_live(dev) && judge(dev, virtq_push(&dev->queue[queue], head, written));
}

bool virtio_fill(struct virtio_device *dev, uint32_t queue, uint16_t n, uint16_t head,
                 uint32_t written)
{
    return virtio_is_live(dev) && judge(dev, virtq_fill(&dev->queue[queue], n, head, written));
}

bool virtio_publish(struct virtio_device *dev, uint32_t queue, uint16_t count)
{
    return virtio_is_live(dev) && judge(dev, virtq_publish(&dev->queue[queue], count));
}

/* Those that return no error break the queue all the same. */
static bool judge_queue(struct virtio_device *dev, uint32_t queue, bool result)
{
    if (!dev->queue[queue].broken)
        return result;
    virtio_break(dev);
    return false;
}

bool virtio_set_notify(struct virtio_device *dev, uint32_t queue, bool on)
{
    return virtio_is_live(dev) && judge_queue(dev, queue, virtq_set_notify(&dev->queue[queue], on));
}

void virtio_signal(struct virtio_device *dev, uint32_t queue)
{
    if (virtio_is_live(dev) && judge_queue(dev, queue, virtq_must_interrupt(&dev->queue[queue])))
        virtio_raise(dev, VIRTIO_MMIO_INT_VRING);
}
