/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/uplink.h"
#include "base/check.h"
#include "hal/hal.h"
#include <string.h>

/* Frames of one interrupt: the next one comes if there are more. */
#define BATCH 8u

_Static_assert(HAL_NET_FRAME_MAX == NET_FRAME_MAX, "a frame is a frame");

/* --- Out --- */

/* Who is out there knows nothing of partial checksums. */
static void pour(struct vswitch_port *port, struct net_frame *frame)
{
    struct uplink *uplink = (struct uplink *)(void *)port;

    net_frame_complete(frame);
    spinlock_lock(&uplink->send);
    hal_net_send(frame->data, frame->len);
    spinlock_unlock(&uplink->send);
}

/* --- In --- */

static void enter(struct uplink *uplink, uint32_t len)
{
    struct net_port *net = &uplink->port.net;
    struct net_frame *frame;

    if (len < NET_HEADER_LEN) {
        net->ops->count_drop(net, NET_DROP_BAD);
        return;
    }
    if (net->ops->offer(net, uplink->frame, len, &frame) != NET_TAKEN)
        return;
    memcpy(frame->data, uplink->frame, len);
    frame->len = (uint16_t)len;
    frame->partial = false;
    frame->valid = false;
    frame->csum_start = 0;
    frame->csum_offset = 0;
    net->ops->submit(net, frame);
}

void uplink_interrupt(struct uplink *uplink)
{
    spinlock_lock(&uplink->receive);
    for (uint32_t i = 0; i < BATCH; i++) {
        size_t len = hal_net_receive(uplink->frame);
        if (len == 0)
            break;
        enter(uplink, (uint32_t)len);
    }
    spinlock_unlock(&uplink->receive);
}

/* --- Life --- */

static hv_err alloc(struct hv *hv, struct uplink **out)
{
    pa_t block;
    hv_err err =
        page_pool_alloc(&hv->pool, &hv->account, page_pool_order(sizeof(struct uplink)), &block);

    if (err != HV_OK)
        return err;
    *out = hal_phys_map(block, sizeof(struct uplink));
    HV_CHECK(*out != NULL);
    (*out)->block = block;
    err = page_pool_alloc(&hv->pool, &hv->account, page_pool_order(VSWITCH_FRAMES_SIZE),
                          &(*out)->frames);
    if (err != HV_OK) {
        hal_phys_unmap(*out, sizeof(struct uplink));
        page_pool_free(&hv->pool, &hv->account, block, page_pool_order(sizeof(struct uplink)));
    }
    return err;
}

static void give_back(struct hv *hv, struct uplink *uplink)
{
    pa_t block = uplink->block;

    hal_phys_unmap(uplink->mapped, VSWITCH_FRAMES_SIZE);
    page_pool_free(&hv->pool, &hv->account, uplink->frames, page_pool_order(VSWITCH_FRAMES_SIZE));
    hal_phys_unmap(uplink, sizeof(*uplink));
    page_pool_free(&hv->pool, &hv->account, block, page_pool_order(sizeof(*uplink)));
}

hv_err uplink_create(struct vswitch *on, struct uplink **out)
{
    struct hv *hv = on->hv;
    struct uplink *uplink;
    uint32_t intid;
    hv_err err = hal_net_info(&intid);

    if (err == HV_OK)
        err = alloc(hv, &uplink);
    if (err != HV_OK)
        return err;
    uplink->intid = intid;
    uplink->port.slot = UINT32_MAX;
    uplink->port.sink = pour;
    spinlock_init(&uplink->receive, LOCK_RANK_VIRTIO);
    spinlock_init(&uplink->send, LOCK_RANK_DEV);
    uplink->mapped = hal_phys_map(uplink->frames, VSWITCH_FRAMES_SIZE);
    HV_CHECK(uplink->mapped != NULL);
    err = vswitch_attach(on, &uplink->port, uplink->mapped);
    if (err == HV_OK) {
        uplink->port.net.ops->set_up(&uplink->port.net, true);
        err = hal_irq_enable(intid, true);
    }
    if (err != HV_OK) {
        vswitch_detach(&uplink->port);
        give_back(hv, uplink);
        return err;
    }
    *out = uplink;
    return HV_OK;
}

void uplink_destroy(struct uplink *uplink)
{
    struct hv *hv = uplink->port.on->hv;

    vswitch_detach(&uplink->port);
    give_back(hv, uplink);
}
