/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The flash that every VM has: the chips (dev/cfi_flash.h) before what they hold
 * (dev/flash_store.h), by the VM's configuration. */
#ifndef DEV_FLASH_H
#define DEV_FLASH_H

#include "dev/registry.h"

#define FLASH_NR_PROPS 3u

/* What the bundle may say of it. */
extern const struct dev_prop flash_props[FLASH_NR_PROPS];

const char *flash_check(const struct dev_config *config);

/*
 * A constructor of struct dev_class. What the flash holds is made in the VM's first life, from its
 * configuration's firmware and variables, or from a disk of the machine's, and is found again in
 * later ones: hv->flash[]. Flash of a
 * VM of whose configuration neither the node nor firmware is part is erased and write-protected.
 * Only the manager: other VMs run while it waits for a disk (hv_worked()). Errors are in the log.
 */
HV_MUST_CHECK hv_err flash_create(struct vm *vm, const struct dev_instance *instance);

/* The VM of the slot, which is not there any more, does not come back: what its flash held is given
 * back, or stays, to be tried again, while a disk of the machine's is busy with it. Only the
 * manager, as above. */
void flash_forget(struct hv *hv, uint32_t slot);

#endif
