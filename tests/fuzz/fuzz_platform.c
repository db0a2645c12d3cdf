/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any bytes as the machine's devicetree. */
#include "boot/platform.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_range(const struct platform_range *range)
{
    if (range->size > UINT64_MAX - range->base)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hal_platform out;
    char reason[PLATFORM_REASON_MAX];
    void *fdt = malloc(size + (size == 0));

    memcpy(fdt, data, size);
    if (platform_discover(fdt, size, 0, &out, reason) == HV_OK) {
        if (out.nr_ram == 0 || out.nr_ram > PLATFORM_MAX_RAM || out.nr_cpus == 0 ||
            out.nr_cpus > PLATFORM_MAX_CPUS || out.nr_gicr == 0 || out.nr_gicr > PLATFORM_MAX_GICR)
            abort();
        for (uint32_t i = 0; i < out.nr_ram; i++)
            check_range(&out.ram[i]);
        for (uint32_t i = 0; i < out.nr_reserved; i++)
            check_range(&out.reserved[i]);
        check_range(&out.uart);
        check_range(&out.initrd);
    } else if (reason[0] == '\0' || strlen(reason) >= PLATFORM_REASON_MAX) {
        abort();
    }
    free(fdt);
    return 0;
}
