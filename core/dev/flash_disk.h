/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A disk of the machine's that keeps what a bank of flash holds: its sectors, from the first on, as
 * far as whole sectors of flash go. Nobody else uses it. Writes go on while the guest runs; it
 * looks for their end when the guest does. For one pCPU at a time: the chips' lock.
 */
#ifndef DEV_FLASH_DISK_H
#define DEV_FLASH_DISK_H

#include "base/addr.h"
#include "base/err.h"
#include "hal/hal.h"
#include "vm/hv.h"
#include <stdbool.h>
#include <stdint.h>

struct flash_disk {
    unsigned number; /* of the HAL's */
    struct hal_disk_info info;
    uint32_t busy;  /* bit n: slot n is the HAL's */
    bool to_flush;  /* once they are done */
    hv_err outcome; /* of what is under way, or was last */
};

/* HV_ERR_NOENT if the machine has no such disk. Reads nothing. */
HV_MUST_CHECK hv_err flash_disk_open(struct flash_disk *disk, unsigned number);
/* Reads `len` bytes, multiples of 512 as `offset` is, up to HAL_DISK_SLOTS requests of the HAL's,
 * and waits for them: HV_ERR_IO, and then the disk may still be busy. Before the VM runs; only the
 * manager, as the next but one. */
HV_MUST_CHECK hv_err flash_disk_read(struct flash_disk *disk, struct hv *hv, uint64_t offset,
                                     pa_t to, uint64_t len);
/* Begins to write as much, and then to flush it. The disk is not busy; `from` stays as it is until
 * it is no more. */
void flash_disk_write(struct flash_disk *disk, uint64_t offset, pa_t from, uint64_t len);
/* True while it is: then `outcome` says nothing yet. */
bool flash_disk_is_busy(struct flash_disk *disk);
/* Until it is not, or for a second of the machine's: false if it still is. Only the manager, no
 * lock held: other VMs run meanwhile (hv_worked()). */
bool flash_disk_wait(struct flash_disk *disk, struct hv *hv);

#endif
