/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/console_device.h"
#include "base/fmt.h"
#include "dev/console.h"
#include "virtio/console.h"
#include "vm/device_mem.h"
#include "vm/hv.h"

const struct dev_prop console_props[CONSOLE_PROPS] = {
    {"ports", DEV_PROP_U32, false, offsetof(struct dev_config, number[0]), 1, CONSOLE_PORTS_MAX},
    {"peer", DEV_PROP_STRING, false, offsetof(struct dev_config, text[0]), 1, VM_NAME_MAX - 1},
};

struct console_device {
    struct virtio_console virtio; /* first */
    struct console_port port;
    char name[VM_NAME_MAX]; /* on the machine's console */
};

static void destroy(struct vm *vm, void *dev)
{
    struct console_device *device = dev;

    console_detach(&device->port);
    virtio_console_leave(&device->virtio);
    vm_device_free(vm, device);
}

hv_err console_device_create(struct vm *vm, const struct dev_instance *instance)
{
    const struct dev_config *config = instance->config;
    void *mem;
    hv_err err = vm_device_alloc(vm, sizeof(struct console_device), &mem);

    if (err != HV_OK)
        return err;
    struct console_device *device = mem;
    const struct virtio_console_setup setup = {
        .base = instance->base,
        .intid = instance->intid,
        .nr_ports = config->number[0] != 0 ? config->number[0] : 1,
        .peer = config->text[0],
        .line = {console_guest_write, console_guest_read, &device->port},
        .hub = vm->hv->consoles,
    };
    err = virtio_console_create(&device->virtio, vm, &setup, destroy);
    if (err != HV_OK) {
        vm_device_free(vm, device);
        return err;
    }
    /* Cut if the VM's name is long. */
    (void)fmt_snprintf(device->name, sizeof(device->name), "%.*s.hvc", (int)VM_NAME_MAX - 5,
                       vm->config->name);
    console_attach_line(vm->hv->console, &device->port, device->name, virtio_console_poll,
                        &device->virtio);
    return HV_OK;
}
