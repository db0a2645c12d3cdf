/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A UART that all vCPUs of a VM use at once, while input comes: its line in the vGIC is at last
 * what its registers say. */
#include "abi/machine.h"
#include "dev/pl011.h"
#include "explore/explore.h"
#include "explore/tests.h"

#define CPUS   EXPLORE_MAX_CPUS
#define ROUNDS 60u
#define INTID  33u

/* Offsets of DDI 0183, 3.2, and the receive and transmit interrupts. */
enum { DR = 0x00, FR = 0x18, LCR_H = 0x2c, IMSC = 0x38, RIS = 0x3c, MIS = 0x40, ICR = 0x44 };
#define RXIM 0x10u
#define TXIM 0x20u
#define FEN  0x10u

static struct vm vm;
static struct vgic_cpu gic_cpu;
static struct vgic_irq gic_spi[32];
static struct arch_vcpu vcpu;
static struct pl011 uart;
static unsigned to_come; /* guarded by the UART's lock */
static unsigned sent;

static void backend_write(void *ctx, const char *text, size_t len)
{
    (void)ctx;
    (void)text;
    sent += (unsigned)len;
}

static size_t backend_read(void *ctx, char *buf, size_t size)
{
    size_t n = 0;

    (void)ctx;
    while (n < size && to_come > 0) {
        buf[n++] = 'x';
        to_come--;
    }
    return n;
}

static void kick(void *ctx, unsigned cpu)
{
    (void)ctx;
    (void)cpu;
}

static void prepare(struct world *w)
{
    const struct pl011_backend backend = {backend_write, backend_read, NULL};
    const struct vgic_config config = {
        .cpu = &gic_cpu, .spi = gic_spi, .nr_cpus = 1, .nr_spis = 32, .kick = kick};

    vm.hv = &w->hv;
    gic_cpu.vcpu = &vcpu;
    EXPECT(vgic_init(&vm.vgic, &config) == HV_OK);
    EXPECT(pl011_init(&uart, &vm, MACHINE_UART_BASE, INTID, &backend) == HV_OK);
    to_come = 100;
}

static uint64_t reg(uint64_t offset, bool write, uint64_t value)
{
    struct mmio_access access = {.offset = offset, .value = value, .size = 4, .write = write};

    EXPECT(pl011_access(&uart, &access));
    return access.value;
}

static void work(struct world *w, unsigned cpu, uint64_t *random)
{
    static const uint64_t masks[] = {0, RXIM, TXIM, RXIM | TXIM};

    (void)w;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t mask = masks[explore_pick(random, 4)];
        switch (explore_pick(random, 8)) {
        case 0:
            pl011_poll(&uart);
            break;
        case 1:
            (void)reg(IMSC, true, mask);
            break;
        case 2:
            (void)reg(ICR, true, mask);
            break;
        case 3:
            (void)reg(LCR_H, true, cpu % 2 == 0 ? FEN : 0);
            break;
        case 4:
            (void)reg(FR, false, 0);
            break;
        case 5:
            (void)reg(DR, true, 'y');
            break;
        default:
            (void)reg(DR, false, 0);
            break;
        }
    }
    (void)reg(DR, true, 'z');
}

static void finish(struct world *w)
{
    bool asked = (reg(RIS, false, 0) & reg(IMSC, false, 0)) != 0;

    (void)w;
    EXPECT((reg(MIS, false, 0) != 0) == asked);
    EXPECT(uart.line == asked && !uart.delivering);
    EXPECT(gic_spi[INTID - 32].level == asked);
    EXPECT(sent >= CPUS);
}

const struct explore_test explore_pl011 = {
    .name = "pl011", .nr_cpus = CPUS, .prepare = prepare, .work = work, .finish = finish};
