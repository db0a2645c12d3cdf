/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Virtio network device (Virtual I/O Device Version 1.2, 5.1): a receive and a transmit queue. No
 * control queue: it takes all frames that its port has for it. No segmentation offload.
 */
#ifndef VIRTIO_NET_H
#define VIRTIO_NET_H

#include "abi/virtio_net.h"
#include "base/err.h"
#include "virtio/device.h"
#include "virtio/net_port.h"

struct virtio_net {
    struct virtio_device dev; /* first: what virtio_ops get */
    struct virtq queue[VIRTIO_NET_QUEUES];
    struct net_port *port;
    struct virtio_net_config config;
    /* The chain that is worked on; of a frame that is received into several the first. */
    struct virtq_chain chain;
    struct virtq_chain more;
};

/*
 * As virtio_create(), with the registers at `base` and the interrupt `intid`. The memory, zeroed,
 * is the caller's; so is the port, which outlives the device, and whose `wake` and `ctx` become the
 * device's. `destroy` gets `net`, and sees to it that the port wakes nobody any more.
 */
HV_MUST_CHECK hv_err virtio_net_create(struct virtio_net *net, struct vm *vm, uint64_t base,
                                       uint32_t intid, struct net_port *port,
                                       void (*destroy)(struct vm *vm, void *dev));

#endif
