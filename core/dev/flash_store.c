/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/flash_store.h"
#include "base/bits.h"
#include "base/check.h"
#include "hal/hal.h"
#include <string.h>

_Static_assert(FLASH_SECTOR_SIZE == PAGE_SIZE << FLASH_SECTOR_ORDER, "a sector is one block");

#define ERASED 0xff

/* All physical memory stays mapped for the hypervisor: what is opened is closed at once, as others
 * do, but its pointer is used between. */
static uint8_t *sector_open(const struct flash_bank *bank, uint32_t n)
{
    uint8_t *bytes = hal_phys_map(bank->sector[n], FLASH_SECTOR_SIZE);

    HV_CHECK(bytes != NULL);
    return bytes;
}

static void sector_close(uint8_t *bytes)
{
    hal_phys_unmap(bytes, FLASH_SECTOR_SIZE);
}

static bool sector_is_there(const struct flash_bank *bank, uint32_t n)
{
    return bank->sector[n].v != 0;
}

static void sector_changed(struct flash_bank *bank, uint32_t n)
{
    bank->unclean[n / 64] |= BIT(n % 64);
}

static hv_err sector_alloc(struct flash_bank *bank, uint32_t n)
{
    struct flash_store *store = bank->store;
    hv_err err =
        page_pool_alloc(&store->hv->pool, &store->account, FLASH_SECTOR_ORDER, &bank->sector[n]);

    if (err != HV_OK) {
        bank->sector[n] = pa(0);
        return err;
    }
    uint8_t *bytes = sector_open(bank, n);
    memset(bytes, ERASED, FLASH_SECTOR_SIZE);
    sector_close(bytes);
    sector_changed(bank, n);
    return HV_OK;
}

/* What is left of `len` in the sector of `offset`. */
static uint64_t sector_part(uint64_t offset, uint64_t len)
{
    uint64_t left = FLASH_SECTOR_SIZE - (offset & (FLASH_SECTOR_SIZE - 1));

    return left < len ? left : len;
}

static uint32_t sector_of(uint64_t offset)
{
    return (uint32_t)(offset / FLASH_SECTOR_SIZE);
}

void flash_bank_read(const struct flash_bank *bank, uint64_t offset, void *to, uint64_t len)
{
    uint8_t *target = to;

    HV_CHECK(!range_exceeds(offset, len, FLASH_BANK_SIZE));
    while (len > 0) {
        uint32_t n = sector_of(offset);
        uint64_t part = sector_part(offset, len);
        if (sector_is_there(bank, n)) {
            uint8_t *bytes = sector_open(bank, n);
            memcpy(target, bytes + (offset & (FLASH_SECTOR_SIZE - 1)), part);
            sector_close(bytes);
        } else {
            memset(target, ERASED, part);
        }
        target += part;
        offset += part;
        len -= part;
    }
}

static bool is_erased(const uint8_t *bytes, uint64_t len)
{
    for (uint64_t i = 0; i < len; i++)
        if (bytes[i] != ERASED)
            return false;
    return true;
}

/* Has the disk keep [offset, offset + len), which lies in one sector. */
static void keep(struct flash_bank *bank, uint64_t offset, uint64_t len)
{
    uint64_t from = align_down(offset, HAL_DISK_SECTOR);
    uint64_t end = align_up(offset + len, HAL_DISK_SECTOR);
    pa_t pages = bank->sector[sector_of(offset)];

    if (bank->on_disk)
        flash_disk_write(&bank->disk, from, pa_add(pages, from & (FLASH_SECTOR_SIZE - 1)),
                         end - from);
}

static hv_err sector_program(struct flash_bank *bank, uint64_t offset, const uint8_t *from,
                             uint64_t len)
{
    uint32_t n = sector_of(offset);

    if (!sector_is_there(bank, n)) {
        if (is_erased(from, len))
            return HV_OK;
        hv_err err = sector_alloc(bank, n);
        if (err != HV_OK)
            return err;
    }
    uint8_t *bytes = sector_open(bank, n);
    uint8_t *to = bytes + (offset & (FLASH_SECTOR_SIZE - 1));
    for (uint64_t i = 0; i < len; i++)
        to[i] &= from[i];
    sector_close(bytes);
    sector_changed(bank, n);
    keep(bank, offset, len);
    return HV_OK;
}

hv_err flash_bank_program(struct flash_bank *bank, uint64_t offset, const void *from, uint64_t len)
{
    const uint8_t *source = from;

    HV_CHECK(!range_exceeds(offset, len, FLASH_BANK_SIZE));
    bank->disk.outcome = HV_OK;
    while (len > 0) {
        uint64_t part = sector_part(offset, len);
        hv_err err = sector_program(bank, offset, source, part);
        if (err != HV_OK)
            return err;
        source += part;
        offset += part;
        len -= part;
    }
    return HV_OK;
}

void flash_bank_erase(struct flash_bank *bank, uint64_t offset)
{
    uint32_t n = sector_of(offset);

    HV_CHECK(n < FLASH_SECTORS);
    bank->disk.outcome = HV_OK;
    if (!sector_is_there(bank, n))
        return;
    uint8_t *bytes = sector_open(bank, n);
    memset(bytes, ERASED, FLASH_SECTOR_SIZE);
    sector_close(bytes);
    sector_changed(bank, n);
    keep(bank, n * FLASH_SECTOR_SIZE, FLASH_SECTOR_SIZE);
}

bool flash_bank_is_busy(struct flash_bank *bank, hv_err *err)
{
    bool busy = bank->on_disk && flash_disk_is_busy(&bank->disk);

    *err = bank->on_disk ? bank->disk.outcome : HV_OK;
    return busy;
}

/* One that is all ones on the disk is erased. */
static hv_err sector_load(struct flash_bank *bank, uint32_t n)
{
    struct flash_store *store = bank->store;
    hv_err err = sector_alloc(bank, n);

    if (err != HV_OK)
        return err;
    err = flash_disk_read(&bank->disk, store->hv, n * FLASH_SECTOR_SIZE, bank->sector[n],
                          FLASH_SECTOR_SIZE);
    if (err != HV_OK)
        return err;
    uint8_t *bytes = sector_open(bank, n);
    bool erased = is_erased(bytes, FLASH_SECTOR_SIZE);
    sector_close(bytes);
    if (erased) {
        page_pool_free(&store->hv->pool, &store->account, bank->sector[n], FLASH_SECTOR_ORDER);
        bank->sector[n] = pa(0);
    }
    hv_worked(store->hv, FLASH_SECTOR_SIZE);
    return HV_OK;
}

hv_err flash_bank_use_disk(struct flash_bank *bank, unsigned number)
{
    hv_err err = flash_disk_open(&bank->disk, number);

    if (err != HV_OK)
        return err;
    uint64_t sectors = bank->disk.info.sectors / (FLASH_SECTOR_SIZE / HAL_DISK_SECTOR);
    if (sectors == 0)
        return HV_ERR_RANGE;
    bank->on_disk = true;
    uint32_t count = sectors < FLASH_SECTORS ? (uint32_t)sectors : FLASH_SECTORS;
    bank->writable = bank->disk.info.read_only ? 0 : count;
    if (!bank->store->has_quota)
        bank->store->account.limit += count * (FLASH_SECTOR_SIZE / PAGE_SIZE);
    for (uint32_t n = 0; n < count && err == HV_OK; n++)
        err = sector_load(bank, n);
    return err;
}

/* Guests run from it, and with their caches off. */
static void clean(void *bytes, uint64_t len)
{
    hal_cache_op(bytes, len, HAL_CACHE_CLEAN_INV);
    hal_cache_op(bytes, len, HAL_CACHE_SYNC_ICACHE);
}

pa_t flash_bank_pages(struct flash_bank *bank, uint64_t offset, uint64_t *len)
{
    uint32_t n = sector_of(offset);

    HV_CHECK(n < FLASH_SECTORS);
    if (!sector_is_there(bank, n)) {
        *len = PAGE_SIZE;
        return bank->store->ones;
    }
    if ((bank->unclean[n / 64] & BIT(n % 64)) != 0) {
        uint8_t *bytes = sector_open(bank, n);
        clean(bytes, FLASH_SECTOR_SIZE);
        sector_close(bytes);
        bank->unclean[n / 64] &= ~BIT(n % 64);
    }
    *len = FLASH_SECTOR_SIZE;
    return bank->sector[n];
}

static hv_err make_ones(struct flash_store *store)
{
    hv_err err = page_pool_alloc(&store->hv->pool, &store->hv->account, 0, &store->ones);

    if (err != HV_OK) {
        store->ones = pa(0);
        return err;
    }
    uint8_t *bytes = hal_phys_map(store->ones, PAGE_SIZE);
    HV_CHECK(bytes != NULL);
    memset(bytes, ERASED, PAGE_SIZE);
    clean(bytes, PAGE_SIZE);
    hal_phys_unmap(bytes, PAGE_SIZE);
    return HV_OK;
}

static hv_err fill(struct flash_bank *bank, const struct vm_blob *image)
{
    const uint8_t *data = image->data;
    hv_err err = HV_OK;

    for (uint64_t at = 0; at < image->size && err == HV_OK; at += FLASH_SECTOR_SIZE) {
        err = flash_bank_program(bank, at, data + at, sector_part(at, image->size - at));
        hv_worked(bank->store->hv, FLASH_SECTOR_SIZE);
    }
    return err;
}

static hv_err fill_all(struct flash_store *store, const struct flash_setup *setup)
{
    hv_err err = make_ones(store);

    store->has_quota = setup->quota != 0;
    store->account.limit = store->has_quota ? setup->quota / PAGE_SIZE : UINT64_MAX;
    for (uint32_t i = 0; i < FLASH_BANKS && err == HV_OK; i++)
        err = fill(&store->bank[i], &setup->image[i]);
    if (!store->has_quota)
        store->account.limit = store->account.used + FLASH_SPARE / PAGE_SIZE;
    return err;
}

hv_err flash_store_create(struct hv *hv, const struct flash_setup *setup, struct flash_store **out)
{
    unsigned order = page_pool_order(sizeof(struct flash_store));
    struct flash_store *store;
    pa_t block;
    hv_err err;

    for (uint32_t i = 0; i < FLASH_BANKS; i++)
        if (setup->image[i].size > FLASH_BANK_SIZE)
            return HV_ERR_RANGE;
    err = page_pool_alloc(&hv->pool, &hv->account, order, &block);
    if (err != HV_OK)
        return err;
    store = hal_phys_map(block, sizeof(*store));
    HV_CHECK(store != NULL);
    store->hv = hv;
    store->block = block;
    for (uint32_t i = 0; i < FLASH_BANKS; i++) {
        store->bank[i].store = store;
        store->bank[i].writable = FLASH_SECTORS;
    }
    err = fill_all(store, setup);
    if (err == HV_OK)
        *out = store;
    else
        flash_store_destroy(store);
    return err;
}

static void sectors_free(struct flash_store *store, struct flash_bank *bank)
{
    for (uint32_t n = 0; n < FLASH_SECTORS; n++) {
        if (!sector_is_there(bank, n))
            continue;
        page_pool_free(&store->hv->pool, &store->account, bank->sector[n], FLASH_SECTOR_ORDER);
        hv_worked(store->hv, FLASH_SECTOR_SIZE);
    }
}

void flash_store_destroy(struct flash_store *store)
{
    struct hv *hv = store->hv;
    pa_t block = store->block;

    for (uint32_t i = 0; i < FLASH_BANKS; i++)
        sectors_free(store, &store->bank[i]);
    if (store->ones.v != 0)
        page_pool_free(&hv->pool, &hv->account, store->ones, 0);
    HV_CHECK(store->account.used == 0);
    hal_phys_unmap(store, sizeof(*store));
    page_pool_free(&hv->pool, &hv->account, block, page_pool_order(sizeof(*store)));
}
