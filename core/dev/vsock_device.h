/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The virtio socket device as a class of the registry: virtio/vsock.h. */
#ifndef DEV_VSOCK_DEVICE_H
#define DEV_VSOCK_DEVICE_H

#include "base/err.h"
#include "dev/registry.h"

/* Of its row: what the bundle may say. */
#define VSOCK_PROPS 1u
extern const struct dev_prop vsock_props[VSOCK_PROPS];

/* The dev_class.create of its row. vm->hv->vsocks is there. HV_ERR_EXIST, with a line in the log:
 * another VM has that CID. */
HV_MUST_CHECK hv_err vsock_device_create(struct vm *vm, const struct dev_instance *instance);

#endif
