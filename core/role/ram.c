/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "role/ram.h"
#include "base/addr.h"
#include "base/check.h"

/* Each hole makes at most one piece more. */
_Static_assert(PAGE_POOL_REGIONS >= PLATFORM_MAX_RAM + PLATFORM_MAX_RESERVED + RAM_MAX_TAKEN,
               "the pool takes as many pieces of RAM as a machine can have");

struct carve {
    const struct hal_platform *platform;
    const struct platform_range *taken;
    size_t nr_taken;
};

static struct platform_range nth_hole(const struct carve *carve, size_t n)
{
    if (n < carve->platform->nr_reserved)
        return carve->platform->reserved[n];
    return carve->taken[n - carve->platform->nr_reserved];
}

/* The first page boundary behind a hole. A memory reservation may reach the last byte of all. */
static uint64_t hole_end(const struct platform_range *hole)
{
    uint64_t end = hole->base + hole->size;

    return end > UINT64_MAX - PAGE_MASK ? UINT64_MAX : align_up(end, PAGE_SIZE);
}

/*
 * The first free range at or after `from` and below `end`: each pass moves its start past a hole
 * that covers it, or its stop before one that begins in it. False if there is none.
 */
static bool next_free(const struct carve *carve, uint64_t from, uint64_t end,
                      struct platform_range *out)
{
    size_t holes = carve->platform->nr_reserved + carve->nr_taken;
    uint64_t start = from;
    uint64_t stop = end;
    bool moved = true;

    while (moved) {
        moved = false;
        for (size_t i = 0; i < holes; i++) {
            struct platform_range hole = nth_hole(carve, i);
            uint64_t low = align_down(hole.base, PAGE_SIZE);
            uint64_t high = hole_end(&hole);
            if (hole.size != 0 && low <= start && start < high) {
                start = high;
                stop = end;
                moved = true;
            } else if (hole.size != 0 && start < low && low < stop) {
                stop = low;
            }
        }
    }
    *out = (struct platform_range){start, stop > start ? stop - start : 0};
    return start < end;
}

hv_err ram_give_to_pool(const struct hal_platform *platform, const struct platform_range *taken,
                        size_t nr_taken, struct page_pool *pool)
{
    const struct carve carve = {platform, taken, nr_taken};

    HV_CHECK(nr_taken <= RAM_MAX_TAKEN);
    for (uint32_t i = 0; i < platform->nr_ram; i++) {
        uint64_t at = platform->ram[i].base;
        uint64_t end = at + platform->ram[i].size;
        struct platform_range piece;

        while (next_free(&carve, at, end, &piece)) {
            hv_err err = page_pool_add(pool, pa(piece.base), piece.size);
            if (err != HV_OK && err != HV_ERR_RANGE)
                return err;
            at = piece.base + piece.size;
        }
    }
    return page_pool_free_pages(pool) != 0 ? HV_OK : HV_ERR_NOMEM;
}
