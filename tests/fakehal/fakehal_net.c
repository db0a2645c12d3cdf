/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "fakehal/fakehal.h"
#include <string.h>

void fakehal_net_arrive(const void *frame, size_t len)
{
    struct fakehal *hal = fakehal();

    if (hal->net_count == FAKEHAL_NET_FRAMES || len > HAL_NET_FRAME_MAX)
        fakehal_fail("fakehal_net_arrive(): too many frames, or too long");
    memcpy(hal->net_frame[hal->net_count].data, frame, len);
    hal->net_frame[hal->net_count++].len = len;
}

hv_err hal_net_info(uint32_t *intid)
{
    if (fakehal()->net_intid == 0)
        return HV_ERR_UNSUPPORTED;
    *intid = fakehal()->net_intid;
    return HV_OK;
}

void hal_net_send(const void *frame, size_t len)
{
    struct fakehal *hal = fakehal();

    if (hal->net_intid == 0 || len == 0 || len > HAL_NET_FRAME_MAX)
        fakehal_fail("hal_net_send(): no network, or no frame");
    memcpy(hal->net_sent.data, frame, len);
    hal->net_sent.len = len;
    hal->net_nr_sent++;
}

size_t hal_net_receive(void *frame)
{
    struct fakehal *hal = fakehal();
    size_t len = hal->net_frame[0].len;

    if (hal->net_intid == 0)
        fakehal_fail("hal_net_receive(): no network");
    if (hal->net_count == 0)
        return 0;
    memcpy(frame, hal->net_frame[0].data, len);
    hal->net_count--;
    memmove(&hal->net_frame[0], &hal->net_frame[1], hal->net_count * sizeof(hal->net_frame[0]));
    return len;
}
