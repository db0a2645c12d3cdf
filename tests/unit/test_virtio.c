/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The virtio-mmio transport, with a device that writes back what it reads. */
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
    unsigned at_once; /* requests in a piece */
    uint32_t config[4];
    void (*during)(void); /* in the middle of a request, with the lock let go */
} e;

static struct virtq_chain chain;
static struct driver drv[3];

/* --- The device --- */

static bool echo_accepts(struct virtio_device *dev, uint64_t features)
{
    cr_assert_eq(dev, &e.dev);
    return (features & ECHO_WITH) == 0 || (features & ECHO_FEATURE) != 0;
}

static void echo_started(struct virtio_device *dev)
{
    cr_assert(virtio_is_live(dev));
    e.started++;
}

static void echo_reset(struct virtio_device *dev)
{
    cr_assert(!virtio_is_live(dev));
    cr_assert(!dev->serving);
    cr_assert(!dev->queue[0].ready);
    e.resets++;
}

static bool echo_one(struct virtio_device *dev, uint32_t queue)
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

static bool echo_serve(struct virtio_device *dev, uint32_t queue)
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

static uint32_t echo_config_read(struct virtio_device *dev, uint32_t offset, uint32_t size)
{
    uint32_t value = 0;

    cr_assert_eq(dev, &e.dev);
    cr_assert_leq(offset + size, sizeof(e.config));
    memcpy(&value, (char *)e.config + offset, size);
    return value;
}

static void echo_config_write(struct virtio_device *dev, uint32_t offset, uint32_t size,
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
    .serve = echo_serve,
    .config_read = echo_config_read,
    .config_write = echo_config_write,
    .config_size = sizeof(e.config),
};

static const struct virtio_ops plain_ops = {.id = 4, .serve = echo_serve};

static void echo_destroy(struct vm *vm, void *dev)
{
    cr_assert_eq(vm, f.vm);
    cr_assert_eq(dev, &e.dev);
    e.destroyed++;
}

static hv_err create(const struct virtio_ops *ops, uint32_t intid)
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

static void setup_bare(void)
{
    setup();
    memset(&e, 0xaa, sizeof(e));
    e = (struct echo){.at_once = 4};
}

static void setup_echo(void)
{
    setup_bare();
    cr_assert_eq(create(&echo_ops, VIRTIO_INTID), HV_OK);
}

/* With all three queues of 16 and DRIVER_OK; what that posts is done. */
static void go(uint64_t features)
{
    cr_assert(negotiate(features | F_VERSION_1));
    for (uint32_t n = 0; n < 3; n++)
        cr_assert(set_queue(n, &drv[n], RINGS + n * 0x3000, 16));
    driver_ok();
    serve_all();
}

/* Offers a request that echoes `text`, and does not notify. */
static void offer(uint32_t n, const char *text)
{
    uint32_t len = (uint32_t)strlen(text);
    struct driver_seg s[] = {{DATA + n * 0x100, len}, {RESULT + n * 0x100, len}};

    memcpy(driver_mem(&drv[n], DATA + n * 0x100, len), text, len);
    driver_offer(&drv[n], driver_chain(&drv[n], s, 1, 1));
}

static bool answered(uint32_t n, const char *text)
{
    uint16_t head;
    uint32_t len;

    if (!driver_used(&drv[n], &head, &len))
        return false;
    driver_free(&drv[n], head);
    cr_assert_eq(len, strlen(text));
    return memcmp(driver_mem(&drv[n], RESULT + n * 0x100, len), text, len) == 0;
}

/* --- Registers --- */

CASE(virtio, identity)
{
    cr_assert_eq(rd(R_MAGIC), 0x74726976);
    cr_assert_eq(rd(R_VERSION), 2);
    cr_assert_eq(rd(R_DEVICE_ID), 42);
    cr_assert_eq(rd(R_VENDOR_ID), 0x4e434c48);
    cr_assert_eq(rd(R_STATUS), 0);
    cr_assert_eq(rd(R_ISR), 0);
    cr_assert_eq(rd(R_QUEUE_RESET), 0);
    for (uint32_t region = 0; region < 3; region++) {
        wr(R_SHM_SEL, region);
        for (uint64_t at = R_SHM_LEN; at < R_QUEUE_RESET; at += 4)
            cr_assert_eq(rd(at), 0xffffffff, "no such region");
    }
}

CASE(virtio, reserved_and_of_the_other_direction)
{
    static const uint8_t reserved[] = {0x18, 0x28, 0x2c, 0x3c, 0x40, 0x48, 0x4c, 0x54,
                                       0x68, 0x74, 0x88, 0x98, 0xa8, 0xc4, 0xf8, R_QUEUE_RESET};
    static const uint8_t write_only[] = {R_FEATURES_SEL, R_DRIVER_FEATURES, R_QUEUE_SEL,
                                         R_QUEUE_NUM,    R_QUEUE_NOTIFY,    R_ACK};
    static const uint8_t read_only[] = {R_MAGIC,         R_VERSION, R_DEVICE_ID,  R_VENDOR_ID,
                                        R_QUEUE_NUM_MAX, R_ISR,     R_GENERATION, R_FEATURES};

    for (unsigned i = 0; i < sizeof(reserved); i++) {
        wr(reserved[i], 0xffffffff);
        cr_assert_eq(rd(reserved[i]), 0);
    }
    for (unsigned i = 0; i < sizeof(write_only); i++)
        cr_assert_eq(rd(write_only[i]), 0);
    for (unsigned i = 0; i < sizeof(read_only); i++) {
        uint32_t before = rd(read_only[i]);
        wr(read_only[i], ~before);
        cr_assert_eq(rd(read_only[i]), before);
    }
}

CASE(virtio, access_sizes)
{
    uint64_t value = 0;

    for (unsigned write = 0; write < 2; write++) {
        for (uint8_t size = 1; size <= 8; size = (uint8_t)(size * 2)) {
            for (uint64_t at = 0; at < 0x200; at++) {
                bool sound = at < R_CONFIG ? size == 4 && at % 4 == 0 : at % size == 0;
                if (at + size <= 0x200)
                    cr_assert_eq(guest_access(at, size, write != 0, &value), sound);
            }
        }
    }
    cr_assert_null(mmio_bus_find(&f.vm->bus, ipa(VIRTIO_BASE + 0x200)));
}

CASE(virtio, config_space)
{
    uint64_t value;

    e.config[0] = 0x44332211;
    e.config[1] = 0x88776655;
    for (unsigned size = 1; size <= 8; size *= 2) {
        for (unsigned at = 0; at < 8; at += size) {
            cr_assert(guest_access(R_CONFIG + at, (uint8_t)size, false, &value));
            cr_assert_eq(memcmp(&value, (char *)e.config + at, size), 0);
        }
    }
    value = UINT64_C(0xffeeddccbbaa9988);
    cr_assert(guest_access(R_CONFIG + 8, 8, true, &value));
    cr_assert_eq(e.config[2], 0xbbaa9988);
    cr_assert_eq(e.config[3], 0xffeeddcc);
    value = 0x77;
    cr_assert(guest_access(R_CONFIG + 9, 1, true, &value));
    cr_assert_eq(e.config[2], 0xbbaa7788);
    cr_assert_eq(rd(R_CONFIG + 16), 0, "behind its end");
    wr(R_CONFIG + 16, 5);
    wr(R_CONFIG + 0xfc, 5);
    cr_assert_eq(rd(R_CONFIG + 0xfc), 0);
}

CASE(virtio, generation)
{
    uint32_t before = rd(R_GENERATION);

    virtio_lock(&e.dev);
    virtio_config_changed(&e.dev);
    virtio_unlock(&e.dev);
    cr_assert_neq(rd(R_GENERATION), before);
    cr_assert(!irq_line(), "it is not live");
    go(0);
    before = rd(R_GENERATION);
    virtio_lock(&e.dev);
    virtio_config_changed(&e.dev);
    virtio_unlock(&e.dev);
    cr_assert_neq(rd(R_GENERATION), before);
    cr_assert_eq(rd(R_ISR), 2);
    cr_assert(irq_line());
}

/* --- Negotiation --- */

CASE(virtio, features_offered)
{
    cr_assert_eq(offered_features(),
                 F_VERSION_1 | F_EVENT_IDX | F_INDIRECT | ECHO_FEATURE | ECHO_WITH);
    for (uint32_t sel = 2; sel != 0; sel *= 2) {
        wr(R_FEATURES_SEL, sel);
        cr_assert_eq(rd(R_FEATURES), 0);
    }
}

CASE(virtio, every_sound_subset_is_accepted)
{
    static const uint64_t bit[] = {F_EVENT_IDX, F_INDIRECT, ECHO_FEATURE, ECHO_WITH};

    for (unsigned set = 0; set < 16; set++) {
        uint64_t features = F_VERSION_1;
        for (unsigned i = 0; i < 4; i++)
            features |= (set & 1u << i) != 0 ? bit[i] : 0;
        cr_assert_eq(negotiate(features), set < 8 || (set & 4) != 0, "the device has its say");
        if ((rd(R_STATUS) & S_FEATURES_OK) != 0)
            cr_assert_eq(e.dev.accepted, features);
    }
}

CASE(virtio, every_feature_that_was_not_offered_is_refused)
{
    uint64_t offered = offered_features();

    for (unsigned n = 0; n < 64; n++)
        cr_assert_eq(negotiate(F_VERSION_1 | ECHO_FEATURE | UINT64_C(1) << n), (offered >> n & 1),
                     "%u", n);
    cr_assert(!negotiate(ECHO_FEATURE), "no legacy driver");
    cr_assert(!negotiate(0));
}

CASE(virtio, features_beyond_64)
{
    for (unsigned n = 0; n < 2; n++) {
        wr(R_STATUS, 0);
        wr(R_STATUS, S_ACKNOWLEDGE | S_DRIVER);
        wr(R_DRIVER_FEATURES_SEL, 1);
        wr(R_DRIVER_FEATURES, 1);
        wr(R_DRIVER_FEATURES_SEL, 2);
        wr(R_DRIVER_FEATURES, n);
        wr(R_STATUS, S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK);
        cr_assert_eq(rd(R_STATUS) & S_FEATURES_OK, n == 0 ? S_FEATURES_OK : 0);
    }
}

CASE(virtio, a_driver_may_try_again_with_less)
{
    cr_assert(!negotiate(F_VERSION_1 | WITHHELD));
    wr(R_DRIVER_FEATURES_SEL, 0);
    wr(R_DRIVER_FEATURES, 0);
    wr(R_STATUS, S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK);
    cr_assert_eq(rd(R_STATUS), S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK);
}

CASE(virtio, features_are_final)
{
    cr_assert(negotiate(F_VERSION_1));
    wr(R_DRIVER_FEATURES_SEL, 0);
    wr(R_DRIVER_FEATURES, (uint32_t)F_EVENT_IDX);
    cr_assert_eq(e.dev.accepted, F_VERSION_1);
}

CASE(virtio, status_in_order)
{
    wr(R_STATUS, S_DRIVER_OK);
    cr_assert_eq(rd(R_STATUS), 0, "not before FEATURES_OK");
    wr(R_STATUS, S_FEATURES_OK);
    cr_assert_eq(rd(R_STATUS), 0, "no VERSION_1");
    wr(R_STATUS, 0xffffff00 | S_NEEDS_RESET | S_FAILED | 0x30);
    cr_assert_eq(rd(R_STATUS), S_FAILED, "what the driver may set");
    cr_assert(negotiate(F_VERSION_1));
    cr_assert(!virtio_is_live(&e.dev));
    driver_ok();
    cr_assert_eq(e.started, 1);
    cr_assert(virtio_is_live(&e.dev));
    wr(R_STATUS, S_ACKNOWLEDGE);
    cr_assert_eq(rd(R_STATUS), 15, "no bit is cleared");
    wr(R_STATUS, 15);
    cr_assert_eq(e.started, 1, "once");
    wr(R_STATUS, S_FAILED);
    cr_assert_eq(rd(R_STATUS), 15 | S_FAILED);
    cr_assert(!virtio_is_live(&e.dev));
}

CASE(virtio, a_device_with_no_wishes)
{
    static struct virtq queue[1];
    static struct virtio_device dev;
    const struct virtio_setup setup = {.ops = &plain_ops,
                                       .base = VIRTIO_BASE + 0x200,
                                       .intid = 49,
                                       .queue = queue,
                                       .nr_queues = 1};
    struct mmio_access access = {R_STATUS, 15, 0, 4, true};

    cr_assert_eq(virtio_create(&dev, f.vm, &setup, (void (*)(struct vm *, void *))echo_destroy),
                 HV_OK);
    f.vm->nr_devices--; /* it is no echo device for echo_destroy() */
    dev.accepted = F_VERSION_1;
    cr_assert(virtio_access(&dev, &access));
    cr_assert_eq(dev.status, 15);
    access = (struct mmio_access){R_CONFIG, 1, 0, 4, true};
    cr_assert(virtio_access(&dev, &access));
    access.write = false;
    cr_assert(virtio_access(&dev, &access));
    cr_assert_eq(access.value, 0);
    access = (struct mmio_access){R_STATUS, 0, 0, 4, true};
    cr_assert(virtio_access(&dev, &access));
    cr_assert_eq(dev.status, 0);
}

/* --- Queues --- */

CASE(virtio, queue_registers)
{
    cr_assert(negotiate(F_VERSION_1));
    for (uint32_t n = 0; n < 3; n++) {
        wr(R_QUEUE_SEL, n);
        cr_assert_eq(rd(R_QUEUE_NUM_MAX), 256);
        cr_assert_eq(rd(R_QUEUE_READY), 0);
    }
    static const uint32_t none[] = {3, 31, 32, 0xffff, UINT32_MAX};
    for (unsigned i = 0; i < 5; i++) {
        wr(R_QUEUE_SEL, none[i]);
        cr_assert_eq(rd(R_QUEUE_NUM_MAX), 0);
        wr(R_QUEUE_NUM, 16);
        wr64(R_DESC, RINGS);
        wr(R_QUEUE_READY, 1);
        cr_assert_eq(rd(R_QUEUE_READY), 0);
        notify(none[i]);
    }
    cr_assert_eq(e.dev.pending, 0);
    cr_assert(set_queue(2, &drv[2], RINGS, 256));
    cr_assert_eq(e.queue[2].size, 256);
}

CASE(virtio, a_queue_that_is_not_sound_does_not_get_ready)
{
    static const uint16_t size[] = {0, 3, 17, 257, 0xffff};

    cr_assert(negotiate(F_VERSION_1));
    cr_assert(set_queue(0, &drv[0], RINGS, 16));
    wr(R_QUEUE_READY, 0);
    for (unsigned i = 0; i < 5; i++) {
        wr(R_QUEUE_NUM, size[i]);
        wr(R_QUEUE_READY, 1);
        cr_assert_eq(rd(R_QUEUE_READY), 0);
    }
    wr(R_QUEUE_NUM, 16);
    wr(R_DESC, (uint32_t)RINGS + 8);
    wr(R_QUEUE_READY, 1);
    cr_assert_eq(rd(R_QUEUE_READY), 0);
    wr(R_DESC, (uint32_t)RINGS);
    wr(R_QUEUE_READY, 1);
    cr_assert_eq(rd(R_QUEUE_READY), 1);
}

CASE(virtio, what_is_ready_does_not_change)
{
    cr_assert(negotiate(F_VERSION_1));
    cr_assert(set_queue(0, &drv[0], RINGS, 16));
    struct virtq before = e.queue[0];
    wr(R_QUEUE_NUM, 32);
    wr64(R_DESC, 0x1234567890);
    wr64(R_DRIVER, 0x1234567890);
    wr64(R_DEVICE, 0x1234567890);
    wr(R_QUEUE_READY, 1);
    cr_assert_eq(memcmp(&before, &e.queue[0], sizeof(before)), 0);
    wr(R_QUEUE_READY, 0);
    cr_assert_eq(rd(R_QUEUE_READY), 0);
    wr64(R_DESC, UINT64_C(0x1234567890));
    cr_assert_eq(e.queue[0].desc.v, UINT64_C(0x1234567890));
    cr_assert_eq(e.queue[0].size, 16, "what was written stays");
}

CASE(virtio, a_queue_that_is_stopped_is_left_alone_and_begins_anew)
{
    go(F_EVENT_IDX);
    offer(0, "one");
    notify(0);
    serve_all();
    cr_assert(answered(0, "one"));
    wr(R_QUEUE_SEL, 0);
    wr(R_QUEUE_READY, 0);
    offer(0, "two");
    notify(0);
    serve_all();
    cr_assert(!answered(0, "two"));
    cr_assert(set_queue(0, &drv[0], RINGS, 16));
    offer(0, "three");
    notify(0);
    serve_all();
    cr_assert(answered(0, "three"));
    cr_assert(e.queue[0].event_idx);
}

/* --- Work --- */

CASE(virtio, a_request)
{
    go(0);
    offer(1, "hello");
    serve_all();
    cr_assert(!answered(1, "hello"), "nobody was told");
    notify(1);
    cr_assert(!answered(1, "hello"), "a notification only posts");
    serve_all();
    cr_assert_eq(e.dev.pending, 0);
    cr_assert(answered(1, "hello"));
    cr_assert_eq(rd(R_ISR), 1);
    cr_assert(irq_line());
    wr(R_ACK, 2);
    cr_assert(irq_line(), "there is no such event");
    wr(R_ACK, 1);
    cr_assert_eq(rd(R_ISR), 0);
    cr_assert(!irq_line());
}

CASE(virtio, requests_are_served_in_pieces)
{
    go(0);
    for (unsigned i = 0; i < 8; i++)
        offer(0, "x");
    offer(2, "y");
    notify(0);
    notify(2);
    e.served = 0;
    (void)next(0);
    cr_assert_eq(e.served, 1);
    cr_assert_eq(driver_get16(&drv[0], drv[0].used + 2), 4);
    (void)next(0);
    cr_assert_eq(driver_get16(&drv[2], drv[2].used + 2), 1, "each queue in turn");
    serve_all();
    for (unsigned i = 0; i < 8; i++)
        cr_assert(answered(0, "x"));
}

CASE(virtio, nothing_before_driver_ok_but_then_all)
{
    cr_assert(negotiate(F_VERSION_1));
    cr_assert(set_queue(0, &drv[0], RINGS, 16));
    offer(0, "early");
    notify(0);
    serve_all();
    cr_assert(!answered(0, "early"));
    cr_assert_eq(rd(R_ISR), 0);
    driver_ok();
    serve_all();
    cr_assert(answered(0, "early"));
}

CASE(virtio, no_interrupt_if_the_driver_wants_none)
{
    go(0);
    driver_no_interrupt(&drv[0], true);
    offer(0, "quiet");
    notify(0);
    serve_all();
    cr_assert(answered(0, "quiet"));
    cr_assert_eq(rd(R_ISR), 0);
}

CASE(virtio, event_idx_and_indirect_as_negotiated)
{
    go(F_EVENT_IDX | F_INDIRECT);
    cr_assert(e.queue[1].event_idx && e.queue[1].indirect);
    driver_used_event(&drv[0], 1);
    offer(0, "a");
    notify(0);
    serve_all();
    cr_assert_eq(rd(R_ISR), 0);
    cr_assert_eq(driver_avail_event(&drv[0]), 1);
    offer(0, "b");
    notify(0);
    serve_all();
    cr_assert_eq(rd(R_ISR), 1);
    go(0);
    cr_assert(!e.queue[1].event_idx && !e.queue[1].indirect);
}

/* --- Broken --- */

static void breaks(void)
{
    cr_assert_eq(rd(R_STATUS), 15 | S_NEEDS_RESET);
    cr_assert_eq(rd(R_ISR) & 2, 2);
    cr_assert(irq_line());
    wr(R_ACK, 3);
    offer(1, "more");
    notify(1);
    serve_all();
    cr_assert(!answered(1, "more"));
    cr_assert_eq(rd(R_ISR), 0, "it says so once");
    wr(R_STATUS, 15);
    cr_assert_eq(rd(R_STATUS), 15 | S_NEEDS_RESET);
    go(0);
    offer(1, "again");
    notify(1);
    serve_all();
    cr_assert(answered(1, "again"));
}

CASE(virtio, a_broken_queue_needs_a_reset)
{
    go(0);
    driver_offer(&drv[0], 16);
    notify(0);
    serve_all();
    breaks();
}

CASE(virtio, a_buffer_outside_of_memory_needs_a_reset)
{
    struct driver_seg s[] = {{0x1000, 16}, {RESULT, 16}};

    go(0);
    driver_offer(&drv[0], driver_chain(&drv[0], s, 1, 1));
    notify(0);
    serve_all();
    breaks();
}

/* Each function of the device's side finds out, and says so. */
CASE(virtio, a_used_ring_outside_of_memory)
{
    for (unsigned what = 0; what < 5; what++) {
        go(0);
        e.queue[0].device = ipa(0x1000);
        e.queue[0].driver = ipa(what == 3 ? 0x1000 : e.queue[0].driver.v);
        e.queue[0].next_used = 1;
        virtio_lock(&e.dev);
        if (what == 0)
            cr_assert(!virtio_push(&e.dev, 0, 0, 0));
        else if (what == 1)
            cr_assert(!virtio_fill(&e.dev, 0, 0, 0, 0));
        else if (what == 2)
            cr_assert(!virtio_publish(&e.dev, 0, 1));
        else if (what == 3)
            virtio_signal(&e.dev, 0);
        else
            cr_assert(!virtio_set_notify(&e.dev, 0, true));
        cr_assert(!virtio_push(&e.dev, 1, 0, 0), "none of its queues is touched any more");
        virtio_unlock(&e.dev);
        breaks();
    }
}

CASE(virtio, dead_queues_are_not_touched)
{
    virtio_lock(&e.dev);
    e.queue[0].ready = true;
    cr_assert(!virtio_pop(&e.dev, 0, &chain));
    cr_assert(!virtio_push(&e.dev, 0, 0, 0));
    cr_assert(!virtio_fill(&e.dev, 0, 0, 0, 0));
    cr_assert(!virtio_publish(&e.dev, 0, 1));
    cr_assert(!virtio_set_notify(&e.dev, 0, true));
    virtio_signal(&e.dev, 0);
    virtio_break(&e.dev);
    virtio_unlock(&e.dev);
    cr_assert_eq(rd(R_STATUS), S_NEEDS_RESET);
    cr_assert_eq(rd(R_ISR), 0, "not before DRIVER_OK");
}

/* --- How much a piece of work looks at --- */

/* Offers `count` chains of `buffers` buffers without a byte, in indirect tables. */
static void offer_empty(uint32_t n, unsigned count, unsigned buffers)
{
    struct driver_seg seg[130] = {0};

    for (unsigned i = 0; i < buffers; i++)
        seg[i].at = DATA;
    for (unsigned i = 0; i < count; i++)
        driver_offer(&drv[n],
                     driver_indirect(&drv[n], DATA + 0x1000 * (i + 1ull), seg, buffers, 0));
}

static unsigned pieces(uint32_t n, unsigned *first)
{
    struct vm_device *device = &f.vm->device[e.dev.index];
    uint16_t head;
    uint32_t len;
    unsigned count = 0;

    do {
        unsigned chains = 0;
        bool more = device->work(device->dev);
        while (driver_used(&drv[n], &head, &len))
            chains++;
        if (count++ == 0)
            *first = chains;
        else
            cr_assert_leq(chains, *first);
        if (!more)
            return count;
    } while (count < 1000);
    return count;
}

CASE(virtio, a_piece_ends_after_so_many_buffers)
{
    static const struct {
        unsigned chains, buffers;
        unsigned first, pieces; /* chains of the first, and how many */
    } rows[] = {
        /* 131 each: 393, 524. The last piece finds that there is no more. */
        {16, 130, 4, 5},
        {12, 130, 4, 4},
        {11, 130, 4, 3},
        /* 64 each, so that it is 512 on the spot. */
        {16, 63, 8, 3},
        {15, 63, 8, 2},
        /* 32: all in one, and then it is spent. */
        {16, 31, 16, 2},
        {16, 30, 16, 1},
        {1, 130, 1, 1},
    };

    e.at_once = UINT32_MAX;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned first;
        go(F_INDIRECT);
        offer_empty(1, rows[i].chains, rows[i].buffers);
        notify(1);
        cr_assert_eq(pieces(1, &first), rows[i].pieces, "row %u", i);
        cr_assert_eq(first, rows[i].first, "row %u", i);
        cr_assert_eq(drv[1].used_idx, rows[i].chains);
        serve_all();
    }
}

/* --- Reset --- */

CASE(virtio, reset)
{
    go(F_EVENT_IDX);
    offer(0, "x");
    notify(0);
    serve_all();
    wr(R_QUEUE_SEL, 1);
    wr(R_FEATURES_SEL, 1);
    uint32_t epoch = e.dev.epoch;
    unsigned resets = e.resets;
    offer(0, "y");
    notify(0);
    wr(R_STATUS, 0);
    cr_assert_eq(rd(R_STATUS), 0);
    cr_assert_eq(rd(R_ISR), 0);
    cr_assert(!irq_line());
    cr_assert_eq(e.resets, resets + 1);
    cr_assert_neq(e.dev.epoch, epoch);
    cr_assert_eq(e.dev.accepted, 0);
    for (uint32_t n = 0; n < 3; n++) {
        wr(R_QUEUE_SEL, n);
        cr_assert_eq(rd(R_QUEUE_READY), 0);
        cr_assert_eq(e.queue[n].desc.v, 0);
    }
    serve_all();
    cr_assert(answered(0, "x"));
    cr_assert(!answered(0, "y"), "its memory is the driver's again");
}

/* --- Several pCPUs --- */

static unsigned depth;

/* Another vCPU, on pCPU 1, comes by while pCPU 0 serves. */
static void other_notifies(void)
{
    unsigned served = e.served;

    e.during = NULL;
    offer(0, "same");
    at(1);
    notify(0);
    (void)next(1);
    cr_assert_eq(e.served, served, "one pCPU at a time");
    cr_assert(!pcpu(1)->resched, "and it does not wait for that");
    at(0);
}

CASE(virtio, posted_while_another_pcpu_serves)
{
    go(0);
    run_on(1, 1);
    at(0);
    e.during = other_notifies;
    e.at_once = 1;
    offer(0, "same");
    notify(0);
    serve_all();
    cr_assert_eq(e.dev.pending, 0);
    cr_assert(answered(0, "same"));
    cr_assert(answered(0, "same"), "the one that served does it");
}

/* pCPU 1 waits in its reset: pCPU 0 is let go on, to the end of its serve(). */
static void finish_serve(void *ctx)
{
    (void)ctx;
    depth++;
    cr_assert(e.dev.resetting);
    cr_assert(!virtio_is_live(&e.dev));
    at(0);
    virtio_lock(&e.dev);
    cr_assert(!virtio_push(&e.dev, 0, chain.head, 0), "it is forgotten");
    virtio_unlock(&e.dev);
    e.dev.serving = false;
    at(1);
}

static uint64_t passes;

static void other_resets(void)
{
    e.during = NULL;
    at(1);
    fakehal()->relax = finish_serve;
    passes = pcpu(1)->passes;
    wr(R_STATUS, 0);
    cr_assert_eq(depth, 1);
    cr_assert_gt(pcpu(1)->passes, passes, "nobody waits for it in vain");
    cr_assert(!e.dev.resetting);
    cr_assert_eq(e.resets, 2);
    fakehal()->relax = fixture_serve_kicks;
    at(0);
}

CASE(virtio, reset_waits_for_the_pcpu_that_serves)
{
    go(0);
    depth = 0;
    run_on(1, 1);
    at(0);
    e.during = other_resets;
    offer(0, "x");
    notify(0);
    serve_all();
    cr_assert_eq(depth, 1);
    cr_assert(!answered(0, "x"));
    cr_assert_eq(rd(R_STATUS), 0);
}

static void end_reset(void *ctx)
{
    (void)ctx;
    depth++;
    e.dev.resetting = false;
    fakehal()->relax = fixture_serve_kicks;
}

CASE(virtio, registers_wait_for_a_reset)
{
    depth = 0;
    e.dev.resetting = true;
    fakehal()->relax = end_reset;
    cr_assert_eq(rd(R_STATUS), 0);
    cr_assert_eq(depth, 1);
}

/* --- Life --- */

CASE(virtio, goes_with_its_vm)
{
    go(0);
    fixture_destroy(&f, f.vm);
    f.vm = NULL;
    cr_assert_eq(e.destroyed, 1);
}

CASE(virtio, what_cannot_be_made)
{
    struct vm *echo = f.vm;
    struct vm *vm;

    f.config.affinity[0] = 2;
    cr_assert_eq(vm_create(f.hv, &f.config, 2, &vm), HV_OK);
    f.vm = vm;
    cr_assert_eq(create(&echo_ops, 32 + 256), HV_ERR_RANGE, "the GIC has no such SPI");
    cr_assert_eq(create(&echo_ops, VIRTIO_INTID), HV_OK);
    cr_assert_eq(create(&echo_ops, VIRTIO_INTID), HV_ERR_EXIST);
    cr_assert_eq(vm->nr_devices, 1);
    vm_destroy(vm);
    cr_assert_eq(e.destroyed, 1);
    cr_assert_eq(vm_create(f.hv, &f.config, 2, &vm), HV_OK);
    f.vm = vm;
    vm->nr_devices = VM_MAX_DEVICES;
    cr_assert_eq(create(&echo_ops, VIRTIO_INTID), HV_ERR_NOMEM);
    vm->nr_devices = 0;
    vm_destroy(vm);
    f.vm = echo;
}

CASES_RUN(virtio, setup_echo, finish)
