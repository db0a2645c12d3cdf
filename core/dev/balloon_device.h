/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The virtio balloon as a class of the registry: virtio/balloon.h. */
#ifndef DEV_BALLOON_DEVICE_H
#define DEV_BALLOON_DEVICE_H

#include "base/err.h"
#include "dev/registry.h"

/* Of its row: what the bundle may say. */
#define BALLOON_PROPS 2u
extern const struct dev_prop balloon_props[BALLOON_PROPS];

/* The dev_class.create of its row. */
HV_MUST_CHECK hv_err balloon_device_create(struct vm *vm, const struct dev_instance *instance);

#endif
