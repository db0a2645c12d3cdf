/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "cases.h"
#include "fakehal/fakehal.h"
#include "mem/page_pool.h"
#include "prng.h"
#include <string.h>

#define RAM UINT64_C(0x40000000)

static struct page_pool pool;
static struct page_account account;

static void setup(void)
{
    fakehal_reset();
    page_pool_init(&pool);
    account = (struct page_account){.limit = UINT64_MAX};
}

static void add(uint64_t base, uint64_t size)
{
    fakehal_add_ram(pa(base), size);
    cr_assert_eq(page_pool_add(&pool, pa(base), size), HV_OK);
}

static uint64_t take(unsigned order)
{
    pa_t out = {0};
    cr_assert_eq(page_pool_alloc(&pool, &account, order, &out), HV_OK);
    return out.v;
}

CASE(page_pool, order_of_sizes)
{
    static const struct {
        uint64_t size;
        unsigned order;
    } rows[] = {{0, 0},           {1, 0},           {4096, 0},       {4097, 1},
                {8192, 1},        {8193, 2},        {0x200000, 9},   {0x200001, 10},
                {0x40000000, 18}, {0x40000001, 19}, {UINT64_MAX, 19}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_expect_eq(page_pool_order(rows[i].size), rows[i].order, "row %zu", i);
}

CASE(page_pool, add_refuses)
{
    fakehal_add_ram(pa(RAM), 0x100000);
    /* Less than two whole pages, wrapping around, unknown to the HAL, larger than 16 TiB. */
    cr_expect_eq(page_pool_add(&pool, pa(RAM), 0), HV_ERR_RANGE);
    cr_expect_eq(page_pool_add(&pool, pa(RAM), 0x1000), HV_ERR_RANGE);
    cr_expect_eq(page_pool_add(&pool, pa(RAM + 1), 0x2fff), HV_OK, "two whole pages are enough");
    cr_expect_eq(page_pool_add(&pool, pa(RAM + 0x8001), 0x2000), HV_ERR_RANGE);
    cr_expect_eq(page_pool_add(&pool, pa(UINT64_MAX - 0xfff), 0x1000), HV_ERR_RANGE);
    cr_expect_eq(page_pool_add(&pool, pa(0x1000), UINT64_MAX), HV_ERR_RANGE);
    cr_expect_eq(page_pool_add(&pool, pa(0x80000000), 0x100000), HV_ERR_RANGE);
    cr_expect_eq(page_pool_add(&pool, pa(RAM + 0x80000), 0x100000), HV_ERR_RANGE);
    cr_expect_eq(page_pool_add(&pool, pa(0), UINT64_C(1) << 44), HV_ERR_RANGE);
    cr_expect_eq(pool.nr_regions, 1);
    cr_expect_eq(pool.total_pages, 1);
    fakehal_add_ram(pa(0), 0x4000);
    cr_expect_eq(page_pool_add(&pool, pa(0), 0x2000), HV_ERR_RANGE);
    cr_expect_eq(page_pool_add(&pool, pa(0), 0x4000), HV_OK);
    cr_expect_eq(pool.total_pages, 3, "without page 0 and one for the bookkeeping");
}

CASE(page_pool, add_refuses_overlap)
{
    add(RAM, 0x100000);
    uint64_t pages = page_pool_free_pages(&pool);
    cr_expect_eq(page_pool_add(&pool, pa(RAM), 0x100000), HV_ERR_EXIST);
    /* The first page holds bookkeeping: it is taken as well. */
    cr_expect_eq(page_pool_add(&pool, pa(RAM - 0x10000), 0x11000), HV_ERR_EXIST);
    cr_expect_eq(page_pool_add(&pool, pa(RAM + 0xff000), 0x10000), HV_ERR_EXIST);
    cr_expect_eq(page_pool_add(&pool, pa(RAM + 0x10000), 0x10000), HV_ERR_EXIST);
    cr_expect_eq(page_pool_free_pages(&pool), pages);
    add(RAM + 0x100000, 0x10000);
    add(RAM - 0x10000, 0x10000);
}

CASE(page_pool, add_until_slots_are_full)
{
    fakehal_add_ram(pa(RAM), 0x1000000);
    for (unsigned i = 0; i < 51; i++)
        cr_assert_eq(page_pool_add(&pool, pa(RAM + i * UINT64_C(0x10000)), 0x8000), HV_OK);
    cr_expect_eq(page_pool_add(&pool, pa(RAM + 0x800000), 0x8000), HV_ERR_NOMEM);
    cr_expect_eq(pool.total_pages, 51 * 7);
}

CASE(page_pool, bookkeeping_is_small)
{
    add(RAM, UINT64_C(1) << 30);
    cr_expect_geq(pool.total_pages, 262144 - 262144 * 16 / 4096);
    cr_expect_eq(page_pool_free_pages(&pool), pool.total_pages);
}

CASE(page_pool, blocks_are_zeroed_and_aligned)
{
    add(RAM, 0x400000);
    memset(fakehal_mem(pa(RAM + 0x10000), 0x3f0000), 0xa5, 0x3f0000);
    for (unsigned order = 0; order <= 8; order++) {
        uint64_t at = take(order);
        cr_expect_eq(at & ((UINT64_C(0x1000) << order) - 1), 0);
        const unsigned char *mem = fakehal_mem(pa(at), UINT64_C(0x1000) << order);
        cr_expect_eq(mem[0], 0);
        cr_expect_eq(memcmp(mem, mem + 1, (0x1000u << order) - 1), 0);
        memset(fakehal_mem(pa(at), 0x1000), 0xff, 0x1000);
    }
    cr_expect_eq(page_pool_used(&pool, &account), 511, "all of 2^0..2^8");
}

static bool all(uint64_t at, uint64_t len, unsigned char value)
{
    const unsigned char *mem = fakehal_mem(pa(at), len);

    return mem[0] == value && memcmp(mem, mem + 1, len - 1) == 0;
}

static void fill(uint64_t at, uint64_t len, int value)
{
    memset(fakehal_mem(pa(at), len), value, len);
}

CASE(page_pool, free_pages_are_scrubbed)
{
    add(RAM, 0x400000);
    for (unsigned order = 0; order <= 8; order++) {
        uint64_t at = take(order);
        fill(at, UINT64_C(0x1000) << order, 0x5e);
        page_pool_free(&pool, &account, pa(at), order);
        cr_expect(all(at, UINT64_C(0x1000) << order, 0), "order %u", order);
    }
}

/* What is there behind the pool's back shows who zeroes. */
CASE(page_pool, pages_are_zeroed_once_for_each_owner)
{
    add(RAM, 0x400000);
    fill(RAM + 0x200000, 0x200000, 0xa5);
    uint64_t low = take(8);
    cr_assert_eq(low, RAM + 0x100000);
    uint64_t at = take(9);
    cr_assert_eq(at, RAM + 0x200000);
    cr_expect(all(at, 0x200000, 0), "what the firmware left is nobody's");
    page_pool_free(&pool, &account, pa(at), 9);
    fill(at, 0x200000, 0x77);
    cr_assert_eq(take(9), at);
    cr_expect(all(at, 0x200000, 0x77), "scrubbed when it was given back, and not again");
}

/* Half of the block has been somebody's. */
CASE(page_pool, each_page_is_known_by_itself)
{
    add(RAM, 0x400000);
    fill(RAM + 0x200000, 0x200000, 0xa5);
    (void)take(8);
    uint64_t half = take(8);
    uint64_t end = half + 0x100000;
    cr_assert_eq(half, RAM + 0x200000);
    page_pool_free(&pool, &account, pa(half), 8);
    fill(half, 0x100000, 0x77);
    cr_assert_eq(take(9), half, "merged with one that nobody has had");
    cr_expect(all(half, 0x100000, 0x77));
    cr_expect(all(end, 0x100000, 0));
}

CASE(page_pool, in_steps)
{
    pa_t at;

    add(RAM, 0x400000);
    fill(RAM + 0x200000, 0x200000, 0xa5);
    cr_assert_eq(page_pool_take(&pool, &account, 19, &at), HV_ERR_RANGE);
    cr_assert_eq(page_pool_take(&pool, &account, 9, &at), HV_OK);
    cr_expect_eq(account.used, 512);
    cr_expect(all(at.v, 0x200000, 0xa5), "not yet");
    page_pool_zero(&pool, at, 0x1000);
    cr_expect(all(at.v, 0x1000, 0));
    cr_expect(all(at.v + 0x1000, 0x1ff000, 0xa5));
    /* The others were not zeroed yet when it was given up. */
    fill(at.v, 0x800, 0x5e);
    page_pool_scrub(&pool, at, 0x1000);
    page_pool_scrub(&pool, pa_add(at, 0x1000), 0x1ff000);
    cr_expect(all(at.v, 0x200000, 0));
    page_pool_give(&pool, &account, at, 9);
    cr_expect_eq(account.used, 0);
    cr_expect_eq(page_pool_free_pages(&pool), pool.total_pages);
    fill(at.v, 0x200000, 0x77);
    cr_assert_eq(take(9), at.v);
    cr_expect(all(at.v, 0x200000, 0x77), "it is known to be zero");
}

CASE(page_pool, lowest_address_first)
{
    add(RAM, 0x100000);
    uint64_t last = 0;
    for (unsigned i = 0; i < 255; i++) {
        uint64_t at = take(0);
        if (i == 0)
            cr_expect_eq(at, RAM + 0x1000);
        cr_expect_gt(at, last);
        last = at;
    }
}

CASE(page_pool, order_out_of_range)
{
    add(RAM, 0x100000);
    pa_t out;
    cr_expect_eq(page_pool_alloc(&pool, &account, 19, &out), HV_ERR_RANGE);
    cr_expect_eq(page_pool_alloc(&pool, &account, UINT32_MAX, &out), HV_ERR_RANGE);
    cr_expect_eq(page_pool_alloc(&pool, &account, 18, &out), HV_ERR_NOMEM);
}

CASE(page_pool, largest_order)
{
    /* Looks at the free lists: to allocate it would mean to zero a gigabyte. */
    add(UINT64_C(0x80000000) - 0x800000, (UINT64_C(2) << 30) + 0x800000);
    cr_expect_eq(pool.region[0].free_orders >> 18, 1, "2 GiB, naturally aligned, are two blocks");
}

CASE(page_pool, exhaustion_and_return)
{
    static uint64_t got[2048];
    add(RAM, 0x800000);
    uint64_t n = pool.total_pages;
    pa_t out;
    for (uint64_t i = 0; i < n; i++)
        got[i] = take(0);
    cr_expect_eq(page_pool_free_pages(&pool), 0);
    cr_expect_eq(page_pool_alloc(&pool, &account, 0, &out), HV_ERR_NOMEM);
    cr_expect_eq(account.used, n);
    /* Freed in an order that makes every merge happen late. */
    for (uint64_t i = 0; i < n; i += 2)
        page_pool_free(&pool, &account, pa(got[i]), 0);
    cr_expect_eq(page_pool_alloc(&pool, &account, 1, &out), HV_ERR_NOMEM);
    for (uint64_t i = 1; i < n; i += 2)
        page_pool_free(&pool, &account, pa(got[i]), 0);
    cr_expect_eq(account.used, 0);
    cr_expect_eq(page_pool_free_pages(&pool), n);
    cr_expect_eq(take(10), RAM + 0x400000, "all has merged again");
}

CASE(page_pool, adjacent_ranges_do_not_merge)
{
    add(RAM, 0x200000);
    add(RAM + 0x200000, 0x200000);
    pa_t out;
    cr_expect_eq(page_pool_alloc(&pool, &account, 9, &out), HV_ERR_NOMEM);
    uint64_t a = take(8);
    uint64_t b = take(8);
    page_pool_free(&pool, &account, pa(a), 8);
    page_pool_free(&pool, &account, pa(b), 8);
    cr_expect_eq(page_pool_alloc(&pool, &account, 9, &out), HV_ERR_NOMEM);
    cr_expect_eq(page_pool_free_pages(&pool), pool.total_pages);
}

CASE(page_pool, quota)
{
    add(RAM, 0x100000);
    pa_t out;
    account.limit = 5;
    uint64_t four = take(2);
    cr_expect_eq(page_pool_alloc(&pool, &account, 1, &out), HV_ERR_QUOTA);
    uint64_t one = take(0);
    cr_expect_eq(page_pool_alloc(&pool, &account, 0, &out), HV_ERR_QUOTA);
    cr_expect_eq(account.used, 5);
    struct page_account other = {.limit = 1};
    cr_expect_eq(page_pool_alloc(&pool, &other, 0, &out), HV_OK, "accounts are independent");
    page_pool_free(&pool, &account, pa(four), 2);
    cr_expect_eq(account.used, 1);
    cr_expect_neq(take(2), one);
    /* A limit below what is used, and one that must not wrap. */
    account.limit = 2;
    cr_expect_eq(page_pool_alloc(&pool, &account, 0, &out), HV_ERR_QUOTA);
    account = (struct page_account){.limit = UINT64_MAX, .used = UINT64_MAX - 1};
    cr_expect_eq(page_pool_alloc(&pool, &account, 1, &out), HV_ERR_QUOTA);
}

CASE(page_pool, fail_nth)
{
    add(RAM, 0x100000);
    pa_t out;
    page_pool_fail_nth(&pool, 2);
    take(0);
    uint64_t left = page_pool_free_pages(&pool);
    cr_expect_eq(page_pool_alloc(&pool, &account, 0, &out), HV_ERR_NOMEM);
    cr_expect_eq(page_pool_free_pages(&pool), left);
    cr_expect_eq(account.used, 1);
    take(0);
    page_pool_fail_nth(&pool, 1);
    page_pool_fail_nth(&pool, 0);
    take(0);
}

struct free_case {
    uint64_t block;
    unsigned order;
    struct page_account *account;
};

static void do_free(void *ctx)
{
    struct free_case *c = ctx;
    page_pool_free(&pool, c->account, pa(c->block), c->order);
}

/* Each on a pool of its own: a failed check leaves the lock held. */
static void expect_bad_free(int64_t offset, unsigned order, bool after_free)
{
    setup();
    add(RAM, 0x100000);
    uint64_t block = take(3);
    if (after_free)
        page_pool_free(&pool, &account, pa(block), 3);
    struct free_case c = {block + (uint64_t)offset, order, &account};
    cr_expect(fakehal_expect_check(do_free, &c), "offset %lld order %u", (long long)offset, order);
}

CASE(page_pool, bad_frees_are_bugs)
{
    expect_bad_free(0, 2, false);
    expect_bad_free(0, 4, false);
    expect_bad_free(0, 19, false);
    expect_bad_free(0x1000, 0, false);
    expect_bad_free(0x4000, 2, false);
    expect_bad_free(8, 3, false);
    expect_bad_free(-0x100000, 3, false);
    expect_bad_free(0x10000000, 3, false);
    expect_bad_free(0, 3, true);
    setup();
    add(RAM, 0x100000);
    struct page_account poor = {.limit = UINT64_MAX, .used = 7};
    struct free_case c = {take(3), 3, &poor};
    cr_expect(fakehal_expect_check(do_free, &c), "charged to another account");
    cr_expect_eq(poor.used, 7);
}

/* --- Against a naive model: who owns each page --- */

#define MODEL_PAGES 1200u
#define MODEL_LIVE  300u

static struct {
    unsigned char owned[MODEL_PAGES]; /* page RAM + i * 4 KiB */
    struct {
        uint64_t at;
        unsigned order;
        uint64_t canary;
        unsigned account;
    } live[MODEL_LIVE];
    unsigned nr_live;
    struct page_account account[2];
    uint64_t used[2];
    uint64_t free;
} model;

static uint64_t rng_state;

static uint64_t rng(void)
{
    return prng_next(&rng_state);
}

/* True if some region has a free, aligned run of 2^order pages: what a buddy allocator that merges
 * all it can must find. */
static bool model_has(unsigned order)
{
    for (unsigned r = 0; r < pool.nr_regions; r++) {
        uint64_t first = pool.region[r].first_pfn;
        uint64_t end = first + pool.region[r].nr_pages;
        uint64_t n = UINT64_C(1) << order;
        for (uint64_t pfn = (first + n - 1) & ~(n - 1); pfn + n <= end; pfn += n)
            if (memchr(&model.owned[pfn - RAM / 4096], 1, n) == NULL)
                return true;
    }
    return false;
}

static void model_alloc(void)
{
    unsigned order = (unsigned)(rng() % 4 == 0 ? rng() % 11 : rng() % 4);
    unsigned who = (unsigned)(rng() % 2);
    uint64_t n = UINT64_C(1) << order;
    if (model.nr_live == MODEL_LIVE)
        return;
    pa_t out = {0};
    hv_err err = page_pool_alloc(&pool, &model.account[who], order, &out);
    if (model.used[who] + n > model.account[who].limit) {
        cr_assert_eq(err, HV_ERR_QUOTA);
        return;
    }
    if (!model_has(order)) {
        cr_assert_eq(err, HV_ERR_NOMEM);
        return;
    }
    cr_assert_eq(err, HV_OK);
    cr_assert_eq(out.v & (n * 4096 - 1), 0);
    uint64_t index = (out.v - RAM) / 4096;
    cr_assert_lt(index, MODEL_PAGES);
    cr_assert_null(memchr(&model.owned[index], 1, n), "the block belongs to somebody");
    memset(&model.owned[index], 1, n);
    uint64_t *mem = fakehal_mem(out, n * 4096);
    cr_assert(mem[0] == 0 && mem[n * 512 - 1] == 0);
    uint64_t canary = rng() | 1;
    mem[0] = mem[n * 512 - 1] = canary;
    model.live[model.nr_live].at = out.v;
    model.live[model.nr_live].order = order;
    model.live[model.nr_live].canary = canary;
    model.live[model.nr_live++].account = who;
    model.used[who] += n;
    model.free -= n;
}

static void model_free(void)
{
    if (model.nr_live == 0)
        return;
    unsigned i = (unsigned)(rng() % model.nr_live);
    uint64_t n = UINT64_C(1) << model.live[i].order;
    const uint64_t *mem = fakehal_mem(pa(model.live[i].at), n * 4096);
    cr_assert_eq(mem[0], model.live[i].canary);
    cr_assert_eq(mem[n * 512 - 1], model.live[i].canary);
    unsigned who = model.live[i].account;
    page_pool_free(&pool, &model.account[who], pa(model.live[i].at), model.live[i].order);
    cr_assert(mem[0] == 0 && mem[n * 512 - 1] == 0);
    memset(&model.owned[(model.live[i].at - RAM) / 4096], 0, n);
    model.used[who] -= n;
    model.free += n;
    model.live[i] = model.live[--model.nr_live];
}

CASE(page_pool, agrees_with_naive_model)
{
    rng_state = 0x9e3779b97f4a7c15;
    memset(&model, 0, sizeof(model));
    fakehal_add_ram(pa(RAM), MODEL_PAGES * 4096);
    cr_assert_eq(page_pool_add(&pool, pa(RAM + 3 * 4096), 777 * 4096), HV_OK);
    cr_assert_eq(page_pool_add(&pool, pa(RAM + 1000 * 4096), 64 * 4096), HV_OK);
    cr_assert_eq(page_pool_add(&pool, pa(RAM + 1064 * 4096), 33 * 4096), HV_OK);
    model.account[0].limit = UINT64_MAX;
    model.account[1].limit = 250;
    model.free = page_pool_free_pages(&pool);
    uint64_t total = model.free;
    for (unsigned i = 0; i < 20000; i++) {
        /* Phases in which the pool fills up and runs empty. */
        bool fill = (i / 1000) % 2 == 0;
        if (rng() % 8 < (fill ? 5u : 3u))
            model_alloc();
        else
            model_free();
        cr_assert_eq(page_pool_free_pages(&pool), model.free);
        cr_assert_eq(model.account[0].used, model.used[0]);
        cr_assert_eq(model.account[1].used, model.used[1]);
    }
    while (model.nr_live > 0)
        model_free();
    cr_assert_eq(page_pool_free_pages(&pool), total);
    cr_expect_eq(fakehal()->maps, fakehal()->unmaps + pool.nr_regions, "every block is unmapped");
}

CASES_RUN(page_pool, setup, NULL)
