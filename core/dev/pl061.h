/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A guest's GPIO controller: Arm PrimeCell PL061 (DDI 0190). Nothing is wired to it but the power
 * button, on pin 3 as on QEMU's virt, high while it is pressed. Its Linux driver gpio-keys makes a
 * key of it that asks for an orderly end.
 */
#ifndef DEV_PL061_H
#define DEV_PL061_H

#include "arch/mmio.h"
#include "base/err.h"
#include "base/lock.h"
#include "dev/registry.h"
#include "vm/device_timer.h"
#include "vm/vm.h"
#include <stdbool.h>
#include <stdint.h>

#define PL061_PIN_POWER 3u
/* How long the button stays down: drivers look again some milliseconds after the edge. */
#define PL061_PRESS_MS 100u

struct pl061 {
    struct spinlock lock; /* rank virtio: everything below it */
    struct vm *vm;
    uint32_t intid;
    uint32_t in;  /* levels of the pins from outside */
    uint32_t out; /* what was written to GPIODATA */
    uint32_t dir, is, ibe, iev, ie, afsel;
    uint32_t edges;              /* seen and not cleared */
    struct device_timer release; /* of the button, while it is down */
};

/* The dev_class.create of its row: makes it the VM's power button, too. */
HV_MUST_CHECK hv_err pl061_create(struct vm *vm, const struct dev_instance *instance);

/*
 * Presses the button for PL061_PRESS_MS. False, and nothing happens, if the guest has not enabled
 * the pin's interrupt: then nobody would notice. Any pCPU; takes pl061->lock.
 */
bool pl061_press(void *dev);

/*
 * An mmio_access_fn. Accesses of 1, 2 and 4 bytes, aligned to their size, are accesses of the
 * 32-bit register that they lie in, cut to their size. Others are refused. Offsets without a
 * register read as zero and ignore writes. Takes pl061->lock, and the vGIC's under it.
 */
bool pl061_access(void *dev, struct mmio_access *access);

#endif
