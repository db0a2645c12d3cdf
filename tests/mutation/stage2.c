/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * core/mem's stage-2 tables under a vCPU that uses them while they change: what a guest cannot make
 * the hypervisor do as long as its memory is mapped once and for all. The vCPU runs two
 * instructions with its own MMU off, so that its addresses are IPAs. Expectations are the
 * architecture's (Arm ARM DDI 0487), not core's constants.
 */
#include "hal/hal.h"
#include "mem/s2.h"
#include "mutation/world.h"
#include <string.h>

#define CODE  UINT64_C(0x10000000)
#define DATA  UINT64_C(0x20000000) /* two pages, alone in their 2 MiB */
#define BLOCK UINT64_C(0x40000000)

#define BLOCK_ORDER 9u
#define BLOCK_SIZE  UINT64_C(0x200000)
#define REUSED      64u /* pages allocated to meet one that was freed */

/* D17.2.37: EC of a data abort from a lower EL and of HVC; fault status codes by level. */
#define EC_HVC         0x16u
#define EC_DATA_ABORT  0x24u
#define TRANSLATION(l) (4u + (l))
#define PERMISSION(l)  (0xcu + (l))
#define NO_FAULT       ~UINT64_C(0)

#define LOAD  0u
#define STORE 8u

static const uint32_t program[] = {
    0xf9400020, /* 00 ldr x0, [x1] */
    0xd4000002, /* 04 hvc #0 */
    0xf9000020, /* 08 str x0, [x1] */
    0xd4000002, /* 0c hvc #0 */
};

struct test {
    struct world *world;
    struct s2 s2;
    struct arch_vcpu vcpu;
    pa_t data, other, block;
};

static pa_t page_make(struct test *t, unsigned order, uint64_t mark)
{
    struct hv *hv = &t->world->hv;
    pa_t at;

    if (page_pool_alloc(&hv->pool, &hv->account, order, &at) != HV_OK)
        world_give_up("out of pages");
    for (uint64_t page = 0; page < UINT64_C(1) << order; page++) {
        uint64_t *words = hal_phys_map(pa_add(at, page << 12), 4096);
        words[0] = mark + page;
        hal_phys_unmap(words, 4096);
    }
    return at;
}

static void map(struct test *t, uint64_t at, pa_t to, uint64_t len)
{
    if (s2_map(&t->s2, ipa(at), to, len, S2_RWX, S2_MEM_NORMAL) != HV_OK)
        world_give_up("s2_map() failed");
}

/* The access at `pc`, with x0 and x1; the fault status code of the abort, or NO_FAULT. */
static uint64_t access_at(struct test *t, uint64_t pc, uint64_t at, uint64_t value)
{
    struct arch_vcpu *vcpu = &t->vcpu;
    struct arch_exit exit;

    vcpu->pc = CODE + pc;
    vcpu->x[0] = value;
    vcpu->x[1] = at;
    hal_vcpu_run(vcpu, &exit);
    if (exit.kind != ARCH_EXIT_SYNC)
        world_give_up("an exit that is no exception");
    if (exit.esr >> 26 == EC_HVC)
        return NO_FAULT;
    /* FIPA, HPFAR_EL2[43:4], is IPA[51:12]; but for a permission fault it is not valid (D17.2.66).
     */
    bool right = exit.esr >> 26 == EC_DATA_ABORT &&
                 ((exit.esr & 0x3c) == PERMISSION(0) || exit.hpfar >> 4 == at >> 12);
    return right ? exit.esr & 0x3f : 0xbad;
}

static void expect_load(struct test *t, uint64_t at, uint64_t want, const char *name)
{
    uint64_t fault = access_at(t, LOAD, at, 0);

    world_eq(t->world, fault == NO_FAULT ? t->vcpu.x[0] : fault << 32, want, name);
}

static void expect_fault(struct test *t, uint64_t pc, uint64_t at, unsigned fsc, const char *name)
{
    world_eq(t->world, access_at(t, pc, at, 0), fsc, name);
}

static void test_unmap(struct test *t)
{
    expect_load(t, DATA, 0xda7a, "a mapped page is read");
    world_ok(t->world, access_at(t, STORE, DATA, 0xda7b) == NO_FAULT, "and written");
    world_ok(t->world, s2_unmap(&t->s2, ipa(DATA), 4096) == HV_OK, "s2_unmap");
    expect_fault(t, LOAD, DATA, TRANSLATION(3), "no longer there once it is unmapped");
    map(t, DATA, t->other, 4096);
    expect_load(t, DATA, 0x07e5, "another page in its place");
}

static void test_protect(struct test *t)
{
    world_ok(t->world, access_at(t, STORE, DATA, 0x07e5) == NO_FAULT, "written");
    world_ok(t->world, s2_protect(&t->s2, ipa(DATA), 4096, S2_READ) == HV_OK, "s2_protect");
    expect_fault(t, STORE, DATA, PERMISSION(3), "read-only once it is protected");
    expect_load(t, DATA, 0x07e5, "and still read");
}

static void test_split(struct test *t)
{
    const uint64_t hole = BLOCK + 0x37000;

    expect_load(t, hole, 0xb10c0037, "a page of a 2 MiB block");
    expect_load(t, hole + 0x1000, 0xb10c0038, "and the next one");
    world_ok(t->world, s2_unmap(&t->s2, ipa(hole), 4096) == HV_OK, "s2_unmap of one page of it");
    expect_fault(t, LOAD, hole, TRANSLATION(3), "that page is gone");
    expect_load(t, hole + 0x1000, 0xb10c0038, "the next one is not");
    expect_load(t, BLOCK + 0x1ff000, 0xb10c01ff, "nor is the last");
}

/* Writes, into each page that the pool gives out, level 3 descriptors of one page, which only a
 * walker that still comes by would follow. */
static void reuse_pages(struct test *t)
{
    struct hv *hv = &t->world->hv;

    for (unsigned n = 0; n < REUSED; n++) {
        pa_t at;
        if (page_pool_alloc(&hv->pool, &hv->account, 0, &at) != HV_OK)
            world_give_up("out of pages");
        uint64_t *words = hal_phys_map(at, 4096);
        for (unsigned i = 0; i < 512; i++)
            /* AF, inner shareable, S2AP read and write, MemAttr normal write-back, page: D8.3 */
            words[i] = t->data.v | 1u << 10 | 3u << 8 | 3u << 6 | 0xfu << 2 | 3u;
        hal_phys_unmap(words, 4096);
    }
}

static void test_freed_table(struct test *t)
{
    world_ok(t->world, s2_unmap(&t->s2, ipa(DATA), 8192) == HV_OK, "s2_unmap of all of a table");
    reuse_pages(t);
    expect_fault(t, LOAD, DATA + 0x5000, TRANSLATION(2), "its table is not walked any more");
    expect_load(t, BLOCK, 0xb10c0000, "the others are");
}

static void init_vcpu(struct test *t)
{
    struct arch_vcpu *vcpu = &t->vcpu;

    memset(vcpu, 0, sizeof(*vcpu));
    vcpu->pstate = 0x3c5; /* EL1h, DAIF set */
    vcpu->config = (struct arch_vcpu_config){
        /* RW, TSC, AMO, IMO, FMO, VM: D17.2.48 */
        .hcr_el2 = UINT64_C(1) << 31 | 1u << 19 | 7u << 3 | 1u,
        .cptr_el2 = 0x33ff,
        .cnthctl_el2 = 3,
        .vtcr_el2 = t->s2.tag.vtcr,
        .vttbr_el2 = s2_tag(&t->s2).vttbr,
        .vmpidr_el2 = UINT64_C(1) << 31,
        .vpidr_el2 = t->world->hv.idregs.midr,
    };
    vcpu->sys[ARCH_SCTLR_EL1] = 0x30d00800; /* RES1, MMU and caches off */
}

static void init_memory(struct test *t)
{
    struct hv *hv = &t->world->hv;
    pa_t code = page_make(t, 0, 0);
    uint32_t *words = hal_phys_map(code, 4096);

    memcpy(words, program, sizeof(program));
    hal_cache_op(words, sizeof(program), HAL_CACHE_SYNC_ICACHE);
    hal_cache_op(words, sizeof(program), HAL_CACHE_CLEAN);
    hal_phys_unmap(words, 4096);
    t->data = page_make(t, 0, 0xda7a);
    t->other = page_make(t, 0, 0x07e5);
    t->block = page_make(t, BLOCK_ORDER, 0xb10c0000);
    if (s2_init(&t->s2, &hv->pool, &hv->account, &hv->idregs, 1) != HV_OK)
        world_give_up("s2_init() failed");
    map(t, CODE, code, 4096);
    map(t, DATA, t->data, 4096);
    map(t, DATA + 4096, t->other, 4096);
    map(t, BLOCK, t->block, BLOCK_SIZE);
}

_Noreturn void core_main(const struct hal_boot *boot)
{
    static struct test test;
    struct test *t = &test;

    t->world = world_begin(boot);
    init_memory(t);
    init_vcpu(t);
    hal_vcpu_load(&t->vcpu);
    test_unmap(t);
    test_protect(t);
    test_split(t);
    test_freed_table(t);
    hal_vcpu_put(&t->vcpu);
    s2_destroy(&t->s2);
    world_end(t->world);
}
