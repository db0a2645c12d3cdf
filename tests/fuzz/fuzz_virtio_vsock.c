/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A malicious guest against a socket device, with another one on the machine whose guest answers
 * now and then. What each end has sent and not got stays within its buffer, and no connection is
 * left when the device is gone. */
#include "virtio/vsock.h"
#include "virtio_guest.h"
#include "vsock_check.h"

#define STEPS_MAX 1000u
#define CID       3u
#define OTHER_CID 4u

static struct virtio_vsock vsock;
static struct virtio_vsock other; /* known to the hub; what its driver does is done here */
static struct virtio_vsock_hub hub;
static struct virtio_guest g;

static void destroy(struct vm *vm, void *dev)
{
    FUZZ_ASSERT(vm == &g.vm && dev == &vsock);
    virtio_vsock_leave(&vsock);
}

/* A sound header in the guest's memory, with few ports, so that connections come about. */
static void put_header(struct fuzz_input *in)
{
    unsigned how = (unsigned)fuzz_take(in, 2);
    struct virtio_vsock_hdr hdr = {
        .src_cid = CID,
        .dst_cid = (how & 7) == 7 ? 2 : OTHER_CID,
        .src_port = how >> 3 & 1,
        .dst_port = how >> 4 & 1,
        .len = (how & 0x20) != 0 ? (uint32_t)fuzz_take(in, 1) : 0,
        .type = 1,
        .op = how >> 6 & 7,
        .flags = how >> 9 & 3,
        .buf_alloc = (how & 0x800) != 0 ? UINT32_MAX : 512,
        .fwd_cnt = (uint32_t)fuzz_take(in, 1),
    };

    memcpy((char *)virtio_guest_mem(&g, VIRTIO_GUEST_RAM) + (how >> 12) * PAGE_SIZE, &hdr,
           sizeof(hdr));
}

/* The other guest takes a packet, or sends one. */
static void other_acts(struct fuzz_input *in)
{
    unsigned how = (unsigned)fuzz_take(in, 2);

    spinlock_lock(&hub.lock);
    if ((how & 1) != 0) {
        (void)vsock_next(&other, fuzz_take(in, 1));
    } else {
        other.hdr = (struct virtio_vsock_hdr){.src_cid = OTHER_CID,
                                              .dst_cid = CID,
                                              .src_port = how >> 1 & 1,
                                              .dst_port = how >> 2 & 1,
                                              .len = how >> 8,
                                              .type = 1,
                                              .op = how >> 3 & 7,
                                              .buf_alloc = 4096,
                                              .fwd_cnt = (uint32_t)fuzz_take(in, 1)};
        (void)vsock_take(&other);
    }
    spinlock_unlock(&hub.lock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    struct virtio_world *world = virtio_guest_start(&g, &in);
    virtio_vsock_hub_init(&hub);
    memset(&vsock, 0, sizeof(vsock));
    memset(&other, 0, sizeof(other));
    FUZZ_ASSERT(virtio_vsock_create(&vsock, &g.vm, VIRTIO_GUEST_BASE, VIRTIO_GUEST_INTID, CID, &hub,
                                    destroy) == HV_OK);
    /* What it is posted comes to the guest's device, which has nothing to do then. */
    other.hub = &hub;
    other.cid = OTHER_CID;
    other.driven = true;
    other.dev.vm = &g.vm;
    other.dev.index = vsock.dev.index;
    list_insert_before(&hub.devices, &other.node);
    virtio_guest_attach(&g, &vsock.dev);
    for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++) {
        virtio_guest_step(&g);
        unsigned what = (unsigned)fuzz_take(&in, 1);
        if (what % 4 == 0)
            put_header(&in);
        else if (what % 4 == 1)
            other_acts(&in);
        fuzz_check_vsock(&vsock);
        fuzz_check_vsock(&other);
    }
    virtio_guest_end(&g, world);
    for (unsigned i = 0; i < VSOCK_CONNECTIONS; i++)
        FUZZ_ASSERT(other.end[i].state == VSOCK_FREE || other.end[i].state == VSOCK_RESET);
    return 0;
}
