/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A virtio device behind its virtio-mmio transport (Virtual I/O Device Version 1.2, 2 and 4.2;
 * version 2 of the register layout): status, feature negotiation, queues, configuration space,
 * interrupt, reset. What a device does with its queues are its virtio_ops.
 *
 * Who works: a notification only posts work (vm_post_device()). One of the VM's vCPUs does it
 * before it runs on, on its own time: a bounded piece, then the others of that pCPU have their
 * turn, then the next. So a device costs its own VM time and no other, and is served by one pCPU at
 * a time.
 */
#ifndef VIRTIO_DEVICE_H
#define VIRTIO_DEVICE_H

#include "arch/mmio.h"
#include "base/err.h"
#include "base/lock.h"
#include "virtio/virtq.h"
#include "vm/vm.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_QUEUES_MAX 32u    /* of one device */
#define VIRTIO_FRAME_SIZE 0x200u /* its registers, half of them for the configuration space */
/* Buffers that a piece of work pops, each chain counted as one more: no chain is begun after them,
 * so that it reads no more than VIRTQ_SEGS_MAX descriptors beyond. */
#define VIRTIO_PIECE_BUFFERS 512u

struct virtio_device;

/* What makes a device of this kind. Rows are const; `lock`: virtio_device.lock. */
struct virtio_ops {
    uint32_t id;       /* DeviceID (5) */
    uint64_t features; /* those of its kind: the transport adds VERSION_1, INDIRECT_DESC and
                          EVENT_IDX, and takes away what the instance does not offer */
    /* The driver wrote FEATURES_OK with `features`, a subset of what is offered, VERSION_1 in it.
     * False refuses. NULL: every subset will do. Lock held. */
    bool (*accepts)(struct virtio_device *dev, uint64_t features);
    /* DRIVER_OK was written: the device is live (3.1.1). May be NULL. Lock held. All queues that
     * are ready are posted afterwards. */
    void (*started)(struct virtio_device *dev);
    /* The driver reset the device. Nobody is in serve(). Requests in flight elsewhere are
     * forgotten: what finishes them later finds another virtio_device.epoch, and writes nothing to
     * the guest's memory. Queues are reset already. May be NULL. Lock held. Not called when the VM
     * ends: that is what `destroy` is for. */
    void (*reset)(struct virtio_device *dev);
    /* The driver took queue `queue` back alone (QueueReady), which is reset already; the device may
     * be live, and other queues go on. As `reset` for that queue: nobody is in serve(), and what is
     * half done for it is forgotten. May be NULL, where nothing is ever half done between two calls
     * of serve(). Lock held. Not called for a reset of the device. */
    void (*stopped)(struct virtio_device *dev, uint32_t queue);
    /*
     * Work for queue `queue`, a bounded piece: a few requests or 64 KiB, and VIRTIO_PIECE_BUFFERS,
     * which virtio_pop() counts. True if there is more that can be done now. Called without the
     * lock, which it takes for each touch of the rings and may let go between them (virtio_lock(),
     * virtio_unlock()); by one pCPU at a time. A reset waits until it returns: so chains that it
     * popped in this call stay good, whatever happens, and it waits for nothing itself that may
     * take longer than a lock. The device may be dead: then virtio_pop() says so.
     */
    bool (*serve)(struct virtio_device *dev, uint32_t queue);
    /* Reads or writes `size` (1, 2, 4) bytes of the configuration space at `offset`, aligned, in
     * its `config_size`. `value` is little-endian, as the register is. NULL write: it ignores
     * writes. Lock held. */
    uint32_t (*config_read)(struct virtio_device *dev, uint32_t offset, uint32_t size);
    void (*config_write)(struct virtio_device *dev, uint32_t offset, uint32_t size, uint32_t value);
    uint32_t config_size; /* bytes, a multiple of 4, at most 256; what lies behind reads as zero */
};

struct virtio_device {
    struct spinlock lock; /* rank virtio: everything here but what is constant or atomic */
    struct vm *vm;
    const struct virtio_ops *ops;
    uint32_t index; /* of vm->device[] */
    uint32_t intid; /* an SPI, level */
    uint32_t nr_queues;
    uint64_t offered;  /* features */
    uint64_t accepted; /* by the driver, final once FEATURES_OK is set */
    uint32_t offered_sel, accepted_sel, queue_sel;
    bool accepted_unknown; /* the driver accepted a feature above bit 63 */
    bool resetting;        /* somebody waits for serve() to be over: no register is touched */
    bool line;             /* the level of its interrupt */
    uint32_t status;
    uint32_t generation;
    uint32_t epoch;           /* counts resets */
    uint32_t next_queue;      /* whose turn it is; the serving pCPU's, as the next */
    uint32_t left;            /* buffers that this piece of work may look at */
    _Atomic uint32_t isr;     /* InterruptStatus; written with the lock */
    _Atomic bool serving;     /* a pCPU is in ops->serve() */
    _Atomic uint32_t pending; /* bit n: queue n is to be served */
    struct virtq *queue;      /* [nr_queues] */
};

/* A device to be made: what its kind does not say. */
struct virtio_setup {
    const struct virtio_ops *ops;
    uint64_t base; /* of its register frame, in the guest's machine */
    uint32_t intid;
    struct virtq *queue; /* the caller's memory, which lives as long as the device */
    uint32_t nr_queues;  /* 1..VIRTIO_QUEUES_MAX */
    uint64_t withheld;   /* features of ops->features that this instance does not offer */
};

/*
 * Puts the device on the VM's bus, reset, and registers it with vm_add_worker(): `destroy` gets
 * `dev`, which is the caller's memory and may be the first member of more. Before the VM runs.
 * HV_ERR_RANGE: the VM's interrupt controller has no such interrupt; otherwise as mmio_bus_add()
 * and vm_add_worker(). On an error it is not registered, and the VM is not to run.
 */
HV_MUST_CHECK hv_err virtio_create(struct virtio_device *dev, struct vm *vm,
                                   const struct virtio_setup *setup,
                                   void (*destroy)(struct vm *vm, void *dev));

/* An mmio_access_fn for the register frame (4.2.2). Accesses of 4 bytes, aligned; of 1, 2, 4 and 8
 * to the configuration space; others are refused. Reserved registers read as zero and ignore
 * writes. Takes dev->lock, but not for a notification. */
bool virtio_access(void *dev, struct mmio_access *access);

/* Has queue `queue` served soon: after this call, or again if it is being served. Any pCPU, also
 * from a backend's completion; as vm_post_device(). */
void virtio_post(struct virtio_device *dev, uint32_t queue);

static inline void virtio_lock(struct virtio_device *dev)
{
    spinlock_lock(&dev->lock);
}

static inline void virtio_unlock(struct virtio_device *dev)
{
    spinlock_unlock(&dev->lock);
}

/* --- With the lock held --- */

/* True between DRIVER_OK and a reset, unless it is broken or the driver has given up: only then are
 * queues touched. */
bool virtio_is_live(const struct virtio_device *dev);
static inline bool virtio_has(const struct virtio_device *dev, uint64_t feature)
{
    return (dev->accepted & feature) != 0;
}
/*
 * virtq_pop(), virtq_push(), virtq_fill() and virtq_publish() of a live device's queue. A broken
 * queue sets DEVICE_NEEDS_RESET and tells the driver by a configuration change (2.1.2). False: no
 * chain now, or not given back, for whatever reason. virtio_pop() is for ops->serve() alone.
 */
bool virtio_pop(struct virtio_device *dev, uint32_t queue, struct virtq_chain *chain);
bool virtio_push(struct virtio_device *dev, uint32_t queue, uint16_t head, uint32_t written);
bool virtio_fill(struct virtio_device *dev, uint32_t queue, uint16_t n, uint16_t head,
                 uint32_t written);
bool virtio_publish(struct virtio_device *dev, uint32_t queue, uint16_t count);
/* virtio_pop() finds no more in this piece of work: whatever serve() returns, it is called again.
 */
static inline bool virtio_is_spent(const struct virtio_device *dev)
{
    return dev->left == 0;
}
/* virtq_set_notify() of a live device's queue; false if it is not live, or broken. */
bool virtio_set_notify(struct virtio_device *dev, uint32_t queue, bool on);
/* Interrupts the driver for what was pushed to `queue`, if it wants that. Once after a batch. */
void virtio_signal(struct virtio_device *dev, uint32_t queue);
/* The driver broke the protocol of the device's kind: as for a broken queue. */
void virtio_break(struct virtio_device *dev);
/* The configuration space changed: ConfigGeneration moves on, the driver is interrupted. */
void virtio_config_changed(struct virtio_device *dev);

#endif
