/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* ram_give_to_pool() against a bitmap: exactly the whole free pages may be handed out. */
#include "cases.h"
#include "fakehal/fakehal.h"
#include "prng.h"
#include "role/ram.h"

#define BASE       UINT64_C(0x40000000)
#define NR_PAGES   256u
#define FRAME_SIZE 12u /* bookkeeping of one page */
#define MAX_TAKEN  3u

static struct page_pool pool;
static struct page_account account;
static struct hal_platform platform;
static struct platform_range taken[MAX_TAKEN];
static size_t nr_taken;
static uint64_t seed;

/* An empty pool and no description; in the RAM there is what was there. */
static void begin(void)
{
    page_pool_init(&pool);
    account = (struct page_account){.limit = UINT64_MAX};
    memset(&platform, 0, sizeof(platform));
    nr_taken = 0;
}

static void setup(void)
{
    fakehal_reset();
    fakehal_add_ram(pa(BASE), NR_PAGES * PAGE_SIZE);
    begin();
}

static void add_ram(uint64_t base, uint64_t size)
{
    platform.ram[platform.nr_ram++] = (struct platform_range){base, size};
}

static void reserve(uint64_t base, uint64_t size)
{
    platform.reserved[platform.nr_reserved++] = (struct platform_range){base, size};
}

static void take(uint64_t base, uint64_t size)
{
    taken[nr_taken++] = (struct platform_range){base, size};
}

static hv_err give(void)
{
    return ram_give_to_pool(&platform, taken, nr_taken, &pool);
}

static bool hit(const struct platform_range *range, uint64_t page)
{
    return range->size != 0 && range->base < page + PAGE_SIZE &&
           page <= range->base + (range->size - 1);
}

/* The page at `page` lies in the RAM range as a whole, and no byte of it is anybody's. */
static bool page_free(const struct platform_range *ram, uint64_t page)
{
    if (page < ram->base || page + PAGE_SIZE > ram->base + ram->size)
        return false;
    for (uint32_t i = 0; i < platform.nr_reserved; i++)
        if (hit(&platform.reserved[i], page))
            return false;
    for (size_t i = 0; i < nr_taken; i++)
        if (hit(&taken[i], page))
            return false;
    return true;
}

/* What the pool must hand out: of every run of two pages or more, all but its bookkeeping. */
static unsigned model(bool expected[NR_PAGES])
{
    unsigned count = 0;

    for (uint32_t i = 0; i < platform.nr_ram; i++) {
        unsigned n = 0;
        while (n < NR_PAGES) {
            unsigned first = n;
            while (n < NR_PAGES && page_free(&platform.ram[i], BASE + n * PAGE_SIZE))
                n++;
            unsigned frames = ((n - first) * FRAME_SIZE + 4095) / 4096;
            for (unsigned k = first + frames; n - first >= 2 && k < n; k++, count++)
                expected[k] = true;
            n += n == first;
        }
    }
    return count;
}

/* Takes all that there is. */
static void check_pool(const bool expected[NR_PAGES], unsigned count)
{
    bool got[NR_PAGES] = {false};
    pa_t page;

    cr_assert_eq(page_pool_free_pages(&pool), count);
    while (page_pool_alloc(&pool, &account, 0, &page) == HV_OK) {
        unsigned n = (unsigned)((page.v - BASE) / PAGE_SIZE);
        cr_assert(page.v >= BASE && n < NR_PAGES && !got[n]);
        got[n] = true;
    }
    for (unsigned n = 0; n < NR_PAGES; n++)
        cr_assert_eq(got[n], expected[n], "page %u", n);
}

static void check(void)
{
    bool expected[NR_PAGES] = {false};
    unsigned count = model(expected);

    cr_assert_eq(give(), count > 0 ? HV_OK : HV_ERR_NOMEM);
    check_pool(expected, count);
}

static uint64_t below(uint64_t n)
{
    return prng_next(&seed) % n;
}

/* A hole anywhere, from before RAM to behind it: empty, unaligned or of whole pages. */
static struct platform_range random_hole(void)
{
    struct platform_range hole = {BASE - 8 * PAGE_SIZE + below((NR_PAGES + 16) * PAGE_SIZE),
                                  below(below(8) == 0 ? 64 * PAGE_SIZE : 6 * PAGE_SIZE)};

    if (below(2) == 0) {
        hole.base &= ~PAGE_MASK;
        hole.size &= ~PAGE_MASK;
    }
    return hole;
}

/* Up to three ranges, often adjacent, half of them not made of pages. */
static void random_ram(void)
{
    uint64_t at = BASE;
    bool pages = below(2) == 0;

    for (unsigned i = 0; i < 3; i++) {
        uint64_t gap = below(2) * below(20 * PAGE_SIZE);
        uint64_t size = 1 + below(90 * PAGE_SIZE);
        if (pages) {
            gap &= ~PAGE_MASK;
            size = (size | PAGE_MASK) + 1;
        }
        if (at + gap + size > BASE + NR_PAGES * PAGE_SIZE)
            return;
        add_ram(at + gap, size);
        at += gap + size;
    }
}

CASE(role_ram, property_against_a_bitmap)
{
    seed = UINT64_C(0x5eed0001);
    for (unsigned run = 0; run < 3000; run++) {
        begin();
        random_ram();
        for (uint64_t n = below(10); n > 0; n--) {
            struct platform_range hole = random_hole();
            /* Every fourth lies behind the one before, or within it. */
            if (platform.nr_reserved > 0 && below(4) == 0)
                hole.base = platform.reserved[platform.nr_reserved - 1].base +
                            below(2) * platform.reserved[platform.nr_reserved - 1].size;
            reserve(hole.base, hole.size);
        }
        for (uint64_t n = below(MAX_TAKEN + 1); n > 0; n--) {
            struct platform_range hole = random_hole();
            take(hole.base, hole.size);
        }
        check();
    }
}

CASE(role_ram, all_of_it)
{
    add_ram(BASE, NR_PAGES * PAGE_SIZE);
    cr_assert_eq(give(), HV_OK);
    cr_assert_eq(page_pool_free_pages(&pool), NR_PAGES - 1);
}

/* A byte costs its page, the last byte of a page no more than that. */
CASE(role_ram, bytes_cost_their_pages)
{
    add_ram(BASE, NR_PAGES * PAGE_SIZE);
    reserve(BASE + 0x10fff, 1);
    take(BASE + 0x20fff, 2);
    cr_assert_eq(give(), HV_OK);
    cr_assert_eq(pool.nr_regions, 3);
    cr_assert_eq(page_pool_free_pages(&pool), NR_PAGES - 3 - 3);
}

CASE(role_ram, empty_ranges_cost_nothing)
{
    add_ram(BASE, NR_PAGES * PAGE_SIZE);
    reserve(BASE + 0x10, 0);
    take(BASE + 0x20fff, 0);
    take(0, 0);
    cr_assert_eq(give(), HV_OK);
    cr_assert_eq(page_pool_free_pages(&pool), NR_PAGES - 1);
}

CASE(role_ram, nothing_is_left)
{
    cr_assert_eq(give(), HV_ERR_NOMEM, "no RAM at all");
    add_ram(BASE, NR_PAGES * PAGE_SIZE);
    take(BASE - 1, NR_PAGES * PAGE_SIZE + 2);
    cr_assert_eq(give(), HV_ERR_NOMEM, "all is taken");
    nr_taken = 0;
    reserve(BASE + 0x1000, (NR_PAGES - 2) * PAGE_SIZE);
    cr_assert_eq(give(), HV_ERR_NOMEM, "single pages are too small");
    cr_assert_eq(pool.nr_regions, 0);
}

/* A devicetree's memory reservation may end at the last byte that 64 bits can name. */
CASE(role_ram, reserved_up_to_the_end_of_all_addresses)
{
    add_ram(BASE, NR_PAGES * PAGE_SIZE);
    reserve(BASE + 0x80000, UINT64_MAX - BASE - 0x80000);
    cr_assert_eq(give(), HV_OK);
    cr_assert_eq(page_pool_free_pages(&pool), 0x7f);
    setup();
    add_ram(BASE, NR_PAGES * PAGE_SIZE);
    reserve(BASE, UINT64_MAX - BASE);
    cr_assert_eq(give(), HV_ERR_NOMEM);
}

/* As many pieces as a description can have: 16 ranges, 32 holes of the firmware's and 3 of ours. */
CASE(role_ram, most_pieces)
{
    for (unsigned i = 0; i < 16; i++) {
        uint64_t at = BASE + 16 * i * PAGE_SIZE;
        add_ram(at, 16 * PAGE_SIZE);
        reserve(at + 4 * PAGE_SIZE, 2 * PAGE_SIZE);
        reserve(at + 9 * PAGE_SIZE, 2 * PAGE_SIZE);
        if (i < 3)
            take(at + 13 * PAGE_SIZE, PAGE_SIZE);
    }
    check();
    cr_assert_eq(pool.nr_regions, 51);
}

static void give_one_more(void *ctx)
{
    const struct platform_range more[4] = {{0}};

    (void)ctx;
    hv_err err = ram_give_to_pool(&platform, more, 4, &pool);
    cr_assert_fail("returned %d", (int)err);
}

CASE(role_ram, more_taken_than_planned_for)
{
    add_ram(BASE, NR_PAGES * PAGE_SIZE);
    cr_assert(fakehal_expect_check(give_one_more, NULL));
}

CASES_RUN(role_ram, setup, NULL)
