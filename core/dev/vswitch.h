/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A learning Ethernet switch between the network devices of VMs: docs/network.md. A port's queue,
 * its station addresses and itself are memory of the VM that it belongs to; a frame is copied into
 * the queue by who sends it.
 *
 * Who gets how much of a queue: a source may have as many frames in it as there are free places,
 * twice. So one that floods leaves a third of the places, two leave a fifth each, and who has few
 * frames in it always finds one. And who gets how much of what the receiver takes: one frame of
 * each source in turn.
 *
 * How long others wait for a port whose queue is full: it has patience for VSWITCH_WAIT_MILLIS in
 * all, which passes while anybody waits for it, and gets a part of that back for each frame that it
 * takes. So whatever it does, they wait no longer than that for each VSWITCH_WAIT_FRAMES that it
 * takes, and once more.
 */
#ifndef DEV_VSWITCH_H
#define DEV_VSWITCH_H

#include "base/err.h"
#include "base/list.h"
#include "base/lock.h"
#include "virtio/net_port.h"
#include "vm/hv.h"
#include <stdbool.h>
#include <stdint.h>

#define VSWITCH_PORTS_MAX   64u
#define VSWITCH_QUEUE       128u /* frames that wait for a port */
#define VSWITCH_STATIONS    16u  /* addresses that are learned behind one port, the last ones */
#define VSWITCH_BUCKETS     128u
#define VSWITCH_NAME_MAX    16u /* with the terminator */
#define VSWITCH_AGE_SECONDS 300u
#define VSWITCH_WAIT_MILLIS 100u /* that senders wait for a receiver at most */
#define VSWITCH_WAIT_FRAMES 32u  /* that it has to take before they do so again */

/* A place for a frame in a port's queue: the frame, up to half a page. */
#define VSWITCH_FRAME_SIZE  2048u
#define VSWITCH_FRAMES_SIZE ((uint64_t)VSWITCH_QUEUE * VSWITCH_FRAME_SIZE)
_Static_assert(sizeof(struct net_frame) <= VSWITCH_FRAME_SIZE, "two in a page");

struct vswitch;
struct vswitch_port;

/* Whose address a station's is: learned, or fixed by the port's configuration. */
struct vswitch_station {
    struct list_node node; /* of a bucket, or alone */
    struct vswitch_port *port;
    uint64_t mac; /* its bytes in memory order */
    uint64_t seen;
    bool known;
    bool fixed;
};

/* Frames of one port that wait for another. */
struct vswitch_source {
    struct list_node node; /* of turns, or alone */
    struct list_node frames;
};

struct vswitch_stats {
    uint64_t sent, sent_bytes;         /* from the port, that went to at least one other */
    uint64_t received, received_bytes; /* that its user took */
    uint64_t dropped[NET_DROPS];       /* on their way to it; the last three: from it */
};

struct vswitch_port {
    struct net_port net; /* first */
    struct vswitch *on;  /* NULL: on none */
    uint32_t index;
    uint32_t slot; /* of the VM, for who prints it; UINT32_MAX: of none */
    uint32_t unit;
    bool guarded; /* no other port may send from its address */
    /* What is not NULL gets frames at once, from any pCPU, with no lock of rank dev or above held,
     * and they are not queued. The frames that such a port sends never wait. */
    void (*sink)(struct vswitch_port *port, struct net_frame *frame);

    /* Under the switch's lock. */
    bool up;
    bool starved;      /* the driver has no buffers */
    uint32_t nr_free;  /* frames in `free` */
    uint32_t filling;  /* frames that senders fill now */
    uint64_t waiting;  /* bit n: port n waits for room here: it waits_for this */
    uint64_t patience; /* ticks for which somebody may wait, as it was at `settled` */
    uint64_t settled;
    uint16_t held[VSWITCH_PORTS_MAX]; /* frames of port n that are not free */
    struct list_node free;
    struct list_node turns; /* of vswitch_source.node: those that have frames here */
    struct vswitch_source from[VSWITCH_PORTS_MAX];
    struct vswitch_station own;
    struct vswitch_station station[VSWITCH_STATIONS];
    struct vswitch_stats stats;
    /* Of this port as a sender. */
    struct vswitch_port *waits_for;
    struct timer timer; /* ends the wait */
    uint64_t flood;     /* bit n: port n gets what is in `staging` */
    struct net_frame staging;
};

struct vswitch {
    struct spinlock lock; /* rank dev */
    struct hv *hv;
    pa_t block;        /* the caller's, who may keep there where this lies */
    uint64_t patience; /* ticks, of each port at most */
    char name[VSWITCH_NAME_MAX];
    struct vswitch_port *port[VSWITCH_PORTS_MAX];
    struct list_node bucket[VSWITCH_BUCKETS];
};

void vswitch_init(struct vswitch *on, struct hv *hv, const char *name);

/*
 * Puts a port on the switch, down: net.mac, slot, unit, guarded, sink are set, the rest is zero,
 * net.wake and net.ctx before it goes up. `frames` is VSWITCH_FRAMES_SIZE bytes.
 * Both are the caller's until vswitch_detach(). HV_ERR_NOMEM: all ports are taken; HV_ERR_EXIST:
 * the address is guarded by another port.
 */
HV_MUST_CHECK hv_err vswitch_attach(struct vswitch *on, struct vswitch_port *port, void *frames);
/* Afterwards nobody knows the port. Its user does not call it meanwhile. No lock is held: waits
 * for pCPUs that are in the middle of something with it. */
void vswitch_detach(struct vswitch_port *port);

/* A snapshot; false if there is no port `index`. Any pCPU. */
struct vswitch_view {
    uint32_t slot, unit;
    uint8_t mac[NET_MAC_LEN];
    bool up;
    struct vswitch_stats stats;
};
bool vswitch_view(struct vswitch *on, uint32_t index, struct vswitch_view *out);

#endif
