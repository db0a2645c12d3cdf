/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/pl011.h"
#include "abi/machine.h"
#include "base/bits.h"
#include "base/check.h"

/* Registers by number (offset / 4), DDI 0183 3.2. */
enum {
    REG_DR = 0x00,
    REG_RSR_ECR = 0x01,
    REG_FR = 0x06,
    REG_ILPR = 0x08,
    REG_IBRD = 0x09,
    REG_FBRD = 0x0a,
    REG_LCR_H = 0x0b,
    REG_CR = 0x0c,
    REG_IFLS = 0x0d,
    REG_IMSC = 0x0e,
    REG_RIS = 0x0f,
    REG_MIS = 0x10,
    REG_ICR = 0x11,
    REG_DMACR = 0x12,
    REG_COUNT,
    REG_ID = 0x3f8, /* UARTPeriphID0..3, UARTPCellID0..3 */
};

#define DR_BE (1u << 10)
#define DR_OE (1u << 11)

#define RSR_OE (1u << 3)

#define FR_CTS  (1u << 0)
#define FR_DSR  (1u << 1)
#define FR_DCD  (1u << 2)
#define FR_RXFE (1u << 4)
#define FR_RXFF (1u << 6)
#define FR_TXFE (1u << 7)
#define FR_RI   (1u << 8)

#define LCR_H_BRK (1u << 0)
#define LCR_H_FEN (1u << 4)

#define CR_LBE  (1u << 7)
#define CR_TXE  (1u << 8)
#define CR_RXE  (1u << 9)
#define CR_DTR  (1u << 10)
#define CR_RTS  (1u << 11)
#define CR_OUT1 (1u << 12)
#define CR_OUT2 (1u << 13)

#define INT_RI  (1u << 0)
#define INT_CTS (1u << 1)
#define INT_DCD (1u << 2)
#define INT_DSR (1u << 3)
#define INT_RX  (1u << 4)
#define INT_TX  (1u << 5)
#define INT_RT  (1u << 6)
#define INT_BE  (1u << 9)
#define INT_OE  (1u << 10)

/* UARTIFLS.RXIFLSEL: 1/8, 1/4, 1/2, 3/4, 7/8 of the FIFO; the reserved values behave as 7/8. */
static const uint8_t rx_trigger[8] = {2, 4, 8, 12, 14, 14, 14, 14};

static const uint8_t id_regs[8] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

/* In loopback each modem output is an input (2.4.3). */
static const struct {
    uint32_t cr, fr, irq;
} modem_lines[] = {
    {CR_RTS, FR_CTS, INT_CTS},
    {CR_DTR, FR_DSR, INT_DSR},
    {CR_OUT1, FR_DCD, INT_DCD},
    {CR_OUT2, FR_RI, INT_RI},
};

static bool fifo_enabled(const struct pl011 *pl011)
{
    return (pl011->lcr_h & LCR_H_FEN) != 0;
}

/* Without FIFOs there is a one-byte holding register. */
static uint32_t rx_depth(const struct pl011 *pl011)
{
    return fifo_enabled(pl011) ? PL011_FIFO_SIZE : 1;
}

static uint32_t rx_level(const struct pl011 *pl011)
{
    return fifo_enabled(pl011) ? rx_trigger[(pl011->ifls >> 3) & 7] : 1;
}

/*
 * A character arrives. The line is idle after it, as reception takes no time: the receive timeout
 * (2.8.3), which tells of characters below the trigger level, is due at once.
 */
static void rx_push(struct pl011 *pl011, uint32_t entry)
{
    uint32_t count = pl011->fifo_count;

    if (count == rx_depth(pl011)) {
        pl011->fifo[(pl011->fifo_head + count - 1) % PL011_FIFO_SIZE] |= DR_OE;
        pl011->rsr |= RSR_OE;
        pl011->ris |= INT_OE;
        return;
    }
    pl011->fifo[(pl011->fifo_head + count) % PL011_FIFO_SIZE] = (uint16_t)entry;
    pl011->fifo_count++;
    if (pl011->fifo_count >= rx_level(pl011))
        pl011->ris |= INT_RX;
    if (fifo_enabled(pl011))
        pl011->ris |= INT_RT;
}

/* Takes what fits from the backend, which in loopback is disconnected. */
static void rx_fill(struct pl011 *pl011)
{
    char text[PL011_FIFO_SIZE];
    size_t room = rx_depth(pl011) - pl011->fifo_count;
    size_t n;

    if (room == 0 || (pl011->cr & CR_LBE) != 0)
        return;
    n = pl011->backend.read(pl011->backend.ctx, text, room);
    HV_CHECK(n <= room);
    for (size_t i = 0; i < n; i++)
        rx_push(pl011, (unsigned char)text[i]);
}

static void rx_flush(struct pl011 *pl011)
{
    pl011->fifo_count = 0;
    pl011->ris &= ~(INT_RX | INT_RT);
}

static uint32_t dr_read(struct pl011 *pl011)
{
    uint32_t entry;

    if (pl011->fifo_count == 0)
        return 0;
    entry = pl011->fifo[pl011->fifo_head];
    pl011->fifo_head = (uint8_t)((pl011->fifo_head + 1u) % PL011_FIFO_SIZE);
    pl011->fifo_count--;
    pl011->rsr = (pl011->rsr & RSR_OE) | entry >> 8;
    if (pl011->fifo_count < rx_level(pl011))
        pl011->ris &= ~INT_RX;
    if (pl011->fifo_count == 0) {
        pl011->ris &= ~INT_RT;
        rx_fill(pl011);
    }
    return entry;
}

/* The character is gone at once, so that the transmit FIFO passes its trigger level again. */
static void dr_write(struct pl011 *pl011, uint32_t value)
{
    char c = (char)(unsigned char)value;

    if ((pl011->cr & CR_LBE) != 0)
        rx_push(pl011, value);
    else
        pl011->backend.write(pl011->backend.ctx, &c, 1);
    pl011->ris |= INT_TX;
}

static void ecr_write(struct pl011 *pl011, uint32_t value)
{
    (void)value;
    pl011->rsr = 0;
}

/* Turning the FIFOs on or off flushes them (3.3.8, note). */
static void lcr_h_write(struct pl011 *pl011, uint32_t value)
{
    uint32_t changed = pl011->lcr_h ^ value;

    pl011->lcr_h = value;
    if ((changed & LCR_H_FEN) != 0) {
        rx_flush(pl011);
        rx_fill(pl011);
    }
    if ((changed & value & LCR_H_BRK) != 0 && (pl011->cr & CR_LBE) != 0) {
        rx_push(pl011, DR_BE);
        pl011->ris |= INT_BE;
    }
}

static uint32_t modem_inputs(const struct pl011 *pl011)
{
    uint32_t fr = 0;

    if ((pl011->cr & CR_LBE) == 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(modem_lines); i++)
        if ((pl011->cr & modem_lines[i].cr) != 0)
            fr |= modem_lines[i].fr;
    return fr;
}

static void cr_write(struct pl011 *pl011, uint32_t value)
{
    uint32_t before = modem_inputs(pl011);
    uint32_t changed;

    pl011->cr = value;
    changed = before ^ modem_inputs(pl011);
    for (size_t i = 0; i < ARRAY_LEN(modem_lines); i++)
        if ((changed & modem_lines[i].fr) != 0)
            pl011->ris |= modem_lines[i].irq;
    rx_fill(pl011);
}

static uint32_t mis_read(struct pl011 *pl011)
{
    return pl011->ris & pl011->imsc;
}

static void icr_write(struct pl011 *pl011, uint32_t value)
{
    pl011->ris &= ~value;
}

/* A register: what the accessors do not do is done with the field. */
struct pl011_reg {
    uint32_t (*read)(struct pl011 *pl011);
    void (*write)(struct pl011 *pl011, uint32_t value);
    uint16_t field; /* offset of a uint32_t in struct pl011; 0: none, reads as zero */
    uint16_t mask;  /* writable bits; 0: read-only */
};

#define FIELD(name) .field = offsetof(struct pl011, name)

static const struct pl011_reg regs[REG_COUNT] = {
    [REG_DR] = {.read = dr_read, .write = dr_write, .mask = 0xff},
    [REG_RSR_ECR] = {FIELD(rsr), .write = ecr_write, .mask = 0xff},
    [REG_ILPR] = {FIELD(ilpr), .mask = 0xff},
    [REG_IBRD] = {FIELD(ibrd), .mask = 0xffff},
    [REG_FBRD] = {FIELD(fbrd), .mask = 0x3f},
    [REG_LCR_H] = {FIELD(lcr_h), .write = lcr_h_write, .mask = 0xff},
    [REG_CR] = {FIELD(cr), .write = cr_write, .mask = 0xff87},
    [REG_IFLS] = {FIELD(ifls), .mask = 0x3f},
    [REG_IMSC] = {FIELD(imsc), .mask = 0x7ff},
    [REG_RIS] = {FIELD(ris)},
    [REG_MIS] = {.read = mis_read},
    [REG_ICR] = {.write = icr_write, .mask = 0x7ff},
    [REG_DMACR] = {FIELD(dmacr), .mask = 0x7},
};

static uint32_t *reg_field(struct pl011 *pl011, const struct pl011_reg *reg)
{
    return (uint32_t *)(void *)((char *)pl011 + reg->field);
}

static uint32_t reg_read(struct pl011 *pl011, uint64_t n)
{
    if (n >= REG_COUNT)
        return n - REG_ID < ARRAY_LEN(id_regs) ? id_regs[n - REG_ID] : 0;
    if (regs[n].read != NULL)
        return regs[n].read(pl011);
    return regs[n].field != 0 ? *reg_field(pl011, &regs[n]) : 0;
}

static void reg_write(struct pl011 *pl011, uint64_t n, uint32_t value)
{
    if (n >= REG_COUNT || regs[n].mask == 0)
        return;
    if (regs[n].write != NULL)
        regs[n].write(pl011, value & regs[n].mask);
    else
        *reg_field(pl011, &regs[n]) = value & regs[n].mask;
}

static uint32_t fr_value(const struct pl011 *pl011)
{
    uint32_t fr = FR_TXFE | modem_inputs(pl011);

    if (pl011->fifo_count == 0)
        fr |= FR_RXFE;
    if (pl011->fifo_count == rx_depth(pl011))
        fr |= FR_RXFF;
    return fr;
}

/*
 * Ends a change of state: unlocks, with the interrupt line brought up to date. The vGIC's lock
 * ranks below this one, so it is told without the lock; one pCPU at a time tells it and looks again
 * afterwards, so that the last level told is the last level there was.
 */
static void pl011_commit(struct pl011 *pl011)
{
    bool level = (pl011->ris & pl011->imsc) != 0;

    atomic_store_explicit(&pl011->fr, fr_value(pl011), memory_order_relaxed);
    if (level != pl011->line && !pl011->delivering) {
        pl011->delivering = true;
        while (level != pl011->line) {
            pl011->line = level;
            spinlock_unlock(&pl011->lock);
            vgic_set_level(&pl011->vm->vgic, 0, pl011->intid, level);
            spinlock_lock(&pl011->lock);
            level = (pl011->ris & pl011->imsc) != 0;
        }
        pl011->delivering = false;
    }
    spinlock_unlock(&pl011->lock);
}

void pl011_poll(struct pl011 *pl011)
{
    spinlock_lock(&pl011->lock);
    rx_fill(pl011);
    pl011_commit(pl011);
}

/* Apart from the caller, which else would save registers on the way to UARTFR. */
__attribute__((noinline)) static bool access_locked(struct pl011 *pl011, struct mmio_access *access,
                                                    uint32_t size_mask)
{
    uint64_t n = access->offset >> 2;

    spinlock_lock(&pl011->lock);
    if (access->write)
        reg_write(pl011, n, (uint32_t)access->value & size_mask);
    else
        access->value = reg_read(pl011, n) & size_mask;
    pl011_commit(pl011);
    return true;
}

bool pl011_access(struct pl011 *pl011, struct mmio_access *access)
{
    uint32_t size_mask;

    if (access->size > 4 || (access->offset & (access->size - 1u)) != 0)
        return false;
    size_mask = UINT32_MAX >> (32 - 8 * access->size);
    if (access->offset >> 2 != REG_FR || access->write)
        return access_locked(pl011, access, size_mask);
    access->value = atomic_load_explicit(&pl011->fr, memory_order_relaxed) & size_mask;
    return true;
}

static bool bus_access(void *dev, struct mmio_access *access)
{
    return pl011_access(dev, access);
}

hv_err pl011_init(struct pl011 *pl011, struct vm *vm, uint64_t base, uint32_t intid,
                  const struct pl011_backend *backend)
{
    const struct mmio_region region = {
        .base = base,
        .size = MACHINE_UART_SIZE,
        .access = bus_access,
        .dev = pl011,
        .name = "pl011",
    };

    *pl011 = (struct pl011){
        .vm = vm,
        .intid = intid,
        .backend = *backend,
        .cr = CR_TXE | CR_RXE,
        .ifls = 0x12,
    };
    spinlock_init(&pl011->lock, LOCK_RANK_DEV);
    atomic_init(&pl011->fr, fr_value(pl011));
    return mmio_bus_add(&vm->bus, &region);
}
