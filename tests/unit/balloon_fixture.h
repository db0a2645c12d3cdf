/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* A VM with a balloon, on three pCPUs, and its driver. */
#ifndef TESTS_BALLOON_FIXTURE_H
#define TESTS_BALLOON_FIXTURE_H

#include "dev/balloon_device.h"
#include "exit/exit.h"
#include "mem/guest_mem.h"
#include "virtio/balloon.h"
#include "virtio_fixture.h"

#define RINGS   (GUEST_RAM + 0x10000) /* 0x3000 for each queue */
#define ARRAY   (GUEST_RAM + 0x20000)
#define VICTIM  (GUEST_RAM + 0x100000) /* pages from here on are given away */
#define NR_PAGE 128u

#define F_STATS     (UINT64_C(1) << 1)
#define F_OOM       (UINT64_C(1) << 2)
#define F_REPORTING (UINT64_C(1) << 5)

static struct driver drv[4];

static inline void create(bool oom, bool reporting)
{
    struct dev_config config = {.flag = {oom, reporting}};
    const struct dev_instance instance = {
        .base = VIRTIO_BASE, .intid = VIRTIO_INTID, .config = &config};

    cr_assert_eq(balloon_device_create(f.vm, &instance), HV_OK);
}

static inline void go(uint64_t features)
{
    cr_assert(negotiate(F_VERSION_1 | features));
    for (unsigned n = 0; n < 4; n++)
        cr_assert(set_queue(n, &drv[n], RINGS + n * 0x3000, 16));
    driver_ok();
    serve_all();
}

static inline void setup_balloon(void)
{
    setup();
    create(true, true);
    go(F_STATS | F_REPORTING);
}

/* The other pCPUs come by whenever they are kicked. */
static inline void settle(void)
{
    for (unsigned i = 0; pcpu(0)->resched; i++) {
        cr_assert_lt(i, 10000, "it comes to no end");
        (void)next(0);
        fixture_serve_kicks(&f);
    }
}

static inline void put_pfn(unsigned n, uint64_t at)
{
    driver_put32(&drv[0], ARRAY + 4 * n, (uint32_t)(at >> 12));
}

static inline void give(unsigned queue, unsigned count)
{
    struct driver_seg s = {ARRAY, 4 * count};

    driver_offer(&drv[queue], driver_chain(&drv[queue], &s, 1, 0));
    notify(queue);
}

static inline bool answered(unsigned queue)
{
    uint16_t head;
    uint32_t len;

    if (!driver_used(&drv[queue], &head, &len))
        return false;
    driver_free(&drv[queue], head);
    return true;
}

static inline bool present(uint64_t at)
{
    struct s2_mapping mapping;

    return s2_query(&f.vm->s2, ipa(at), &mapping) == HV_OK;
}

static inline void inflate(uint64_t at, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        put_pfn(i, at + i * 0x1000u);
    give(0, count);
    settle();
    cr_assert(answered(0));
}

static inline uint64_t free_pages(void)
{
    return page_pool_free_pages(&f.hv->pool);
}

/* The guest reads one byte of it, and stage 2 refuses. */
static inline void touch(uint64_t at)
{
    const struct arch_exit exit = {UINT64_C(0x24) << 26 | 1u << 25 | 1u << 24 | 0x07, at,
                                   at >> 12 << 4, ARCH_EXIT_SYNC};

    exit_dispatch(vcpu(0), &exit);
}

static inline uint64_t read64(uint64_t at)
{
    uint64_t value = 1;

    cr_assert_eq(guest_mem_read(&f.vm->s2, ipa(at), &value, sizeof(value)), HV_OK);
    return value;
}

static inline void write64(uint64_t at, uint64_t value)
{
    cr_assert_eq(guest_mem_write(&f.vm->s2, ipa(at), &value, sizeof(value)), HV_OK);
}

static inline void report(const struct driver_seg *seg, unsigned count)
{
    driver_offer(&drv[3], driver_chain(&drv[3], seg, 0, count));
    notify(3);
    settle();
}

#endif
