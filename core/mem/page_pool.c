/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The buddy allocator. Each region keeps its free blocks in doubly linked lists, one for each
 * order, whose links are indices into its frames: 12 bytes for a page. Only the first frame of a
 * block says what the block is; the others are FRAME_INSIDE, so that a buddy's state is one look at
 * one frame.
 */
#include "mem/page_pool.h"
#include "base/bits.h"
#include "base/check.h"
#include "hal/hal.h"
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum frame_state { FRAME_INSIDE = 0, FRAME_FREE, FRAME_USED };

/* All zero is FRAME_INSIDE. */
struct page_frame {
    uint32_t next; /* index plus 1, 0 at the end; FRAME_FREE only, as prev */
    uint32_t prev;
    uint8_t order;
    uint8_t state; /* enum frame_state */
    bool had;      /* of each page: somebody has had it; its owner's, or the lock's if it is free */
    uint8_t unused;
};

_Static_assert(sizeof(struct page_frame) <= 16, "bookkeeping is charged to every page");

static unsigned log2_floor(uint64_t v)
{
    return 63u - (unsigned)__builtin_clzll(v);
}

/* What the frame says of a block. */
static void frame_set(struct page_frame *frame, enum frame_state state, unsigned order)
{
    frame->next = 0;
    frame->prev = 0;
    frame->order = (uint8_t)order;
    frame->state = (uint8_t)state;
}

/* --- Free lists of one region --- */

static void block_push(struct page_region *region, uint64_t index, unsigned order)
{
    struct page_frame *frame = &region->frames[index];
    uint32_t head = region->free[order];
    frame_set(frame, FRAME_FREE, order);
    frame->next = head;
    if (head != 0)
        region->frames[head - 1].prev = (uint32_t)index + 1;
    region->free[order] = (uint32_t)index + 1;
    region->free_orders |= 1u << order;
}

static void block_remove(struct page_region *region, uint64_t index)
{
    struct page_frame *frame = &region->frames[index];
    unsigned order = frame->order;
    if (frame->next != 0)
        region->frames[frame->next - 1].prev = frame->prev;
    if (frame->prev != 0)
        region->frames[frame->prev - 1].next = frame->next;
    else
        region->free[order] = frame->next;
    if (region->free[order] == 0)
        region->free_orders &= ~(1u << order);
    frame_set(frame, FRAME_INSIDE, 0);
}

/* Others read it without the lock, under which it is written: so no exchange is needed. `pages` may
 * be negative, modulo 2^64. */
static void free_pages_add(struct page_pool *pool, uint64_t pages)
{
    atomic_store_explicit(&pool->free_pages, page_pool_free_pages(pool) + pages,
                          memory_order_relaxed);
}

/* --- Adding RAM --- */

void page_pool_init(struct page_pool *pool)
{
    memset(pool, 0, sizeof(*pool));
    spinlock_init(&pool->lock, LOCK_RANK_POOL);
}

/*
 * Fills the free lists with the largest aligned blocks of the region. From the top down: the lowest
 * block of each order ends up in front.
 */
static void region_seed(struct page_region *region)
{
    uint64_t end = region->first_pfn + region->nr_pages;
    while (end > region->first_pfn) {
        unsigned order = log2_floor(end - region->first_pfn);
        unsigned alignment = (unsigned)__builtin_ctzll(end);
        if (order > alignment)
            order = alignment;
        if (order > PAGE_POOL_MAX_ORDER)
            order = PAGE_POOL_MAX_ORDER;
        end -= UINT64_C(1) << order;
        block_push(region, end - region->first_pfn, order);
    }
}

static bool pool_overlaps(const struct page_pool *pool, uint64_t first, uint64_t last)
{
    for (uint32_t i = 0; i < pool->nr_regions; i++) {
        const struct page_region *region = &pool->region[i];
        if (first < region->first_pfn + region->nr_pages && region->base_pfn < last)
            return true;
    }
    return false;
}

/* `first` and `last` (exclusive) are page numbers. The pool's lock is held. */
static hv_err region_add(struct page_pool *pool, uint64_t first, uint64_t last)
{
    if (pool_overlaps(pool, first, last))
        return HV_ERR_EXIST;
    if (pool->nr_regions == PAGE_POOL_REGIONS)
        return HV_ERR_NOMEM;
    uint64_t frames_size = (last - first) * sizeof(struct page_frame);
    uint64_t overhead = align_up(frames_size, PAGE_SIZE);
    /* Mapped for good: the bookkeeping is in it, and no later allocation finds a hole. */
    void *frames = hal_phys_map(pa(first << PAGE_SHIFT), (last - first) << PAGE_SHIFT);
    if (frames == NULL)
        return HV_ERR_RANGE;
    memset(frames, 0, frames_size);

    struct page_region *region = &pool->region[pool->nr_regions++];
    *region = (struct page_region){.base_pfn = first, .frames = frames};
    region->first_pfn = first + (overhead >> PAGE_SHIFT);
    region->nr_pages = last - region->first_pfn;
    region_seed(region);
    free_pages_add(pool, region->nr_pages);
    pool->total_pages += region->nr_pages;
    return HV_OK;
}

hv_err page_pool_add(struct page_pool *pool, pa_t base, uint64_t size)
{
    if (range_exceeds(base.v, size, UINT64_MAX - PAGE_MASK))
        return HV_ERR_RANGE;
    uint64_t first = align_up(base.v, PAGE_SIZE) >> PAGE_SHIFT;
    uint64_t last = (base.v + size) >> PAGE_SHIFT;
    /* The page at 0 could be mapped at NULL: never used. */
    if (first == 0)
        first = 1;
    /* Links have 32 bits, and one page more than the bookkeeping must remain. */
    if (last <= first + 1 || last - first >= UINT32_MAX)
        return HV_ERR_RANGE;
    spinlock_lock(&pool->lock);
    hv_err err = region_add(pool, first, last);
    spinlock_unlock(&pool->lock);
    return err;
}

/* --- Allocation --- */

/* The region that has the smallest free block of at least `order`, the first of several; NULL if
 * none has. */
static struct page_region *region_choose(struct page_pool *pool, unsigned order, unsigned *found)
{
    struct page_region *best = NULL;
    *found = PAGE_POOL_ORDERS;
    for (uint32_t i = 0; i < pool->nr_regions; i++) {
        uint32_t fitting = pool->region[i].free_orders >> order;
        if (fitting == 0)
            continue;
        unsigned candidate = order + (unsigned)__builtin_ctz(fitting);
        if (candidate < *found) {
            *found = candidate;
            best = &pool->region[i];
        }
    }
    return best;
}

/* Takes a block out of the free lists, splitting a larger one. The pool's lock is held. */
static hv_err block_take(struct page_pool *pool, unsigned order, pa_t *out)
{
    unsigned found;
    struct page_region *region = region_choose(pool, order, &found);
    if (region == NULL)
        return HV_ERR_NOMEM;
    uint64_t index = region->free[found] - 1u;
    block_remove(region, index);
    while (found > order) {
        found--;
        block_push(region, index + (UINT64_C(1) << found), found);
    }
    frame_set(&region->frames[index], FRAME_USED, order);
    *out = pa((region->first_pfn + index) << PAGE_SHIFT);
    return HV_OK;
}

static hv_err alloc_locked(struct page_pool *pool, struct page_account *account, unsigned order,
                           pa_t *out)
{
    uint64_t pages = UINT64_C(1) << order;
    if (pool->fail_nth != 0 && --pool->fail_nth == 0)
        return HV_ERR_NOMEM;
    if (range_exceeds(account->used, pages, account->limit))
        return HV_ERR_QUOTA;
    hv_err err = block_take(pool, order, out);
    if (err != HV_OK)
        return err;
    account->used += pages;
    free_pages_add(pool, -pages);
    return HV_OK;
}

hv_err page_pool_take(struct page_pool *pool, struct page_account *account, unsigned order,
                      pa_t *out)
{
    if (order > PAGE_POOL_MAX_ORDER)
        return HV_ERR_RANGE;
    spinlock_lock(&pool->lock);
    hv_err err = alloc_locked(pool, account, order, out);
    spinlock_unlock(&pool->lock);
    return err;
}

hv_err page_pool_alloc(struct page_pool *pool, struct page_account *account, unsigned order,
                       pa_t *out)
{
    hv_err err = page_pool_take(pool, account, order, out);

    if (err == HV_OK)
        page_pool_zero(pool, *out, PAGE_SIZE << order);
    return err;
}

/* --- Return --- */

static struct page_region *region_of(struct page_pool *pool, uint64_t pfn)
{
    for (uint32_t i = 0; i < pool->nr_regions; i++) {
        struct page_region *region = &pool->region[i];
        if (pfn >= region->first_pfn && pfn - region->first_pfn < region->nr_pages)
            return region;
    }
    return NULL;
}

/* Joins the block with its free buddies, as far as the region goes, and returns it to the free
 * lists. */
static void block_give(struct page_region *region, uint64_t index, unsigned order)
{
    while (order < PAGE_POOL_MAX_ORDER) {
        uint64_t buddy_pfn = (region->first_pfn + index) ^ (UINT64_C(1) << order);
        uint64_t buddy = buddy_pfn - region->first_pfn;
        if (buddy_pfn < region->first_pfn || buddy >= region->nr_pages)
            break;
        const struct page_frame *frame = &region->frames[buddy];
        if (frame->state != FRAME_FREE || frame->order != order)
            break;
        block_remove(region, buddy);
        if (buddy < index)
            index = buddy;
        order++;
    }
    block_push(region, index, order);
}

void page_pool_give(struct page_pool *pool, struct page_account *account, pa_t block,
                    unsigned order)
{
    HV_CHECK(order <= PAGE_POOL_MAX_ORDER && is_aligned(block.v, PAGE_SIZE << order));
    uint64_t pages = UINT64_C(1) << order;
    spinlock_lock(&pool->lock);
    struct page_region *region = region_of(pool, block.v >> PAGE_SHIFT);
    HV_CHECK(region != NULL);
    uint64_t index = (block.v >> PAGE_SHIFT) - region->first_pfn;
    struct page_frame *frame = &region->frames[index];
    HV_CHECK(frame->state == FRAME_USED && frame->order == order);
    HV_CHECK(account->used >= pages);
    frame_set(frame, FRAME_INSIDE, 0);
    block_give(region, index, order);
    account->used -= pages;
    free_pages_add(pool, pages);
    spinlock_unlock(&pool->lock);
}

/* The block in use that has the page `pfn`, as its index; *order is then its. */
static uint64_t block_find(const struct page_region *region, uint64_t pfn, unsigned *order)
{
    for (; *order <= PAGE_POOL_MAX_ORDER; ++*order) {
        uint64_t start = align_down(pfn, UINT64_C(1) << *order);
        if (start < region->first_pfn)
            break;
        const struct page_frame *frame = &region->frames[start - region->first_pfn];
        if (frame->state == FRAME_USED && frame->order == *order)
            return start - region->first_pfn;
    }
    return UINT64_MAX;
}

void page_pool_split(struct page_pool *pool, pa_t at, unsigned order)
{
    uint64_t pfn = at.v >> PAGE_SHIFT;
    unsigned found = order;

    HV_CHECK(order <= PAGE_POOL_MAX_ORDER && is_aligned(at.v, PAGE_SIZE << order));
    spinlock_lock(&pool->lock);
    struct page_region *region = region_of(pool, pfn);
    HV_CHECK(region != NULL);
    uint64_t block = block_find(region, pfn, &found);
    HV_CHECK(block != UINT64_MAX);
    while (found > order) {
        uint64_t half = block + (UINT64_C(1) << --found);
        frame_set(&region->frames[block], FRAME_USED, found);
        frame_set(&region->frames[half], FRAME_USED, found);
        if (pfn - region->first_pfn >= half)
            block = half;
    }
    spinlock_unlock(&pool->lock);
}

void page_pool_free(struct page_pool *pool, struct page_account *account, pa_t block,
                    unsigned order)
{
    HV_CHECK(order <= PAGE_POOL_MAX_ORDER);
    page_pool_scrub(pool, block, PAGE_SIZE << order);
    page_pool_give(pool, account, block, order);
}

/* --- Zeroes --- */

/* Up to 1 GiB to zero: not with the lock held. The pages are the caller's, and what their frames
 * say of them. */
static void zero_pages(struct page_pool *pool, pa_t at, uint64_t len, bool all)
{
    uint64_t pfn = at.v >> PAGE_SHIFT;
    char *page = hal_phys_map(at, len);

    HV_CHECK(page != NULL && is_aligned(at.v | len, PAGE_SIZE));
    spinlock_lock(&pool->lock);
    const struct page_region *region = region_of(pool, pfn);
    HV_CHECK(region != NULL);
    spinlock_unlock(&pool->lock);
    struct page_frame *frame = &region->frames[pfn - region->first_pfn];
    for (uint64_t i = 0; i < len; i += PAGE_SIZE, frame++) {
        if (all || !frame->had)
            memset(page + i, 0, PAGE_SIZE);
        frame->had = true;
    }
    hal_phys_unmap(page, len);
}

void page_pool_zero(struct page_pool *pool, pa_t at, uint64_t len)
{
    zero_pages(pool, at, len, false);
}

void page_pool_scrub(struct page_pool *pool, pa_t at, uint64_t len)
{
    zero_pages(pool, at, len, true);
}

/* --- Small things --- */

void page_pool_fail_nth(struct page_pool *pool, uint64_t n)
{
    spinlock_lock(&pool->lock);
    pool->fail_nth = n;
    spinlock_unlock(&pool->lock);
}

uint64_t page_pool_free_pages(const struct page_pool *pool)
{
    return atomic_load_explicit(&pool->free_pages, memory_order_relaxed);
}

uint64_t page_pool_used(struct page_pool *pool, const struct page_account *account)
{
    spinlock_lock(&pool->lock);
    uint64_t used = account->used;
    spinlock_unlock(&pool->lock);
    return used;
}

unsigned page_pool_order(uint64_t size)
{
    if (size <= PAGE_SIZE)
        return 0;
    if (size > PAGE_SIZE << PAGE_POOL_MAX_ORDER)
        return PAGE_POOL_MAX_ORDER + 1;
    return log2_floor(size - 1) + 1 - PAGE_SHIFT;
}
