/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/flash.h"
#include "base/check.h"
#include "dev/cfi_flash.h"
#include "hal/hal.h"
#include "vm/hv.h"

struct flash {
    struct cfi_flash cfi;
    pa_t block;
};

const struct dev_prop flash_props[FLASH_NR_PROPS] = {
    {.name = "variables", .kind = DEV_PROP_BLOB, .offset = offsetof(struct dev_config, image)},
};

static void flash_destroy(struct vm *vm, void *dev)
{
    struct flash *flash = dev;
    pa_t block = flash->block;

    hal_phys_unmap(flash, sizeof(*flash));
    page_pool_free(&vm->hv->pool, &vm->hv->account, block, page_pool_order(sizeof(*flash)));
}

static hv_err find_store(struct vm *vm, const struct dev_config *config, struct flash_store **out)
{
    struct hv *hv = vm->hv;
    struct flash_store **store = &hv->flash[vm->id - 1];
    struct vm_blob images[FLASH_BANKS] = {vm->config->firmware};
    hv_err err = HV_OK;

    if (config != NULL)
        images[1] = config->image;
    if (*store == NULL && (config != NULL || images[0].size != 0))
        err = flash_store_create(&hv->pool, &hv->account, images, store);
    *out = *store;
    return err;
}

hv_err flash_create(struct vm *vm, const struct dev_instance *instance)
{
    struct hv *hv = vm->hv;
    struct flash_store *store;
    struct flash *flash;
    pa_t block;
    hv_err err = find_store(vm, instance->config, &store);

    if (err == HV_OK)
        err = page_pool_alloc(&hv->pool, &hv->account, page_pool_order(sizeof(*flash)), &block);
    if (err != HV_OK)
        return err;
    flash = hal_phys_map(block, sizeof(*flash));
    HV_CHECK(flash != NULL);
    flash->block = block;
    err = vm_add_device(vm, flash, flash_destroy);
    if (err != HV_OK) {
        flash_destroy(vm, flash);
        return err;
    }
    return cfi_flash_init(&flash->cfi, vm, instance->base, store);
}
