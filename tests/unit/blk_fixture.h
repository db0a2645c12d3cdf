/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A VM with one virtio block device over a disk, and its driver. */
#ifndef TESTS_BLK_FIXTURE_H
#define TESTS_BLK_FIXTURE_H

#include "dev/disk_device.h"
#include "dev/registry.h"
#include "virtq_driver.h"
#include "vm_fixture.h"

/* Registers (4.2.2) and where a VM's first virtio device is. */
#define BLK_BASE     UINT64_C(0x0a000000)
#define BLK_INTID    48u
#define REG_FEATURES 0x010u
#define REG_FEAT_SEL 0x014u
#define REG_DRIVER   0x020u
#define REG_DRV_SEL  0x024u
#define REG_NUM      0x038u
#define REG_READY    0x044u
#define REG_NOTIFY   0x050u
#define REG_ISR      0x060u
#define REG_ACK      0x064u
#define REG_STATUS   0x070u
#define REG_DESC     0x080u
#define REG_AVAIL    0x090u
#define REG_USED     0x0a0u
#define REG_CONFIG   0x100u

#define RINGS  (GUEST_RAM + 0x10000)
#define HEADER (GUEST_RAM + 0x20000) /* 16 bytes a request */
#define STATUS (GUEST_RAM + 0x30000) /* a byte a request */
#define DATA   (GUEST_RAM + 0x40000)

#define T_IN           0u
#define T_OUT          1u
#define T_FLUSH        4u
#define T_GET_ID       8u
#define T_DISCARD      11u
#define T_WRITE_ZEROES 13u

#define S_OK     0u
#define S_IOERR  1u
#define S_UNSUPP 2u
#define S_NONE   0xeeu /* not answered */

struct blk_fixture {
    struct fixture f;
    struct disks disks;
    struct disk *disk;
    struct virtio_blk *blk;
    struct driver driver;
};

static inline uint32_t blk_read(struct blk_fixture *b, uint32_t offset, unsigned size)
{
    struct mmio_access access = {.offset = offset, .size = (uint8_t)size};

    cr_assert(virtio_access(&b->blk->dev, &access));
    return (uint32_t)access.value;
}

static inline void blk_write(struct blk_fixture *b, uint32_t offset, uint32_t value)
{
    struct mmio_access access = {.offset = offset, .size = 4, .write = true, .value = value};

    cr_assert(virtio_access(&b->blk->dev, &access));
}

static inline uint64_t blk_features(struct blk_fixture *b)
{
    uint64_t features;

    blk_write(b, REG_FEAT_SEL, 1);
    features = (uint64_t)blk_read(b, REG_FEATURES, 4) << 32;
    blk_write(b, REG_FEAT_SEL, 0);
    return features | blk_read(b, REG_FEATURES, 4);
}

/* Reset, and live with a queue of `size`. */
static inline void blk_start(struct blk_fixture *b, uint64_t features, uint16_t size)
{
    blk_write(b, REG_STATUS, 0);
    blk_write(b, REG_STATUS, 3);
    for (uint32_t half = 0; half < 2; half++) {
        blk_write(b, REG_DRV_SEL, half);
        blk_write(b, REG_DRIVER, (uint32_t)(features >> (32 * half)));
    }
    blk_write(b, REG_STATUS, 11);
    cr_assert_eq(blk_read(b, REG_STATUS, 4), 11);
    driver_init(&b->driver, &b->f.vm->s2, RINGS, size);
    blk_write(b, REG_NUM, size);
    blk_write(b, REG_DESC, (uint32_t)b->driver.desc);
    blk_write(b, REG_AVAIL, (uint32_t)b->driver.avail);
    blk_write(b, REG_USED, (uint32_t)b->driver.used);
    blk_write(b, REG_READY, 1);
    blk_write(b, REG_STATUS, 15);
}

/* The VM of the fixture with `setup`'s disk; the machine's disks are there already. */
static inline void blk_fixture_make(struct blk_fixture *b, const struct disk_setup *setup)
{
    struct vm_config *config = &b->f.config;

    disks_init(&b->disks, b->f.hv);
    b->f.hv->disks = &b->disks;
    b->f.hv->devices = &dev_registry;
    cr_assert_eq(disks_add(&b->disks, 0, 0, setup), HV_OK);
    b->disk = disks_find(&b->disks, 0, 0);
    config->nr_devices = 1;
    config->device[0].class = NULL;
    for (size_t i = 0; i < dev_registry.count; i++)
        if (dev_registry.class[i].create == disk_create)
            config->device[0].class = &dev_registry.class[i];
    fixture_create(&b->f, 1);
    struct dev_instance instance = {.class = config->device[0].class,
                                    .config = &config->device[0],
                                    .base = BLK_BASE,
                                    .intid = BLK_INTID};
    cr_assert_eq(disk_create(b->f.vm, &instance), HV_OK);
    b->blk = b->f.vm->device[b->f.vm->nr_devices - 1].dev;
    vm_start(b->f.vm, ipa(GUEST_ENTRY), 0);
    cr_assert_eq(sched_next(&b->f.hv->pcpu[0]), b->f.vcpu);
    blk_start(b, UINT64_C(1) << 32, 64);
}

static inline void blk_fixture_end(struct blk_fixture *b)
{
    if (b->f.vm != NULL)
        fixture_destroy(&b->f, b->f.vm);
    b->f.vm = NULL;
    disks_destroy(&b->disks);
    fixture_end(&b->f);
}

/* The device works until it has nothing to do; returns in how many pieces. */
static inline unsigned blk_serve_all(struct blk_fixture *b)
{
    struct vm_device *device = &b->f.vm->device[b->blk->dev.index];
    unsigned pieces = 1;

    while (device->work(device->dev))
        cr_assert_lt(++pieces, 100000);
    return pieces;
}

/* A request with its header in `n`th place, made available. The data: `count` segments, read by the
 * device for `out`. Returns the chain's head. */
static inline uint16_t blk_offer(struct blk_fixture *b, uint32_t n, uint32_t type, uint64_t sector,
                                 const struct driver_seg *data, unsigned count, bool out)
{
    struct driver_seg seg[140];
    uint16_t head;

    seg[0] = (struct driver_seg){HEADER + 16u * n, 16};
    for (unsigned i = 0; i < count; i++)
        seg[i + 1] = data[i];
    seg[count + 1] = (struct driver_seg){STATUS + n, 1};
    driver_put32(&b->driver, HEADER + 16u * n, type);
    driver_put32(&b->driver, HEADER + 16u * n + 4, 0xdeadbeef);
    driver_put64(&b->driver, HEADER + 16u * n + 8, sector);
    *(unsigned char *)driver_mem(&b->driver, STATUS + n, 1) = S_NONE;
    head = driver_chain(&b->driver, seg, out ? count + 1 : 1, out ? 1 : count + 1);
    driver_offer(&b->driver, head);
    return head;
}

static inline uint8_t blk_status(struct blk_fixture *b, uint32_t n)
{
    return *(unsigned char *)driver_mem(&b->driver, STATUS + n, 1);
}

/* One request from end to end; its status, and in *len what the used ring says. */
static inline uint8_t blk_request(struct blk_fixture *b, uint32_t type, uint64_t sector,
                                  uint64_t data, uint32_t size, bool out, uint32_t *len)
{
    const struct driver_seg seg = {data, size};
    uint16_t head = blk_offer(b, 0, type, sector, &seg, size != 0, out);
    uint16_t used;
    uint32_t written = 0;

    blk_write(b, REG_NOTIFY, 0);
    (void)blk_serve_all(b);
    cr_assert(driver_used(&b->driver, &used, &written));
    cr_assert_eq(used, head);
    driver_free(&b->driver, head);
    if (len != NULL)
        *len = written;
    return blk_status(b, 0);
}

#endif
