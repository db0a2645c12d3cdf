/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The devices that a VM can have, one row each: name, place in the guest's machine, constructor. */
#ifndef DEV_REGISTRY_H
#define DEV_REGISTRY_H

#include "base/err.h"
#include "vm/vm.h"
#include <stddef.h>
#include <stdint.h>

struct dev_class {
    const char *name;       /* node name in the guest's devicetree, before the @ */
    const char *compatible; /* strings of the property, each terminated; NULL: not in the guest's
                               devicetree */
    size_t compatible_len;  /* with all terminators */
    uint64_t base;
    uint64_t size;
    uint32_t intid;    /* an SPI, level-triggered */
    uint32_t clock_hz; /* of its uartclk and apb_pclk; 0: none */
    hv_err (*create)(struct vm *vm,
                     const struct dev_class *row); /* on the bus, registered with vm_add_device() */
};

extern const struct dev_class dev_registry[];
extern const size_t dev_registry_count;

/* Makes every device of the registry for `vm`. On an error vm_destroy() gives back what there is.
 */
HV_MUST_CHECK hv_err dev_create_all(struct vm *vm);

#endif
