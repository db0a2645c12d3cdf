/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The memory of a VM: blocks of the page pool, the largest that fit, mapped at MACHINE_RAM_BASE. */
#ifndef VM_RAM_H
#define VM_RAM_H

#include "base/err.h"
#include "vm/vm.h"
#include <stdint.h>

/* Allocates, cleans (the guest starts with its caches off) and maps `size` bytes. On an error
 * vm_ram_free() gives back what there is. Only the manager, as the next: hv_worked(). */
HV_MUST_CHECK hv_err vm_ram_alloc(struct vm *vm, uint64_t size);
/* Scrubs and frees the blocks; the stage-2 tables are destroyed before. */
void vm_ram_free(struct vm *vm);

#endif
