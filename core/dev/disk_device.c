/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/disk_device.h"
#include "base/bits.h"
#include "base/check.h"
#include <string.h>

/* Their numbers in dev_config.given, too. */
enum {
    PROP_IMAGE,
    PROP_SIZE,
    PROP_QUOTA,
    PROP_MACHINE,
    PROP_READ_ONLY,
    PROP_SERIAL,
    PROP_IMAGE_OF
};

const struct dev_prop disk_props[DISK_PROPS] = {
    [PROP_IMAGE] = {"image", DEV_PROP_BLOB, false, offsetof(struct dev_config, image), 0, 0},
    [PROP_SIZE] = {"size", DEV_PROP_U64, false, offsetof(struct dev_config, size),
                   VIRTIO_BLK_SECTOR, DISK_MAX_SIZE},
    [PROP_QUOTA] = {"quota", DEV_PROP_U64, false, offsetof(struct dev_config, quota), PAGE_SIZE,
                    UINT64_MAX},
    [PROP_MACHINE] = {"machine", DEV_PROP_U32, false, offsetof(struct dev_config, number[0]), 0,
                      HAL_DISKS_MAX - 1},
    [PROP_READ_ONLY] = {"read-only", DEV_PROP_FLAG, false, offsetof(struct dev_config, flag[0]), 0,
                        0},
    [PROP_SERIAL] = {"serial", DEV_PROP_STRING, false, offsetof(struct dev_config, text[0]), 1,
                     VIRTIO_BLK_ID_LEN},
    [PROP_IMAGE_OF] = {"image-of", DEV_PROP_STRING, false, offsetof(struct dev_config, text[1]), 1,
                       VM_NAME_MAX - 1},
};

static bool is_given(const struct dev_config *config, unsigned prop)
{
    return (config->given & BIT(prop)) != 0;
}

const char *disk_check(const struct dev_config *config)
{
    static const uint64_t in_memory =
        BIT(PROP_IMAGE) | BIT(PROP_IMAGE_OF) | BIT(PROP_SIZE) | BIT(PROP_QUOTA);

    if (is_given(config, PROP_MACHINE))
        return (config->given & in_memory) != 0
                   ? "machine: there is an image, a size or a quota too"
                   : NULL;
    if (is_given(config, PROP_IMAGE) && is_given(config, PROP_IMAGE_OF))
        return "image-of: there is an image too";
    if ((config->given & in_memory & ~BIT(PROP_QUOTA)) == 0)
        return "image: missing, and so are size and machine";
    if (config->size % VIRTIO_BLK_SECTOR != 0)
        return "size: no multiple of 512";
    if (is_given(config, PROP_SIZE) && config->image.size > config->size)
        return "size: smaller than the image";
    return NULL;
}

/* --- Disks --- */

static const struct vm_blob *find_image(const struct hv_config *config, const char *vm,
                                        uint32_t unit)
{
    for (uint32_t slot = 0; slot < config->nr_vms; slot++) {
        const struct vm_config *other = &config->vm[slot];
        if (strcmp(other->name, vm) != 0)
            continue;
        for (uint32_t i = 0; i < other->nr_devices; i++)
            if (other->device[i].class->create == disk_create && other->device[i].unit == unit &&
                other->device[i].image.size != 0)
                return &other->device[i].image;
    }
    return NULL;
}

static const char *reason_of(hv_err err)
{
    if (err == HV_ERR_NOENT)
        return "machine: there is no such disk that can be used";
    if (err == HV_ERR_EXIST)
        return "machine: this disk is another's";
    return hv_err_str(err);
}

static void add(struct disks *disks, const struct hv_config *all, uint32_t slot,
                const struct dev_config *config)
{
    struct log *log = &disks->hv->log;
    const char *vm = all->vm[slot].name;
    const struct vm_blob *image = &config->image;
    struct disk_setup setup = {
        .size = config->size,
        .quota = config->quota,
        .is_machine = is_given(config, PROP_MACHINE),
        .number = config->number[0],
        .read_only = config->flag[0],
        .serial = config->text[0],
    };
    hv_err err;

    if (config->text[1] != NULL) {
        image = find_image(all, config->text[1], config->unit);
        if (image == NULL) {
            log_write(log, LOG_MOD_DEV, LOG_ERROR, "%s: disk %u: image-of: %s has no such image",
                      vm, config->unit, config->text[1]);
            return;
        }
    }
    setup.image = *image;
    err = disks_add(disks, slot, config->unit, &setup);
    if (err != HV_OK)
        log_write(log, LOG_MOD_DEV, LOG_ERROR, "%s: disk %u: %s", vm, config->unit, reason_of(err));
}

void disks_add_all(struct disks *disks, const struct hv_config *config)
{
    for (uint32_t slot = 0; slot < config->nr_vms; slot++) {
        const struct vm_config *vm = &config->vm[slot];
        for (uint32_t i = 0; i < vm->nr_devices; i++)
            if (vm->device[i].class->create == disk_create)
                add(disks, config, slot, &vm->device[i]);
    }
}

/* --- The device of one --- */

/* It lies in a block of the VM's. */
static void device_free(struct vm *vm, struct virtio_blk *blk, unsigned order)
{
    hal_phys_unmap(blk, PAGE_SIZE << order);
    page_pool_free(&vm->hv->pool, &vm->account, blk->block, order);
}

static void device_destroy(struct vm *vm, void *dev)
{
    struct virtio_blk *blk = dev;
    unsigned order = page_pool_order(virtio_blk_size(blk->backend));

    virtio_blk_detach(blk);
    device_free(vm, blk, order);
}

hv_err disk_create(struct vm *vm, const struct dev_instance *instance)
{
    struct disk *disk = vm->hv->disks == NULL
                            ? NULL
                            : disks_find(vm->hv->disks, vm->id - 1u, instance->config->unit);
    struct virtio_blk *blk;
    unsigned order;
    pa_t block;
    hv_err err;

    if (disk == NULL)
        return HV_ERR_NOENT;
    order = page_pool_order(virtio_blk_size(&disk->backend));
    err = page_pool_alloc(&vm->hv->pool, &vm->account, order, &block);
    if (err != HV_OK)
        return err;
    blk = hal_phys_map(block, PAGE_SIZE << order);
    HV_CHECK(blk != NULL);
    blk->block = block;
    err =
        virtio_blk_create(blk, vm, instance->base, instance->intid, &disk->backend, device_destroy);
    if (err != HV_OK)
        device_free(vm, blk, order);
    return err;
}
