/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Virtio memory balloon (Virtual I/O Device Version 1.2, 5.5): pages that the guest gives go back
 * to the page pool, at once unmapped, and given back when nobody can be in the middle of a copy any
 * more. Whatever the guest, or a device for it, touches again is a zeroed page (vm/ram.h): so
 * nothing depends on its saying so before.
 */
#ifndef VIRTIO_BALLOON_H
#define VIRTIO_BALLOON_H

#include "abi/virtio_balloon.h"
#include "base/err.h"
#include "virtio/device.h"
#include "vm/sched.h"
#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_BALLOON_QUEUES 4u
#define VIRTIO_BALLOON_STEPS  32u      /* pages, or stage-2 entries, that a piece of work takes */
#define VIRTIO_BALLOON_BATCH  256u     /* of these that wait for the other pCPUs together */
#define VIRTIO_BALLOON_SCRUB  0x10000u /* bytes that a piece gives back */

struct virtio_balloon {
    struct virtio_device dev; /* first: what virtio_ops get */
    struct virtq queue[VIRTIO_BALLOON_QUEUES];
    struct virtio_balloon_config config; /* dev.lock */
    uint64_t stat[VIRTIO_BALLOON_S_NR];  /* dev.lock; as the driver said last */
    uint8_t role[VIRTIO_BALLOON_QUEUES]; /* enum role of balloon.c; dev.lock */
    bool wants_stats;                    /* dev.lock */
    bool has_stats;                      /* dev.lock: the driver's buffer is here */
    uint16_t stats_head;                 /* of it */
    /* What follows is serve()'s. */
    bool busy;           /* `chain` is not done with */
    uint32_t queue_busy; /* that it came from */
    uint32_t seg;        /* of reported pages: the range that is next */
    uint64_t at;         /* bytes of the chain, or of that range, that are done */
    struct virtq_chain chain;
    /* Unmapped, and charged still: more come until `leaving`, then they go, all of them. */
    bool leaving;
    uint32_t nr_parked;
    struct {
        pa_t pa;
        uint64_t len;
    } parked[VIRTIO_BALLOON_BATCH];
    struct sched_grace grace; /* while they leave */
};

/*
 * As virtio_create(), with the registers at `base` and the interrupt `intid`: `destroy` gets
 * `balloon`, and calls virtio_balloon_deflate(). The memory, zeroed, is the caller's. `withheld`:
 * features that it is not to have.
 */
HV_MUST_CHECK hv_err virtio_balloon_create(struct virtio_balloon *balloon, struct vm *vm,
                                           uint64_t base, uint32_t intid, uint64_t withheld,
                                           void (*destroy)(struct vm *vm, void *dev));
/* Gives back what is unmapped already. The VM is over; the manager calls. */
void virtio_balloon_deflate(struct virtio_balloon *balloon);

#endif
