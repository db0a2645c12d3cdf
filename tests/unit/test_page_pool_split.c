/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Blocks of the page pool that are given back in parts. */
#include "cases.h"
#include "fakehal/fakehal.h"
#include "mem/page_pool.h"

#define RAM UINT64_C(0x80000000)

static struct page_pool pool;
static struct page_account account;

static void setup(void)
{
    fakehal_reset();
    page_pool_init(&pool);
    account = (struct page_account){.limit = UINT64_MAX};
}

CASE(page_pool_split, split)
{
    pa_t block;

    fakehal_add_ram(pa(RAM), 1024 * 4096);
    cr_assert_eq(page_pool_add(&pool, pa(RAM), 1024 * 4096), HV_OK);
    uint64_t free = page_pool_free_pages(&pool);
    cr_assert_eq(page_pool_alloc(&pool, &account, 6, &block), HV_OK);
    page_pool_split(&pool, pa_add(block, 37 * 4096), 0);
    page_pool_free(&pool, &account, pa_add(block, 37 * 4096), 0);
    cr_assert_eq(account.used, 63);
    cr_assert_eq(page_pool_free_pages(&pool), free - 63);
    page_pool_split(&pool, pa_add(block, 36 * 4096), 0);
    page_pool_split(&pool, block, 5);
    page_pool_free(&pool, &account, block, 5);
    page_pool_free(&pool, &account, pa_add(block, 36 * 4096), 0);
    page_pool_free(&pool, &account, pa_add(block, 38 * 4096), 1);
    page_pool_free(&pool, &account, pa_add(block, 32 * 4096), 2);
    page_pool_free(&pool, &account, pa_add(block, 40 * 4096), 3);
    page_pool_split(&pool, pa_add(block, 56 * 4096), 3);
    page_pool_free(&pool, &account, pa_add(block, 48 * 4096), 3);
    page_pool_free(&pool, &account, pa_add(block, 56 * 4096), 3);
    cr_assert_eq(account.used, 0);
    cr_assert_eq(page_pool_free_pages(&pool), free);
    cr_assert_eq(page_pool_alloc(&pool, &account, 6, &block), HV_OK, "they are joined again");
}

static void split_free_page(void *ctx)
{
    page_pool_split(&pool, *(const pa_t *)ctx, 0);
}

CASE(page_pool_split, split_what_is_not_taken)
{
    pa_t block;

    fakehal_add_ram(pa(RAM), 64 * 4096);
    cr_assert_eq(page_pool_add(&pool, pa(RAM), 64 * 4096), HV_OK);
    cr_assert_eq(page_pool_alloc(&pool, &account, 0, &block), HV_OK);
    page_pool_free(&pool, &account, block, 0);
    cr_assert_eq(fakehal_catch(split_free_page, &block), FAKEHAL_CHECK_FAILED);
}

CASES_RUN(page_pool_split, setup, NULL)
