/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The devicetree that a guest gets, generated from its configuration and the device registry. */
#ifndef BOOT_GUEST_FDT_H
#define BOOT_GUEST_FDT_H

#include "base/err.h"
#include "boot/image.h"
#include "vm/vm.h"
#include <stddef.h>

/*
 * Writes it to `buf`: /chosen (bootargs, stdout-path, initrd), memory, cpus, psci (hvc), GICv3,
 * architected timer, devices with their clocks. HV_ERR_NOMEM if it does not fit.
 */
HV_MUST_CHECK hv_err guest_fdt_build(const struct vm *vm, const struct image_layout *layout,
                                     void *buf, size_t size);

#endif
