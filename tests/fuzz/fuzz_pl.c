/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Any accesses to the PrimeCells of a VM: UART (PL011), clock (PL031) and GPIO (PL061), while time
 * passes, the power button is pressed and the line has input. The interrupt is what the masked
 * status says, no timer goes off after the VM's end, and every page is back.
 */
#include "dev/pl011.h"
#include "dev/pl031.h"
#include "dev/pl061.h"
#include "virtio_guest.h"

#define STEPS_MAX 1000u
#define KINDS     3u

static struct virtio_guest g;
static struct pl011 uart;

static const struct kind {
    uint32_t intid;
    uint16_t mis;        /* the register with the masked status */
    uint16_t offset[16]; /* registers that do something */
} kinds[KINDS] = {
    {33, 0x40, {0x00, 0x04, 0x18, 0x24, 0x28, 0x2c, 0x30, 0x34, 0x38, 0x3c, 0x40, 0x44, 0x48}},
    {34, 0x18, {0x00, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x18, 0x1c, 0xfe0, 0xffc}},
    {35, 0x418, {0x20, 0x3fc, 0x400, 0x404, 0x408, 0x40c, 0x410, 0x414, 0x418, 0x41c, 0x420}},
};

static void line_write(void *ctx, const char *text, size_t len)
{
    (void)text;
    FUZZ_ASSERT(ctx == &g && len > 0);
}

static size_t line_read(void *ctx, char *buf, size_t size)
{
    size_t n = fuzz_take(g.in, 1) % 32;

    FUZZ_ASSERT(ctx == &g);
    n = n < size ? n : size;
    memset(buf, 'x', n);
    return n;
}

static bool do_access(unsigned kind, struct mmio_access *access)
{
    if (kind == 0)
        return pl011_access(&uart, access);
    void *dev = g.vm.device[kind - 1].dev;
    return kind == 1 ? pl031_access(dev, access) : pl061_access(dev, access);
}

static void check_line(unsigned kind)
{
    struct mmio_access access = {kinds[kind].mis, 0, fakehal()->self, 4, false};

    FUZZ_ASSERT(do_access(kind, &access));
    FUZZ_ASSERT(g.spi[kinds[kind].intid - 32].level == (access.value != 0));
}

static void guest_acts(unsigned what)
{
    unsigned kind = what % KINDS;
    unsigned how = (unsigned)fuzz_take(g.in, 1);
    uint8_t size = (uint8_t)((how & 0x40) != 0 ? 1u << (how & 3) : 4);
    uint64_t offset = kinds[kind].offset[how >> 2 & 15];
    uint64_t value = fuzz_take(g.in, (how & 0x20) != 0 ? size : 1);

    if ((how & 0xc0) == 0xc0)
        offset = fuzz_take(g.in, 2) & 0xfff & ~(size - 1u);
    struct mmio_access access = {offset, value, fakehal()->self, size, (what & 8) != 0};
    bool taken = do_access(kind, &access);
    FUZZ_ASSERT(taken || size != 4);
    FUZZ_ASSERT(!taken || access.write || size == 8 || access.value >> 8u * size == 0);
}

static void machine_acts(unsigned what)
{
    switch (what & 3) {
    case 0:
        fakehal_advance(fuzz_take(g.in, (what & 4) != 0 ? 5 : 2) * 1000);
        break;
    case 1:
        (void)g.vm.power_button.press(g.vm.power_button.dev);
        break;
    case 2:
        pl011_poll(&uart);
        break;
    default:
        g.hv->wall_base = fuzz_take(g.in, 8);
        break;
    }
    timer_queue_run(&g.hv->pcpu[fakehal()->self].timers);
}

static void make_devices(void)
{
    const struct pl011_backend backend = {line_write, line_read, &g};
    const struct dev_class class = {.name = "pl"};
    const struct dev_instance rtc = {&class, NULL, 0x09010000, 0x1000, kinds[1].intid};
    const struct dev_instance gpio = {&class, NULL, 0x09030000, 0x1000, kinds[2].intid};

    FUZZ_ASSERT(pl031_create(&g.vm, &rtc) == HV_OK && pl061_create(&g.vm, &gpio) == HV_OK);
    FUZZ_ASSERT(pl011_init(&uart, &g.vm, 0x09000000, kinds[0].intid, &backend) == HV_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct virtio_world *world = virtio_guest_start(&g, &in);

    make_devices();
    for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++) {
        unsigned what = (unsigned)fuzz_take(&in, 1);
        fakehal()->self = what >> 7;
        if ((what & 0x70) == 0)
            machine_acts(what);
        else
            guest_acts(what);
        (void)virtio_guest_serve(&g, 4);
        for (unsigned kind = 0; kind < KINDS; kind++)
            check_line(kind);
    }
    virtio_guest_leave(&g);
    for (unsigned cpu = 0; cpu < VIRTIO_GUEST_VCPUS; cpu++) {
        fakehal()->self = cpu;
        fakehal_advance(UINT64_C(1) << 50);
        timer_queue_run(&g.hv->pcpu[cpu].timers);
    }
    virtio_world_end(world);
    return 0;
}
