/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Memory for the devices of a VM, charged to its account. */
#ifndef VM_DEVICE_MEM_H
#define VM_DEVICE_MEM_H

#include "base/err.h"
#include <stddef.h>

struct vm;

/*
 * *out: `size` (1 or more) zeroed bytes, aligned to 64, which go back by vm_device_free() before
 * vm_destroy() is done. HV_ERR_NOMEM, HV_ERR_QUOTA. Whole pages are allocated. Any pCPU; takes the
 * pool's lock.
 */
HV_MUST_CHECK hv_err vm_device_alloc(struct vm *vm, size_t size, void **out);
void vm_device_free(struct vm *vm, void *mem);

#endif
