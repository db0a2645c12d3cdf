/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* One access of a guest to a device register, as the syndrome of the data abort describes it. */
#ifndef ARCH_MMIO_H
#define ARCH_MMIO_H

#include <stdbool.h>
#include <stdint.h>

/*
 * `offset` counts from the start of the device's region; size is 1, 2, 4 or 8 bytes. `value` is
 * zero-extended from `size` on a write and must be so on return from a read. The offset need not be
 * aligned to the size: each device decides what it allows.
 */
struct mmio_access {
    uint64_t offset;
    uint64_t value;
    uint32_t cpu; /* index within the VM of the vCPU that makes the access */
    uint8_t size;
    bool write;
};

#endif
