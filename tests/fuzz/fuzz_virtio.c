/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A malicious guest against a virtio device that echoes: what it reads it writes back, at once or,
 * as a device with a backend would, later. Whatever the guest does, the device reads and writes
 * nothing but the guest's memory, does a piece of work at a time, and comes to rest after a reset.
 */
#include "virtio_guest.h"

#define QUEUES    3u
#define HELD      4u /* requests in flight */
#define PIECE     3u
#define STEPS_MAX 1000u

struct flight {
    struct virtq_chain chain;
    uint32_t queue;
    uint32_t epoch;
    bool used;
};

static struct echo {
    struct virtio_device dev;
    struct virtq queue[QUEUES];
    struct flight held[HELD];
    uint8_t config[16];
    bool destroyed;
} e;

static struct virtio_guest g;

/* With no lock held; the chain was popped in this call of serve(). */
static uint32_t copy(const struct virtq_chain *chain)
{
    uint8_t bytes[256];
    uint64_t done = 0;

    while (done < chain->out_len && done < 4 * sizeof(bytes)) {
        uint64_t n = chain->out_len - done < sizeof(bytes) ? chain->out_len - done : sizeof(bytes);
        if (virtq_read(chain, done, bytes, n) != HV_OK)
            break;
        virtio_guest_meanwhile(&g);
        if (virtq_write(chain, done, bytes, n) != HV_OK)
            break;
        done += n;
    }
    return (uint32_t)done;
}

static bool echo_now(struct virtio_device *dev, uint32_t queue)
{
    static struct virtq_chain chain;
    uint32_t epoch = dev->epoch;

    virtio_lock(dev);
    bool got = virtio_pop(dev, queue, &chain);
    virtio_unlock(dev);
    if (!got)
        return false;
    FUZZ_ASSERT(chain.nr_out + chain.nr_in >= 1 && chain.nr_out + chain.nr_in <= VIRTQ_SEGS_MAX);
    virtio_guest_meanwhile(&g);
    uint32_t written = copy(&chain);
    FUZZ_ASSERT(dev->epoch == epoch);
    virtio_lock(dev);
    if (virtio_push(dev, queue, chain.head, written))
        virtio_signal(dev, queue);
    virtio_unlock(dev);
    return true;
}

/* Takes one for later. False: none there, or no place. */
static bool echo_later(struct virtio_device *dev, uint32_t queue)
{
    struct flight *flight = NULL;

    for (unsigned i = 0; i < HELD; i++)
        if (!e.held[i].used)
            flight = &e.held[i];
    if (flight == NULL)
        return false;
    virtio_lock(dev);
    flight->used = virtio_pop(dev, queue, &flight->chain);
    flight->epoch = dev->epoch;
    flight->queue = queue;
    virtio_unlock(dev);
    return flight->used;
}

/* The backend is done with one of them. It was not told of any reset. */
static void complete(unsigned n)
{
    struct flight *flight = &e.held[n % HELD];
    struct virtio_device *dev = &e.dev;

    if (!flight->used)
        return;
    flight->used = false;
    virtio_lock(dev);
    if (flight->epoch == dev->epoch) {
        uint32_t written = virtq_write(&flight->chain, 0, "done", 4) == HV_OK ? 4 : 0;
        if (virtio_fill(dev, flight->queue, 0, flight->chain.head, written) &&
            virtio_publish(dev, flight->queue, 1))
            virtio_signal(dev, flight->queue);
    }
    virtio_unlock(dev);
    virtio_post(dev, flight->queue);
}

static bool echo_serve(struct virtio_device *dev, uint32_t queue)
{
    unsigned n = 0;

    FUZZ_ASSERT(dev == &e.dev && queue < QUEUES && dev->serving);
    if (queue == 1) {
        while (n < PIECE && echo_later(dev, queue))
            n++;
        return n == PIECE;
    }
    virtio_lock(dev);
    if (queue == 2)
        (void)virtio_set_notify(dev, queue, false);
    virtio_unlock(dev);
    while (n < PIECE && echo_now(dev, queue))
        n++;
    virtio_lock(dev);
    bool more = queue == 2 && virtio_set_notify(dev, queue, true);
    virtio_unlock(dev);
    return more || n == PIECE;
}

static void echo_reset(struct virtio_device *dev)
{
    FUZZ_ASSERT(!dev->serving && !virtio_is_live(dev));
}

static uint32_t echo_config_read(struct virtio_device *dev, uint32_t offset, uint32_t size)
{
    uint32_t value = 0;

    (void)dev;
    FUZZ_ASSERT(offset + size <= sizeof(e.config));
    memcpy(&value, &e.config[offset], size);
    return value;
}

static void echo_config_write(struct virtio_device *dev, uint32_t offset, uint32_t size,
                              uint32_t value)
{
    FUZZ_ASSERT(offset + size <= sizeof(e.config));
    memcpy(&e.config[offset], &value, size);
    if (offset == 0)
        virtio_config_changed(dev);
}

static const struct virtio_ops echo_ops = {
    .id = 42,
    .features = 0x5,
    .reset = echo_reset,
    .serve = echo_serve,
    .config_read = echo_config_read,
    .config_write = echo_config_write,
    .config_size = sizeof(e.config),
};

static void echo_destroy(struct vm *vm, void *dev)
{
    FUZZ_ASSERT(vm == &g.vm && dev == &e.dev && !e.destroyed);
    e.destroyed = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct virtio_setup setup = {
        .ops = &echo_ops,
        .base = VIRTIO_GUEST_BASE,
        .intid = VIRTIO_GUEST_INTID,
        .queue = e.queue,
        .nr_queues = QUEUES,
    };
    struct fuzz_input in = {data, size};

    for (unsigned i = 0; i < HELD; i++)
        e.held[i].used = false;
    e.destroyed = false;
    struct virtio_world *world = virtio_guest_start(&g, &in);
    FUZZ_ASSERT(virtio_create(&e.dev, &g.vm, &setup, echo_destroy) == HV_OK);
    virtio_guest_attach(&g, &e.dev);
    for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++) {
        virtio_guest_step(&g);
        unsigned what = (unsigned)fuzz_take(&in, 1);
        if (what % 4 == 0)
            complete(what / 4);
    }
    virtio_guest_end(&g, world);
    FUZZ_ASSERT(e.destroyed);
    return 0;
}
