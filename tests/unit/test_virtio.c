/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The virtio-mmio transport: registers, negotiation, life. */
#include "virtio_echo.h"

static const struct virtio_ops plain_ops = {.id = 4, .serve = echo_serve};

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
    queue[0].ready = true;
    access = (struct mmio_access){R_QUEUE_READY, 0, 0, 4, true};
    cr_assert(virtio_access(&dev, &access));
    cr_assert(!queue[0].ready);
    access = (struct mmio_access){R_STATUS, 0, 0, 4, true};
    cr_assert(virtio_access(&dev, &access));
    cr_assert_eq(dev.status, 0);
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
