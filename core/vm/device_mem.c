/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "vm/device_mem.h"
#include "base/check.h"
#include "hal/hal.h"
#include "vm/hv.h"

/* Before the memory, so that whoever gives it back need know no more than where it is. */
struct device_mem {
    _Alignas(64) pa_t block;
    unsigned order;
};

hv_err vm_device_alloc(struct vm *vm, size_t size, void **out)
{
    unsigned order = page_pool_order(sizeof(struct device_mem) + size);
    pa_t block;
    hv_err err = page_pool_alloc(&vm->hv->pool, &vm->account, order, &block);

    if (err != HV_OK)
        return err;
    struct device_mem *mem = hal_phys_map(block, PAGE_SIZE << order);
    HV_CHECK(mem != NULL);
    mem->block = block;
    mem->order = order;
    *out = mem + 1;
    return HV_OK;
}

void vm_device_free(struct vm *vm, void *mem)
{
    struct device_mem *head = (struct device_mem *)mem - 1;
    pa_t block = head->block;
    unsigned order = head->order;

    hal_phys_unmap(head, PAGE_SIZE << order);
    page_pool_free(&vm->hv->pool, &vm->account, block, order);
}
