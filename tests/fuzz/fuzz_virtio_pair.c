/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Two malicious guests, each with a network, a console and a socket device, that are connected by a
 * switch and by each other's names and numbers. Now and then one of them does what makes sense, so
 * that something goes from one to the other. Neither has the other's memory touched; what waits
 * between them is bounded; the first one goes while the second one is at it.
 */
#define VIRTIO_GUEST_PAGES 38u
#include "dev/vswitch.h"
#include "virtio/console.h"
#include "virtio/net.h"
#include "virtio/vsock.h"
#include "virtio_guest.h"
#include "vsock_check.h"

#define STEPS_MAX 1000u
#define PORTS     2u
#define FIRST_CID 3u
#define MESSAGE   (VIRTIO_GUEST_RAM + 0xd000)
#define BUFFERS   (VIRTIO_GUEST_RAM + 0xe000)

enum { NET, CONSOLE, VSOCK };

static struct vswitch sw;
static struct virtio_console_hub consoles;
static struct virtio_vsock_hub vsocks;

static struct side {
    struct virtio_guest g;
    struct virtio_net net;
    struct virtio_console console;
    struct virtio_vsock vsock;
    struct vswitch_port port;
} side[VIRTIO_GUEST_VMS];

static _Alignas(16) unsigned char frames[VIRTIO_GUEST_VMS][VSWITCH_FRAMES_SIZE];

/* --- The devices --- */

static struct side *side_of(struct vm *vm)
{
    return &side[vm == &side[1].g.vm];
}

static void net_destroyed(struct vm *vm, void *dev)
{
    FUZZ_ASSERT(dev == &side_of(vm)->net);
    vswitch_detach(&side_of(vm)->port);
}

static void console_destroyed(struct vm *vm, void *dev)
{
    FUZZ_ASSERT(dev == &side_of(vm)->console);
    virtio_console_leave(dev);
}

static void vsock_destroyed(struct vm *vm, void *dev)
{
    FUZZ_ASSERT(dev == &side_of(vm)->vsock);
    virtio_vsock_leave(dev);
}

static void line_write(void *ctx, const char *text, size_t len)
{
    struct side *s = ctx;

    (void)text;
    FUZZ_ASSERT(len <= 4096);
    virtio_guest_meanwhile(&s->g);
}

static size_t line_read(void *ctx, char *buf, size_t size)
{
    const struct side *s = ctx;
    size_t n = fuzz_take(s->g.in, 1) % 64;

    n = n < size ? n : size;
    memset(buf, 'x', n);
    return n;
}

static void make_net(struct side *s, unsigned n)
{
    memset(&s->port, 0, sizeof(s->port));
    memset(&s->net, 0, sizeof(s->net));
    memcpy(s->port.net.mac, (const uint8_t[]){2, 0, 0, 0, 0, (uint8_t)(n + 1)}, 6);
    FUZZ_ASSERT(vswitch_attach(&sw, &s->port, frames[n]) == HV_OK);
    FUZZ_ASSERT(virtio_net_create(&s->net, &s->g.vm, VIRTIO_GUEST_BASE, VIRTIO_GUEST_INTID,
                                  &s->port.net, net_destroyed) == HV_OK);
}

static void make_console(struct side *s, unsigned n)
{
    const struct virtio_console_setup setup = {
        .base = VIRTIO_GUEST_BASE + 0x200,
        .intid = VIRTIO_GUEST_INTID + 1,
        .nr_ports = PORTS,
        .peer = n == 0 ? "b" : "a",
        .line = {line_write, line_read, s},
        .hub = &consoles,
    };

    memset(&s->console, 0, sizeof(s->console));
    FUZZ_ASSERT(virtio_console_create(&s->console, &s->g.vm, &setup, console_destroyed) == HV_OK);
}

/* The pipes behind the connections are as they were: nothing of them is looked at before it is
 * written. */
static void make_vsock(struct side *s, unsigned n)
{
    struct virtio_vsock *v = &s->vsock;

    memset(v, 0, offsetof(struct virtio_vsock, end));
    for (unsigned i = 0; i < VSOCK_CONNECTIONS; i++)
        memset(&v->end[i], 0, offsetof(struct vsock_end, pipe));
    FUZZ_ASSERT(virtio_vsock_create(v, &s->g.vm, VIRTIO_GUEST_BASE + 0x400, VIRTIO_GUEST_INTID + 2,
                                    FIRST_CID + n, &vsocks, vsock_destroyed) == HV_OK);
}

static void make_side(struct virtio_world *world, unsigned n, struct fuzz_input *in)
{
    struct side *s = &side[n];

    virtio_guest_join(&s->g, world, n, in, false);
    make_net(s, n);
    make_console(s, n);
    make_vsock(s, n);
    virtio_guest_attach(&s->g, &s->net.dev);
    virtio_guest_attach(&s->g, &s->console.dev);
    virtio_guest_attach(&s->g, &s->vsock.dev);
}

/* --- What makes sense --- */

/* A buffer to be filled, or the message that was just written. */
static void give(struct virtio_guest *g, uint32_t queue, unsigned n, uint32_t len, bool in)
{
    const struct virtq_desc desc = {in ? BUFFERS + n * UINT64_C(0x800) : MESSAGE, len, in ? 2 : 0,
                                    0};

    virtio_guest_set_desc(g, queue, n, &desc);
    virtio_guest_give(g, queue, n);
}

/* To the other one, to all, or to nobody. */
static void send_frame(struct virtio_guest *g, unsigned what)
{
    uint8_t frame[12 + 14] = {0};
    uint8_t self = (uint8_t)(g->cpu / VIRTIO_GUEST_VCPUS + 1);
    uint32_t len = (uint32_t)sizeof(frame) + (what & 0xf0) * 4;
    static const uint8_t to[4][6] = {
        {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, {255, 255, 255, 255, 255, 255}, {2, 0, 0, 0, 0, 9}};

    memcpy(frame + 12, to[what & 3], 6);
    memcpy(frame + 18, (const uint8_t[]){2, 0, 0, 0, 0, self}, 6);
    memcpy(virtio_guest_mem(g, MESSAGE), frame, sizeof(frame));
    give(g, 1, what >> 2 & 3, len, false);
}

static void send_control(struct virtio_guest *g, unsigned what)
{
    static const uint16_t events[] = {0, 3, 6, 6}; /* 5.3.6.2: DEVICE_READY, _PORT_READY, _OPEN */
    const struct virtio_console_control control = {
        .id = what & 1, .event = events[what >> 1 & 3], .value = what >> 3 & 1};

    memcpy(virtio_guest_mem(g, MESSAGE), &control, sizeof(control));
    give(g, 3, what >> 4 & 3, sizeof(control), false);
}

/* With few ports, so that connections come about. */
static void send_packet(struct virtio_guest *g, unsigned what)
{
    unsigned how = (unsigned)fuzz_take(g->in, 1);
    unsigned self = g->cpu / VIRTIO_GUEST_VCPUS;
    const struct virtio_vsock_hdr hdr = {
        .src_cid = FIRST_CID + self,
        .dst_cid = FIRST_CID + 1 - self,
        .src_port = what & 1,
        .dst_port = what >> 1 & 1,
        .len = (what & 0x20) != 0 ? how : 0,
        .type = 1,
        .op = what >> 2 & 7,
        .flags = how & 3,
        .buf_alloc = (what & 0x40) != 0 ? UINT32_MAX : 512,
        .fwd_cnt = how,
    };

    memcpy(virtio_guest_mem(g, MESSAGE), &hdr, sizeof(hdr));
    give(g, 1, what >> 7, (uint32_t)sizeof(hdr) + hdr.len, false);
}

static void behave(struct side *s)
{
    struct virtio_guest *g = &s->g;
    unsigned kind = (unsigned)fuzz_take(g->in, 1);
    unsigned what = (unsigned)fuzz_take(g->in, 1);

    virtio_guest_pick(g, kind & 3);
    if ((kind & 4) != 0)
        give(g, (kind >> 3) % g->d->dev->nr_queues, what & 3, 0x600, true);
    else if ((kind & 8) != 0)
        return; /* what it does next is with this device */
    else if (g->d == &g->driver[NET])
        send_frame(g, what);
    else if (g->d == &g->driver[VSOCK])
        send_packet(g, what);
    else if ((kind & 16) != 0)
        give(g, 4 + 1, what & 3, what, false);
    else
        send_control(g, what);
}

static void time_passes(struct side *s, unsigned what)
{
    fakehal_advance(what * UINT64_C(1000000));
    timer_queue_run(&s->g.hv->pcpu[fakehal()->self].timers);
    if ((what & 1) != 0)
        virtio_console_poll(&s->console);
}

/* --- What holds --- */

static unsigned count(const struct list_node *list)
{
    unsigned n = 0;

    for (const struct list_node *node = list->next; node != list; node = node->next)
        n++;
    return n;
}

static void check(const struct side *s)
{
    unsigned queued = count(&s->port.from[0].frames) + count(&s->port.from[1].frames);

    FUZZ_ASSERT(s->port.filling == 0 && s->port.nr_free + queued == VSWITCH_QUEUE);
    for (unsigned n = 0; n < PORTS; n++)
        FUZZ_ASSERT(s->console.port[n].head - s->console.port[n].tail <= CONSOLE_PIPE_SIZE);
    fuzz_check_vsock(&s->vsock);
}

static void step(struct side *s)
{
    unsigned what = (unsigned)fuzz_take(s->g.in, 1);

    fakehal()->self = s->g.cpu;
    if ((what & 1) != 0)
        behave(s);
    else if ((what & 0x1e) == 0)
        time_passes(s, what >> 4);
    virtio_guest_step(&s->g);
}

static void leave(struct side *s)
{
    virtio_guest_rest(&s->g);
    virtio_guest_leave(&s->g);
    for (unsigned i = 0; i < VSOCK_CONNECTIONS; i++)
        FUZZ_ASSERT(s->vsock.end[i].state == VSOCK_FREE || s->vsock.end[i].state == VSOCK_RESET);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct virtio_world *world = virtio_world_start();
    unsigned first = (unsigned)fuzz_take(&in, 1) & 1; /* to go */

    vswitch_init(&sw, &world->hv, "fuzz");
    virtio_console_hub_init(&consoles);
    virtio_vsock_hub_init(&vsocks);
    make_side(world, 0, &in);
    make_side(world, 1, &in);
    for (unsigned i = 0; i < STEPS_MAX && in.left > size / 8; i++) {
        step(&side[fuzz_take(&in, 1) & 1]);
        check(&side[0]);
        check(&side[1]);
    }
    leave(&side[first]);
    for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++) {
        step(&side[1 - first]);
        check(&side[1 - first]);
    }
    leave(&side[1 - first]);
    virtio_world_end(world);
    return 0;
}
