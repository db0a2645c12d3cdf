/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The machine's disks: virtio block devices behind virtio-mmio, version 2 (Virtual I/O Device
 * Version 1.2, 4.2 and 5.2). Each slot has three descriptors of its own: header, data, status. What
 * the device says is checked: a broken one costs its own requests and no more. The device's
 * accesses to memory are coherent (hal/platform.h), so no cache is maintained.
 */
#include "abi/virtio.h"
#include "abi/virtio_blk.h"
#include "base/bits.h"
#include "base/check.h"
#include "hal/hal.h"
#include "internal.h"

#define CONFIG_CAPACITY (VIRTIO_MMIO_CONFIG + 0u)

#define RESET_HZ 2u /* half a second for the device to reset itself */

#define QUEUE_SIZE 16u /* a power of two, at least DESCS for each slot */
#define DESCS      3u

_Static_assert(QUEUE_SIZE >= DESCS * HAL_DISK_SLOTS, "every slot has its descriptors");

/* What the device and we share (2.7). */
struct rings {
    _Alignas(64) struct virtq_desc desc[QUEUE_SIZE];
    struct {
        uint16_t flags;
        uint16_t index;
        uint16_t ring[QUEUE_SIZE];
    } avail;
    _Alignas(4) struct {
        uint16_t flags;
        uint16_t index;
        struct virtq_used_elem ring[QUEUE_SIZE];
    } used;
    struct virtio_blk_header header[HAL_DISK_SLOTS];
    uint8_t status[HAL_DISK_SLOTS];
};

static struct disk {
    volatile char *regs;
    struct hal_disk_info info;
    uint32_t busy; /* bit n: slot n is the device's */
    uint16_t used_seen;
    volatile struct rings *rings;
} disks[HAL_DISKS_MAX];
static volatile struct rings rings[HAL_DISKS_MAX];
static unsigned nr_disks;

static void write64(volatile char *regs, uint64_t offset, uint64_t value)
{
    mmio_write32(regs, offset, (uint32_t)value);
    mmio_write32(regs, offset + 4, (uint32_t)(value >> 32));
}

static bool is_disk(const volatile char *regs)
{
    return mmio_read32(regs, VIRTIO_MMIO_MAGIC_VALUE) == VIRTIO_MMIO_MAGIC &&
           mmio_read32(regs, VIRTIO_MMIO_VERSION_REG) == VIRTIO_MMIO_VERSION &&
           mmio_read32(regs, VIRTIO_MMIO_DEVICE_ID) == VIRTIO_ID_BLOCK;
}

static void set_status(volatile char *regs, uint32_t bits)
{
    mmio_write32(regs, VIRTIO_MMIO_STATUS, mmio_read32(regs, VIRTIO_MMIO_STATUS) | bits);
}

/* False if the device is not done with it in time: 4.2.2.2 has no limit, but we do. */
static bool reset(volatile char *regs)
{
    uint64_t end = hal_time_now() + hal_time_hz() / RESET_HZ;

    mmio_write32(regs, VIRTIO_MMIO_STATUS, 0);
    while (mmio_read32(regs, VIRTIO_MMIO_STATUS) != 0) {
        if (hal_time_now() > end)
            return false;
        hal_cpu_relax();
    }
    return true;
}

/* 3.1.1, up to FEATURES_OK. */
static bool negotiate(struct disk *disk)
{
    volatile char *regs = disk->regs;
    uint64_t offered;
    uint64_t wanted = VIRTIO_F_VERSION_1 | VIRTIO_BLK_F_RO | VIRTIO_BLK_F_FLUSH;

    if (!reset(regs))
        return false;
    set_status(regs, VIRTIO_STATUS_ACKNOWLEDGE);
    set_status(regs, VIRTIO_STATUS_DRIVER);
    mmio_write32(regs, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
    offered = (uint64_t)mmio_read32(regs, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
    mmio_write32(regs, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
    offered |= mmio_read32(regs, VIRTIO_MMIO_DEVICE_FEATURES);
    wanted &= offered;
    mmio_write32(regs, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    mmio_write32(regs, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(wanted >> 32));
    mmio_write32(regs, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
    mmio_write32(regs, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)wanted);
    set_status(regs, VIRTIO_STATUS_FEATURES_OK);
    disk->info.read_only = (wanted & VIRTIO_BLK_F_RO) != 0;
    disk->info.flush = (wanted & VIRTIO_BLK_F_FLUSH) != 0;
    return (wanted & VIRTIO_F_VERSION_1) != 0 &&
           (mmio_read32(regs, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_FEATURES_OK) != 0;
}

static bool set_up_queue(struct disk *disk)
{
    volatile char *regs = disk->regs;

    mmio_write32(regs, VIRTIO_MMIO_QUEUE_SEL, 0);
    if (mmio_read32(regs, VIRTIO_MMIO_QUEUE_READY) != 0 ||
        mmio_read32(regs, VIRTIO_MMIO_QUEUE_NUM_MAX) < QUEUE_SIZE)
        return false;
    mmio_write32(regs, VIRTIO_MMIO_QUEUE_NUM, QUEUE_SIZE);
    write64(regs, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint64_t)disk->rings->desc);
    write64(regs, VIRTIO_MMIO_QUEUE_DRIVER_LOW, (uint64_t)&disk->rings->avail);
    write64(regs, VIRTIO_MMIO_QUEUE_DEVICE_LOW, (uint64_t)&disk->rings->used);
    dsb(sy);
    mmio_write32(regs, VIRTIO_MMIO_QUEUE_READY, 1);
    set_status(regs, VIRTIO_STATUS_DRIVER_OK);
    return true;
}

/* The fields of the slot's descriptors that are always the same. */
static void link_descs(volatile struct rings *r)
{
    for (unsigned slot = 0; slot < HAL_DISK_SLOTS; slot++) {
        volatile struct virtq_desc *desc = &r->desc[DESCS * slot];

        desc[0].addr = (uint64_t)&r->header[slot];
        desc[0].len = sizeof(r->header[slot]);
        desc[0].flags = VIRTQ_DESC_F_NEXT;
        desc[1].next = (uint16_t)(DESCS * slot + 2);
        desc[2].addr = (uint64_t)&r->status[slot];
        desc[2].len = sizeof(r->status[slot]);
        desc[2].flags = VIRTQ_DESC_F_WRITE;
    }
}

hv_err disk_init(const struct hal_platform *platform)
{
    nr_disks = 0;
    for (uint32_t i = 0; i < platform->nr_virtio && nr_disks < HAL_DISKS_MAX; i++) {
        struct disk *disk = &disks[nr_disks];
        hv_err err = mmu_map(platform->virtio[i].base, platform->virtio[i].size, MMU_DEVICE);

        if (err != HV_OK)
            return err;
        *disk = (struct disk){.regs = (volatile char *)platform->virtio[i].base,
                              .info = {.intid = platform->virtio_intid[i]},
                              .rings = &rings[nr_disks]};
        if (!is_disk(disk->regs) || !negotiate(disk))
            continue;
        link_descs(disk->rings);
        disk->info.sectors = mmio_read32(disk->regs, CONFIG_CAPACITY) |
                             (uint64_t)mmio_read32(disk->regs, CONFIG_CAPACITY + 4) << 32;
        if (set_up_queue(disk))
            nr_disks++;
    }
    return HV_OK;
}

unsigned hal_disk_count(void)
{
    return nr_disks;
}

void hal_disk_info(unsigned disk, struct hal_disk_info *out)
{
    HV_CHECK(disk < nr_disks);
    *out = disks[disk].info;
}

static uint32_t type_of(enum hal_disk_op op)
{
    if (op == HAL_DISK_READ)
        return VIRTIO_BLK_T_IN;
    if (op == HAL_DISK_WRITE)
        return VIRTIO_BLK_T_OUT;
    return VIRTIO_BLK_T_FLUSH;
}

static bool is_valid(const struct hal_disk_info *info, const struct hal_disk_request *request)
{
    if (request->op == HAL_DISK_FLUSH)
        return info->flush;
    return request->len > 0 && request->len <= HAL_DISK_LEN_MAX &&
           request->len % HAL_DISK_SECTOR == 0 &&
           !range_exceeds(request->sector, request->len / HAL_DISK_SECTOR, info->sectors) &&
           !(request->op == HAL_DISK_WRITE && info->read_only);
}

void hal_disk_submit(unsigned disk, unsigned slot, const struct hal_disk_request *request)
{
    struct disk *d = &disks[disk];

    HV_CHECK(disk < nr_disks && slot < HAL_DISK_SLOTS && (d->busy & BIT(slot)) == 0);
    HV_CHECK(is_valid(&d->info, request));
    volatile struct rings *r = d->rings;
    volatile struct virtq_desc *desc = &r->desc[DESCS * slot];
    uint16_t index = r->avail.index;
    d->busy |= UINT32_C(1) << slot;
    r->header[slot].type = type_of(request->op);
    r->header[slot].reserved = 0;
    r->header[slot].sector = request->op == HAL_DISK_FLUSH ? 0 : request->sector;
    r->status[slot] = VIRTIO_BLK_S_IOERR;
    desc[0].next = (uint16_t)(DESCS * slot + (request->op == HAL_DISK_FLUSH ? 2 : 1));
    desc[1].addr = request->buf.v;
    desc[1].len = request->len;
    desc[1].flags = VIRTQ_DESC_F_NEXT | (request->op == HAL_DISK_READ ? VIRTQ_DESC_F_WRITE : 0u);
    r->avail.ring[index % QUEUE_SIZE] = (uint16_t)(DESCS * slot);
    dsb(sy);
    r->avail.index = (uint16_t)(index + 1);
    dsb(sy);
    mmio_write32(d->regs, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

/* The slot that the used ring names next; false if it names none. An element, and all that it
 * stands for, is read after the index that covers it (2.7.14). */
static bool take_used(struct disk *d, unsigned *slot)
{
    volatile struct rings *r = d->rings;

    while (r->used.index != d->used_seen) {
        uint32_t id;

        dsb(sy);
        id = r->used.ring[d->used_seen++ % QUEUE_SIZE].id;
        if (id % DESCS != 0 || id / DESCS >= HAL_DISK_SLOTS || (d->busy & BIT(id / DESCS)) == 0)
            continue;
        *slot = id / DESCS;
        return true;
    }
    return false;
}

/*
 * The write may be on its way to the device when the CPU goes on: reading the register back waits
 * for it. So the line is low before the interrupt is ended; and what the device was done with
 * before it took the acknowledgement, and for which there is no other interrupt, is in the ring for
 * whoever looks after this.
 */
static void acknowledge(const struct disk *d)
{
    uint32_t status = mmio_read32(d->regs, VIRTIO_MMIO_INTERRUPT_STATUS);

    mmio_write32(d->regs, VIRTIO_MMIO_INTERRUPT_ACK, status);
    (void)mmio_read32(d->regs, VIRTIO_MMIO_INTERRUPT_STATUS);
    dsb(sy);
}

bool hal_disk_done(unsigned disk, unsigned *slot, hv_err *result)
{
    struct disk *d = &disks[disk];

    HV_CHECK(disk < nr_disks);
    if (!take_used(d, slot)) {
        acknowledge(d);
        if (!take_used(d, slot))
            return false;
    }
    d->busy &= ~(UINT32_C(1) << *slot);
    *result = d->rings->status[*slot] == VIRTIO_BLK_S_OK ? HV_OK : HV_ERR_IO;
    return true;
}
