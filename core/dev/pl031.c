/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/pl031.h"
#include "base/bits.h"
#include "hal/hal.h"
#include "vm/device_mem.h"
#include "vm/hv.h"

/* Registers by number (offset / 4), DDI 0224 3.2. */
enum {
    REG_DR = 0x0,
    REG_MR = 0x1,
    REG_LR = 0x2,
    REG_CR = 0x3,
    REG_IMSC = 0x4,
    REG_RIS = 0x5,
    REG_MIS = 0x6,
    REG_ICR = 0x7,
    REG_COUNT,
    REG_ID = 0x3f8, /* RTCPeriphID0..3, RTCPCellID0..3 */
};

#define CR_START 1u
#define INT_RTC  1u

static const uint8_t id_regs[8] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

/* --- Time --- */

static uint64_t machine_seconds(void)
{
    return hal_time_now() / hal_time_hz();
}

static uint32_t count_at(const struct pl031 *pl031, uint64_t seconds)
{
    return (uint32_t)(pl031->vm->hv->wall_base + seconds) + pl031->offset;
}

static void update_line(const struct pl031 *pl031)
{
    vgic_set_level(&pl031->vm->vgic, 0, pl031->intid, (pl031->ris & pl031->imsc) != 0);
}

/* The clock or the match has changed: they meet now, or in up to 2^32 - 1 seconds. */
static void set_alarm(struct pl031 *pl031)
{
    uint64_t now = machine_seconds();
    uint32_t left = pl031->mr - count_at(pl031, now);

    if (left != 0) {
        device_timer_set(&pl031->alarm, (now + left) * hal_time_hz());
        return;
    }
    device_timer_clear(&pl031->alarm);
    pl031->ris |= INT_RTC;
    update_line(pl031);
}

static bool work(void *dev)
{
    struct pl031 *pl031 = dev;

    spinlock_lock(&pl031->lock);
    if (device_timer_take(&pl031->alarm)) {
        pl031->ris |= INT_RTC;
        update_line(pl031);
    }
    spinlock_unlock(&pl031->lock);
    return false;
}

/* --- Registers --- */

static uint32_t reg_read(const struct pl031 *pl031, uint64_t n)
{
    switch (n) {
    case REG_DR:
        return count_at(pl031, machine_seconds());
    case REG_MR:
        return pl031->mr;
    case REG_LR:
        return pl031->lr;
    case REG_CR: /* whoever made the machine has started it, and nothing stops it */
        return CR_START;
    case REG_IMSC:
        return pl031->imsc;
    case REG_RIS:
        return pl031->ris;
    case REG_MIS:
        return pl031->ris & pl031->imsc;
    default:
        return n >= REG_ID && n - REG_ID < ARRAY_LEN(id_regs) ? id_regs[n - REG_ID] : 0;
    }
}

static void reg_write(struct pl031 *pl031, uint64_t n, uint32_t value)
{
    switch (n) {
    case REG_MR:
        pl031->mr = value;
        set_alarm(pl031);
        break;
    case REG_LR:
        pl031->lr = value;
        pl031->offset += value - count_at(pl031, machine_seconds());
        set_alarm(pl031);
        break;
    case REG_IMSC:
        pl031->imsc = value & INT_RTC;
        update_line(pl031);
        break;
    case REG_ICR:
        pl031->ris &= ~value;
        update_line(pl031);
        break;
    default:
        break;
    }
}

bool pl031_access(void *dev, struct mmio_access *access)
{
    struct pl031 *pl031 = dev;
    uint32_t mask;

    if (access->size > 4 || (access->offset & (access->size - 1u)) != 0)
        return false;
    mask = UINT32_MAX >> (32 - 8 * access->size);
    spinlock_lock(&pl031->lock);
    if (access->write)
        reg_write(pl031, access->offset >> 2, (uint32_t)access->value & mask);
    else
        access->value = reg_read(pl031, access->offset >> 2) & mask;
    spinlock_unlock(&pl031->lock);
    return true;
}

/* --- Life --- */

static void destroy(struct vm *vm, void *dev)
{
    struct pl031 *pl031 = dev;

    device_timer_end(&pl031->alarm);
    vm_device_free(vm, pl031);
}

hv_err pl031_create(struct vm *vm, const struct dev_instance *instance)
{
    struct mmio_region region = {
        .base = instance->base,
        .size = instance->size,
        .access = pl031_access,
        .name = instance->class->name,
    };
    void *mem;
    hv_err err = vm_device_alloc(vm, sizeof(struct pl031), &mem);

    if (err != HV_OK)
        return err;
    struct pl031 *pl031 = mem;
    pl031->vm = vm;
    pl031->intid = instance->intid;
    spinlock_init(&pl031->lock, LOCK_RANK_VIRTIO);
    device_timer_init(&pl031->alarm, vm);
    err = vm_add_worker(vm, pl031, destroy, work, &pl031->alarm.index);
    if (err != HV_OK) {
        vm_device_free(vm, pl031);
        return err;
    }
    region.dev = pl031;
    return mmio_bus_add(&vm->bus, &region);
}
