/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/flash.h"
#include "base/bits.h"
#include "base/check.h"
#include "dev/cfi_flash.h"
#include "dev/disk.h"
#include "hal/hal.h"
#include "vm/hv.h"

struct flash {
    struct cfi_flash cfi;
    pa_t block;
};

/* Their numbers in dev_config.given, too. */
enum { PROP_VARIABLES, PROP_MACHINE };

const struct dev_prop flash_props[FLASH_NR_PROPS] = {
    [PROP_VARIABLES] = {.name = "variables",
                        .kind = DEV_PROP_BLOB,
                        .offset = offsetof(struct dev_config, image)},
    [PROP_MACHINE] = {.name = "machine",
                      .kind = DEV_PROP_U32,
                      .offset = offsetof(struct dev_config, number[0]),
                      .max = HAL_DISKS_MAX - 1},
};

static bool is_on_disk(const struct dev_config *config)
{
    return (config->given & BIT(PROP_MACHINE)) != 0;
}

const char *flash_check(const struct dev_config *config)
{
    if (config->image.size > FLASH_BANK_SIZE)
        return "variables: more than a bank of flash holds, 64 MiB";
    if (is_on_disk(config) && config->image.size != 0)
        return "machine: there are variables, too";
    return NULL;
}

static void flash_destroy(struct vm *vm, void *dev)
{
    struct flash *flash = dev;
    pa_t block = flash->block;

    hal_phys_unmap(flash, sizeof(*flash));
    page_pool_free(&vm->hv->pool, &vm->hv->account, block, page_pool_order(sizeof(*flash)));
}

/* Claims the disk for the flash: nobody else may have it. */
static hv_err use_disk(struct hv *hv, struct flash_bank *bank, uint32_t number)
{
    if (hv->disks != NULL && (hv->disks->machine & BIT(number)) != 0)
        return HV_ERR_EXIST;
    hv_err err = flash_bank_use_disk(bank, number);
    if (err == HV_OK && hv->disks != NULL)
        hv->disks->machine |= UINT32_C(1) << number;
    return err;
}

static hv_err make_store(struct vm *vm, const struct dev_config *config, struct flash_store **out)
{
    struct hv *hv = vm->hv;
    struct vm_blob images[FLASH_BANKS] = {vm->config->firmware};
    struct flash_store *store;

    if (config != NULL)
        images[1] = config->image;
    hv_err err = flash_store_create(&hv->pool, &hv->account, images, &store);
    if (err != HV_OK || config == NULL || !is_on_disk(config)) {
        *out = err == HV_OK ? store : NULL;
        return err;
    }
    err = use_disk(hv, &store->bank[1], config->number[0]);
    if (err == HV_OK) {
        *out = store;
        return HV_OK;
    }
    log_write(&hv->log, LOG_MOD_DEV, LOG_ERROR, "%s: flash: the machine's disk %u: %s",
              vm->config->name, config->number[0], hv_err_str(err));
    /* What the disk may still write to is nobody else's, for ever. */
    if (flash_disk_wait(&store->bank[1].disk))
        flash_store_destroy(store);
    return err;
}

/* What the last life left under way is done before the next one begins. */
static hv_err settle(struct flash_store *store)
{
    for (uint32_t i = 0; i < FLASH_BANKS; i++)
        if (store->bank[i].on_disk && !flash_disk_wait(&store->bank[i].disk))
            return HV_ERR_IO;
    return HV_OK;
}

static hv_err find_store(struct vm *vm, const struct dev_config *config, struct flash_store **out)
{
    struct flash_store **store = &vm->hv->flash[vm->id - 1];
    hv_err err = HV_OK;

    if (*store != NULL)
        err = settle(*store);
    else if (config != NULL || vm->config->firmware.size != 0)
        err = make_store(vm, config, store);
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
