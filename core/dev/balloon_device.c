/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/balloon_device.h"
#include "virtio/balloon.h"
#include "vm/device_mem.h"

const struct dev_prop balloon_props[BALLOON_PROPS] = {
    {"deflate-on-oom", DEV_PROP_FLAG, false, offsetof(struct dev_config, flag[0]), 0, 0},
    {"reporting", DEV_PROP_FLAG, false, offsetof(struct dev_config, flag[1]), 0, 0},
};

static void destroy(struct vm *vm, void *dev)
{
    virtio_balloon_deflate(dev);
    vm_device_free(vm, dev);
}

hv_err balloon_device_create(struct vm *vm, const struct dev_instance *instance)
{
    const struct dev_config *config = instance->config;
    uint64_t withheld = (config->flag[0] ? 0 : VIRTIO_BALLOON_F_DEFLATE_ON_OOM) |
                        (config->flag[1] ? 0 : VIRTIO_BALLOON_F_PAGE_REPORTING);
    void *mem;
    hv_err err = vm_device_alloc(vm, sizeof(struct virtio_balloon), &mem);

    if (err != HV_OK)
        return err;
    err = virtio_balloon_create(mem, vm, instance->base, instance->intid, withheld, destroy);
    if (err != HV_OK)
        vm_device_free(vm, mem);
    return err;
}
