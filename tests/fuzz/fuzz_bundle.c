/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any bytes as a VM bundle; what is accepted is laid out too, as the role does it. */
#include "boot/bundle.h"
#include "boot/image.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct vm_config *vm)
{
    char reason[IMAGE_REASON_MAX];
    struct image_layout layout;

    if (vm->memory % PAGE_SIZE != 0 || vm->memory < VM_MIN_MEMORY || vm->name[0] == '\0')
        abort();
    if (image_layout(vm, &layout, reason) != HV_OK && reason[0] == '\0')
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hv_config config;
    char reason[BUNDLE_REASON_MAX];
    void *blob = malloc(size + (size == 0));

    memcpy(blob, data, size);
    if (bundle_parse(blob, size, &config, reason) == HV_OK) {
        if (config.nr_vms == 0 || config.nr_vms > HV_MAX_VMS)
            abort();
        for (uint32_t i = 0; i < config.nr_vms; i++)
            use(&config.vm[i]);
    } else if (reason[0] == '\0' || strlen(reason) >= BUNDLE_REASON_MAX) {
        abort();
    }
    free(blob);
    return 0;
}
