/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The machine's own network (hal_net_*) as a port of a switch: what goes there leaves at once, on
 * the sender's time; what comes is taken in the interrupt's, a bounded number at a time.
 */
#ifndef DEV_UPLINK_H
#define DEV_UPLINK_H

#include "dev/vswitch.h"

struct uplink {
    struct vswitch_port port; /* first */
    struct spinlock receive;  /* rank virtio: `frame` */
    struct spinlock send;     /* rank dev: hal_net_send() */
    uint32_t intid;
    pa_t block;
    pa_t frames;
    void *mapped; /* `frames` */
    uint8_t frame[NET_FRAME_MAX];
};

/*
 * Connects the machine's network with the switch; memory is charged to hv->account.
 * HV_ERR_UNSUPPORTED: the machine has none; HV_ERR_NOMEM. The boot CPU.
 */
HV_MUST_CHECK hv_err uplink_create(struct vswitch *on, struct uplink **out);
/* Gives all back. */
void uplink_destroy(struct uplink *uplink);
/* Its interrupt: takes some of the frames that came. Any pCPU, no lock held. */
void uplink_interrupt(struct uplink *uplink);

#endif
