/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/rng_device.h"
#include "virtio/rng.h"
#include "vm/device_mem.h"
#include "vm/hv.h"

static void destroy(struct vm *vm, void *dev)
{
    virtio_rng_end(dev);
    vm_device_free(vm, dev);
}

hv_err rng_device_create(struct vm *vm, const struct dev_instance *instance)
{
    void *mem;
    hv_err err = vm_device_alloc(vm, sizeof(struct virtio_rng), &mem);

    if (err != HV_OK)
        return err;
    err = virtio_rng_create(mem, vm, instance->base, instance->intid, destroy);
    if (err != HV_OK)
        vm_device_free(vm, mem);
    if (err == HV_ERR_UNSUPPORTED)
        log_write(&vm->hv->log, LOG_MOD_DEV, LOG_ERROR,
                  "%s: rng: this machine has no random numbers to give", vm->config->name);
    return err;
}
