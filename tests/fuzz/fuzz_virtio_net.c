/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A malicious guest with two network devices' worth of switch: its own port, and a second one that
 * the fuzzer plays, which sends to it and takes, or leaves, what comes. Nothing but the guest's
 * memory is touched, no place in a queue is lost.
 */
#include "dev/vswitch.h"
#include "virtio/net.h"
#include "virtio_guest.h"

#define STEPS_MAX 1000u

static struct virtio_guest g;
static struct virtio_net net;
static struct vswitch sw;
static struct vswitch_port port[2];
static _Alignas(16) unsigned char frames[2][VSWITCH_QUEUE * VSWITCH_FRAME_SIZE];

static void destroy(struct vm *vm, void *dev)
{
    FUZZ_ASSERT(vm == &g.vm && dev == &net);
}

/* A frame of the other port's: to the guest's address, to all, or from an address of the guest's.
 */
static void peer_sends(unsigned what)
{
    struct net_port *peer = &port[1].net;
    uint8_t header[NET_HEADER_LEN] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
    uint32_t len = NET_HEADER_LEN + (uint32_t)fuzz_take(g.in, 2) % (NET_FRAME_MAX - 13);
    struct net_frame *frame;

    if ((what & 1) != 0)
        memset(header, 0xff, 6);
    if ((what & 2) != 0)
        header[11] = 1;
    if (peer->ops->offer(peer, header, len, &frame) != NET_TAKEN)
        return;
    memcpy(frame->data, header, sizeof(header));
    frame->len = (uint16_t)len;
    frame->partial = (what & 4) != 0;
    frame->csum_start = (uint16_t)fuzz_take(g.in, 1);
    frame->csum_offset = (uint16_t)fuzz_take(g.in, 1);
    if (net_frame_is_sound(frame))
        peer->ops->submit(peer, frame);
    else
        peer->ops->withdraw(peer, frame);
}

static void peer_acts(void)
{
    struct net_port *peer = &port[1].net;
    unsigned what = (unsigned)fuzz_take(g.in, 1);
    struct net_frame *frame;

    switch (what & 7) {
    case 0:
    case 1:
    case 2:
        peer_sends(what >> 3);
        break;
    case 3:
        frame = peer->ops->next(peer, NULL);
        if (frame != NULL) {
            FUZZ_ASSERT(frame->len >= NET_HEADER_LEN && frame->len <= NET_FRAME_MAX);
            net_frame_complete(frame);
            (void)peer->ops->next(peer, frame);
        }
        break;
    case 4:
        peer->ops->starve(peer);
        break;
    case 5:
        peer->ops->set_up(peer, (what & 8) != 0);
        break;
    default:
        fakehal_advance(what * UINT64_C(1000000));
        timer_queue_run(&g.hv->pcpu[fakehal()->self].timers);
        break;
    }
}

static void attach(unsigned n)
{
    memset(&port[n], 0, sizeof(port[n]));
    memcpy(port[n].net.mac, (const uint8_t[]){2, 0, 0, 0, 0, (uint8_t)(n + 1)}, 6);
    port[n].guarded = n == 1;
    FUZZ_ASSERT(vswitch_attach(&sw, &port[n], frames[n]) == HV_OK);
}

static unsigned count(const struct list_node *list)
{
    unsigned n = 0;

    for (const struct list_node *node = list->next; node != list; node = node->next)
        n++;
    return n;
}

static void check_places(void)
{
    for (unsigned n = 0; n < 2; n++) {
        unsigned first = count(&port[n].from[0].frames);
        unsigned queued = first + count(&port[n].from[1].frames);
        FUZZ_ASSERT(count(&port[n].turns) == (first != 0 ? 1u : 0u) + (first != queued ? 1u : 0u));
        FUZZ_ASSERT(port[n].filling == 0 && port[n].nr_free + queued == VSWITCH_QUEUE);
        FUZZ_ASSERT(port[n].held[0] + port[n].held[1] == queued);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    struct virtio_world *world = virtio_guest_start(&g, &in);
    vswitch_init(&sw, g.hv, "fuzz");
    attach(0);
    attach(1);
    port[1].net.ops->set_up(&port[1].net, true);
    memset(&net, 0, sizeof(net));
    FUZZ_ASSERT(virtio_net_create(&net, &g.vm, VIRTIO_GUEST_BASE, VIRTIO_GUEST_INTID, &port[0].net,
                                  destroy) == HV_OK);
    virtio_guest_attach(&g, &net.dev);
    for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++) {
        virtio_guest_step(&g);
        peer_acts();
        check_places();
    }
    vswitch_detach(&port[1]);
    virtio_guest_end(&g, world);
    FUZZ_ASSERT(!port[0].up);
    vswitch_detach(&port[0]);
    return 0;
}
