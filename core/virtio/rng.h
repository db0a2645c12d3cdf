/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Virtio entropy device (Virtual I/O Device Version 1.2, 5.4): random bytes of hal_entropy(). */
#ifndef VIRTIO_RNG_H
#define VIRTIO_RNG_H

#include "base/err.h"
#include "virtio/device.h"
#include "vm/device_timer.h"
#include <stdint.h>

#define VIRTIO_RNG_PIECE 256u /* bytes that a buffer gets at most: it may get fewer (5.4.6.2) */

struct virtio_rng {
    struct virtio_device dev; /* first: what virtio_ops get */
    struct virtq queue;
    struct virtq_chain chain;  /* that serve() is at */
    struct device_timer retry; /* set while a buffer waits for numbers */
};

/*
 * As virtio_create(), with the registers at `base` and the interrupt `intid`: `destroy` gets `rng`,
 * and calls virtio_rng_end(). The memory, zeroed, is the caller's. HV_ERR_UNSUPPORTED: the machine
 * has no random numbers to give.
 */
HV_MUST_CHECK hv_err virtio_rng_create(struct virtio_rng *rng, struct vm *vm, uint64_t base,
                                       uint32_t intid, void (*destroy)(struct vm *vm, void *dev));
/* It asks for no numbers any more. The VM is over; no lock held, waits for other pCPUs. */
void virtio_rng_end(struct virtio_rng *rng);

#endif
