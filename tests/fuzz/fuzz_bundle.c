/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Any bytes as a VM bundle; what is accepted is laid out too, as the role does it. The registry is
 * the hypervisor's for odd sizes, and one with each kind of property for even ones. */
#include "boot/bundle.h"
#include "boot/image.h"
#include "mem/vmid.h"
#include "unit/dev_fixture.h"
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

/* What a table says of a number, a text or an address holds, and each device has its place. */
static void check_devices(const struct dev_registry *registry, const struct vm_config *vm)
{
    uint32_t spis = vm->spis != 0 ? vm->spis : MACHINE_NR_SPIS;
    struct dev_instance instance;

    if (vm->nr_devices > VM_CONFIG_DEVICES)
        abort();
    for (uint32_t i = 0; i < vm->nr_devices; i++) {
        const struct dev_config *dev = &vm->device[i];
        if (dev->unit >= dev->class->max || dev->number[2] > 8 || dev->size > UINT64_C(1) << 40 ||
            (dev->mac[0] & 1) != 0 || (dev->text[1] != NULL && strlen(dev->text[1]) > 20))
            abort();
    }
    for (uint32_t n = 0; dev_instance(registry, vm, n, &instance); n++)
        if (instance.intid != 0 && instance.intid - 32 >= spis)
            abort();
}

static void use(const struct dev_registry *registry, const struct vm_config *vm)
{
    char reason[IMAGE_REASON_MAX];
    struct image_layout layout;

    if (vm->memory % PAGE_SIZE != 0 || vm->memory < VM_MIN_MEMORY || vm->name[0] == '\0' ||
        vm->kernel.size == 0)
        abort();
    check_limits(vm);
    check_devices(registry, vm);
    if (image_layout(vm, &layout, reason) != HV_OK && reason[0] == '\0')
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hv_config config;
    const struct dev_registry *registry = size % 2 != 0 ? &dev_registry : &dev_fixture_registry;
    char reason[BUNDLE_REASON_MAX];
    void *blob = malloc(size + (size == 0));

    memcpy(blob, data, size);
    if (bundle_parse(blob, size, registry, &config, reason) == HV_OK) {
        if (config.nr_vms == 0 || config.nr_vms > HV_MAX_VMS || config.pcpus > 64 ||
            config.vmids > VMID_MAX || config.vmids == 1 || config.console > HV_CONSOLE_LINES)
            abort();
        for (uint32_t i = 0; i < config.nr_vms; i++)
            use(registry, &config.vm[i]);
    } else if (reason[0] == '\0' || strlen(reason) >= BUNDLE_REASON_MAX) {
        abort();
    }
    free(blob);
    return 0;
}
