/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The part of boot/platform.c that looks for a clock. */
#ifndef BOOT_PLATFORM_RTC_H
#define BOOT_PLATFORM_RTC_H

#include "hal/platform.h"

/* out->rtc: the first PL031 (Linux binding arm,pl031) that is enabled and whose registers can be
 * found; size 0 without one, as a machine runs without. */
void platform_find_rtc(const void *fdt, struct hal_platform *out);

#endif
