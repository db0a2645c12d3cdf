/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/pl061.h"
#include "base/bits.h"
#include "hal/hal.h"
#include "vm/device_mem.h"
#include "vm/hv.h"

/* Registers by number (offset / 4), DDI 0190 3.2. Bits 7:0 of a GPIODATA's number are a mask of the
 * pins that the access is about. */
enum {
    REG_DATA_LAST = 0x0ff,
    REG_DIR = 0x100,
    REG_IS = 0x101,
    REG_IBE = 0x102,
    REG_IEV = 0x103,
    REG_IE = 0x104,
    REG_RIS = 0x105,
    REG_MIS = 0x106,
    REG_IC = 0x107,
    REG_AFSEL = 0x108,
    REG_ID = 0x3f8, /* GPIOPeriphID0..3, GPIOPCellID0..3 */
};

#define PINS 0xffu

static const uint8_t id_regs[8] = {0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

/* --- Pins --- */

/* Raw interrupt status: a level counts while it lasts, an edge until it is cleared. */
static uint32_t ris(const struct pl061 *pl061)
{
    uint32_t level = ~(pl061->in ^ pl061->iev) & ~pl061->dir & PINS;

    return (level & pl061->is) | (pl061->edges & ~pl061->is);
}

static void update_line(const struct pl061 *pl061)
{
    vgic_set_level(&pl061->vm->vgic, 0, pl061->intid, (ris(pl061) & pl061->ie) != 0);
}

/* The levels from outside change. Only inputs make edges (GPIOIBE: any; else as GPIOIEV says). */
static void set_pins(struct pl061 *pl061, uint32_t in)
{
    uint32_t changed = (pl061->in ^ in) & ~pl061->dir & ~pl061->is;

    pl061->in = in;
    pl061->edges |= changed & (pl061->ibe | ~(in ^ pl061->iev));
    update_line(pl061);
}

/* --- The button --- */

bool pl061_press(void *dev)
{
    struct pl061 *pl061 = dev;
    bool noticed;

    spinlock_lock(&pl061->lock);
    noticed = (pl061->ie & ~pl061->dir & 1u << PL061_PIN_POWER) != 0;
    if (noticed) {
        device_timer_set(&pl061->release, hal_time_now() + hal_time_hz() * PL061_PRESS_MS / 1000);
        set_pins(pl061, pl061->in | 1u << PL061_PIN_POWER);
    }
    spinlock_unlock(&pl061->lock);
    return noticed;
}

static bool work(void *dev)
{
    struct pl061 *pl061 = dev;

    spinlock_lock(&pl061->lock);
    if (device_timer_take(&pl061->release))
        set_pins(pl061, pl061->in & ~(1u << PL061_PIN_POWER));
    spinlock_unlock(&pl061->lock);
    return false;
}

/* --- Registers --- */

static uint32_t reg_read(const struct pl061 *pl061, uint64_t n)
{
    switch (n) {
    case REG_DIR:
        return pl061->dir;
    case REG_IS:
        return pl061->is;
    case REG_IBE:
        return pl061->ibe;
    case REG_IEV:
        return pl061->iev;
    case REG_IE:
        return pl061->ie;
    case REG_RIS:
        return ris(pl061);
    case REG_MIS:
        return ris(pl061) & pl061->ie;
    case REG_AFSEL: /* no pin has hardware behind it, but the bits are there */
        return pl061->afsel;
    default:
        break;
    }
    if (n <= REG_DATA_LAST)
        return ((pl061->out & pl061->dir) | (pl061->in & ~pl061->dir)) & (uint32_t)n;
    return n >= REG_ID && n - REG_ID < ARRAY_LEN(id_regs) ? id_regs[n - REG_ID] : 0;
}

static void data_write(struct pl061 *pl061, uint32_t mask, uint32_t value)
{
    mask &= pl061->dir;
    pl061->out = (pl061->out & ~mask) | (value & mask);
}

static void reg_write(struct pl061 *pl061, uint64_t n, uint32_t value)
{
    switch (n) {
    case REG_DIR:
        pl061->dir = value;
        break;
    case REG_IS:
        pl061->is = value;
        break;
    case REG_IBE:
        pl061->ibe = value;
        break;
    case REG_IEV:
        pl061->iev = value;
        break;
    case REG_IE:
        pl061->ie = value;
        break;
    case REG_IC:
        pl061->edges &= ~value;
        break;
    case REG_AFSEL:
        pl061->afsel = value;
        break;
    default:
        if (n <= REG_DATA_LAST)
            data_write(pl061, (uint32_t)n, value);
        return;
    }
    update_line(pl061);
}

bool pl061_access(void *dev, struct mmio_access *access)
{
    struct pl061 *pl061 = dev;
    uint64_t n = access->offset >> 2;

    if (access->size > 4 || (access->offset & (access->size - 1u)) != 0)
        return false;
    spinlock_lock(&pl061->lock);
    if (access->write)
        reg_write(pl061, n, (uint32_t)access->value & PINS);
    else
        access->value = reg_read(pl061, n);
    spinlock_unlock(&pl061->lock);
    return true;
}

/* --- Life --- */

static void destroy(struct vm *vm, void *dev)
{
    struct pl061 *pl061 = dev;

    device_timer_end(&pl061->release);
    vm_device_free(vm, pl061);
}

hv_err pl061_create(struct vm *vm, const struct dev_instance *instance)
{
    struct mmio_region region = {
        .base = instance->base,
        .size = instance->size,
        .access = pl061_access,
        .name = instance->class->name,
    };
    void *mem;
    hv_err err = vm_device_alloc(vm, sizeof(struct pl061), &mem);

    if (err != HV_OK)
        return err;
    struct pl061 *pl061 = mem;
    pl061->vm = vm;
    pl061->intid = instance->intid;
    spinlock_init(&pl061->lock, LOCK_RANK_VIRTIO);
    device_timer_init(&pl061->release, vm);
    err = vm_add_worker(vm, pl061, destroy, work, &pl061->release.index);
    if (err != HV_OK) {
        vm_device_free(vm, pl061);
        return err;
    }
    vm->power_button = (struct vm_button){pl061_press, pl061};
    region.dev = pl061;
    return mmio_bus_add(&vm->bus, &region);
}
