/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A queue in 64 KiB of a guest's memory, with its driver. */
#ifndef TESTS_VIRTQ_FIXTURE_H
#define TESTS_VIRTQ_FIXTURE_H

#include "virtio/virtq.h"
#include "virtq_driver.h"

#define POOL_PA  UINT64_C(0x80000000)
#define GUEST_PA UINT64_C(0x90000000)
#define RAM      UINT64_C(0x40000000)
#define RAM_SIZE UINT64_C(0x10000)
#define RAM_END  (RAM + RAM_SIZE)
#define TABLE    (RAM + 0x3000) /* for indirect ones */
#define DATA     (RAM + 0x8000)
#define SIZE     8u

static struct page_pool pool;
static struct page_account account;
static struct s2 s2;
static struct virtq q;
static struct driver d;
static struct virtq_chain chain;

/* A queue of `size` that is ready, with its rings from RAM on. */
static inline void ready(uint16_t size, bool indirect, bool event_idx)
{
    driver_init(&d, &s2, RAM, size);
    virtq_reset(&q, &s2, size);
    q.desc = ipa(d.desc);
    q.driver = ipa(d.avail);
    q.device = ipa(d.used);
    q.indirect = indirect;
    q.event_idx = event_idx;
    cr_assert(virtq_is_sound(&q));
    q.ready = true;
}

static inline void setup(void)
{
    fakehal_reset();
    fakehal_add_ram(pa(POOL_PA), 0x100000);
    fakehal_add_ram(pa(GUEST_PA), RAM_SIZE);
    page_pool_init(&pool);
    account = (struct page_account){.limit = UINT64_MAX};
    cr_assert_eq(page_pool_add(&pool, pa(POOL_PA), 0x100000), HV_OK);
    cr_assert_eq(s2_init(&s2, &pool, &account, &fakehal()->idregs, 1), HV_OK);
    cr_assert_eq(s2_map(&s2, ipa(RAM), pa(GUEST_PA), RAM_SIZE, S2_RWX, S2_MEM_NORMAL), HV_OK);
    ready(SIZE, true, false);
    memset(&chain, 0xee, sizeof(chain));
}

static inline void finish(void)
{
    cr_expect_eq(fakehal()->maps, fakehal()->unmaps + 1,
                 "all but the pool's bookkeeping is unmapped");
}

#endif
