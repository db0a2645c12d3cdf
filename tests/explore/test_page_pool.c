/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Blocks of all small sizes come and go on all CPUs. */
#include "explore/explore.h"
#include "explore/tests.h"
#include "hal/hal.h"
#include <string.h>

#define ROUNDS    40u
#define HELD_MAX  6u
#define MAX_ORDER 4u

struct block {
    pa_t at;
    unsigned order;
    uint64_t *words;
};

static struct page_account accounts[EXPLORE_MAX_CPUS];
static struct page_account shared;
static uint64_t free_pages;

static void prepare(struct world *w)
{
    free_pages = page_pool_free_pages(&w->hv.pool);
    for (unsigned cpu = 0; cpu < EXPLORE_MAX_CPUS; cpu++)
        accounts[cpu].limit = 24;
    shared.limit = 64;
}

/* Even CPUs share an account. */
static struct page_account *account_of(unsigned cpu)
{
    return cpu % 2 == 0 ? &shared : &accounts[cpu];
}

static uint64_t stamp(unsigned cpu, pa_t at)
{
    return at.v ^ (UINT64_C(0x5eed0000) << 32) ^ cpu;
}

static bool take(struct world *w, unsigned cpu, unsigned order, struct block *block)
{
    hv_err err = page_pool_alloc(&w->hv.pool, account_of(cpu), order, &block->at);

    if (err == HV_ERR_QUOTA)
        return false;
    EXPECT(err == HV_OK);
    EXPECT(is_aligned(block->at.v, PAGE_SIZE << order));
    block->order = order;
    block->words = hal_phys_map(block->at, PAGE_SIZE << order);
    EXPECT(block->words != NULL);
    for (unsigned page = 0; page < 1u << order; page++) {
        uint64_t *words = block->words + page * (PAGE_SIZE / 8);
        EXPECT(words[0] == 0 && words[PAGE_SIZE / 8 - 1] == 0);
        words[0] = stamp(cpu, block->at) + page;
        words[PAGE_SIZE / 8 - 1] = page;
    }
    return true;
}

static void give(struct world *w, unsigned cpu, struct block *block)
{
    for (unsigned page = 0; page < 1u << block->order; page++) {
        const uint64_t *words = block->words + page * (PAGE_SIZE / 8);
        EXPECT(words[0] == stamp(cpu, block->at) + page && words[PAGE_SIZE / 8 - 1] == page);
    }
    page_pool_free(&w->hv.pool, account_of(cpu), block->at, block->order);
}

static void work(struct world *w, unsigned cpu, uint64_t *random)
{
    struct block held[HELD_MAX];
    unsigned count = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        if (count < HELD_MAX && explore_pick(random, 2) == 0) {
            unsigned order = (unsigned)explore_pick(random, MAX_ORDER + 1);
            count += take(w, cpu, order, &held[count]);
        } else if (count > 0) {
            unsigned which = (unsigned)explore_pick(random, count);
            give(w, cpu, &held[which]);
            held[which] = held[--count];
        }
        /* Others allocate meanwhile: it is what it was at some time. */
        EXPECT(page_pool_free_pages(&w->hv.pool) <= free_pages);
    }
    while (count > 0)
        give(w, cpu, &held[--count]);
}

static void finish(struct world *w)
{
    EXPECT(page_pool_free_pages(&w->hv.pool) == free_pages);
    EXPECT(shared.used == 0);
    for (unsigned cpu = 0; cpu < EXPLORE_MAX_CPUS; cpu++)
        EXPECT(accounts[cpu].used == 0);
}

const struct explore_test explore_page_pool = {
    .name = "page-pool", .nr_cpus = 4, .prepare = prepare, .work = work, .finish = finish};
