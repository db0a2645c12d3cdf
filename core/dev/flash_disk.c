/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/flash_disk.h"
#include "base/bits.h"
#include "base/check.h"

hv_err flash_disk_open(struct flash_disk *disk, unsigned number)
{
    *disk = (struct flash_disk){.number = number};
    if (number >= hal_disk_count())
        return HV_ERR_NOENT;
    hal_disk_info(number, &disk->info);
    return HV_OK;
}

static void submit(struct flash_disk *disk, unsigned slot, const struct hal_disk_request *request)
{
    disk->busy |= UINT32_C(1) << slot;
    hal_disk_submit(disk->number, slot, request);
}

static void transfer(struct flash_disk *disk, enum hal_disk_op op, uint64_t offset, pa_t memory,
                     uint64_t len)
{
    HV_CHECK(disk->busy == 0 && len <= HAL_DISK_SLOTS * (uint64_t)HAL_DISK_LEN_MAX);
    disk->outcome = HV_OK;
    for (unsigned slot = 0; len > 0; slot++) {
        uint32_t part = len < HAL_DISK_LEN_MAX ? (uint32_t)len : HAL_DISK_LEN_MAX;
        const struct hal_disk_request request = {
            .op = op, .len = part, .sector = offset / HAL_DISK_SECTOR, .buf = memory};
        submit(disk, slot, &request);
        offset += part;
        memory = pa_add(memory, part);
        len -= part;
    }
}

bool flash_disk_is_busy(struct flash_disk *disk)
{
    static const struct hal_disk_request flush = {.op = HAL_DISK_FLUSH};
    unsigned slot;
    hv_err result;

    while (disk->busy != 0 && hal_disk_done(disk->number, &slot, &result)) {
        disk->busy &= ~(UINT32_C(1) << slot);
        if (result != HV_OK)
            disk->outcome = result;
    }
    if (disk->busy == 0 && disk->to_flush) {
        disk->to_flush = false;
        submit(disk, 0, &flush);
    }
    return disk->busy != 0;
}

bool flash_disk_wait(struct flash_disk *disk, struct hv *hv)
{
    uint64_t end = hal_time_now() + hal_time_hz();

    while (flash_disk_is_busy(disk)) {
        if (hal_time_now() > end)
            return false;
        hal_cpu_relax();
        hv_worked(hv, HV_PIECE);
    }
    return true;
}

hv_err flash_disk_read(struct flash_disk *disk, struct hv *hv, uint64_t offset, pa_t to,
                       uint64_t len)
{
    transfer(disk, HAL_DISK_READ, offset, to, len);
    return flash_disk_wait(disk, hv) ? disk->outcome : HV_ERR_IO;
}

void flash_disk_write(struct flash_disk *disk, uint64_t offset, pa_t from, uint64_t len)
{
    disk->to_flush = disk->info.flush;
    transfer(disk, HAL_DISK_WRITE, offset, from, len);
}
