/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Virtio block device (Virtual I/O Device Version 1.2, 5.2), and the interface of what holds its
 * sectors. A request is cut into pieces that the backend can do at once; each is copied between the
 * guest's buffers and memory that the backend names, so that no backend touches a guest's memory.
 */
#ifndef VIRTIO_BLK_H
#define VIRTIO_BLK_H

#include "abi/virtio_blk.h"
#include "base/err.h"
#include "virtio/device.h"
#include <stdbool.h>
#include <stdint.h>

/* --- What is behind a device --- */

enum blk_op {
    BLK_READ,
    BLK_WRITE,
    BLK_FLUSH,   /* what was written and is done stays, whatever happens to the machine */
    BLK_ZERO,    /* reads as zeroes from now on */
    BLK_DISCARD, /* the same, and memory that it took is given back */
};

/* A piece of a request. The backend's memory; from begin() to end() the device's to use. */
struct blk_io {
    enum blk_op op;
    uint64_t sector;
    uint64_t len;   /* bytes, of whole sectors; 0 for BLK_FLUSH */
    void *buf;      /* READ: has the bytes once it is done. WRITE: to be filled before submit() */
    uint32_t owner; /* the device's mark */
    hv_err result;  /* once it is done */
};

struct blk_backend;

/*
 * One device uses a backend at a time: between attach() and detach(), which are called without that
 * device's lock, before its VM runs and when it is over; all others with it.
 */
struct blk_backend_ops {
    /* `notify` is called, on any pCPU and with locks of the backend held (rank dev or above), when
     * there is something to collect, or begin() may succeed again. NULL: it never is. */
    void (*attach)(struct blk_backend *backend, void (*notify)(void *ctx), void *ctx);
    /* What is not done yet is forgotten: it happens or not, and nobody hears of it. */
    void (*detach)(struct blk_backend *backend);
    void (*forget)(struct blk_backend *backend);
    /*
     * A piece from the beginning of these `len` bytes, of which io->len can be done at once.
     * HV_ERR_BUSY: not now, notify() follows. HV_ERR_NOMEM, HV_ERR_QUOTA: there is no memory to
     * write to. The range is on the disk, and no change of a read-only one. What a WRITE that is
     * begun and not submitted leaves there is what it had before, or zeroes.
     */
    hv_err (*begin)(struct blk_backend *backend, enum blk_op op, uint64_t sector, uint64_t len,
                    struct blk_io **io);
    /* Starts it; it may be done at once. */
    void (*submit)(struct blk_backend *backend, struct blk_io *io);
    /* One that is done and was not collected yet; NULL: none is. */
    struct blk_io *(*collect)(struct blk_backend *backend);
    /* Gives it back: after it was collected, or instead of submit(). */
    void (*end)(struct blk_backend *backend, struct blk_io *io);
};

struct blk_backend {
    const struct blk_backend_ops *ops;
    uint64_t sectors;
    bool read_only;
    bool clears;       /* knows BLK_ZERO and BLK_DISCARD */
    uint32_t requests; /* of a guest that it is worth to have under way, 1..VIRTIO_BLK_REQUESTS_MAX
                        */
    char serial[VIRTIO_BLK_ID_LEN]; /* filled up with zeroes */
};

/* --- The device --- */

#define VIRTIO_BLK_REQUESTS_MAX 7u /* the device fits into 16 KiB then */

struct virtio_blk_request {
    bool used;
    uint8_t status;   /* VIRTIO_BLK_S_* */
    uint32_t pending; /* pieces that are submitted and not collected */
    enum blk_op op;
    uint64_t sector;
    uint64_t len;  /* bytes of the disk that are meant */
    uint64_t done; /* of these, how many have a piece */
    uint64_t at;   /* where the data begins in the chain's readable, or writable, bytes */
    struct virtq_chain chain;
};

struct virtio_blk {
    struct virtio_device dev; /* first: what virtio_ops get */
    struct virtq queue;
    pa_t block; /* the caller's, who may keep there where this lies */
    struct blk_backend *backend;
    struct virtio_blk_config config;
    struct virtio_blk_request *current;  /* not all of it has pieces yet; NULL: there is none */
    uint32_t nr_used;                    /* of request[] */
    struct virtio_blk_request request[]; /* [backend->requests] */
};

/* Bytes that a device of this backend takes. */
uint64_t virtio_blk_size(const struct blk_backend *backend);

/*
 * As virtio_create(), with the registers at `base` and the interrupt `intid`: `destroy` gets `blk`,
 * and calls virtio_blk_detach(). The memory is the caller's: virtio_blk_size() bytes, zeroed but
 * for `block`. The backend outlives the device, and has it from now on, but not on an error.
 */
HV_MUST_CHECK hv_err virtio_blk_create(struct virtio_blk *blk, struct vm *vm, uint64_t base,
                                       uint32_t intid, struct blk_backend *backend,
                                       void (*destroy)(struct vm *vm, void *dev));
/* The backend can have another device. The VM is quiet. */
void virtio_blk_detach(struct virtio_blk *blk);

#endif
