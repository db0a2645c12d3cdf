/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "boot/platform_rtc.h"
#include "base/addr.h"
#include "base/bits.h"
#include "boot/fdt_util.h"
#include <libfdt.h>

void platform_find_rtc(const void *fdt, struct hal_platform *out)
{
    int node = fdt_node_offset_by_compatible(fdt, -1, "arm,pl031");

    for (; node >= 0; node = fdt_node_offset_by_compatible(fdt, node, "arm,pl031")) {
        struct platform_range range;
        const char *why;

        if (fdt_util_enabled(fdt, node) && fdt_util_reg(fdt, node, 0, &range, &why) == HV_OK &&
            range.size >= PAGE_SIZE && is_aligned(range.base, PAGE_SIZE)) {
            out->rtc = range;
            return;
        }
    }
}
