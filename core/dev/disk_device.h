/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The class of devices "disk": what the bundle may say of one, and the virtio block device that a
 * VM gets for it. */
#ifndef DEV_DISK_DEVICE_H
#define DEV_DISK_DEVICE_H

#include "dev/disk.h"
#include "dev/registry.h"

#define DISK_PROPS 7u

extern const struct dev_prop disk_props[DISK_PROPS];
const char *disk_check(const struct dev_config *config);
hv_err disk_create(struct vm *vm, const struct dev_instance *instance);

/*
 * Makes the disks of all VMs. One that cannot be made is told to the log, and its VM will not
 * start. Before any VM is made.
 */
void disks_add_all(struct disks *disks, const struct hv_config *config);

#endif
