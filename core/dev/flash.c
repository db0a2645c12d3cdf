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
enum { PROP_VARIABLES, PROP_MACHINE, PROP_QUOTA };

const struct dev_prop flash_props[FLASH_NR_PROPS] = {
    [PROP_VARIABLES] = {.name = "variables",
                        .kind = DEV_PROP_BLOB,
                        .offset = offsetof(struct dev_config, image)},
    [PROP_MACHINE] = {.name = "machine",
                      .kind = DEV_PROP_U32,
                      .offset = offsetof(struct dev_config, number[0]),
                      .max = HAL_DISKS_MAX - 1},
    [PROP_QUOTA] = {.name = "quota",
                    .kind = DEV_PROP_U64,
                    .offset = offsetof(struct dev_config, quota),
                    .min = PAGE_SIZE,
                    .max = UINT64_MAX},
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

/* --- What it holds --- */

static void say(const struct vm *vm, const char *what)
{
    log_write(&vm->hv->log, LOG_MOD_DEV, LOG_ERROR, "%s: flash: %s", vm->config->name, what);
}

static void say_disk(const struct vm *vm, uint32_t number, const char *what)
{
    log_write(&vm->hv->log, LOG_MOD_DEV, LOG_ERROR, "%s: flash: the machine's disk %u: %s",
              vm->config->name, number, what);
}

static const char *reason_of(hv_err err)
{
    return err == HV_ERR_QUOTA ? "what it holds does not fit into its quota" : hv_err_str(err);
}

/* Nobody else may have the disk. */
static hv_err claim(struct hv *hv, uint32_t number)
{
    if (hv->disks == NULL)
        return HV_OK;
    if ((hv->disks->machine & BIT(number)) != 0)
        return HV_ERR_EXIST;
    hv->disks->machine |= UINT32_C(1) << number;
    return HV_OK;
}

static void release(struct hv *hv, uint32_t number)
{
    if (hv->disks != NULL)
        hv->disks->machine &= ~(UINT32_C(1) << number);
}

/*
 * The end of a store whose disk failed. What that may still write to is nobody else's, and the disk
 * takes nothing new: until it is done the store is kept, and false returned.
 */
static bool give_up(struct hv *hv, struct flash_store **store)
{
    struct flash_disk *disk = &(*store)->bank[1].disk;
    uint32_t number = disk->number;

    (*store)->failed = true;
    if (!flash_disk_wait(disk, hv))
        return false;
    flash_store_destroy(*store);
    release(hv, number);
    *store = NULL;
    return true;
}

static hv_err use_disk(struct vm *vm, struct flash_store **store, uint32_t number)
{
    hv_err err = claim(vm->hv, number);

    if (err != HV_OK) {
        flash_store_destroy(*store);
        *store = NULL;
        say_disk(vm, number, "is another's");
        return err;
    }
    err = flash_bank_use_disk(&(*store)->bank[1], number);
    if (err != HV_OK)
        say_disk(vm, number, give_up(vm->hv, store) ? reason_of(err) : "does not answer");
    return err;
}

static hv_err make_store(struct vm *vm, const struct dev_config *config, struct flash_store **store)
{
    struct flash_setup setup = {.image = {vm->config->firmware}};

    if (config != NULL) {
        setup.image[1] = config->image;
        setup.quota = config->quota;
    }
    hv_err err = flash_store_create(vm->hv, &setup, store);
    if (err != HV_OK)
        say(vm, reason_of(err));
    else if (config != NULL && is_on_disk(config))
        err = use_disk(vm, store, config->number[0]);
    return err;
}

/* What the last life left under way is done before the next one begins. */
static hv_err settle(struct vm *vm, struct flash_store **store)
{
    struct flash_bank *bank = &(*store)->bank[1];
    bool done = (*store)->failed ? give_up(vm->hv, store)
                                 : !bank->on_disk || flash_disk_wait(&bank->disk, vm->hv);

    if (done)
        return HV_OK;
    say_disk(vm, bank->disk.number, "is still busy with what it was asked for before");
    return HV_ERR_IO;
}

void flash_forget(struct hv *hv, uint32_t slot)
{
    struct flash_store **store = &hv->flash[slot];

    if (*store == NULL)
        return;
    if ((*store)->failed || (*store)->bank[1].on_disk) {
        (void)give_up(hv, store);
        return;
    }
    flash_store_destroy(*store);
    *store = NULL;
}

static hv_err find_store(struct vm *vm, const struct dev_config *config, struct flash_store **out)
{
    struct flash_store **store = &vm->hv->flash[vm->id - 1];
    hv_err err = HV_OK;

    if (*store != NULL)
        err = settle(vm, store);
    if (err == HV_OK && *store == NULL && (config != NULL || vm->config->firmware.size != 0))
        err = make_store(vm, config, store);
    *out = *store;
    return err;
}

/* --- The device --- */

static void flash_destroy(struct vm *vm, void *dev)
{
    struct flash *flash = dev;
    pa_t block = flash->block;

    hal_phys_unmap(flash, sizeof(*flash));
    page_pool_free(&vm->hv->pool, &vm->hv->account, block, page_pool_order(sizeof(*flash)));
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
