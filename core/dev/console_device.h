/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The virtio console as a class of the registry: virtio/console.h. Its port 0 is on the machine's
 * console beside the VM's PL011. */
#ifndef DEV_CONSOLE_DEVICE_H
#define DEV_CONSOLE_DEVICE_H

#include "base/err.h"
#include "dev/registry.h"

/* Of its row: what the bundle may say. */
#define CONSOLE_PROPS 2u
extern const struct dev_prop console_props[CONSOLE_PROPS];

/* The dev_class.create of its row. vm->hv->consoles is there. */
HV_MUST_CHECK hv_err console_device_create(struct vm *vm, const struct dev_instance *instance);

#endif
