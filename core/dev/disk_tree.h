/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The pages of a disk in memory: a radix tree of three levels, whose tables and pages are charged
 * to an account of the disk's own. For dev/disk_ram.c; no lock.
 */
#ifndef DEV_DISK_TREE_H
#define DEV_DISK_TREE_H

#include "base/addr.h"
#include "base/err.h"
#include "mem/page_pool.h"
#include <stdbool.h>
#include <stdint.h>

#define DISK_TREE_LEVELS 3u
#define DISK_TABLE_SIZE  512u
#define DISK_TREE_PAGES  (UINT64_C(1) << 27) /* that it reaches */

/* An entry is 0 for nothing, the address of the next table or of a page, or in the last level: */
#define DISK_ENTRY_ZERO UINT64_C(1) /* reads as zeroes, whatever the image has there */

struct disk_tree {
    struct page_pool *pool;
    struct page_account account;
    uint64_t root; /* an entry */
};

/* Where a page's entry is: in the table of the last level, which is mapped until
 * disk_place_leave(). */
struct disk_place {
    uint64_t *table; /* NULL: `entry` is the root */
    uint64_t *entry;
};

/* The page or table of an entry that has one; hal_phys_unmap() it. */
void *disk_page_map(uint64_t entry);
/* A zeroed page, in an entry that has none: HV_ERR_NOMEM, HV_ERR_QUOTA. */
HV_MUST_CHECK hv_err disk_entry_fill(struct disk_tree *tree, uint64_t *entry);
/* Gives back the page that there may be. */
void disk_entry_free(struct disk_tree *tree, uint64_t *entry);

/* The place of a page below DISK_TREE_PAGES, to be left. `make`: tables that are not there are made
 * (errors as of disk_entry_fill()); otherwise HV_ERR_NOENT. */
HV_MUST_CHECK hv_err disk_tree_find(struct disk_tree *tree, uint64_t page, bool make,
                                    struct disk_place *place);
void disk_place_leave(struct disk_place *place);

/* How many pages from `page` on no table has; 0: one has it. */
uint64_t disk_tree_absent(struct disk_tree *tree, uint64_t page);
/* Gives back those tables of the page that have nothing in them any more. */
void disk_tree_prune(struct disk_tree *tree, uint64_t page);
/* Gives back those of `count` pages that are there, and not their tables. Returns how many. */
uint64_t disk_tree_drop(struct disk_tree *tree, uint64_t page, uint64_t count);

#endif
