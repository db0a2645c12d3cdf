/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The nodes below /vms of a bundle. For boot/bundle.c. */
#ifndef BOOT_BUNDLE_VM_H
#define BOOT_BUNDLE_VM_H

#include "boot/bundle_props.h"

/* Appends the VM that the node at `offset` describes to p->out. HV_ERR_FORMAT or HV_ERR_RANGE with
 * the reason.
 */
HV_MUST_CHECK hv_err bundle_read_vm(struct bundle_parser *p, int offset);

#endif
