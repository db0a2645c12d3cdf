/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any bytes as a VM bundle; what is accepted is laid out too, as the role does it. */
#include "boot/bundle.h"
#include "boot/image.h"
#include "mem/vmid.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever is said of a VM is in its range; 0 of what is not said. */
static void check_limits(const struct vm_config *vm)
{
    if (vm->vcpus < 1 || vm->vcpus > MACHINE_MAX_VCPUS || vm->weight > VM_WEIGHT_MAX ||
        vm->spis > MACHINE_MAX_SPIS || (vm->quota != 0 && vm->quota < vm->memory))
        abort();
    for (uint32_t i = 0; i < MACHINE_MAX_VCPUS; i++)
        if (vm->affinity[i] != 0 && (i >= vm->vcpus || vm->affinity[0] == 0))
            abort();
}

static void use(const struct vm_config *vm)
{
    char reason[IMAGE_REASON_MAX];
    struct image_layout layout;

    if (vm->memory % PAGE_SIZE != 0 || vm->memory < VM_MIN_MEMORY || vm->name[0] == '\0' ||
        vm->kernel.size == 0)
        abort();
    check_limits(vm);
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
        if (config.nr_vms == 0 || config.nr_vms > HV_MAX_VMS || config.pcpus > 64 ||
            config.vmids > VMID_MAX || config.vmids == 1 || config.console > HV_CONSOLE_LINES)
            abort();
        for (uint32_t i = 0; i < config.nr_vms; i++)
            use(&config.vm[i]);
    } else if (reason[0] == '\0' || strlen(reason) >= BUNDLE_REASON_MAX) {
        abort();
    }
    free(blob);
    return 0;
}
