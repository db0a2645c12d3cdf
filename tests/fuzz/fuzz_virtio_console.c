/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A malicious guest against a console device that is its own other end. */
#include "virtio/console.h"
#include "virtio_guest.h"

#define STEPS_MAX 1000u

static struct virtio_console console;
static struct virtio_console_hub hub;
static struct virtio_guest g;

static void line_write(void *ctx, const char *text, size_t len)
{
    (void)text;
    FUZZ_ASSERT(ctx == &g && len <= 4096);
    virtio_guest_meanwhile(&g);
}

static size_t line_read(void *ctx, char *buf, size_t size)
{
    size_t n = fuzz_take(g.in, 1) % 64;

    FUZZ_ASSERT(ctx == &g);
    virtio_guest_meanwhile(&g);
    n = n < size ? n : size;
    memset(buf, 'x', n);
    return n;
}

static void destroy(struct vm *vm, void *dev)
{
    FUZZ_ASSERT(vm == &g.vm && dev == &console);
    virtio_console_leave(&console);
}

/* The device is its own other end. */
static void connect(void)
{
    spinlock_lock(&hub.lock);
    console.peer = &console;
    spinlock_unlock(&hub.lock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    const struct virtio_console_setup setup = {
        .base = VIRTIO_GUEST_BASE,
        .intid = VIRTIO_GUEST_INTID,
        .nr_ports = 3,
        .peer = "p",
        .line = {line_write, line_read, &g},
        .hub = &hub,
    };

    struct virtio_world *world = virtio_guest_start(&g, &in);
    virtio_console_hub_init(&hub);
    memset(&console, 0, sizeof(console));
    FUZZ_ASSERT(virtio_console_create(&console, &g.vm, &setup, destroy) == HV_OK);
    connect();
    virtio_guest_attach(&g, &console.dev);
    for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++) {
        virtio_guest_step(&g);
        for (unsigned n = 0; n < 3; n++)
            FUZZ_ASSERT(console.port[n].head - console.port[n].tail <= CONSOLE_PIPE_SIZE);
        if (fuzz_take(&in, 1) % 8 == 0)
            virtio_console_poll(&console);
    }
    virtio_guest_end(&g, world);
    return 0;
}
