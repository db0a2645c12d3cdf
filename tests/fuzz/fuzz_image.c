/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any configuration and any kernel header: a layout whose parts are apart and inside, or a reason.
 */
#include "abi/machine.h"
#include "boot/image.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What comes first in the input; the kernel is the rest of it. */
struct params {
    uint64_t pages;
    uint64_t initrd_size;
    uint64_t kernel_address;
    uint64_t initrd_address;
    uint8_t fixed;
    uint8_t pad[7];
};

struct range {
    uint64_t base;
    uint64_t size;
};

static void check(const struct vm_config *config, const struct image_layout *layout)
{
    const struct range ranges[] = {
        {layout->kernel, layout->kernel_span},
        {layout->dtb, layout->dtb_span},
        {layout->initrd, layout->initrd_size},
    };

    if (layout->kernel_span < layout->kernel_file_size || layout->dtb_span != IMAGE_DTB_SPAN)
        abort();
    for (int i = 0; i < 3; i++) {
        if (ranges[i].size == 0)
            continue;
        if (ranges[i].base < MACHINE_RAM_BASE ||
            range_exceeds(ranges[i].base - MACHINE_RAM_BASE, ranges[i].size, config->memory))
            abort();
        for (int j = 0; j < i; j++)
            if (ranges_overlap(ranges[i].base, ranges[i].size, ranges[j].base, ranges[j].size))
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char reason[IMAGE_REASON_MAX];
    struct image_layout layout;
    struct params params;

    if (size < sizeof(params))
        return 0;
    memcpy(&params, data, sizeof(params));
    size -= sizeof(params);
    void *kernel = malloc(size + (size == 0));
    memcpy(kernel, data + sizeof(params), size);
    const struct vm_config config = {
        .memory = VM_MIN_MEMORY + params.pages % (UINT64_C(1) << 32) * PAGE_SIZE,
        .vcpus = 1,
        .bootargs = "",
        .kernel = {kernel, size},
        .initrd = {"", params.initrd_size},
        .has_kernel_address = (params.fixed & 1) != 0,
        .has_initrd_address = (params.fixed & 2) != 0,
        .kernel_address = params.kernel_address,
        .initrd_address = params.initrd_address,
    };
    if (image_layout(&config, &layout, reason) == HV_OK)
        check(&config, &layout);
    else if (reason[0] == '\0' || strlen(reason) >= IMAGE_REASON_MAX)
        abort();
    free(kernel);
    return 0;
}
