/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A disk in memory: an image that is shared and never written, and over it the disk's own pages, in
 * a radix tree of three levels. A page that is not in the tree is the image's, or zero beyond it.
 * Without a lock: it is its one device's.
 */
#include "base/bits.h"
#include "base/check.h"
#include "dev/disk.h"
#include "dev/disk_tree.h"
#include <string.h>

#define RUN_PAGES    16u /* in one piece, if they lie next to each other in memory */
#define CLEAR_PAGES  64u /* that are looked at in one go */
#define PAGE_SECTORS (PAGE_SIZE / VIRTIO_BLK_SECTOR)

_Static_assert(DISK_MAX_SIZE >> PAGE_SHIFT == DISK_TREE_PAGES, "the tree reaches all of it");

struct disk_ram {
    struct disk disk; /* first */
    struct disk_tree tree;
    const unsigned char *image;
    uint64_t image_pages; /* whole ones */
    struct blk_io io;     /* the one piece that there is */
    bool is_done;
    unsigned char *mapped; /* own pages that are in use, of which io.buf is a part; NULL: none */
    uint64_t mapped_len;
};

static const unsigned char zero_page[PAGE_SIZE];

static struct disk_ram *ram_of(struct blk_backend *backend)
{
    return (struct disk_ram *)(void *)backend;
}

static uint64_t entry_of(struct disk_ram *ram, uint64_t page)
{
    struct disk_place place;
    uint64_t entry;

    if (disk_tree_find(&ram->tree, page, false, &place) != HV_OK)
        return 0;
    entry = *place.entry;
    disk_place_leave(&place);
    return entry;
}

/* --- Reading and writing --- */

static bool is_of_image(const struct disk_ram *ram, uint64_t page, uint64_t entry)
{
    return entry == 0 && page < ram->image_pages;
}

/* The pages of so many entries that follow each other in memory, too: the first is an own one. Such
 * pages are of one region of the pool, at whose beginning there is a page of no block, and all of
 * which the HAL maps. */
static void run_map(struct disk_ram *ram, const uint64_t *entry, uint64_t most)
{
    uint64_t count = 1;

    while (count < most && entry[count] == entry[0] + (count << PAGE_SHIFT))
        count++;
    ram->mapped_len = count << PAGE_SHIFT;
    ram->mapped = hal_phys_map(pa(entry[0]), ram->mapped_len);
    HV_CHECK(ram->mapped != NULL);
}

static void run_unmap(struct disk_ram *ram)
{
    if (ram->mapped != NULL)
        hal_phys_unmap(ram->mapped, ram->mapped_len);
    ram->mapped = NULL;
}

/* Maps the disk's own page, made if it is not there; with what it had before unless `all` of it is
 * to be overwritten: then it is zeroes, also if the WRITE comes to nothing. And those behind it
 * that are there, `most` in all. */
static hv_err page_own(struct disk_ram *ram, uint64_t page, bool all, uint64_t most)
{
    struct disk_place place;
    hv_err err = disk_tree_find(&ram->tree, page, true, &place);
    bool copy;

    if (err != HV_OK)
        return err;
    copy = is_of_image(ram, page, *place.entry) && !all;
    if (*place.entry <= DISK_ENTRY_ZERO)
        err = disk_entry_fill(&ram->tree, place.entry);
    if (err == HV_OK) {
        run_map(ram, place.entry, most);
        if (copy)
            memcpy(ram->mapped, ram->image + (page << PAGE_SHIFT), PAGE_SIZE);
    }
    disk_place_leave(&place);
    return err;
}

/* --- Clearing --- */

static void page_blank(uint64_t entry)
{
    void *own = disk_page_map(entry);

    memset(own, 0, PAGE_SIZE);
    hal_phys_unmap(own, PAGE_SIZE);
}

/* It reads as zeroes from now on; with `keep` it costs what it did. */
static hv_err page_clear(struct disk_ram *ram, uint64_t page, bool keep)
{
    bool hides = page < ram->image_pages;
    struct disk_place place;
    hv_err err = disk_tree_find(&ram->tree, page, hides, &place);

    if (err != HV_OK)
        return err == HV_ERR_NOENT ? HV_OK : err;
    if (*place.entry > DISK_ENTRY_ZERO && keep) {
        page_blank(*place.entry);
    } else {
        disk_entry_free(&ram->tree, place.entry);
        *place.entry = hides ? DISK_ENTRY_ZERO : 0;
    }
    disk_place_leave(&place);
    return HV_OK;
}

/* A few whole pages, or as many as need no look. */
static hv_err clear_pages(struct disk_ram *ram, uint64_t page, uint64_t *count, bool keep)
{
    uint64_t absent = page < ram->image_pages ? 0 : disk_tree_absent(&ram->tree, page);
    uint64_t left = CLEAR_PAGES - page % CLEAR_PAGES;
    hv_err err = HV_OK;

    if (absent != 0) {
        *count = absent < *count ? absent : *count;
        return HV_OK;
    }
    *count = left < *count ? left : *count;
    for (uint64_t i = 0; err == HV_OK && i < *count; i++)
        err = page_clear(ram, page + i, keep);
    disk_tree_prune(&ram->tree, page);
    return err;
}

/* The sectors of one page, not all of it. */
static hv_err clear_part(struct disk_ram *ram, uint64_t sector, uint64_t len)
{
    uint64_t page = sector / PAGE_SECTORS;
    uint64_t entry = entry_of(ram, page);
    hv_err err;

    if (entry <= DISK_ENTRY_ZERO && !is_of_image(ram, page, entry))
        return HV_OK;
    err = page_own(ram, page, false, 1);
    if (err != HV_OK)
        return err;
    memset(ram->mapped + sector % PAGE_SECTORS * VIRTIO_BLK_SECTOR, 0, len);
    run_unmap(ram);
    return HV_OK;
}

static hv_err clear(struct disk_ram *ram, struct blk_io *io)
{
    uint64_t pages = io->len >> PAGE_SHIFT;
    uint64_t left = PAGE_SIZE - io->sector % PAGE_SECTORS * VIRTIO_BLK_SECTOR;
    hv_err err;

    if (left != PAGE_SIZE || pages == 0) {
        io->len = left < io->len ? left : io->len;
        return clear_part(ram, io->sector, io->len);
    }
    err = clear_pages(ram, io->sector / PAGE_SECTORS, &pages, io->op == BLK_ZERO);
    io->len = pages << PAGE_SHIFT;
    return err;
}

/* --- blk_backend_ops --- */

/* Memory with the bytes of the page as the disk has it now, for reading, and of those behind it:
 * *len bytes of at most `most` pages. */
static const unsigned char *content(struct disk_ram *ram, uint64_t page, uint64_t most,
                                    uint64_t *len)
{
    struct disk_place place;
    uint64_t entry = 0;

    *len = PAGE_SIZE;
    if (disk_tree_find(&ram->tree, page, false, &place) == HV_OK) {
        entry = *place.entry;
        if (entry > DISK_ENTRY_ZERO)
            run_map(ram, place.entry, most);
        disk_place_leave(&place);
    }
    if (entry > DISK_ENTRY_ZERO) {
        *len = ram->mapped_len;
        return ram->mapped;
    }
    return is_of_image(ram, page, entry) ? ram->image + (page << PAGE_SHIFT) : zero_page;
}

/* READ and WRITE, of which io->len is what is wanted. */
static hv_err transfer(struct disk_ram *ram, struct blk_io *io)
{
    uint64_t page = io->sector / PAGE_SECTORS;
    uint64_t offset = io->sector % PAGE_SECTORS * VIRTIO_BLK_SECTOR;
    uint64_t most = DISK_TABLE_SIZE - page % DISK_TABLE_SIZE;
    uint64_t pages = (io->len < RUN_PAGES << PAGE_SHIFT)
                         ? align_up(offset + io->len, PAGE_SIZE) >> PAGE_SHIFT
                         : RUN_PAGES;
    uint64_t len;

    most = pages < most ? pages : most;
    if (io->op == BLK_READ) {
        /* Nobody writes to the buffer of a READ. */
        io->buf = (void *)(uintptr_t)(content(ram, page, most, &len) + offset);
    } else {
        hv_err err = page_own(ram, page, offset == 0 && io->len >= PAGE_SIZE, most);
        if (err != HV_OK)
            return err;
        io->buf = ram->mapped + offset;
        len = ram->mapped_len;
    }
    if (len - offset < io->len)
        io->len = len - offset;
    return HV_OK;
}

static hv_err ram_begin(struct blk_backend *backend, enum blk_op op, uint64_t sector, uint64_t len,
                        struct blk_io **out)
{
    struct disk_ram *ram = ram_of(backend);

    ram->io = (struct blk_io){.op = op, .sector = sector, .len = len};
    *out = &ram->io;
    if (op == BLK_FLUSH)
        return HV_OK;
    return op == BLK_READ || op == BLK_WRITE ? transfer(ram, &ram->io) : clear(ram, &ram->io);
}

static void ram_submit(struct blk_backend *backend, struct blk_io *io)
{
    io->result = HV_OK;
    ram_of(backend)->is_done = true;
}

static struct blk_io *ram_collect(struct blk_backend *backend)
{
    struct disk_ram *ram = ram_of(backend);

    if (!ram->is_done)
        return NULL;
    ram->is_done = false;
    return &ram->io;
}

static void ram_forget(struct blk_backend *backend)
{
    struct disk_ram *ram = ram_of(backend);

    run_unmap(ram);
    ram->is_done = false;
}

static void ram_end(struct blk_backend *backend, struct blk_io *io)
{
    (void)io;
    ram_forget(backend);
}

static const struct blk_backend_ops ram_ops = {
    .detach = ram_forget,
    .forget = ram_forget,
    .begin = ram_begin,
    .submit = ram_submit,
    .collect = ram_collect,
    .end = ram_end,
};

/* --- Life --- */

static void ram_destroy(struct hv *hv, struct disk *disk)
{
    struct disk_tree *tree = &ram_of(&disk->backend)->tree;
    uint64_t count;

    for (uint64_t page = 0; page < DISK_TREE_PAGES; page += count) {
        count = disk_tree_absent(tree, page);
        if (count == 0) {
            count = CLEAR_PAGES;
            hv_worked(hv, disk_tree_drop(tree, page, count) << PAGE_SHIFT);
        }
        disk_tree_prune(tree, page);
    }
    HV_CHECK(tree->account.used == 0);
}

/* The pages of a disk of this size, and its tables. */
static uint64_t pages_at_most(uint64_t size)
{
    uint64_t count = align_up(size, PAGE_SIZE) >> PAGE_SHIFT;
    uint64_t sum = count;

    for (unsigned level = 0; level < DISK_TREE_LEVELS; level++) {
        count = align_up(count, DISK_TABLE_SIZE) / DISK_TABLE_SIZE;
        sum += count;
    }
    return sum;
}

/* The end of an image that is no whole page is the disk's own from the start, with zeroes behind.
 */
static hv_err take_image(struct disk_ram *ram, const struct vm_blob *image)
{
    uint64_t tail = image->size % PAGE_SIZE;
    hv_err err;

    ram->image = image->data;
    ram->image_pages = image->size >> PAGE_SHIFT;
    if (tail == 0)
        return HV_OK;
    err = page_own(ram, ram->image_pages, true, 1);
    if (err != HV_OK)
        return err;
    memcpy(ram->mapped, ram->image + (ram->image_pages << PAGE_SHIFT), tail);
    run_unmap(ram);
    return HV_OK;
}

static hv_err check_setup(const struct disk_setup *setup, uint64_t size)
{
    if (setup->size % VIRTIO_BLK_SECTOR != 0)
        return HV_ERR_ALIGN;
    if (size == 0 || setup->image.size > size)
        return HV_ERR_INVAL;
    return size <= DISK_MAX_SIZE ? HV_OK : HV_ERR_RANGE;
}

hv_err disk_ram_create(struct hv *hv, const struct disk_setup *setup, struct disk **out)
{
    uint64_t size = setup->size != 0 ? setup->size : align_up(setup->image.size, VIRTIO_BLK_SECTOR);
    struct disk_ram *ram;
    hv_err err = check_setup(setup, size);

    if (err == HV_OK)
        err = disk_alloc(hv, sizeof(*ram), out);
    if (err != HV_OK)
        return err;
    ram = ram_of(&(*out)->backend);
    ram->disk.destroy = ram_destroy;
    ram->tree.pool = &hv->pool;
    ram->tree.account.limit = setup->quota != 0 ? setup->quota >> PAGE_SHIFT : pages_at_most(size);
    ram->disk.backend = (struct blk_backend){
        .ops = &ram_ops,
        .sectors = size / VIRTIO_BLK_SECTOR,
        .read_only = setup->read_only,
        .clears = true,
        .requests = 1,
    };
    err = take_image(ram, &setup->image);
    if (err != HV_OK)
        disk_free(hv, &ram->disk);
    return err;
}

bool disk_is_ram(const struct disk *disk)
{
    return disk->backend.ops == &ram_ops;
}

uint64_t disk_used(const struct disk *disk)
{
    const struct disk_ram *ram = (const struct disk_ram *)(const void *)disk;

    return disk_is_ram(disk) ? page_pool_used(ram->tree.pool, &ram->tree.account) << PAGE_SHIFT : 0;
}
