/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/disk.h"
#include "base/bits.h"
#include "base/check.h"

void disks_init(struct disks *disks, struct hv *hv)
{
    *disks = (struct disks){.hv = hv};
}

hv_err disk_alloc(struct hv *hv, uint64_t size, struct disk **out)
{
    unsigned order = page_pool_order(size);
    pa_t block;
    hv_err err = page_pool_alloc(&hv->pool, &hv->account, order, &block);

    if (err != HV_OK)
        return err;
    *out = hal_phys_map(block, PAGE_SIZE << order);
    HV_CHECK(*out != NULL);
    (*out)->block = block;
    (*out)->block_order = order;
    return HV_OK;
}

void disk_free(struct hv *hv, struct disk *disk)
{
    pa_t block = disk->block;
    unsigned order = disk->block_order;

    if (disk->destroy != NULL)
        disk->destroy(hv, disk);
    hal_phys_unmap(disk, PAGE_SIZE << order);
    page_pool_free(&hv->pool, &hv->account, block, order);
}

hv_err disks_add(struct disks *disks, uint32_t vm, uint32_t unit, const struct disk_setup *setup)
{
    struct disk *disk;
    hv_err err;

    if (setup->is_machine && setup->number < HAL_DISKS_MAX &&
        (disks->machine & BIT(setup->number)) != 0)
        return HV_ERR_EXIST;
    err = setup->is_machine ? disk_machine_create(disks->hv, setup, &disk)
                            : disk_ram_create(disks->hv, setup, &disk);
    if (err != HV_OK)
        return err;
    if (setup->is_machine) {
        disks->machine |= UINT32_C(1) << setup->number;
        disks->of_machine[setup->number] = disk;
    }
    for (size_t i = 0; setup->serial != NULL && setup->serial[i] != '\0'; i++)
        if (i < VIRTIO_BLK_ID_LEN)
            disk->backend.serial[i] = setup->serial[i];
    disk->vm = vm;
    disk->unit = unit;
    disk->next = disks->first;
    disks->first = disk;
    return HV_OK;
}

struct disk *disks_find(const struct disks *disks, uint32_t vm, uint32_t unit)
{
    struct disk *disk = disks->first;

    while (disk != NULL && (disk->vm != vm || disk->unit != unit))
        disk = disk->next;
    return disk;
}

void disks_forget(struct disks *disks, uint32_t vm)
{
    struct disk **link = disks == NULL ? NULL : &disks->first;

    while (link != NULL && *link != NULL) {
        struct disk *disk = *link;
        if (disk->vm == vm && disk_is_ram(disk)) {
            *link = disk->next;
            disk_free(disks->hv, disk);
        } else {
            link = &disk->next;
        }
    }
}

void disks_destroy(struct disks *disks)
{
    while (disks->first != NULL) {
        struct disk *disk = disks->first;
        disks->first = disk->next;
        disk_free(disks->hv, disk);
    }
    disks_init(disks, disks->hv);
}

bool disks_interrupt(struct disks *disks, uint32_t intid)
{
    for (unsigned i = 0; disks != NULL && i < HAL_DISKS_MAX; i++)
        if (disks->of_machine[i] != NULL && disk_machine_interrupt(disks->of_machine[i], intid))
            return true;
    return false;
}

void disks_route(struct disks *disks)
{
    for (unsigned i = 0; disks != NULL && i < HAL_DISKS_MAX; i++)
        if (disks->of_machine[i] != NULL)
            disk_machine_route(disks->of_machine[i]);
}
