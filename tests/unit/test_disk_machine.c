/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "disk_fixture.h"

static struct disk_fixture d;
static unsigned notified;

static void setup(void)
{
    disk_fixture_start(&d, MIB(8));
    notified = 0;
}

static void finish(void)
{
    disk_fixture_end(&d);
}

static void notify(void *ctx)
{
    (*(unsigned *)ctx)++;
}

static struct disk *machine_disk(uint64_t sectors, bool read_only)
{
    unsigned number = fakehal_add_disk(sectors, read_only);
    struct disk *disk =
        disk_make(&d, &(struct disk_setup){.is_machine = true, .number = number, .serial = "m"});

    disk->backend.ops->attach(&disk->backend, notify, &notified);
    return disk;
}

static struct blk_io *begin(struct disk *disk, enum blk_op op, uint64_t sector, uint64_t len)
{
    struct blk_io *io = NULL;

    cr_assert_eq(disk->backend.ops->begin(&disk->backend, op, sector, len, &io), HV_OK);
    return io;
}

static void submit(struct disk *disk, struct blk_io *io)
{
    disk->backend.ops->submit(&disk->backend, io);
}

static struct blk_io *collect(struct disk *disk)
{
    return disk->backend.ops->collect(&disk->backend);
}

CASE(disk_machine, is_what_the_machine_has)
{
    struct disk *disk = machine_disk(1000, false);

    cr_assert_eq(disk->backend.sectors, 1000);
    cr_assert_not(disk->backend.read_only);
    cr_assert_not(disk->backend.clears);
    cr_assert_eq(disk_used(disk), 0);
    cr_assert(fakehal()->cpu[0].enabled[64], "its interrupt");
    cr_assert_eq(disks_add(&d.disks, 1, 0, &(struct disk_setup){.is_machine = true}), HV_ERR_EXIST);
    disks_forget(&d.disks, 0);
    cr_assert_eq(disks_find(&d.disks, 0, 0), disk, "it may still be at work");
}

CASE(disk_machine, read_only_by_either_side)
{
    cr_assert(machine_disk(8, true)->backend.read_only);
    (void)fakehal_add_disk(8, false);
    cr_assert_eq(
        disks_add(&d.disks, 0, 1,
                  &(struct disk_setup){.is_machine = true, .number = 1, .read_only = true}),
        HV_OK);
    cr_assert(disks_find(&d.disks, 0, 1)->backend.read_only);
}

CASE(disk_machine, writes_and_reads)
{
    struct disk *disk = machine_disk(1000, false);
    struct blk_io *io = begin(disk, BLK_WRITE, 10, 1024);

    cr_assert_eq(io->len, 1024);
    memset(io->buf, 0x3c, 1024);
    submit(disk, io);
    cr_assert_null(collect(disk), "it takes time");
    cr_assert_not(disks_interrupt(&d.disks, 65), "another interrupt");
    cr_assert_eq(fakehal_disk_finish_all(0, HV_OK), 1);
    cr_assert_eq(notified, 0);
    cr_assert(disks_interrupt(&d.disks, 64));
    cr_assert_eq(notified, 1);
    cr_assert_eq(collect(disk), io);
    cr_assert_null(collect(disk));
    cr_assert_eq(io->result, HV_OK);
    disk->backend.ops->end(&disk->backend, io);
    cr_assert_eq(fakehal()->disk[0].data[10 * 512 + 1023], 0x3c);
    cr_assert_eq(fakehal()->disk[0].data[12 * 512], 0);
    fakehal()->disk[0].at_once = true;
    io = begin(disk, BLK_READ, 11, 512);
    submit(disk, io);
    cr_assert(disks_interrupt(&d.disks, 64));
    cr_assert_eq(collect(disk), io);
    cr_assert_eq(((unsigned char *)io->buf)[511], 0x3c);
    disk->backend.ops->end(&disk->backend, io);
}

CASE(disk_machine, flush_where_there_is_one)
{
    struct disk *disk = machine_disk(8, false);
    struct blk_io *io = begin(disk, BLK_FLUSH, 0, 1);

    cr_assert_eq(io->len, 0);
    submit(disk, io);
    cr_assert_null(collect(disk));
    (void)fakehal_disk_finish_all(0, HV_OK);
    cr_assert(disks_interrupt(&d.disks, 64));
    cr_assert_eq(collect(disk), io);
    disk->backend.ops->end(&disk->backend, io);
    cr_assert_eq(fakehal()->disk[0].flushes, 1);
}

CASE(disk_machine, flush_where_there_is_none)
{
    unsigned number = fakehal_add_disk(8, false);
    fakehal()->disk[number].info.flush = false;
    struct disk *disk = disk_make(&d, &(struct disk_setup){.is_machine = true});
    struct blk_io *io = begin(disk, BLK_FLUSH, 0, 1);

    submit(disk, io);
    cr_assert_eq(collect(disk), io);
    cr_assert_eq(io->result, HV_OK);
    disk->backend.ops->end(&disk->backend, io);
}

CASE(disk_machine, slots_run_out_and_long_pieces_are_cut)
{
    struct disk *disk = machine_disk(100000, false);
    struct blk_io *io[HAL_DISK_SLOTS];
    struct blk_io *more;

    for (unsigned i = 0; i < HAL_DISK_SLOTS; i++) {
        io[i] = begin(disk, BLK_READ, 200 * i, MIB(1));
        cr_assert_eq(io[i]->len, HAL_DISK_LEN_MAX);
        submit(disk, io[i]);
    }
    cr_assert_eq(disk->backend.ops->begin(&disk->backend, BLK_READ, 0, 512, &more), HV_ERR_BUSY);
    fakehal_disk_finish(0, 2, HV_ERR_IO);
    cr_assert(disks_interrupt(&d.disks, 64));
    cr_assert_eq(collect(disk), io[2]);
    cr_assert_eq(io[2]->result, HV_ERR_IO);
    disk->backend.ops->end(&disk->backend, io[2]);
    cr_assert_eq(begin(disk, BLK_READ, 0, 512), io[2]);
    disk->backend.ops->end(&disk->backend, io[2]);
}

CASE(disk_machine, what_is_forgotten_runs_out_first)
{
    struct disk *disk = machine_disk(100, false);
    struct blk_io *io = begin(disk, BLK_WRITE, 0, 512);
    struct blk_io *more;

    submit(disk, io);
    (void)begin(disk, BLK_WRITE, 0, 512);
    submit(disk, begin(disk, BLK_WRITE, 1, 512));
    fakehal_disk_finish(0, 2, HV_OK);
    cr_assert(disks_interrupt(&d.disks, 64));
    disk->backend.ops->forget(&disk->backend);
    cr_assert_null(collect(disk));
    cr_assert_eq(disk->backend.ops->begin(&disk->backend, BLK_WRITE, 0, 512, &more), HV_ERR_BUSY);
    disk->backend.ops->forget(&disk->backend);
    cr_assert_eq(fakehal_disk_finish_all(0, HV_OK), 1);
    notified = 0;
    cr_assert(disks_interrupt(&d.disks, 64));
    cr_assert_eq(notified, 1, "begin() may succeed again");
    cr_assert_null(collect(disk));
    for (unsigned i = 0; i < HAL_DISK_SLOTS; i++)
        (void)begin(disk, BLK_READ, 0, 512);
}

CASE(disk_machine, nobody_is_told_after_detach)
{
    struct disk *disk = machine_disk(100, false);

    submit(disk, begin(disk, BLK_READ, 0, 512));
    disk->backend.ops->detach(&disk->backend);
    (void)fakehal_disk_finish_all(0, HV_OK);
    cr_assert(disks_interrupt(&d.disks, 64));
    cr_assert_eq(notified, 0);
    cr_assert_null(collect(disk));
    disk->backend.ops->attach(&disk->backend, notify, &notified);
    submit(disk, begin(disk, BLK_READ, 0, 512));
}

CASE(disk_machine, an_interrupt_for_nothing)
{
    struct disk *disk = machine_disk(100, false);

    notified = 0;
    cr_assert(disks_interrupt(&d.disks, 64));
    cr_assert_eq(notified, 0);
    cr_assert_null(collect(disk));
}

CASE(disk_machine, interrupts_follow_a_pcpu)
{
    disks_route(NULL);
    (void)machine_disk(100, false);
    fakehal()->self = 1;
    disks_route(&d.disks);
    cr_assert(fakehal()->cpu[1].enabled[64]);
    fakehal()->self = 0;
}

CASE(disk_machine, every_allocation_can_fail)
{
    const struct disk_setup setup = {.is_machine = true};

    (void)fakehal_add_disk(8, false);
    for (uint64_t nth = 1; nth <= 2; nth++) {
        page_pool_fail_nth(&d.f.hv->pool, nth);
        cr_assert_eq(disks_add(&d.disks, 0, 0, &setup), HV_ERR_NOMEM);
    }
    fakehal()->disk[0].info.intid = 2000;
    cr_assert_eq(disks_add(&d.disks, 0, 0, &setup), HV_ERR_RANGE, "no such interrupt");
    cr_assert_eq(d.f.hv->account.used, 0);
}

CASES_RUN(disk_machine, setup, finish)
