/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Disks: memory of the host's, whose requests are done when the test says so. */
#include "fakehal/fakehal.h"
#include <stdlib.h>
#include <string.h>

static struct fakehal_disk *disk_at(unsigned disk)
{
    if (disk >= fakehal()->nr_disks)
        fakehal_fail("disk %u: there are %u", disk, fakehal()->nr_disks);
    return &fakehal()->disk[disk];
}

unsigned fakehal_add_disk(uint64_t sectors, bool read_only)
{
    struct fakehal *hal = fakehal();
    struct fakehal_disk *disk = &hal->disk[hal->nr_disks];

    if (hal->nr_disks == HAL_DISKS_MAX)
        fakehal_fail("more than %u disks", HAL_DISKS_MAX);
    disk->info = (struct hal_disk_info){
        .sectors = sectors, .intid = 64 + hal->nr_disks, .read_only = read_only, .flush = true};
    disk->data = calloc(sectors, HAL_DISK_SECTOR);
    if (disk->data == NULL)
        fakehal_fail("the host is out of memory");
    return hal->nr_disks++;
}

unsigned hal_disk_count(void)
{
    return fakehal()->nr_disks;
}

void hal_disk_info(unsigned disk, struct hal_disk_info *out)
{
    *out = disk_at(disk)->info;
}

static void check_request(const struct fakehal_disk *disk, const struct hal_disk_request *request)
{
    uint64_t sectors = request->len / HAL_DISK_SECTOR;

    if (request->op == HAL_DISK_FLUSH) {
        if (!disk->info.flush)
            fakehal_fail("hal_disk_submit(): FLUSH to a disk that has none");
        return;
    }
    if (request->len == 0 || request->len % HAL_DISK_SECTOR != 0 || request->len > HAL_DISK_LEN_MAX)
        fakehal_fail("hal_disk_submit(): %u bytes", request->len);
    if (request->sector > disk->info.sectors || sectors > disk->info.sectors - request->sector)
        fakehal_fail("hal_disk_submit(): beyond the disk's end");
    if (request->op == HAL_DISK_WRITE && disk->info.read_only)
        fakehal_fail("hal_disk_submit(): WRITE to a read-only disk");
    (void)fakehal_mem(request->buf, request->len);
}

void hal_disk_submit(unsigned disk, unsigned slot, const struct hal_disk_request *request)
{
    struct fakehal_disk *d = disk_at(disk);

    if (slot >= HAL_DISK_SLOTS || d->slot[slot].state != FAKEHAL_DISK_FREE)
        fakehal_fail("hal_disk_submit(): slot %u is not free", slot);
    check_request(d, request);
    d->slot[slot].request = *request;
    d->slot[slot].state = FAKEHAL_DISK_BUSY;
    d->submits++;
    if (d->at_once)
        fakehal_disk_finish(disk, slot, HV_OK);
}

static void transfer(struct fakehal_disk *disk, const struct hal_disk_request *request)
{
    unsigned char *data = disk->data + request->sector * HAL_DISK_SECTOR;

    if (request->op == HAL_DISK_READ)
        memcpy(fakehal_mem(request->buf, request->len), data, request->len);
    else if (request->op == HAL_DISK_WRITE)
        memcpy(data, fakehal_mem(request->buf, request->len), request->len);
    else
        disk->flushes++;
}

void fakehal_disk_finish(unsigned disk, unsigned slot, hv_err result)
{
    struct fakehal_disk *d = disk_at(disk);

    if (slot >= HAL_DISK_SLOTS || d->slot[slot].state != FAKEHAL_DISK_BUSY)
        fakehal_fail("fakehal_disk_finish(): slot %u has no request", slot);
    if (result == HV_OK)
        transfer(d, &d->slot[slot].request);
    d->slot[slot].result = result;
    d->slot[slot].state = FAKEHAL_DISK_DONE;
    fakehal_irq_pend(0, d->info.intid);
}

unsigned fakehal_disk_finish_all(unsigned disk, hv_err result)
{
    unsigned count = 0;

    for (unsigned slot = 0; slot < HAL_DISK_SLOTS; slot++) {
        if (disk_at(disk)->slot[slot].state != FAKEHAL_DISK_BUSY)
            continue;
        fakehal_disk_finish(disk, slot, result);
        count++;
    }
    return count;
}

bool hal_disk_done(unsigned disk, unsigned *slot, hv_err *result)
{
    struct fakehal_disk *d = disk_at(disk);

    for (unsigned i = 0; i < HAL_DISK_SLOTS; i++) {
        if (d->slot[i].state != FAKEHAL_DISK_DONE)
            continue;
        d->slot[i].state = FAKEHAL_DISK_FREE;
        *slot = i;
        *result = d->slot[i].result;
        return true;
    }
    fakehal()->cpu[0].pending[d->info.intid] = false;
    return false;
}
