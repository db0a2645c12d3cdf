/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "conformance/contract_smp_guests.h"
#include <stddef.h>
#include <string.h>

struct guests guests;

static const uint32_t program[] = {
    0xd4000002, /* 00 hvc  #0 */
    0x91000400, /* 04 add  x0, x0, #1 */
    0xd538d081, /* 08 mrs  x1, tpidr_el1 */
    0x9e660002, /* 0c fmov x2, d0 */
    0x17fffffc, /* 10 b    00 */
    0xf9400107, /* 14 ldr  x7, [x8] */
    0x91000463, /* 18 add  x3, x3, #1 */
    0xf9000143, /* 1c str  x3, [x10] */
    0x17fffffd, /* 20 b    14 */
    0xc85f7d01, /* 24 ldxr x1, [x8] */
    0x91000421, /* 28 add  x1, x1, #1 */
    0x14000001, /* 2c b    30: a place where a simulator may change CPUs */
    0xc8027d01, /* 30 stxr w2, x1, [x8] */
    0x35ffff82, /* 34 cbnz w2, 24 */
    0xf1000529, /* 38 subs x9, x9, #1 */
    0x54ffff41, /* 3c b.ne 24 */
    0xd4000042, /* 40 hvc  #2 */
    0xc85f7d01, /* 44 ldxr x1, [x8] */
    0xd4000062, /* 48 hvc  #3 */
    0xc8027d01, /* 4c stxr w2, x1, [x8] */
    0xd4000082, /* 50 hvc  #4 */
    0x14000000, /* 54 b    54 */
    0xf9400107, /* 58 ldr  x7, [x8] */
    0xd40000a2, /* 5c hvc  #5 */
    0x17fffffe, /* 60 b    58 */
    0xd538cc01, /* 64 mrs  x1, icc_iar1_el1 */
    0xd40000c2, /* 68 hvc  #6 */
    0xd518cc21, /* 6c msr  icc_eoir1_el1, x1 */
    0x14000000, /* 70 b    70 */
};

/* D8.3: AF, inner shareable, S2AP read and write, MemAttr normal write-back, page. */
uint64_t guests_leaf(uint64_t offset)
{
    return (guests.at + offset) | 1u << 10 | 3u << 8 | 3u << 6 | 0xfu << 2 | 3u;
}

uint64_t *guests_entry(struct tables *tables, uint64_t addr)
{
    return &tables->level3[addr >> 12 & 511];
}

static void link_tables(struct tables *tables, uint64_t offset)
{
    uint64_t at = guests.at + offset;

    tables->level1[GUEST_BASE >> 30] = (at + offsetof(struct tables, level2)) | 3;
    tables->level2[GUEST_BASE >> 21 & 511] = (at + offsetof(struct tables, level3)) | 3;
}

static void build(void)
{
    struct pages *g = guests.pages;

    memset(g, 0, sizeof(*g));
    memcpy(g->code, program, sizeof(program));
    hal_cache_op(g->code, sizeof(g->code), HAL_CACHE_SYNC_ICACHE);
    hal_cache_op(g, sizeof(*g), HAL_CACHE_CLEAN);
    link_tables(&g->shared, offsetof(struct pages, shared));
    *guests_entry(&g->shared, GUEST_BASE) = guests_leaf(offsetof(struct pages, code));
    *guests_entry(&g->shared, GUEST_DATA) = guests_leaf(offsetof(struct pages, data));
    *guests_entry(&g->shared, GUEST_COUNTS) = guests_leaf(offsetof(struct pages, counts));
    *guests_entry(&g->shared, GUEST_STAGE1) = guests_leaf(offsetof(struct pages, stage1));
    link_tables(&g->other, offsetof(struct pages, other));
    *guests_entry(&g->other, OTHER_BASE) = guests_leaf(offsetof(struct pages, code));
    hal_pt_sync();
}

void guests_init_vcpu(struct arch_vcpu *vcpu, uint64_t word)
{
    contract_init_vcpu(vcpu, guests.at + offsetof(struct pages, shared), VMID_SHARED);
    vcpu->config.hcr_el2 |= HCR_DC;
    vcpu->pc = GUEST_BASE + word;
}

void guests_make_vcpu(struct smp_worker *w, uint64_t word)
{
    guests_init_vcpu(&w->vcpu, word);
    w->vcpu.x[8] = GUEST_DATA;
    w->vcpu.x[9] = INCREMENTS;
    w->vcpu.x[10] = GUEST_COUNTS + UINT64_C(8) * w->cpu;
}

uint32_t guests_run(struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    uint32_t intid = INTID_NONE;

    hal_timer_arm(hal_time_now() + smp_patience() / 2);
    do {
        hal_vcpu_run(vcpu, exit);
        if (exit->kind == ARCH_EXIT_IRQ)
            intid = hal_irq_ack();
    } while (exit->kind == ARCH_EXIT_IRQ && intid == INTID_NONE);
    hal_timer_arm(HAL_TIMER_NEVER);
    if (intid != INTID_NONE)
        hal_irq_end(intid, true);
    return intid;
}

bool guests_run_to_hvc(struct arch_vcpu *vcpu, unsigned number)
{
    struct arch_exit exit;

    return guests_run(vcpu, &exit) == INTID_NONE &&
           contract_exception_class(&exit) == CONTRACT_EC_HVC && (exit.esr & 0xffff) == number;
}

bool guests_build(const struct platform_range *ram)
{
    guests.at = ram->base + ram->size - sizeof(struct pages);
    guests.pages = hal_phys_map(pa(guests.at), sizeof(struct pages));
    if (guests.pages == NULL)
        return false;
    build();
    return true;
}
