/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * A malicious guest against its balloon, with an entropy device beside it that writes to the same
 * memory, and somebody else at the pool who takes what the guest gives. The numbers of the pool and
 * of its users agree all the time; what somebody gets is zero, and nobody but he touches it; what
 * comes back to the guest is zero.
 */
#include "virtio/balloon.h"
#include "virtio/rng.h"
#include "virtio_guest.h"

#define STEPS_MAX 1000u
#define OTHERS    24u
#define LISTS     (VIRTIO_GUEST_RAM + 0xd000) /* page numbers, and statistics */
#define MARK      0xa5

static struct virtio_guest g;
static struct virtio_world *world;
static struct virtio_balloon balloon;
static struct virtio_rng rng;

/* Another VM's memory, as far as the pool knows. */
static struct {
    struct page_account account;
    pa_t page[OTHERS];
    unsigned count;
    bool acts;
} other;

static void balloon_destroyed(struct vm *vm, void *dev)
{
    FUZZ_ASSERT(vm == &g.vm && dev == &balloon);
    virtio_balloon_deflate(&balloon);
}

static void rng_destroyed(struct vm *vm, void *dev)
{
    FUZZ_ASSERT(vm == &g.vm && dev == &rng);
    virtio_rng_end(&rng);
}

/* --- The other one --- */

static void mapped(void *ctx, uint64_t base, uint64_t len)
{
    (void)ctx;
    for (unsigned i = 0; i < other.count && !other.acts; i++)
        FUZZ_ASSERT(!ranges_overlap(base, len, other.page[i].v, PAGE_SIZE));
}

static bool is_filled(const unsigned char *page, unsigned char with)
{
    return page[0] == with && memcmp(page, page + 1, PAGE_SIZE - 1) == 0;
}

static void other_takes(void)
{
    pa_t *page = &other.page[other.count];

    if (other.count == OTHERS || page_pool_alloc(&g.hv->pool, &other.account, 0, page) != HV_OK)
        return;
    unsigned char *mem = fakehal_mem(*page, PAGE_SIZE);
    FUZZ_ASSERT(is_filled(mem, 0));
    memset(mem, MARK, PAGE_SIZE);
    other.count++;
}

static void other_gives(unsigned n)
{
    if (other.count == 0)
        return;
    n %= other.count;
    FUZZ_ASSERT(is_filled(fakehal_mem(other.page[n], PAGE_SIZE), MARK));
    page_pool_free(&g.hv->pool, &other.account, other.page[n], 0);
    other.page[n] = other.page[--other.count];
}

static void other_acts(unsigned what)
{
    other.acts = true;
    for (unsigned i = 0; i <= (what >> 4 & 3); i++) {
        if ((what & 3) != 0)
            other_takes();
        else
            other_gives(what >> 2);
    }
    other.acts = false;
}

/* --- What makes sense to the balloon --- */

/* A list of pages, most of them the guest's, to be taken or to come back. */
static void pages(unsigned what)
{
    unsigned count = 1 + (what & 15);
    unsigned head = what >> 4 & 3;
    uint64_t at = LISTS + head * UINT64_C(64);
    uint32_t pfn = (uint32_t)(VIRTIO_GUEST_RAM >> 12);

    for (unsigned i = 0; i < count; i++) {
        unsigned n = (unsigned)fuzz_take(g.in, 1);
        uint32_t entry = n == 0xff ? (uint32_t)fuzz_take(g.in, 4) : pfn + n % VIRTIO_GUEST_PAGES;
        memcpy((unsigned char *)virtio_guest_mem(&g, at) + (size_t)4 * i, &entry, sizeof(entry));
    }
    virtio_guest_set_desc(&g, what >> 7, head, &(struct virtq_desc){at, 4 * count, 0, 0});
    virtio_guest_give(&g, what >> 7, head);
}

/* Free pages in one or two buffers. */
static void report(unsigned what)
{
    uint32_t queue = (what & 1) != 0 ? 3 : 2;
    unsigned head = what >> 1 & 3;
    bool two = (what & 8) != 0;
    uint64_t page = VIRTIO_GUEST_RAM + (what >> 4) * PAGE_SIZE;

    virtio_guest_set_desc(&g, queue, head,
                          &(struct virtq_desc){page, (uint32_t)PAGE_SIZE * (1 + (what >> 6)),
                                               (uint16_t)(two ? 3 : 2), (uint16_t)(head + 4)});
    virtio_guest_set_desc(&g, queue, head + 4,
                          &(struct virtq_desc){VIRTIO_GUEST_RAM, (uint32_t)PAGE_SIZE, 2, 0});
    virtio_guest_give(&g, queue, head);
}

static void statistics(unsigned what)
{
    struct virtio_balloon_stat stat = {(uint16_t)(what & 15), fuzz_take(g.in, 8)};

    memcpy(virtio_guest_mem(&g, LISTS + 0x400), &stat, sizeof(stat));
    virtio_guest_set_desc(
        &g, 2, 7, &(struct virtq_desc){LISTS + 0x400, sizeof(stat) * (1 + (what >> 4)), 0, 0});
    virtio_guest_give(&g, 2, 7);
}

static void manager_asks(unsigned what)
{
    struct vm_balloon_state state;

    if ((what & 1) != 0)
        g.vm.balloon.set(g.vm.balloon.dev, what);
    g.vm.balloon.get(g.vm.balloon.dev, &state);
    FUZZ_ASSERT((what & 1) == 0 || state.target == what);
}

/* Another pCPU comes by, or some time passes. */
static void others_pass(void)
{
    unsigned self = fakehal()->self;

    fakehal()->self = self ^ 1;
    sched_pass(g.hv);
    fakehal()->self = self;
}

static void act(void)
{
    unsigned kind = (unsigned)fuzz_take(g.in, 1);
    unsigned what = (unsigned)fuzz_take(g.in, 1);

    virtio_guest_pick(&g, kind >> 6 != 0 ? 0 : 1);
    switch (kind & 7) {
    case 0:
    case 1:
        pages(what);
        break;
    case 2:
        report(what);
        break;
    case 3:
        statistics(what);
        break;
    case 4:
        other_acts(what);
        break;
    case 5:
        manager_asks(what);
        break;
    case 6:
        others_pass();
        break;
    default:
        page_pool_fail_nth(&g.hv->pool, what & 7);
        break;
    }
}

static void check(void)
{
    const struct page_pool *pool = &g.hv->pool;

    FUZZ_ASSERT(page_pool_free_pages(pool) + g.vm.account.used + other.account.used ==
                pool->total_pages);
    FUZZ_ASSERT(other.account.used == other.count);
    FUZZ_ASSERT(balloon.nr_parked <= VIRTIO_BALLOON_BATCH);
    FUZZ_ASSERT(!balloon.leaving || balloon.nr_parked > 0);
}

static void make_devices(void)
{
    memset(&balloon, 0, sizeof(balloon));
    memset(&rng, 0, sizeof(rng));
    FUZZ_ASSERT(virtio_balloon_create(&balloon, &g.vm, VIRTIO_GUEST_BASE, VIRTIO_GUEST_INTID,
                                      fuzz_take(g.in, 1) % 64, balloon_destroyed) == HV_OK);
    FUZZ_ASSERT(virtio_rng_create(&rng, &g.vm, VIRTIO_GUEST_BASE + 0x200, VIRTIO_GUEST_INTID + 1,
                                  rng_destroyed) == HV_OK);
    virtio_guest_attach(&g, &rng.dev);
    virtio_guest_attach(&g, &balloon.dev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};

    world = virtio_world_start();
    memset(&other, 0, sizeof(other));
    other.account.limit = UINT64_MAX;
    virtio_guest_join(&g, world, 0, &in, true);
    fakehal()->map = mapped;
    make_devices();
    for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++) {
        act();
        check();
        virtio_guest_step(&g);
        check();
    }
    page_pool_fail_nth(&g.hv->pool, 0);
    virtio_guest_rest(&g);
    check();
    while (other.count > 0)
        other_acts(0);
    virtio_guest_leave(&g);
    virtio_world_end(world);
    return 0;
}
