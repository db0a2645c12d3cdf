/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "dev/disk_tree.h"
#include "base/bits.h"
#include "base/check.h"
#include "hal/hal.h"

#define INDEX_BITS 9u
#define LEVELS     DISK_TREE_LEVELS

_Static_assert(DISK_TABLE_SIZE == 1u << INDEX_BITS, "a page of entries");

void *disk_page_map(uint64_t entry)
{
    void *page = hal_phys_map(pa(entry), PAGE_SIZE);

    HV_CHECK(page != NULL);
    return page;
}

hv_err disk_entry_fill(struct disk_tree *tree, uint64_t *entry)
{
    pa_t page;
    hv_err err = page_pool_alloc(tree->pool, &tree->account, 0, &page);

    if (err == HV_OK)
        *entry = page.v;
    return err;
}

void disk_entry_free(struct disk_tree *tree, uint64_t *entry)
{
    if (*entry > DISK_ENTRY_ZERO)
        page_pool_free(tree->pool, &tree->account, pa(*entry), 0);
    *entry = 0;
}

/* --- The tree --- */

static uint32_t index_at(uint64_t page, unsigned level)
{
    return (uint32_t)(page >> (level * INDEX_BITS)) % DISK_TABLE_SIZE;
}

void disk_place_leave(struct disk_place *place)
{
    if (place->table != NULL)
        hal_phys_unmap(place->table, PAGE_SIZE);
}

static void place_descend(struct disk_place *place, uint32_t index)
{
    uint64_t *table = disk_page_map(*place->entry);

    disk_place_leave(place);
    *place = (struct disk_place){table, &table[index]};
}

hv_err disk_tree_find(struct disk_tree *tree, uint64_t page, bool make, struct disk_place *place)
{
    *place = (struct disk_place){NULL, &tree->root};
    for (unsigned level = LEVELS; level-- > 0;) {
        hv_err err = HV_OK;
        if (*place->entry == 0)
            err = make ? disk_entry_fill(tree, place->entry) : HV_ERR_NOENT;
        if (err != HV_OK) {
            disk_place_leave(place);
            return err;
        }
        place_descend(place, index_at(page, level));
    }
    return HV_OK;
}

static bool table_is_empty(uint64_t entry)
{
    uint64_t *table = disk_page_map(entry);
    uint32_t i = 0;

    while (i < DISK_TABLE_SIZE && table[i] == 0)
        i++;
    hal_phys_unmap(table, PAGE_SIZE);
    return i == DISK_TABLE_SIZE;
}

/* Gives back those tables of the page that have nothing in them any more. */
void disk_tree_prune(struct disk_tree *tree, uint64_t page)
{
    struct disk_place way[LEVELS]; /* the entry of each table that there is, from the root on */
    unsigned depth = 0;

    way[0] = (struct disk_place){NULL, &tree->root};
    while (*way[depth].entry != 0 && depth < LEVELS - 1) {
        uint64_t *table = disk_page_map(*way[depth].entry);
        way[depth + 1] = (struct disk_place){table, &table[index_at(page, LEVELS - 1 - depth)]};
        depth++;
    }
    for (bool empty = true;; depth--) {
        if (*way[depth].entry != 0) {
            empty = empty && table_is_empty(*way[depth].entry);
            if (empty)
                disk_entry_free(tree, way[depth].entry);
        }
        disk_place_leave(&way[depth]);
        if (depth == 0)
            return;
    }
}

/* How many pages from `page` on need no look, as they lie beyond the image and no table has them;
 * 0: this one does. */
uint64_t disk_tree_absent(struct disk_tree *tree, uint64_t page)
{
    struct disk_place place = {NULL, &tree->root};
    uint64_t count = 0;

    for (unsigned level = LEVELS; level-- > 0 && count == 0;) {
        uint64_t reach = UINT64_C(1) << ((level + 1) * INDEX_BITS);
        if (*place.entry == 0)
            count = reach - page % reach;
        else
            place_descend(&place, index_at(page, level));
    }
    disk_place_leave(&place);
    return count;
}

uint64_t disk_tree_drop(struct disk_tree *tree, uint64_t page, uint64_t count)
{
    uint64_t before = tree->account.used;

    for (uint64_t i = 0; i < count; i++) {
        struct disk_place place;
        if (disk_tree_find(tree, page + i, false, &place) != HV_OK)
            continue;
        disk_entry_free(tree, place.entry);
        disk_place_leave(&place);
    }
    return before - tree->account.used;
}
