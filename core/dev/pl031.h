/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A guest's real-time clock: Arm PrimeCell PL031 (DDI 0224). Seconds since 1970, from the machine's
 * clock (hv->wall_base) and the counter; what the guest sets it to lasts as long as the VM.
 */
#ifndef DEV_PL031_H
#define DEV_PL031_H

#include "arch/mmio.h"
#include "base/err.h"
#include "base/lock.h"
#include "dev/registry.h"
#include "vm/device_timer.h"
#include "vm/vm.h"
#include <stdbool.h>
#include <stdint.h>

struct pl031 {
    struct spinlock lock; /* rank virtio: everything below it */
    struct vm *vm;
    uint32_t intid;
    uint32_t offset; /* what the guest's clock is ahead of the machine's, modulo 2^32 */
    uint32_t mr, lr, imsc, ris;
    struct device_timer alarm; /* the match, if it is to come */
};

/* The dev_class.create of its row. */
HV_MUST_CHECK hv_err pl031_create(struct vm *vm, const struct dev_instance *instance);

/*
 * An mmio_access_fn. Accesses of 1, 2 and 4 bytes, aligned to their size, are accesses of the
 * 32-bit register that they lie in, cut to their size. Others are refused. Offsets without a
 * register read as zero and ignore writes. Takes pl031->lock, and those of the vGIC and the timers
 * under it.
 */
bool pl031_access(void *dev, struct mmio_access *access);

#endif
