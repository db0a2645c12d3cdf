/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A virtio device that writes back what it reads, with three queues, and requests to it. */
#ifndef TESTS_VIRTIO_ECHO_H
#define TESTS_VIRTIO_ECHO_H

#include "virtio/device.h"
#include "virtio_fixture.h"

#define ECHO_FEATURE (UINT64_C(1) << 5)
#define ECHO_WITH    (UINT64_C(1) << 50) /* only together with the other one */
#define WITHHELD     (UINT64_C(1) << 7)
#define RINGS        (GUEST_RAM + 0x10000) /* 0x3000 for each queue */
#define DATA         (GUEST_RAM + 0x40000)
#define RESULT       (GUEST_RAM + 0x50000)

static struct echo {
    struct virtio_device dev;
    struct virtq queue[3];
    uint32_t epoch; /* when it last took a chain */
    unsigned started, resets, served, destroyed;
    unsigned stopped[3];
    unsigned at_once; /* requests in a piece */
    uint32_t config[4];
    void (*during)(void); /* in the middle of a request, with the lock let go */
} e;

static struct virtq_chain chain;
static struct driver drv[3];

/* --- The device --- */

static inline bool echo_accepts(struct virtio_device *dev, uint64_t features)
{
    cr_assert_eq(dev, &e.dev);
    return (features & ECHO_WITH) == 0 || (features & ECHO_FEATURE) != 0;
}

static inline void echo_started(struct virtio_device *dev)
{
    cr_assert(virtio_is_live(dev));
    e.started++;
}

static inline void echo_reset(struct virtio_device *dev)
{
    cr_assert(!virtio_is_live(dev));
    cr_assert(!dev->serving);
    cr_assert(!dev->queue[0].ready);
    e.resets++;
}

static inline void echo_stopped(struct virtio_device *dev, uint32_t queue)
{
    cr_assert(!dev->serving);
    cr_assert(!dev->resetting);
    cr_assert(!dev->queue[queue].ready);
    cr_assert_eq(dev->queue[queue].next_avail, 0, "it is as after a reset");
    e.stopped[queue]++;
}

static inline bool echo_one(struct virtio_device *dev, uint32_t queue)
{
    char text[64];

    virtio_lock(dev);
    bool got = virtio_pop(dev, queue, &chain);
    e.epoch = dev->epoch;
    virtio_unlock(dev);
    if (!got)
        return false;
    uint64_t n = chain.out_len < chain.in_len ? chain.out_len : chain.in_len;
    n = n < sizeof(text) ? n : sizeof(text);
    if (e.during != NULL)
        e.during();
    bool sound = virtq_read(&chain, 0, text, n) == HV_OK;
    sound = sound && virtq_write(&chain, 0, text, n) == HV_OK;
    virtio_lock(dev);
    if (!sound)
        virtio_break(dev);
    (void)virtio_push(dev, queue, chain.head, (uint32_t)n);
    virtio_unlock(dev);
    return true;
}

static inline bool echo_serve(struct virtio_device *dev, uint32_t queue)
{
    unsigned n = 0;

    e.served++;
    while (n < e.at_once && echo_one(dev, queue))
        n++;
    virtio_lock(dev);
    virtio_signal(dev, queue);
    virtio_unlock(dev);
    return n == e.at_once;
}

static inline uint32_t echo_config_read(struct virtio_device *dev, uint32_t offset, uint32_t size)
{
    uint32_t value = 0;

    cr_assert_eq(dev, &e.dev);
    cr_assert_leq(offset + size, sizeof(e.config));
    memcpy(&value, (char *)e.config + offset, size);
    return value;
}

static inline void echo_config_write(struct virtio_device *dev, uint32_t offset, uint32_t size,
                                     uint32_t value)
{
    cr_assert_eq(dev, &e.dev);
    cr_assert_leq(offset + size, sizeof(e.config));
    memcpy((char *)e.config + offset, &value, size);
}

static const struct virtio_ops echo_ops = {
    .id = 42,
    .features = ECHO_FEATURE | ECHO_WITH | WITHHELD,
    .accepts = echo_accepts,
    .started = echo_started,
    .reset = echo_reset,
    .stopped = echo_stopped,
    .serve = echo_serve,
    .config_read = echo_config_read,
    .config_write = echo_config_write,
    .config_size = sizeof(e.config),
};

static inline void echo_destroy(struct vm *vm, void *dev)
{
    cr_assert_eq(vm, f.vm);
    cr_assert_eq(dev, &e.dev);
    e.destroyed++;
}

static inline hv_err create(const struct virtio_ops *ops, uint32_t intid)
{
    const struct virtio_setup setup = {
        .ops = ops,
        .base = VIRTIO_BASE,
        .intid = intid,
        .queue = e.queue,
        .nr_queues = 3,
        .withheld = WITHHELD,
    };

    return virtio_create(&e.dev, f.vm, &setup, echo_destroy);
}

static inline void setup_bare(void)
{
    setup();
    memset(&e, 0xaa, sizeof(e));
    e = (struct echo){.at_once = 4};
}

static inline void setup_echo(void)
{
    setup_bare();
    cr_assert_eq(create(&echo_ops, VIRTIO_INTID), HV_OK);
}

/* With all three queues of 16 and DRIVER_OK; what that posts is done. */
static inline void go(uint64_t features)
{
    cr_assert(negotiate(features | F_VERSION_1));
    for (uint32_t n = 0; n < 3; n++)
        cr_assert(set_queue(n, &drv[n], RINGS + n * 0x3000, 16));
    driver_ok();
    serve_all();
}

/* Offers a request that echoes `text`, and does not notify. */
static inline void offer(uint32_t n, const char *text)
{
    uint32_t len = (uint32_t)strlen(text);
    struct driver_seg s[] = {{DATA + n * 0x100, len}, {RESULT + n * 0x100, len}};

    memcpy(driver_mem(&drv[n], DATA + n * 0x100, len), text, len);
    driver_offer(&drv[n], driver_chain(&drv[n], s, 1, 1));
}

static inline bool answered(uint32_t n, const char *text)
{
    uint16_t head;
    uint32_t len;

    if (!driver_used(&drv[n], &head, &len))
        return false;
    driver_free(&drv[n], head);
    cr_assert_eq(len, strlen(text));
    return memcmp(driver_mem(&drv[n], RESULT + n * 0x100, len), text, len) == 0;
}

#endif
