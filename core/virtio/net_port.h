/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Between a network device and what its frames go to and come from. A frame from one VM to another
 * is copied into memory of the receiver's port by the sender, and from there to the receiver's
 * guest by one of its own vCPUs.
 */
#ifndef VIRTIO_NET_PORT_H
#define VIRTIO_NET_PORT_H

#include "base/list.h"
#include <stdbool.h>
#include <stdint.h>

#define NET_MAC_LEN    6u
#define NET_HEADER_LEN 14u /* destination, source, type (IEEE 802.3, 3.1) */
#define NET_MTU        1500u
#define NET_FRAME_MAX  (NET_HEADER_LEN + 4u + NET_MTU) /* with a VLAN's tag, without the FCS */

struct net_port;

struct net_frame {
    struct list_node node; /* the port's, as the next two */
    struct net_port *port; /* whose memory it is */
    uint16_t source;       /* the port that it came from */
    uint16_t len;          /* bytes of data[], NET_HEADER_LEN..NET_FRAME_MAX */
    bool partial;          /* its checksum is still to be completed: net_frame_complete() */
    bool valid;            /* its checksum was made or checked by who sent it */
    uint16_t csum_start;   /* the checksum covers the bytes from here to the end */
    uint16_t csum_offset;  /* and is so much further on */
    uint8_t data[NET_FRAME_MAX];
};

enum net_verdict {
    NET_TAKEN,   /* there is room for the frame: fill and submit, or withdraw it */
    NET_WAIT,    /* not now: net_port.wake() with NET_WAKE_SEND follows */
    NET_DROPPED, /* it goes nowhere, and was counted */
};

enum net_drop {
    NET_DROP_FULL,  /* no room in the receiver's queue */
    NET_DROP_EMPTY, /* the same, and its driver gave it no buffers */
    NET_DROP_DOWN,  /* the receiver has no driver */
    NET_DROP_SMALL, /* the driver's buffer was too small */
    NET_DROP_SPOOF, /* from an address that is another port's */
    NET_DROP_BAD,   /* not a frame */
    NET_DROP_LOCAL, /* to where it came from */
    NET_DROPS
};

enum net_wake { NET_WAKE_SEND, NET_WAKE_RECEIVE };

/*
 * One user a port, who calls from one pCPU at a time, and may hold locks of a rank below dev. No
 * function waits for anything longer than a lock.
 */
struct net_port_ops {
    /* Frames are received from now on, or not: what waits is thrown away. */
    void (*set_up)(struct net_port *port, bool up);
    /* A frame of `len` bytes, NET_HEADER_LEN..NET_FRAME_MAX, that begins with `header`. On
     * NET_TAKEN *frame is to be filled (all but node, port, source) and given to submit() or
     * withdraw(), before the next offer. */
    enum net_verdict (*offer)(struct net_port *port, const uint8_t header[NET_HEADER_LEN],
                              uint32_t len, struct net_frame **frame);
    void (*submit)(struct net_port *port, struct net_frame *frame);
    void (*withdraw)(struct net_port *port, struct net_frame *frame);
    /* The next frame for this port, which stays the first one until it is `done`; NULL: there is
     * none, and a wake() follows when there is. `done` is what this function returned last and was
     * dealt with, or NULL. */
    struct net_frame *(*next)(struct net_port *port, struct net_frame *done);
    /* The driver has no buffer for the frame that waits. Until next() is called with it done,
     * nobody waits for this port. */
    void (*starve)(struct net_port *port);
    void (*count_drop)(struct net_port *port, enum net_drop reason);
};

struct net_port {
    const struct net_port_ops *ops;
    uint8_t mac[NET_MAC_LEN];
    /* The user's; called on any pCPU with locks of rank dev held. */
    void (*wake)(void *ctx, enum net_wake what);
    void *ctx;
};

/* True if the partial checksum's place is in the frame. */
static inline bool net_frame_is_sound(const struct net_frame *frame)
{
    return !frame->partial || (uint32_t)frame->csum_start + frame->csum_offset + 2 <= frame->len;
}

/* Completes a partial checksum, if it has one (Virtual I/O Device Version 1.2, 5.1.6.2; RFC 1071).
 * The frame is sound. */
void net_frame_complete(struct net_frame *frame);

#endif
