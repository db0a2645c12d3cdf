/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A disk in memory: an image that is shared and never written, and over it the disk's own pages, in
 * a radix tree of three levels. A page that is not in the tree is the image's, or zero beyond it.
 * Without a lock: it is its one device's.
 */
#include "base/bits.h"
#include "base/check.h"
#include "dev/disk.h"
#include <string.h>

#define LEVELS       3u
#define INDEX_BITS   9u
#define TABLE_SIZE   (1u << INDEX_BITS)
#define CLEAR_PAGES  64u /* that are looked at in one go */
#define PAGE_SECTORS (PAGE_SIZE / VIRTIO_BLK_SECTOR)

_Static_assert(DISK_MAX_SIZE >> PAGE_SHIFT == UINT64_C(1) << (LEVELS * INDEX_BITS), "three levels");

/* Entries: 0 for nothing, the address of the next table or of the disk's own page, or in the last
 * level: */
#define ENTRY_ZERO UINT64_C(1) /* reads as zeroes, whatever the image has there */

struct disk_ram {
    struct disk disk; /* first */
    struct page_pool *pool;
    struct page_account account;
    const unsigned char *image;
    uint64_t image_pages; /* whole ones */
    uint64_t root;        /* an entry: the first table's address, or 0 */
    struct blk_io io;     /* the one piece that there is */
    bool is_done;
    unsigned char *mapped; /* the page in which io.buf is, if it is the disk's own */
};

static const unsigned char zero_page[PAGE_SIZE];

static struct disk_ram *ram_of(struct blk_backend *backend)
{
    return (struct disk_ram *)(void *)backend;
}

static void *page_map(uint64_t entry)
{
    void *page = hal_phys_map(pa(entry), PAGE_SIZE);

    HV_CHECK(page != NULL);
    return page;
}

/* A zeroed page, in an entry that has none. */
static hv_err entry_fill(struct disk_ram *ram, uint64_t *entry)
{
    pa_t page;
    hv_err err = page_pool_alloc(ram->pool, &ram->account, 0, &page);

    if (err == HV_OK)
        *entry = page.v;
    return err;
}

static void entry_free(struct disk_ram *ram, uint64_t *entry)
{
    if (*entry > ENTRY_ZERO)
        page_pool_free(ram->pool, &ram->account, pa(*entry), 0);
    *entry = 0;
}

/* --- The tree --- */

static uint32_t index_at(uint64_t page, unsigned level)
{
    return (uint32_t)(page >> (level * INDEX_BITS)) % TABLE_SIZE;
}

/* Where a page's entry is: in the table of the last level, which is mapped until place_leave(). */
struct place {
    uint64_t *table; /* NULL: `entry` is the root */
    uint64_t *entry;
};

static void place_leave(struct place *place)
{
    if (place->table != NULL)
        hal_phys_unmap(place->table, PAGE_SIZE);
}

static void place_descend(struct place *place, uint32_t index)
{
    uint64_t *table = page_map(*place->entry);

    place_leave(place);
    *place = (struct place){table, &table[index]};
}

/* `make`: tables that are not there are made. HV_ERR_NOENT if they are not to be. */
static hv_err find(struct disk_ram *ram, uint64_t page, bool make, struct place *place)
{
    *place = (struct place){NULL, &ram->root};
    for (unsigned level = LEVELS; level-- > 0;) {
        hv_err err = HV_OK;
        if (*place->entry == 0)
            err = make ? entry_fill(ram, place->entry) : HV_ERR_NOENT;
        if (err != HV_OK) {
            place_leave(place);
            return err;
        }
        place_descend(place, index_at(page, level));
    }
    return HV_OK;
}

static uint64_t entry_of(struct disk_ram *ram, uint64_t page)
{
    struct place place;
    uint64_t entry;

    if (find(ram, page, false, &place) != HV_OK)
        return 0;
    entry = *place.entry;
    place_leave(&place);
    return entry;
}

static bool table_is_empty(uint64_t entry)
{
    uint64_t *table = page_map(entry);
    uint32_t i = 0;

    while (i < TABLE_SIZE && table[i] == 0)
        i++;
    hal_phys_unmap(table, PAGE_SIZE);
    return i == TABLE_SIZE;
}

/* Gives back those tables of the page that have nothing in them any more. */
static void prune(struct disk_ram *ram, uint64_t page)
{
    struct place way[LEVELS]; /* the entry of each table that there is, from the root on */
    unsigned depth = 0;

    way[0] = (struct place){NULL, &ram->root};
    while (*way[depth].entry != 0 && depth < LEVELS - 1) {
        uint64_t *table = page_map(*way[depth].entry);
        way[depth + 1] = (struct place){table, &table[index_at(page, LEVELS - 1 - depth)]};
        depth++;
    }
    for (bool empty = true;; depth--) {
        if (*way[depth].entry != 0) {
            empty = empty && table_is_empty(*way[depth].entry);
            if (empty)
                entry_free(ram, way[depth].entry);
        }
        place_leave(&way[depth]);
        if (depth == 0)
            return;
    }
}

/* How many pages from `page` on need no look, as they lie beyond the image and no table has them;
 * 0: this one does. */
static uint64_t count_absent(struct disk_ram *ram, uint64_t page)
{
    struct place place = {NULL, &ram->root};
    uint64_t count = 0;

    if (page < ram->image_pages)
        return 0;
    for (unsigned level = LEVELS; level-- > 0 && count == 0;) {
        uint64_t reach = UINT64_C(1) << ((level + 1) * INDEX_BITS);
        if (*place.entry == 0)
            count = reach - page % reach;
        else
            place_descend(&place, index_at(page, level));
    }
    place_leave(&place);
    return count;
}

/* --- Reading and writing --- */

static bool is_of_image(const struct disk_ram *ram, uint64_t page, uint64_t entry)
{
    return entry == 0 && page < ram->image_pages;
}

/* The disk's own page, made if it is not there; with what it had before unless `all` of it is to be
 * overwritten. */
static hv_err page_own(struct disk_ram *ram, uint64_t page, bool all, unsigned char **out)
{
    struct place place;
    hv_err err = find(ram, page, true, &place);
    bool copy;

    if (err != HV_OK)
        return err;
    copy = is_of_image(ram, page, *place.entry) && !all;
    if (*place.entry <= ENTRY_ZERO)
        err = entry_fill(ram, place.entry);
    if (err == HV_OK) {
        *out = page_map(*place.entry);
        if (copy)
            memcpy(*out, ram->image + (page << PAGE_SHIFT), PAGE_SIZE);
    }
    place_leave(&place);
    return err;
}

/* --- Clearing --- */

static void page_blank(uint64_t entry)
{
    void *own = page_map(entry);

    memset(own, 0, PAGE_SIZE);
    hal_phys_unmap(own, PAGE_SIZE);
}

/* It reads as zeroes from now on; with `keep` it costs what it did. */
static hv_err page_clear(struct disk_ram *ram, uint64_t page, bool keep)
{
    bool hides = page < ram->image_pages;
    struct place place;
    hv_err err = find(ram, page, hides, &place);

    if (err != HV_OK)
        return err == HV_ERR_NOENT ? HV_OK : err;
    if (*place.entry > ENTRY_ZERO && keep) {
        page_blank(*place.entry);
    } else {
        entry_free(ram, place.entry);
        *place.entry = hides ? ENTRY_ZERO : 0;
    }
    place_leave(&place);
    return HV_OK;
}

/* A few whole pages, or as many as need no look. */
static hv_err clear_pages(struct disk_ram *ram, uint64_t page, uint64_t *count, bool keep)
{
    uint64_t absent = count_absent(ram, page);
    uint64_t left = CLEAR_PAGES - page % CLEAR_PAGES;
    hv_err err = HV_OK;

    if (absent != 0) {
        *count = absent < *count ? absent : *count;
        return HV_OK;
    }
    *count = left < *count ? left : *count;
    for (uint64_t i = 0; err == HV_OK && i < *count; i++)
        err = page_clear(ram, page + i, keep);
    prune(ram, page);
    return err;
}

/* The sectors of one page, not all of it. */
static hv_err clear_part(struct disk_ram *ram, uint64_t sector, uint64_t len)
{
    uint64_t page = sector / PAGE_SECTORS;
    uint64_t entry = entry_of(ram, page);
    unsigned char *own;
    hv_err err;

    if (entry <= ENTRY_ZERO && !is_of_image(ram, page, entry))
        return HV_OK;
    err = page_own(ram, page, false, &own);
    if (err != HV_OK)
        return err;
    memset(own + sector % PAGE_SECTORS * VIRTIO_BLK_SECTOR, 0, len);
    hal_phys_unmap(own, PAGE_SIZE);
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

/* Memory with the bytes of one page, as the disk has it now, for reading. */
static const unsigned char *content(struct disk_ram *ram, uint64_t page)
{
    uint64_t entry = entry_of(ram, page);

    if (is_of_image(ram, page, entry))
        return ram->image + (page << PAGE_SHIFT);
    if (entry <= ENTRY_ZERO)
        return zero_page;
    ram->mapped = page_map(entry);
    return ram->mapped;
}

static hv_err ram_begin(struct blk_backend *backend, enum blk_op op, uint64_t sector, uint64_t len,
                        struct blk_io **out)
{
    struct disk_ram *ram = ram_of(backend);
    struct blk_io *io = &ram->io;
    uint64_t page = sector / PAGE_SECTORS;
    uint64_t offset = sector % PAGE_SECTORS * VIRTIO_BLK_SECTOR;
    uint64_t left = PAGE_SIZE - offset;
    hv_err err;

    *io = (struct blk_io){.op = op, .sector = sector, .len = len};
    *out = io;
    if (op == BLK_FLUSH)
        return HV_OK;
    if (op != BLK_READ && op != BLK_WRITE)
        return clear(ram, io);
    io->len = left < len ? left : len;
    if (op == BLK_READ) {
        /* Nobody writes to the buffer of a READ. */
        io->buf = (void *)(uintptr_t)(content(ram, page) + offset);
        return HV_OK;
    }
    err = page_own(ram, page, io->len == PAGE_SIZE, &ram->mapped);
    if (err == HV_OK)
        io->buf = ram->mapped + offset;
    return err;
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

    if (ram->mapped != NULL)
        hal_phys_unmap(ram->mapped, PAGE_SIZE);
    ram->mapped = NULL;
    ram->is_done = false;
}

static void ram_end(struct blk_backend *backend, struct blk_io *io)
{
    (void)io;
    ram_forget(backend);
}

static const struct blk_backend_ops ram_ops = {
    .forget = ram_forget,
    .begin = ram_begin,
    .submit = ram_submit,
    .collect = ram_collect,
    .end = ram_end,
};

/* --- Life --- */

/* A table and, by `each`, what its entries are. */
static void table_free(struct disk_ram *ram, uint64_t *entry,
                       void (*each)(struct disk_ram *ram, uint64_t *entry))
{
    uint64_t *table;

    if (*entry <= ENTRY_ZERO)
        return;
    table = page_map(*entry);
    for (uint32_t i = 0; i < TABLE_SIZE; i++)
        each(ram, &table[i]);
    hal_phys_unmap(table, PAGE_SIZE);
    entry_free(ram, entry);
}

static void free_last(struct disk_ram *ram, uint64_t *entry)
{
    table_free(ram, entry, entry_free);
}

static void free_middle(struct disk_ram *ram, uint64_t *entry)
{
    table_free(ram, entry, free_last);
}

static void ram_destroy(struct hv *hv, struct disk *disk)
{
    struct disk_ram *ram = ram_of(&disk->backend);

    (void)hv;
    table_free(ram, &ram->root, free_middle);
}

/* The pages of a disk of this size, and its tables. */
static uint64_t pages_at_most(uint64_t size)
{
    uint64_t count = align_up(size, PAGE_SIZE) >> PAGE_SHIFT;
    uint64_t sum = count;

    for (unsigned level = 0; level < LEVELS; level++) {
        count = align_up(count, TABLE_SIZE) / TABLE_SIZE;
        sum += count;
    }
    return sum;
}

/* The end of an image that is no whole page is the disk's own from the start, with zeroes behind.
 */
static hv_err take_image(struct disk_ram *ram, const struct vm_blob *image)
{
    uint64_t tail = image->size % PAGE_SIZE;
    unsigned char *own;
    hv_err err;

    ram->image = image->data;
    ram->image_pages = image->size >> PAGE_SHIFT;
    if (tail == 0)
        return HV_OK;
    err = page_own(ram, ram->image_pages, true, &own);
    if (err != HV_OK)
        return err;
    memcpy(own, ram->image + (ram->image_pages << PAGE_SHIFT), tail);
    hal_phys_unmap(own, PAGE_SIZE);
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
    ram->pool = &hv->pool;
    ram->account.limit = setup->quota != 0 ? setup->quota >> PAGE_SHIFT : pages_at_most(size);
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

    return disk_is_ram(disk) ? ram->account.used << PAGE_SHIFT : 0;
}
