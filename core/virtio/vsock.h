/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Virtio socket device (Virtual I/O Device Version 1.2, 5.10): stream sockets between VMs. The
 * device is the other end of each connection as far as its driver can tell: it has a buffer of
 * VSOCK_PIPE_SIZE bytes for what a guest sends, in the receiver's device, and gives credit for no
 * more. So a packet always has room, and nobody waits for a guest that does not read.
 */
#ifndef VIRTIO_VSOCK_H
#define VIRTIO_VSOCK_H

#include "abi/virtio_vsock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/lock.h"
#include "virtio/device.h"
#include <stdbool.h>
#include <stdint.h>

#define VSOCK_PIPE_SIZE   4096u /* a power of two */
#define VSOCK_CONNECTIONS 24u   /* of one device, at a time */
#define VSOCK_REFUSALS    16u   /* that wait for the driver */

/* All devices of the machine. */
struct virtio_vsock_hub {
    struct spinlock lock; /* rank dev */
    struct list_node devices;
};
void virtio_vsock_hub_init(struct virtio_vsock_hub *hub);

enum vsock_state {
    VSOCK_FREE,
    VSOCK_ASKING, /* its guest has sent a REQUEST */
    VSOCK_ASKED,  /* its guest gets one, and is to answer */
    VSOCK_OPEN,
    VSOCK_RESET, /* its guest gets a RST, and then it is free */
};

/* What identifies a connection to the guest whose end it is. */
struct vsock_name {
    uint64_t peer_cid;
    uint32_t port, peer_port;
};

/* One guest's end of a connection. All of it: hub->lock. */
struct vsock_end {
    enum vsock_state state;
    struct vsock_name name;
    struct virtio_vsock *peer; /* whose guest is at the other end; NULL in VSOCK_RESET */
    struct vsock_end *other;
    bool theirs;        /* the one at the other end has asked for it */
    uint8_t todo;       /* packets that the guest is to get: vsock_conn.c */
    uint32_t shutdown;  /* flags that the other one has sent */
    uint32_t buf_alloc; /* the guest's, as it said last, and the next */
    uint32_t guest_fwd;
    uint32_t delivered; /* bytes that it got */
    uint32_t sent;      /* bytes that it has sent */
    uint32_t fwd;       /* of these, how many have gone on to the other one */
    uint32_t told;      /* `fwd` as it was told last */
    uint32_t head, tail;
    char pipe[VSOCK_PIPE_SIZE]; /* what it is to get, from tail to head */
};

struct virtio_vsock {
    struct virtio_device dev; /* first: what virtio_ops get */
    struct virtq queue[VIRTIO_VSOCK_QUEUES];
    struct virtio_vsock_hub *hub;
    struct list_node node; /* of hub->devices */
    uint64_t cid;
    /* serve()'s. */
    struct virtq_chain chain;
    struct virtio_vsock_hdr hdr;
    char data[VSOCK_PIPE_SIZE];
    /* hub->lock. */
    bool driven;   /* its driver has started it */
    uint32_t next; /* whose turn it is of end[] */
    bool stalled;  /* packets of the guest wait until refusals have gone */
    uint32_t nr_refusals;
    struct vsock_name refusal[VSOCK_REFUSALS];
    struct vsock_end end[VSOCK_CONNECTIONS];
};

/*
 * As virtio_create(), with the registers at `base` and the interrupt `intid`: `destroy` gets
 * `vsock`, and calls virtio_vsock_leave(). HV_ERR_EXIST: another device has that CID. The memory,
 * zeroed, is the caller's; the hub outlives it.
 */
HV_MUST_CHECK hv_err virtio_vsock_create(struct virtio_vsock *vsock, struct vm *vm, uint64_t base,
                                         uint32_t intid, uint32_t cid, struct virtio_vsock_hub *hub,
                                         void (*destroy)(struct vm *vm, void *dev));
/* Its connections are reset, and it can be found no more. The VM is over. */
void virtio_vsock_leave(struct virtio_vsock *vsock);

/* --- vsock_conn.c: hub->lock is held --- */

/* A packet of the guest, hdr and data: header sound, hdr.len bytes of data if that is at most
 * VSOCK_PIPE_SIZE. False: not now, as refusals have to go first. */
bool vsock_take(struct virtio_vsock *v);
/* The next packet for the guest, into hdr and data, with at most `room` bytes of data. False: there
 * is none. */
bool vsock_next(struct virtio_vsock *v, uint64_t room);
/* All connections are reset. */
void vsock_drop_all(struct virtio_vsock *v);

#endif
