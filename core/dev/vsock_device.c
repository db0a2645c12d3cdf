/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/vsock_device.h"
#include "virtio/vsock.h"
#include "vm/device_mem.h"
#include "vm/hv.h"

const struct dev_prop vsock_props[VSOCK_PROPS] = {
    {"cid", DEV_PROP_U32, true, offsetof(struct dev_config, number[0]), VIRTIO_VSOCK_CID_FIRST,
     VIRTIO_VSOCK_CID_LAST},
};

static void destroy(struct vm *vm, void *dev)
{
    virtio_vsock_leave(dev);
    vm_device_free(vm, dev);
}

hv_err vsock_device_create(struct vm *vm, const struct dev_instance *instance)
{
    uint32_t cid = instance->config->number[0];
    void *mem;
    hv_err err = vm_device_alloc(vm, sizeof(struct virtio_vsock), &mem);

    if (err != HV_OK)
        return err;
    err =
        virtio_vsock_create(mem, vm, instance->base, instance->intid, cid, vm->hv->vsocks, destroy);
    if (err != HV_OK)
        vm_device_free(vm, mem);
    if (err == HV_ERR_EXIST)
        log_write(&vm->hv->log, LOG_MOD_DEV, LOG_ERROR, "%s: vsock: another VM has CID %u",
                  vm->config->name, cid);
    return err;
}
