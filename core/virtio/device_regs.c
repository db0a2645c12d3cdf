/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The registers of virtio-mmio (4.2.2) and what a driver does with them: 3.1. */
#include "abi/virtio.h"
#include "base/bits.h"
#include "hal/hal.h"
#include "virtio/device.h"
#include "virtio/device_priv.h"
#include "vm/sched.h"

#define VENDOR_ID UINT32_C(0x4e434c48) /* "HLCN" */

/* What the driver may set. */
#define STATUS_DRIVERS                                                                             \
    (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK |                \
     VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_FAILED)

static struct virtq *selected(struct virtio_device *dev)
{
    return dev->queue_sel < dev->nr_queues ? &dev->queue[dev->queue_sel] : NULL;
}

/* --- Reset --- */

void virtio_device_clear(struct virtio_device *dev)
{
    dev->status = 0;
    dev->accepted = 0;
    dev->accepted_unknown = false;
    dev->offered_sel = 0;
    dev->accepted_sel = 0;
    dev->queue_sel = 0;
    for (uint32_t i = 0; i < dev->nr_queues; i++)
        virtq_reset(&dev->queue[i], &dev->vm->s2, VIRTQ_SIZE_MAX);
}

/* The lock, once nobody is in the middle of a reset. */
static void lock_settled(struct virtio_device *dev)
{
    virtio_lock(dev);
    while (dev->resetting) {
        virtio_unlock(dev);
        sched_pass(dev->vm->hv);
        hal_cpu_relax();
        virtio_lock(dev);
    }
}

/*
 * Once the driver sees its write done it takes its memory back: no copy may still be under way on
 * another pCPU. The lock is held, and let go meanwhile; what was there to be served is dead
 * already, so that who comes to serve now finds nothing. It ends after a piece of work, and that
 * waits for nothing that this pCPU has.
 */
static void wait_for_serve(struct virtio_device *dev)
{
    dev->resetting = true;
    while (atomic_load(&dev->serving)) {
        virtio_unlock(dev);
        sched_pass(dev->vm->hv);
        hal_cpu_relax();
        virtio_lock(dev);
    }
    dev->resetting = false;
}

static void reset(struct virtio_device *dev)
{
    dev->status = 0;
    dev->epoch++;
    atomic_store(&dev->pending, 0);
    wait_for_serve(dev);
    virtio_device_clear(dev);
    virtio_lower(dev, ~UINT32_C(0));
    if (dev->ops->reset != NULL)
        dev->ops->reset(dev);
}

/* --- Status (2.1, 3.1.1) --- */

static bool features_are_sound(struct virtio_device *dev)
{
    return !dev->accepted_unknown && (dev->accepted & ~dev->offered) == 0 &&
           virtio_has(dev, VIRTIO_F_VERSION_1) &&
           (dev->ops->accepts == NULL || dev->ops->accepts(dev, dev->accepted));
}

static void negotiate_queue(const struct virtio_device *dev, struct virtq *q)
{
    q->indirect = virtio_has(dev, VIRTIO_F_INDIRECT_DESC);
    q->event_idx = virtio_has(dev, VIRTIO_F_EVENT_IDX);
}

static void start(struct virtio_device *dev)
{
    dev->status |= VIRTIO_STATUS_DRIVER_OK;
    for (uint32_t i = 0; i < dev->nr_queues; i++)
        negotiate_queue(dev, &dev->queue[i]);
    if (dev->ops->started != NULL)
        dev->ops->started(dev);
    for (uint32_t i = 0; i < dev->nr_queues; i++)
        if (dev->queue[i].ready)
            virtio_post(dev, i);
}

/* Bits are set one after the other, as a driver would, and none is ever cleared (2.1.1). One that
 * the device does not agree to reads as zero afterwards. */
static void write_status(struct virtio_device *dev, uint32_t value)
{
    uint32_t set = value & STATUS_DRIVERS & ~dev->status;

    if (value == 0) {
        reset(dev);
        return;
    }
    dev->status |= set & (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FAILED);
    if ((set & VIRTIO_STATUS_FEATURES_OK) != 0 && features_are_sound(dev))
        dev->status |= VIRTIO_STATUS_FEATURES_OK;
    if ((set & VIRTIO_STATUS_DRIVER_OK) != 0 && (dev->status & VIRTIO_STATUS_FEATURES_OK) != 0)
        start(dev);
}

static uint32_t read_status(struct virtio_device *dev)
{
    return dev->status;
}

/* --- Identity and features --- */

static uint32_t read_magic(struct virtio_device *dev)
{
    (void)dev;
    return VIRTIO_MMIO_MAGIC;
}

static uint32_t read_version(struct virtio_device *dev)
{
    (void)dev;
    return VIRTIO_MMIO_VERSION;
}

static uint32_t read_device_id(struct virtio_device *dev)
{
    return dev->ops->id;
}

static uint32_t read_vendor_id(struct virtio_device *dev)
{
    (void)dev;
    return VENDOR_ID;
}

static uint32_t read_features(struct virtio_device *dev)
{
    return dev->offered_sel < 2 ? (uint32_t)(dev->offered >> 32 * dev->offered_sel) : 0;
}

static void write_features_sel(struct virtio_device *dev, uint32_t value)
{
    dev->offered_sel = value;
}

/* Final from FEATURES_OK on (3.1.1, step 5). */
static void write_accepted(struct virtio_device *dev, uint32_t value)
{
    unsigned low = 32 * (dev->accepted_sel & 1);

    if ((dev->status & VIRTIO_STATUS_FEATURES_OK) != 0)
        return;
    if (dev->accepted_sel < 2)
        dev->accepted = bits_set(dev->accepted, low + 31, low, value);
    else if (value != 0)
        dev->accepted_unknown = true;
}

static void write_accepted_sel(struct virtio_device *dev, uint32_t value)
{
    dev->accepted_sel = value;
}

/* --- Queues --- */

static void write_queue_sel(struct virtio_device *dev, uint32_t value)
{
    dev->queue_sel = value;
}

static uint32_t read_queue_num_max(struct virtio_device *dev)
{
    return selected(dev) != NULL ? VIRTQ_SIZE_MAX : 0;
}

/* What is ready does not change (4.2.2.2). */
static void write_queue_num(struct virtio_device *dev, uint32_t value)
{
    struct virtq *q = selected(dev);

    if (q != NULL && !q->ready)
        q->size = value;
}

/* Its addresses stay; it begins anew if it gets ready again. */
static void stop_queue(struct virtio_device *dev, struct virtq *q)
{
    struct virtq old;

    q->ready = false;
    wait_for_serve(dev);
    old = *q;
    virtq_reset(q, old.s2, old.size);
    q->desc = old.desc;
    q->driver = old.driver;
    q->device = old.device;
    if (dev->ops->stopped != NULL)
        dev->ops->stopped(dev, (uint32_t)(q - dev->queue));
}

static void write_queue_ready(struct virtio_device *dev, uint32_t value)
{
    struct virtq *q = selected(dev);

    if (q == NULL)
        return;
    if ((value & 1) == 0) {
        if (q->ready)
            stop_queue(dev, q);
    } else if (!q->ready && virtq_is_sound(q)) {
        negotiate_queue(dev, q);
        q->ready = true;
    }
}

static uint32_t read_queue_ready(struct virtio_device *dev)
{
    const struct virtq *q = selected(dev);

    return q != NULL && q->ready;
}

/* One half of an address of the selected queue, which is at `field`. */
static void write_half(struct virtio_device *dev, size_t field, unsigned low, uint32_t value)
{
    struct virtq *q = selected(dev);

    if (q == NULL || q->ready)
        return;
    ipa_t *address = (ipa_t *)(void *)((char *)q + field);
    address->v = bits_set(address->v, low + 31, low, value);
}

static void write_desc_low(struct virtio_device *dev, uint32_t value)
{
    write_half(dev, offsetof(struct virtq, desc), 0, value);
}

static void write_desc_high(struct virtio_device *dev, uint32_t value)
{
    write_half(dev, offsetof(struct virtq, desc), 32, value);
}

static void write_driver_low(struct virtio_device *dev, uint32_t value)
{
    write_half(dev, offsetof(struct virtq, driver), 0, value);
}

static void write_driver_high(struct virtio_device *dev, uint32_t value)
{
    write_half(dev, offsetof(struct virtq, driver), 32, value);
}

static void write_device_low(struct virtio_device *dev, uint32_t value)
{
    write_half(dev, offsetof(struct virtq, device), 0, value);
}

static void write_device_high(struct virtio_device *dev, uint32_t value)
{
    write_half(dev, offsetof(struct virtq, device), 32, value);
}

/* --- Events --- */

static void write_ack(struct virtio_device *dev, uint32_t value)
{
    virtio_lower(dev, value);
}

static uint32_t read_generation(struct virtio_device *dev)
{
    return dev->generation;
}

/* No shared memory region (4.2.2): the length of each, and so its base, is -1. */
static uint32_t read_ones(struct virtio_device *dev)
{
    (void)dev;
    return ~UINT32_C(0);
}

/* --- The frame --- */

struct reg {
    uint32_t (*read)(struct virtio_device *dev);              /* NULL: reads as zero */
    void (*write)(struct virtio_device *dev, uint32_t value); /* NULL: writes are ignored */
};

/* QueueReset is not there: VIRTIO_F_RING_RESET is not offered. QueueNotify and InterruptStatus are
 * in virtio_access(). */
static const struct reg regs[VIRTIO_MMIO_CONFIG / 4] = {
    [VIRTIO_MMIO_MAGIC_VALUE / 4] = {read_magic, NULL},
    [VIRTIO_MMIO_VERSION_REG / 4] = {read_version, NULL},
    [VIRTIO_MMIO_DEVICE_ID / 4] = {read_device_id, NULL},
    [VIRTIO_MMIO_VENDOR_ID / 4] = {read_vendor_id, NULL},
    [VIRTIO_MMIO_DEVICE_FEATURES / 4] = {read_features, NULL},
    [VIRTIO_MMIO_DEVICE_FEATURES_SEL / 4] = {NULL, write_features_sel},
    [VIRTIO_MMIO_DRIVER_FEATURES / 4] = {NULL, write_accepted},
    [VIRTIO_MMIO_DRIVER_FEATURES_SEL / 4] = {NULL, write_accepted_sel},
    [VIRTIO_MMIO_QUEUE_SEL / 4] = {NULL, write_queue_sel},
    [VIRTIO_MMIO_QUEUE_NUM_MAX / 4] = {read_queue_num_max, NULL},
    [VIRTIO_MMIO_QUEUE_NUM / 4] = {NULL, write_queue_num},
    [VIRTIO_MMIO_QUEUE_READY / 4] = {read_queue_ready, write_queue_ready},
    [VIRTIO_MMIO_INTERRUPT_ACK / 4] = {NULL, write_ack},
    [VIRTIO_MMIO_STATUS / 4] = {read_status, write_status},
    [VIRTIO_MMIO_QUEUE_DESC_LOW / 4] = {NULL, write_desc_low},
    [VIRTIO_MMIO_QUEUE_DESC_HIGH / 4] = {NULL, write_desc_high},
    [VIRTIO_MMIO_QUEUE_DRIVER_LOW / 4] = {NULL, write_driver_low},
    [VIRTIO_MMIO_QUEUE_DRIVER_HIGH / 4] = {NULL, write_driver_high},
    [VIRTIO_MMIO_QUEUE_DEVICE_LOW / 4] = {NULL, write_device_low},
    [VIRTIO_MMIO_QUEUE_DEVICE_HIGH / 4] = {NULL, write_device_high},
    [VIRTIO_MMIO_SHM_LEN_LOW / 4] = {read_ones, NULL},
    [VIRTIO_MMIO_SHM_LEN_HIGH / 4] = {read_ones, NULL},
    [VIRTIO_MMIO_SHM_BASE_LOW / 4] = {read_ones, NULL},
    [VIRTIO_MMIO_SHM_BASE_HIGH / 4] = {read_ones, NULL},
    [VIRTIO_MMIO_CONFIG_GENERATION / 4] = {read_generation, NULL},
};

static uint32_t config_read(struct virtio_device *dev, uint32_t offset, uint32_t size)
{
    return offset < dev->ops->config_size ? dev->ops->config_read(dev, offset, size) : 0;
}

static void config_write(struct virtio_device *dev, uint32_t offset, uint32_t size, uint32_t value)
{
    if (offset < dev->ops->config_size && dev->ops->config_write != NULL)
        dev->ops->config_write(dev, offset, size, value);
}

/* One of 8 bytes is two of 4. */
static void config_access(struct virtio_device *dev, struct mmio_access *access)
{
    uint32_t offset = (uint32_t)access->offset - VIRTIO_MMIO_CONFIG;
    uint32_t size = access->size < 4 ? access->size : 4;
    bool twice = access->size == 8;

    if (access->write) {
        config_write(dev, offset, size, (uint32_t)access->value);
        if (twice)
            config_write(dev, offset + 4, 4, (uint32_t)(access->value >> 32));
        return;
    }
    access->value = config_read(dev, offset, size);
    if (twice)
        access->value |= (uint64_t)config_read(dev, offset + 4, 4) << 32;
}

/* All but what each request takes. */
static __attribute__((noinline)) bool access_locked(struct virtio_device *dev,
                                                    struct mmio_access *access)
{
    lock_settled(dev);
    if (access->offset >= VIRTIO_MMIO_CONFIG) {
        config_access(dev, access);
    } else {
        const struct reg *reg = &regs[access->offset / 4];
        if (access->write && reg->write != NULL)
            reg->write(dev, (uint32_t)access->value);
        else if (!access->write)
            access->value = reg->read != NULL ? reg->read(dev) : 0;
    }
    virtio_unlock(dev);
    return true;
}

bool virtio_access(void *self, struct mmio_access *access)
{
    struct virtio_device *dev = self;

    /* These need no lock: nothing depends on what is not atomic. */
    if (access->offset == VIRTIO_MMIO_QUEUE_NOTIFY && access->size == 4 && access->write) {
        if (access->value < dev->nr_queues)
            virtio_post(dev, (uint32_t)access->value);
        return true;
    }
    if (access->offset == VIRTIO_MMIO_INTERRUPT_STATUS && access->size == 4 && !access->write) {
        access->value = atomic_load_explicit(&dev->isr, memory_order_relaxed);
        return true;
    }
    if (!is_aligned(access->offset, access->size) ||
        (access->offset < VIRTIO_MMIO_CONFIG && access->size != 4))
        return false;
    return access_locked(dev, access);
}
