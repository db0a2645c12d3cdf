/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Physical pages: a buddy allocator over any number of RAM ranges, up to PAGE_POOL_REGIONS. Blocks
 * are powers of two of 4 KiB pages, naturally aligned in physical memory, and handed out zeroed.
 * Every allocation is charged to an account.
 *
 * Nothing of a guest stays behind: a page that somebody has had is zero whenever it is free. One
 * that nobody has had yet holds what the firmware left, and is zeroed when it is handed out for the
 * first time. So each page is zeroed once for each owner, and not all of RAM when the machine
 * starts.
 */
#ifndef MEM_PAGE_POOL_H
#define MEM_PAGE_POOL_H

#include "base/addr.h"
#include "base/err.h"
#include "base/lock.h"
#include <stdatomic.h>
#include <stdint.h>

#define PAGE_POOL_MAX_ORDER 18u /* 1 GiB */
#define PAGE_POOL_ORDERS    (PAGE_POOL_MAX_ORDER + 1u)
#define PAGE_POOL_REGIONS   51u /* role/ram.c: as many pieces as RAM can be in */

/* Who pays: a VM, or the hypervisor itself. Guarded by the pool's lock. */
struct page_account {
    uint64_t limit; /* pages; UINT64_MAX for no limit */
    uint64_t used;
};

/* Bookkeeping of one page, kept in the region's own first pages. Private to page_pool.c. */
struct page_frame;

/* One RAM range. frames[] covers the allocatable pages only. */
struct page_region {
    uint64_t base_pfn;  /* physical page number where the range starts, with the bookkeeping */
    uint64_t first_pfn; /* of frames[0] */
    uint64_t nr_pages;
    struct page_frame *frames;
    uint32_t free[PAGE_POOL_ORDERS]; /* free lists: index into frames[] plus 1, or 0 for none */
    uint32_t free_orders;            /* bit k: free[k] is not empty */
};

struct page_pool {
    struct spinlock lock; /* rank pool */
    struct page_region region[PAGE_POOL_REGIONS];
    uint32_t nr_regions;
    _Atomic uint64_t free_pages; /* written under the lock, read anywhere */
    uint64_t total_pages;        /* allocatable ones */
    uint64_t fail_nth;           /* 0: never */
};

/* An empty pool. Before anybody else knows it. */
void page_pool_init(struct page_pool *pool);

/*
 * Gives the RAM [base, base + size) to the pool; it is rounded inwards to pages. A part of it holds
 * the bookkeeping. HV_ERR_RANGE if it is too small to be of use (less than two pages), larger than
 * 16 TiB, wraps around, or is not memory that the HAL maps; HV_ERR_EXIST if it overlaps what the
 * pool has, HV_ERR_NOMEM if all region slots are taken. Blocks never span two ranges, even adjacent
 * ones. Takes the pool's lock. The contents of the range are lost.
 * The page at physical address 0 is left out.
 */
HV_MUST_CHECK hv_err page_pool_add(struct page_pool *pool, pa_t base, uint64_t size);

/*
 * Takes a zeroed block of 2^order pages. HV_ERR_QUOTA if the account's limit would be passed,
 * HV_ERR_NOMEM if no block is left (or page_pool_fail_nth() said so), HV_ERR_RANGE if order >
 * PAGE_POOL_MAX_ORDER. Takes the pool's lock, but zeroes without it. The zeroes may be in the cache
 * only: who gives pages to a guest that starts with caches off cleans them (hal_cache_op()). The
 * lowest fitting block is preferred at first; the sequence of results depends on nothing but the
 * sequence of calls.
 */
HV_MUST_CHECK hv_err page_pool_alloc(struct page_pool *pool, struct page_account *account,
                                     unsigned order, pa_t *out);

/*
 * Scrubs a block and gives it back exactly as it was taken, charged to the same account. A block
 * that is not allocated with this order is a bug: HV_CHECK. Takes the pool's lock, but scrubs
 * without it.
 */
void page_pool_free(struct page_pool *pool, struct page_account *account, pa_t block,
                    unsigned order);

/*
 * The same in steps, for who has more to zero than it wants to at a time: page_pool_take(), then
 * page_pool_zero() for all of the block before anybody sees a byte of it; page_pool_scrub() for all
 * of it, also if it was not zeroed yet, then page_pool_give(). [at, at + len) are whole pages of
 * one block that the caller has taken.
 */
HV_MUST_CHECK hv_err page_pool_take(struct page_pool *pool, struct page_account *account,
                                    unsigned order, pa_t *out);
/* Zeroes the pages of the range that nobody has had before; the others are zero. */
void page_pool_zero(struct page_pool *pool, pa_t at, uint64_t len);
/* Zeroes them all. */
void page_pool_scrub(struct page_pool *pool, pa_t at, uint64_t len);
void page_pool_give(struct page_pool *pool, struct page_account *account, pa_t block,
                    unsigned order);

/*
 * The 2^order pages at `at`, which lie in a larger block that the caller has taken, are a block of
 * their own from now on, and what is left of the other one is blocks, too: all of them the
 * caller's, to be given back one by one. Takes the pool's lock.
 */
void page_pool_split(struct page_pool *pool, pa_t at, unsigned order);

/* Makes the nth allocation from now on fail with HV_ERR_NOMEM, once. 0 turns it off. For tests. */
void page_pool_fail_nth(struct page_pool *pool, uint64_t n);

/* Pages that could be allocated now, in total; a snapshot, no lock is taken. Any pCPU. */
uint64_t page_pool_free_pages(const struct page_pool *pool);
/* Pages that are charged to the account now. Takes the pool's lock. Any pCPU. */
uint64_t page_pool_used(struct page_pool *pool, const struct page_account *account);

/* Smallest order whose block holds `size` bytes (0 for 0); PAGE_POOL_MAX_ORDER + 1 if none does. */
unsigned page_pool_order(uint64_t size);

#endif
