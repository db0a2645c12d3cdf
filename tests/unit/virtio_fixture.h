/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A virtio device of a VM, and a driver that goes by the specification (Virtual I/O Device Version
 * 1.2, 3.1.1 and 4.2.3). It knows the registers and nothing of core/virtio. The device itself is
 * the test's: virtio_create() at VIRTIO_BASE with VIRTIO_INTID.
 */
#ifndef TESTS_VIRTIO_FIXTURE_H
#define TESTS_VIRTIO_FIXTURE_H

#include "sched_fixture.h"
#include "virtq_driver.h"

#define VIRTIO_BASE  UINT64_C(0x0a000000)
#define VIRTIO_INTID 48u

/* 4.2.2 */
enum {
    R_MAGIC = 0x00,
    R_VERSION = 0x04,
    R_DEVICE_ID = 0x08,
    R_VENDOR_ID = 0x0c,
    R_FEATURES = 0x10,
    R_FEATURES_SEL = 0x14,
    R_DRIVER_FEATURES = 0x20,
    R_DRIVER_FEATURES_SEL = 0x24,
    R_QUEUE_SEL = 0x30,
    R_QUEUE_NUM_MAX = 0x34,
    R_QUEUE_NUM = 0x38,
    R_QUEUE_READY = 0x44,
    R_QUEUE_NOTIFY = 0x50,
    R_ISR = 0x60,
    R_ACK = 0x64,
    R_STATUS = 0x70,
    R_DESC = 0x80,
    R_DRIVER = 0x90,
    R_DEVICE = 0xa0,
    R_SHM_SEL = 0xac,
    R_SHM_LEN = 0xb0,
    R_SHM_BASE = 0xb8,
    R_QUEUE_RESET = 0xc0,
    R_GENERATION = 0xfc,
    R_CONFIG = 0x100,
};

/* 2.1 */
enum {
    S_ACKNOWLEDGE = 1,
    S_DRIVER = 2,
    S_DRIVER_OK = 4,
    S_FEATURES_OK = 8,
    S_NEEDS_RESET = 64,
    S_FAILED = 128,
};

#define F_INDIRECT  (UINT64_C(1) << 28)
#define F_EVENT_IDX (UINT64_C(1) << 29)
#define F_VERSION_1 (UINT64_C(1) << 32)

/* One access of the guest; false if it takes an external abort. */
static inline bool guest_access(uint64_t offset, uint8_t size, bool write, uint64_t *value)
{
    const struct mmio_region *region = mmio_bus_find(&f.vm->bus, ipa(VIRTIO_BASE + offset));
    struct mmio_access access = {offset, write ? *value : 0, 0, size, write};

    cr_assert_not_null(region);
    cr_assert_eq(region->base, VIRTIO_BASE);
    bool taken = region->access(region->dev, &access);
    *value = access.value;
    return taken;
}

static inline uint32_t rd(uint64_t offset)
{
    uint64_t value = 0;

    cr_assert(guest_access(offset, 4, false, &value));
    cr_assert_leq(value, UINT32_MAX);
    return (uint32_t)value;
}

static inline void wr(uint64_t offset, uint32_t v)
{
    uint64_t value = v;

    cr_assert(guest_access(offset, 4, true, &value));
}

static inline void wr64(uint64_t offset, uint64_t value)
{
    wr(offset, (uint32_t)value);
    wr(offset + 4, (uint32_t)(value >> 32));
}

static inline uint64_t offered_features(void)
{
    wr(R_FEATURES_SEL, 1);
    uint64_t high = rd(R_FEATURES);
    wr(R_FEATURES_SEL, 0);
    return high << 32 | rd(R_FEATURES);
}

/* To FEATURES_OK; false if the device does not agree. */
static inline bool negotiate(uint64_t features)
{
    wr(R_STATUS, 0);
    cr_assert_eq(rd(R_STATUS), 0);
    wr(R_STATUS, S_ACKNOWLEDGE);
    wr(R_STATUS, S_ACKNOWLEDGE | S_DRIVER);
    for (uint32_t half = 0; half < 2; half++) {
        wr(R_DRIVER_FEATURES_SEL, half);
        wr(R_DRIVER_FEATURES, (uint32_t)(features >> 32 * half));
    }
    wr(R_STATUS, S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK);
    return (rd(R_STATUS) & S_FEATURES_OK) != 0;
}

/* Queue `n`, with its rings at `base`; false if it does not get ready. */
static inline bool set_queue(uint32_t n, struct driver *driver, uint64_t base, uint16_t size)
{
    driver_init(driver, &f.vm->s2, base, size);
    wr(R_QUEUE_SEL, n);
    wr(R_QUEUE_NUM, size);
    wr64(R_DESC, driver->desc);
    wr64(R_DRIVER, driver->avail);
    wr64(R_DEVICE, driver->used);
    wr(R_QUEUE_READY, 1);
    return rd(R_QUEUE_READY) == 1;
}

static inline void driver_ok(void)
{
    wr(R_STATUS, rd(R_STATUS) | S_DRIVER_OK);
    cr_assert_neq(rd(R_STATUS) & S_DRIVER_OK, 0);
}

static inline void notify(uint32_t n)
{
    wr(R_QUEUE_NOTIFY, n);
}

/* The vCPU of this pCPU is about to run on: work is done until none is left. */
static inline void serve_all(void)
{
    unsigned cpu = fakehal()->self;

    for (unsigned i = 0; pcpu(cpu)->resched; i++) {
        cr_assert_lt(i, 10000, "it comes to no end");
        (void)next(cpu);
    }
}

/* The line of the device, as the guest's GIC sees it. */
static inline bool irq_line(void)
{
    return f.vm->vgic.spi[VIRTIO_INTID - 32].level;
}

#endif
