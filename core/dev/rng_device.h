/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The virtio entropy device as a class of the registry: virtio/rng.h. */
#ifndef DEV_RNG_DEVICE_H
#define DEV_RNG_DEVICE_H

#include "base/err.h"
#include "dev/registry.h"

/* The dev_class.create of its row. HV_ERR_UNSUPPORTED, with a line in the log: the machine has no
 * random numbers. */
HV_MUST_CHECK hv_err rng_device_create(struct vm *vm, const struct dev_instance *instance);

#endif
