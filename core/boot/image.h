/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Kernel images and where they go in a guest's memory. */
#ifndef BOOT_IMAGE_H
#define BOOT_IMAGE_H

#include "base/addr.h"
#include "base/err.h"
#include "vm/config.h"
#include "vm/vm.h"
#include <stdint.h>

#define IMAGE_REASON_MAX 160u

/* Where everything of a guest goes. Ranges are disjoint and inside its memory. */
struct image_layout {
    uint64_t kernel;           /* 0, and no bytes: there is none, but firmware in the flash */
    uint64_t kernel_file_size; /* bytes to copy */
    uint64_t kernel_span;      /* bytes it needs in memory: image_size of an arm64 Image */
    uint64_t initrd;           /* meaningful if initrd_size > 0 */
    uint64_t initrd_size;
    uint64_t dtb;
    uint64_t dtb_span;
};

#define IMAGE_DTB_SPAN UINT64_C(0x10000) /* room for the guest's devicetree */

/*
 * Decides the layout for `config`: an arm64 Image (magic "ARM\x64" at offset 56; Linux
 * Documentation/arm64/booting) goes to a 2 MiB boundary plus text_offset, a flat image to RAM +
 * MACHINE_FLAT_TEXT_OFFSET. The initrd follows at some distance, and then the devicetree; for a
 * flat image, and for firmware in the flash, the devicetree lies at the start of RAM, where
 * firmware for QEMU's virt looks for it.
 * Addresses in `config` come first. On an error (HV_ERR_FORMAT, HV_ERR_RANGE, HV_ERR_ALIGN,
 * HV_ERR_EXIST for an overlap) `reason` says why in words.
 */
HV_MUST_CHECK hv_err image_layout(const struct vm_config *config, struct image_layout *out,
                                  char reason[IMAGE_REASON_MAX]);

/*
 * Copies kernel, initrd and a generated devicetree into the memory of a created VM, and makes the
 * instructions visible. `layout` is what image_layout() decided for vm->config. Entry is
 * layout->kernel, x0 = layout->dtb. Only the manager, as it takes long: hv_worked(). HV_ERR_NOMEM
 * if there are no pages to build the devicetree in, or it does not fit its span; errors of
 * guest_mem_write().
 */
HV_MUST_CHECK hv_err image_load(struct vm *vm, const struct image_layout *layout);

#endif
