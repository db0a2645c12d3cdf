/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "disk_fixture.h"
#include "prng.h"

static struct disk_fixture d;
static unsigned char image[3 * 4096 + 700];

static void setup(void)
{
    disk_fixture_start(&d, MIB(8));
    for (size_t i = 0; i < sizeof(image); i++)
        image[i] = (unsigned char)(i / 512 * 7 + i + 1);
}

static void finish(void)
{
    disk_fixture_end(&d);
}

static unsigned char byte_at(struct disk *disk, uint64_t offset)
{
    unsigned char sector[512];

    cr_assert_eq(disk_do(disk, BLK_READ, offset / 512, sector, 512), HV_OK);
    return sector[offset % 512];
}

CASE(disk_ram, blank_reads_as_zeroes_and_costs_nothing)
{
    struct disk *disk = disk_make(&d, &(struct disk_setup){.size = DISK_MAX_SIZE, .serial = "s1"});
    unsigned char out[8192];

    cr_assert_eq(disk->backend.sectors, DISK_MAX_SIZE / 512);
    cr_assert_not(disk->backend.read_only);
    cr_assert_str_eq(disk->backend.serial, "s1");
    memset(out, 0xaa, sizeof(out));
    cr_assert_eq(disk_do(disk, BLK_READ, disk->backend.sectors - 16, out, 8192), HV_OK);
    for (size_t i = 0; i < sizeof(out); i++)
        cr_assert_eq(out[i], 0);
    cr_assert_eq(disk_used(disk), 0);
}

CASE(disk_ram, image_is_shared_and_never_written)
{
    const struct disk_setup setup = {.image = {image, sizeof(image)}};
    unsigned char before[sizeof(image)];
    unsigned char sector[512];
    struct disk *a;
    struct disk *b;

    memcpy(before, image, sizeof(image));
    cr_assert_eq(disks_add(&d.disks, 0, 0, &setup), HV_OK);
    cr_assert_eq(disks_add(&d.disks, 1, 0, &setup), HV_OK);
    a = disks_find(&d.disks, 0, 0);
    b = disks_find(&d.disks, 1, 0);
    cr_assert_eq(a->backend.sectors, 26, "12988 bytes are 25.4 sectors");
    memset(sector, 0x5a, 512);
    cr_assert_eq(disk_do(a, BLK_WRITE, 9, sector, 512), HV_OK);
    cr_assert_eq(byte_at(a, 9 * 512 + 3), 0x5a);
    cr_assert_eq(byte_at(a, 8 * 512 + 3), before[8 * 512 + 3], "the rest of the page is copied");
    cr_assert_eq(byte_at(b, 9 * 512 + 3), before[9 * 512 + 3]);
    cr_assert_eq(memcmp(image, before, sizeof(image)), 0);
    cr_assert_eq(byte_at(b, 12987), before[12987]);
    cr_assert_eq(byte_at(b, 12988), 0, "padding");
    cr_assert_null(disks_find(&d.disks, 1, 1));
}

CASE(disk_ram, discard_gives_pages_and_tables_back)
{
    struct disk *disk = disk_make(&d, &(struct disk_setup){.size = GIB(4)});
    unsigned char data[16384];

    memset(data, 1, sizeof(data));
    cr_assert_eq(disk_do(disk, BLK_WRITE, 0, data, sizeof(data)), HV_OK);
    cr_assert_eq(disk_do(disk, BLK_WRITE, GIB(2) / 512, data, 4096), HV_OK);
    cr_assert_eq(disk_used(disk), (4 + 1 + 5) * PAGE, "pages, and tables: a root, two and two");
    cr_assert_eq(disk_do(disk, BLK_DISCARD, 8, NULL, 8192), HV_OK);
    cr_assert_eq(disk_used(disk), (2 + 1 + 5) * PAGE);
    cr_assert_eq(byte_at(disk, 4096), 0);
    cr_assert_eq(byte_at(disk, 12288), 1);
    cr_assert_eq(disk_do(disk, BLK_DISCARD, 0, NULL, GIB(4)), HV_OK);
    cr_assert_eq(disk_used(disk), 0);
}

static unsigned turns;

static void count_turn(struct pcpu *pcpu)
{
    (void)pcpu;
    turns++;
}

/* Pages, tables, marks over the image, and the structs; what is another VM's stays. */
CASE(disk_ram, goes_with_its_vm)
{
    const struct disk_setup setup = {.image = {image, sizeof(image)}, .size = GIB(4)};
    static unsigned char data[MIB(2) + 4096];
    uint64_t before = page_pool_free_pages(&d.f.hv->pool);
    uint64_t without;

    cr_assert_eq(disks_add(&d.disks, 1, 0, &setup), HV_OK);
    without = page_pool_free_pages(&d.f.hv->pool);
    cr_assert_eq(disks_add(&d.disks, 0, 0, &setup), HV_OK);
    cr_assert_eq(disks_add(&d.disks, 0, 3, &setup), HV_OK);
    memset(data, 1, sizeof(data));
    cr_assert_eq(disk_do(disks_find(&d.disks, 0, 0), BLK_WRITE, 8, data, sizeof(data)), HV_OK);
    cr_assert_eq(disk_do(disks_find(&d.disks, 0, 0), BLK_DISCARD, 0, NULL, 4096), HV_OK);
    cr_assert_eq(disk_do(disks_find(&d.disks, 0, 3), BLK_WRITE, GIB(4) / 512 - 1, data, 512),
                 HV_OK);
    d.f.hv->turn = count_turn;
    d.f.hv->pcpu[0].passes = 1;
    turns = 0;
    disks_forget(&d.disks, 0);
    cr_expect_eq(turns, 2, "for 2 MiB");
    cr_expect_null(disks_find(&d.disks, 0, 0));
    cr_expect_null(disks_find(&d.disks, 0, 3));
    cr_expect_eq(page_pool_free_pages(&d.f.hv->pool), without);
    cr_expect_eq(byte_at(disks_find(&d.disks, 1, 0), 3 * 4096 + 699), image[3 * 4096 + 699]);
    disks_forget(&d.disks, 0);
    disks_forget(NULL, 0);
    disks_forget(&d.disks, 1);
    cr_expect_eq(page_pool_free_pages(&d.f.hv->pool), before);
}

CASE(disk_ram, zeroing_keeps_what_a_page_costs)
{
    struct disk *disk = disk_make(&d, &(struct disk_setup){.size = MIB(4)});
    unsigned char data[4096];

    memset(data, 1, sizeof(data));
    cr_assert_eq(disk_do(disk, BLK_WRITE, 8, data, sizeof(data)), HV_OK);
    uint64_t used = disk_used(disk);
    cr_assert_eq(disk_do(disk, BLK_ZERO, 0, NULL, MIB(4)), HV_OK);
    cr_assert_eq(byte_at(disk, 4096), 0);
    cr_assert_eq(disk_used(disk), used);
}

CASE(disk_ram, discard_hides_the_image)
{
    struct disk *disk = disk_make(&d, &(struct disk_setup){.image = {image, 8192}, .size = 16384});

    cr_assert_eq(disk_do(disk, BLK_DISCARD, 0, NULL, 4096), HV_OK);
    cr_assert_eq(byte_at(disk, 5), 0);
    cr_assert_eq(byte_at(disk, 4096), image[4096]);
    cr_assert_eq(disk_do(disk, BLK_DISCARD, 9, NULL, 512), HV_OK);
    cr_assert_eq(byte_at(disk, 4096), image[4096]);
    cr_assert_eq(byte_at(disk, 4096 + 512), 0);
    unsigned char one[512];
    memset(one, 9, 512);
    cr_assert_eq(disk_do(disk, BLK_WRITE, 0, one, 512), HV_OK);
    cr_assert_eq(byte_at(disk, 511), 9);
    cr_assert_eq(byte_at(disk, 512), 0, "what was hidden stays hidden");
}

CASE(disk_ram, quota_is_an_error_of_the_write)
{
    struct disk *disk = disk_make(&d, &(struct disk_setup){.size = MIB(4), .quota = 5 * PAGE});
    unsigned char data[8192];

    memset(data, 7, sizeof(data));
    cr_assert_eq(disk_do(disk, BLK_WRITE, 0, data, 8192), HV_OK, "three tables and two pages");
    cr_assert_eq(disk_do(disk, BLK_WRITE, 16, data, 4096), HV_ERR_QUOTA);
    cr_assert_eq(byte_at(disk, 8192), 0);
    cr_assert_eq(disk_do(disk, BLK_WRITE, 0, data, 8192), HV_OK, "what it has can be overwritten");
    cr_assert_eq(disk_do(disk, BLK_DISCARD, 0, NULL, 4096), HV_OK);
    cr_assert_eq(disk_do(disk, BLK_WRITE, 16, data, 4096), HV_OK);
}

CASE(disk_ram, every_allocation_can_fail)
{
    unsigned char data[4096];
    uint64_t nth = 1;

    memset(data, 3, sizeof(data));
    for (;; nth++) {
        const struct disk_setup setup = {.image = {image, sizeof(image)}, .size = MIB(4)};
        page_pool_fail_nth(&d.f.hv->pool, nth);
        hv_err err = disks_add(&d.disks, 0, 0, &setup);
        if (err == HV_OK) {
            struct disk *disk = disks_find(&d.disks, 0, 0);
            err = disk_do(disk, BLK_WRITE, 4096, data, 4096);
            if (err == HV_OK)
                err = disk_do(disk, BLK_DISCARD, 0, NULL, 4096);
            if (err != HV_OK) {
                page_pool_fail_nth(&d.f.hv->pool, 0);
                cr_assert_eq(byte_at(disk, 1), image[1]);
            }
        }
        disks_destroy(&d.disks);
        cr_assert_eq(d.f.hv->account.used, 0);
        cr_assert_eq(page_pool_free_pages(&d.f.hv->pool), d.f.free_pages);
        if (err == HV_OK)
            break;
        cr_assert_eq(err, HV_ERR_NOMEM);
    }
    page_pool_fail_nth(&d.f.hv->pool, 0);
    cr_assert_eq(nth, 8, "struct; tail and three tables; a table, a page: %lu",
                 (unsigned long)nth - 1);
}

CASE(disk_ram, hiding_the_image_can_fail)
{
    struct disk *disk = disk_make(&d, &(struct disk_setup){.image = {image, 4096}, .size = 8192});

    page_pool_fail_nth(&d.f.hv->pool, 1);
    cr_assert_eq(disk_do(disk, BLK_DISCARD, 0, NULL, 4096), HV_ERR_NOMEM);
    cr_assert_eq(byte_at(disk, 1), image[1]);
    page_pool_fail_nth(&d.f.hv->pool, 1);
    cr_assert_eq(disk_do(disk, BLK_ZERO, 1, NULL, 512), HV_ERR_NOMEM);
    cr_assert_eq(byte_at(disk, 513), image[513]);
}

CASE(disk_ram, setups_that_make_no_disk)
{
    const struct {
        struct disk_setup setup;
        hv_err err;
    } rows[] = {
        {{.size = 0}, HV_ERR_INVAL},
        {{.size = 513}, HV_ERR_ALIGN},
        {{.size = DISK_MAX_SIZE + 512}, HV_ERR_RANGE},
        {{.image = {image, 1025}, .size = 1024}, HV_ERR_INVAL},
        {{.image = {image, 700}, .quota = 3 * 4096}, HV_ERR_QUOTA},
        {{.is_machine = true, .number = 0}, HV_ERR_NOENT},
        {{.is_machine = true, .number = UINT32_MAX}, HV_ERR_NOENT},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_expect_eq(disks_add(&d.disks, 0, 0, &rows[i].setup), rows[i].err, "row %zu", i);
    cr_assert_null(disks_find(&d.disks, 0, 0));
}

CASE(disk_ram, flush_and_forget)
{
    struct disk *disk = disk_make(&d, &(struct disk_setup){.size = 8192, .read_only = true});
    const struct blk_backend_ops *ops = disk->backend.ops;
    struct blk_io *io;

    cr_assert(disk->backend.read_only);
    cr_assert_eq(ops->begin(&disk->backend, BLK_FLUSH, 0, 1, &io), HV_OK);
    ops->submit(&disk->backend, io);
    cr_assert_eq(ops->collect(&disk->backend), io);
    cr_assert_eq(io->result, HV_OK);
    ops->end(&disk->backend, io);
    cr_assert_eq(ops->begin(&disk->backend, BLK_READ, 0, 512, &io), HV_OK);
    ops->submit(&disk->backend, io);
    ops->forget(&disk->backend);
    cr_assert_null(ops->collect(&disk->backend));
    cr_assert_not(disks_interrupt(&d.disks, 64));
    cr_assert_not(disks_interrupt(NULL, 64));
    disks_route(&d.disks);
}

/* The device ends between submit() and collect(): the next one hears nothing of it. */
CASE(disk_ram, what_a_device_leaves_behind)
{
    struct disk *disk = disk_make(&d, &(struct disk_setup){.size = 8192});
    const struct blk_backend_ops *ops = disk->backend.ops;
    struct blk_io *io;

    cr_assert_eq(ops->begin(&disk->backend, BLK_WRITE, 0, 512, &io), HV_OK);
    memset(io->buf, 0x33, 512);
    ops->submit(&disk->backend, io);
    cr_assert_not_null(ops->detach);
    ops->detach(&disk->backend);
    cr_assert_null(ops->collect(&disk->backend));
    cr_assert_eq(byte_at(disk, 511), 0x33);
}

/* A whole page that was to be overwritten, and was not: what it had before is gone, and nothing of
 * anybody else's is in its place. */
CASE(disk_ram, a_write_that_is_given_up)
{
    struct disk *disk = disk_make(&d, &(struct disk_setup){.image = {image, 8192}});
    const struct blk_backend_ops *ops = disk->backend.ops;
    struct blk_io *io;

    cr_assert_eq(ops->begin(&disk->backend, BLK_WRITE, 0, 4096, &io), HV_OK);
    ops->end(&disk->backend, io);
    cr_assert_eq(byte_at(disk, 5), 0, "zeroes, as docs/disks.md has it");
    cr_assert_eq(byte_at(disk, 4096), image[4096]);
    cr_assert_eq(ops->begin(&disk->backend, BLK_WRITE, 8, 512, &io), HV_OK);
    ops->end(&disk->backend, io);
    cr_assert_eq(byte_at(disk, 4097), image[4097], "a part of one keeps what it had");
}

/* --- Against a plain array --- */

#define MODEL_SIZE MIB(3)

static unsigned char model[MODEL_SIZE];
static unsigned char scratch[65536];

static void model_step(struct disk *disk, uint64_t *seed)
{
    static const enum blk_op ops[] = {BLK_READ, BLK_WRITE, BLK_WRITE, BLK_ZERO, BLK_DISCARD};
    enum blk_op op = ops[prng_next(seed) % 5];
    uint64_t sectors = MODEL_SIZE / 512;
    uint64_t sector = prng_next(seed) % sectors;
    uint64_t most = op == BLK_READ || op == BLK_WRITE ? 128 : sectors;
    uint64_t count = 1 + prng_next(seed) % (prng_next(seed) % 8 == 0 ? most : 24);

    if (prng_next(seed) % 2 == 0)
        sector &= ~UINT64_C(7);
    if (count > sectors - sector)
        count = sectors - sector;
    if (op == BLK_WRITE)
        for (uint64_t i = 0; i < count * 512; i += 8)
            memcpy(scratch + i, &(uint64_t){prng_next(seed)}, 8);
    cr_assert_eq(disk_do(disk, op, sector, scratch, count * 512), HV_OK);
    if (op == BLK_READ)
        cr_assert_eq(memcmp(scratch, model + sector * 512, count * 512), 0);
    else if (op == BLK_WRITE)
        memcpy(model + sector * 512, scratch, count * 512);
    else
        memset(model + sector * 512, 0, count * 512);
}

/* Own pages that are not zero in the model must be there; more than all of them must not. */
static void model_check(struct disk *disk)
{
    for (uint64_t at = 0; at < MODEL_SIZE; at += sizeof(scratch)) {
        cr_assert_eq(disk_do(disk, BLK_READ, at / 512, scratch, sizeof(scratch)), HV_OK);
        cr_assert_eq(memcmp(scratch, model + at, sizeof(scratch)), 0);
    }
}

CASE(disk_ram, behaves_as_an_array)
{
    uint64_t seed = 0x51ec70125eed;

    for (unsigned round = 0; round < 4; round++) {
        const struct disk_setup setup = {.image = {image, round % 2 == 0 ? sizeof(image) : 0},
                                         .size = MODEL_SIZE};
        struct disk *disk = disk_make(&d, &setup);
        memset(model, 0, sizeof(model));
        memcpy(model, image, setup.image.size);
        for (unsigned step = 0; step < 1500; step++)
            model_step(disk, &seed);
        model_check(disk);
        cr_assert_leq(disk_used(disk), MODEL_SIZE + 5 * PAGE);
        cr_assert_eq(disk_do(disk, BLK_DISCARD, 0, NULL, MODEL_SIZE), HV_OK);
        memset(model, 0, sizeof(model));
        model_check(disk);
        cr_assert_eq(disk_used(disk), round % 2 == 0 ? 3 * PAGE : 0, "what hides the image");
        disks_destroy(&d.disks);
    }
}

CASES_RUN(disk_ram, setup, finish)
