/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The machine's PL031 (DDI 0224) as wall clock. It runs, or it stands still: as the firmware left
 * it. */
#include "hal/hal.h"
#include "internal.h"

#define RTCDR 0x000u

static const volatile char *rtc; /* NULL: none */

hv_err rtc_init(const struct hal_platform *platform)
{
    hv_err err = HV_OK;

    if (platform->rtc.size != 0)
        err = mmu_map(platform->rtc.base, platform->rtc.size, MMU_DEVICE);
    if (err == HV_OK && platform->rtc.size != 0)
        rtc = (const volatile char *)platform->rtc.base;
    return err;
}

uint64_t hal_wall_time(void)
{
    return rtc != NULL ? mmio_read32(rtc, RTCDR) : 0;
}
