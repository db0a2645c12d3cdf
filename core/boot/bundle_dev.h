/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The nodes below a VM's in a bundle: its devices. For boot/bundle_vm.c. */
#ifndef BOOT_BUNDLE_DEV_H
#define BOOT_BUNDLE_DEV_H

#include "boot/bundle_props.h"

/*
 * Appends to vm->device[] what each node below `node`, which is that of `vm`, asks for, in their
 * order; vm->name and vm->spis are set. HV_ERR_FORMAT or HV_ERR_RANGE with the reason.
 */
HV_MUST_CHECK hv_err bundle_read_devices(struct bundle_parser *p, int node, struct vm_config *vm);

#endif
