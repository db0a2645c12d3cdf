/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Disks without a device: the test plays the one that owns the backend. */
#ifndef TESTS_DISK_FIXTURE_H
#define TESTS_DISK_FIXTURE_H

#include "dev/disk.h"
#include "vm_fixture.h"

#define SECTOR UINT64_C(512)
#define PAGE   UINT64_C(4096)

struct disk_fixture {
    struct fixture f;
    struct disks disks;
};

static inline void disk_fixture_start(struct disk_fixture *d, uint64_t ram)
{
    fixture_hv(&d->f, ram, 1);
    disks_init(&d->disks, d->f.hv);
}

static inline void disk_fixture_end(struct disk_fixture *d)
{
    disks_destroy(&d->disks);
    fixture_end(&d->f);
}

static inline struct disk *disk_make(struct disk_fixture *d, const struct disk_setup *setup)
{
    cr_assert_eq(disks_add(&d->disks, 0, 0, setup), HV_OK);
    return disks_find(&d->disks, 0, 0);
}

/* All of [sector, sector + len), in as many pieces as the backend wants. Ends at the first error.
 */
static inline hv_err disk_do(struct disk *disk, enum blk_op op, uint64_t sector, void *buf,
                             uint64_t len)
{
    struct blk_backend *backend = &disk->backend;
    unsigned char *bytes = buf;

    while (len > 0) {
        struct blk_io *io;
        hv_err err = backend->ops->begin(backend, op, sector, len, &io);
        if (err != HV_OK)
            return err;
        cr_assert(io->len > 0 && io->len <= len && io->len % SECTOR == 0);
        cr_assert(io->op == op && io->sector == sector);
        if (op == BLK_WRITE)
            memcpy(io->buf, bytes, io->len);
        backend->ops->submit(backend, io);
        cr_assert_eq(backend->ops->collect(backend), io);
        cr_assert_null(backend->ops->collect(backend));
        err = io->result;
        if (err == HV_OK && op == BLK_READ)
            memcpy(bytes, io->buf, io->len);
        sector += io->len / SECTOR;
        bytes += bytes != NULL ? io->len : 0;
        len -= io->len;
        backend->ops->end(backend, io);
        if (err != HV_OK)
            return err;
    }
    return HV_OK;
}

#endif
