/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* No driver for a network card yet: switches have no uplink here. */
#include "hal/hal.h"

hv_err hal_net_info(uint32_t *intid)
{
    (void)intid;
    return HV_ERR_UNSUPPORTED;
}

void hal_net_send(const void *frame, size_t len)
{
    (void)frame;
    (void)len;
}

size_t hal_net_receive(void *frame)
{
    (void)frame;
    return 0;
}
