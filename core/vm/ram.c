/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "vm/ram.h"
#include "abi/machine.h"
#include "base/check.h"
#include "hal/hal.h"
#include "vm/hv.h"
#include <stddef.h>

struct ram_block {
    pa_t base;
    uint64_t order;
};

/* The records are pages too, charged to the VM: their number depends on how fragmented the pool is.
 */
struct ram_page {
    struct ram_page *next;
    pa_t self;
    uint64_t count;
    uint64_t reserved;
    struct ram_block block[(PAGE_SIZE - 32) / sizeof(struct ram_block)];
};
_Static_assert(sizeof(struct ram_page) == PAGE_SIZE, "one page holds one record page");

/* The record page with room for one more block. */
static hv_err ram_record_page(struct vm *vm, struct ram_page **out)
{
    pa_t page;

    *out = vm->ram;
    if (vm->ram != NULL && vm->ram->count < ARRAY_LEN(vm->ram->block))
        return HV_OK;
    hv_err err = page_pool_alloc(&vm->hv->pool, &vm->account, 0, &page);
    if (err != HV_OK)
        return err;
    struct ram_page *record = hal_phys_map(page, PAGE_SIZE);
    HV_CHECK(record != NULL);
    record->self = page;
    record->next = vm->ram;
    vm->ram = record;
    *out = record;
    return HV_OK;
}

/* Blocks come in descending order from here, so that each is aligned in IPA as it is in PA, and
 * stage 2 maps it with the largest entries. */
_Static_assert((MACHINE_RAM_BASE & ((PAGE_SIZE << PAGE_POOL_MAX_ORDER) - 1)) == 0,
               "memory starts at a boundary of the largest block");

/* Largest order, up to `max_order`, whose block is no larger than `size`. */
static unsigned ram_fit_order(uint64_t size, unsigned max_order)
{
    unsigned order = max_order;

    while (order > 0 && size < PAGE_SIZE << order)
        order--;
    return order;
}

/* One block of at most `*order`, smaller ones if the pool has none; `*order` is then its. */
static hv_err ram_alloc_block(struct vm *vm, unsigned *order, pa_t *out)
{
    for (;;) {
        hv_err err = page_pool_take(&vm->hv->pool, &vm->account, *order, out);
        if (err != HV_ERR_NOMEM || *order == 0)
            return err;
        --*order;
    }
}

/* A block may be large: others have their turn in between. */
static void in_pieces(struct vm *vm, pa_t block, unsigned order,
                      void (*act)(struct vm *vm, pa_t at, uint64_t len))
{
    uint64_t size = PAGE_SIZE << order;

    for (uint64_t done = 0; done < size; done += HV_PIECE) {
        uint64_t len = size < HV_PIECE ? size : HV_PIECE;
        act(vm, pa_add(block, done), len);
        hv_worked(vm->hv, len);
    }
}

/* Makes the zeroes reach memory: the guest starts with its caches off. */
static void prepare(struct vm *vm, pa_t at, uint64_t len)
{
    void *ptr = hal_phys_map(at, len);

    HV_CHECK(ptr != NULL);
    page_pool_zero(&vm->hv->pool, at, len);
    hal_cache_op(ptr, len, HAL_CACHE_CLEAN_INV);
    hal_phys_unmap(ptr, len);
}

static void scrub(struct vm *vm, pa_t at, uint64_t len)
{
    page_pool_scrub(&vm->hv->pool, at, len);
}

hv_err vm_ram_alloc(struct vm *vm, uint64_t size)
{
    ipa_t at = ipa(MACHINE_RAM_BASE);
    unsigned max_order = PAGE_POOL_MAX_ORDER;

    while (size > 0) {
        struct ram_page *record;
        pa_t block;
        hv_err err = ram_record_page(vm, &record);
        if (err != HV_OK)
            return err;
        unsigned order = ram_fit_order(size, max_order);
        unsigned wanted = order;
        err = ram_alloc_block(vm, &order, &block);
        if (err != HV_OK)
            return err;
        if (order < wanted)
            max_order = order; /* the pool has no larger ones: do not ask for them again */
        record->block[record->count++] = (struct ram_block){block, order};
        uint64_t len = PAGE_SIZE << order;
        in_pieces(vm, block, order, prepare);
        err = s2_map(&vm->s2, at, block, len, S2_RWX, S2_MEM_NORMAL);
        if (err != HV_OK)
            return err;
        at = ipa_add(at, len);
        size -= len;
    }
    return HV_OK;
}

/* The blocks of a VM with holes are not what they were: vm_ram_empty() has given them back. */
void vm_ram_free(struct vm *vm)
{
    while (vm->ram != NULL) {
        struct ram_page *record = vm->ram;
        pa_t self = record->self;
        uint64_t count = vm->s2.fill == NULL ? record->count : 0;
        for (uint64_t i = 0; i < count; i++) {
            pa_t block = record->block[i].base;
            unsigned order = (unsigned)record->block[i].order;
            in_pieces(vm, block, order, scrub);
            page_pool_give(&vm->hv->pool, &vm->account, block, order);
        }
        vm->ram = record->next;
        hal_phys_unmap(record, PAGE_SIZE);
        page_pool_free(&vm->hv->pool, &vm->account, self, 0);
    }
}

/* --- Memory that comes and goes --- */

void vm_ram_allow_holes(struct vm *vm)
{
    vm->s2.fill = vm_ram_fill;
}

static bool is_ram(const struct vm *vm, ipa_t at, uint64_t len)
{
    return at.v >= MACHINE_RAM_BASE &&
           !range_exceeds(at.v - MACHINE_RAM_BASE, len, vm->config->memory);
}

/* Nobody else unmaps memory: what is seen here stays until s2_unmap(). */
hv_err vm_ram_take(struct vm *vm, ipa_t at, uint64_t len, pa_t *pa, uint64_t *taken)
{
    struct s2_mapping mapping;

    if (!is_ram(vm, at, len))
        return HV_ERR_RANGE;
    hv_err err = s2_query(&vm->s2, at, &mapping);
    if (err != HV_OK)
        return err;
    uint64_t offset = at.v - mapping.ipa.v;
    *pa = pa_add(mapping.pa, offset);
    *taken = mapping.size - offset < len ? mapping.size - offset : len;
    return s2_unmap(&vm->s2, at, *taken);
}

/* In the largest blocks that it is made of. */
static void give(struct vm *vm, pa_t pa, uint64_t len)
{
    while (len > 0) {
        unsigned order = ram_fit_order(len, PAGE_POOL_MAX_ORDER);
        while (!is_aligned(pa.v, PAGE_SIZE << order))
            order--;
        page_pool_split(&vm->hv->pool, pa, order);
        page_pool_give(&vm->hv->pool, &vm->account, pa, order);
        pa = pa_add(pa, PAGE_SIZE << order);
        len -= PAGE_SIZE << order;
    }
}

void vm_ram_release(struct vm *vm, pa_t pa, uint64_t len)
{
    page_pool_scrub(&vm->hv->pool, pa, len);
    give(vm, pa, len);
}

hv_err vm_ram_fill(struct s2 *s2, ipa_t at)
{
    struct vm *vm = list_entry(s2, struct vm, s2);
    struct page_pool *pool = &vm->hv->pool;
    ipa_t page = ipa(align_down(at.v, PAGE_SIZE));
    pa_t block;

    if (!is_ram(vm, page, PAGE_SIZE))
        return HV_ERR_NOENT;
    hv_err err = page_pool_alloc(pool, &vm->account, 0, &block);
    if (err != HV_OK)
        return err;
    void *ptr = hal_phys_map(block, PAGE_SIZE);
    HV_CHECK(ptr != NULL);
    hal_cache_op(ptr, PAGE_SIZE, HAL_CACHE_CLEAN_INV);
    hal_phys_unmap(ptr, PAGE_SIZE);
    err = s2_map(s2, page, block, PAGE_SIZE, S2_RWX, S2_MEM_NORMAL);
    if (err != HV_OK)
        page_pool_free(pool, &vm->account, block, 0);
    /* Another vCPU, or a device, was quicker. */
    return err == HV_ERR_EXIST ? HV_OK : err;
}

void vm_ram_empty(struct vm *vm)
{
    uint64_t end = MACHINE_RAM_BASE + vm->config->memory;
    struct s2_mapping mapping;

    for (uint64_t at = MACHINE_RAM_BASE; at < end; at += mapping.size) {
        mapping.size = PAGE_SIZE;
        if (s2_query(&vm->s2, ipa(at), &mapping) != HV_OK) {
            hv_worked(vm->hv, PAGE_SIZE);
            continue;
        }
        for (uint64_t done = 0; done < mapping.size; done += HV_PIECE) {
            uint64_t len = mapping.size < HV_PIECE ? mapping.size : HV_PIECE;
            vm_ram_release(vm, pa_add(mapping.pa, done), len);
            hv_worked(vm->hv, len);
        }
    }
}
