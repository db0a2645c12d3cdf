/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * hal_vcpu_*: two vCPUs run a few instructions at EL1 with the MMU off, behind stage-2 tables that
 * are written here by hand. Values are the architecture's (Arm ARM DDI 0487), not those of core's
 * headers.
 */
#include "conformance/contract.h"
#include <stddef.h>
#include <string.h>

#define GUEST_BASE CONTRACT_GUEST_BASE
#define HOLE       UINT64_C(0x20000ab8)
#define ENTRIES    512u

#define EC_HVC        CONTRACT_EC_HVC
#define EC_SMC        0x17u
#define EC_DATA_ABORT CONTRACT_EC_DATA_ABORT
#define INTID_KICK    0u

#define WORD_HVC_123   0x04u
#define WORD_LDR       0x14u
#define WORD_SMC       0x18u
#define WORD_AFTER_SMC 0x1cu
#define WORD_LOOP      0x28u

static const uint32_t program[] = {
    0x8b010000, /* 00 add  x0, x0, x1 */
    0xd4002462, /* 04 hvc  #0x123 */
    0xd518d085, /* 08 msr  tpidr_el1, x5 */
    0xd53bd046, /* 0c mrs  x6, tpidr_el0 */
    0x9e670120, /* 10 fmov d0, x9 */
    0xf9400107, /* 14 ldr  x7, [x8] */
    0xd4000003, /* 18 smc  #0 */
    0x9e66000a, /* 1c fmov x10, d0 */
    0xd538d08b, /* 20 mrs  x11, tpidr_el1 */
    0xd4000002, /* 24 hvc  #0 */
    0x14000000, /* 28 b    . */
};

/* What the hardware walks or fetches, one page each. */
struct pages {
    uint64_t level1[ENTRIES];
    uint64_t level2[ENTRIES];
    uint64_t level3[ENTRIES];
    uint32_t code[1024];
};

/* They are at the end of RAM, where neither the image nor what the firmware left behind is. */
struct guests {
    struct pages *pages;
    uint64_t at; /* their physical address */
    struct arch_vcpu a, b;
};
static struct guests guests;

/* D8.3: level 1 covers 1 GiB an entry, level 2 2 MiB, level 3 4 KiB. */
static void build_stage2(struct guests *all)
{
    struct pages *g = all->pages;
    uint64_t at = all->at;

    memset(g, 0, sizeof(*g));
    memcpy(g->code, program, sizeof(program));
    hal_cache_op(g->code, sizeof(g->code), HAL_CACHE_SYNC_ICACHE);
    hal_cache_op(g->code, sizeof(g->code), HAL_CACHE_CLEAN);
    g->level1[GUEST_BASE >> 30] = (at + offsetof(struct pages, level2)) | 3;
    g->level2[GUEST_BASE >> 21 & 511] = (at + offsetof(struct pages, level3)) | 3;
    /* AF, inner shareable, S2AP read and write, MemAttr normal write-back, page */
    g->level3[GUEST_BASE >> 12 & 511] =
        (at + offsetof(struct pages, code)) | 1u << 10 | 3u << 8 | 3u << 6 | 0xfu << 2 | 3u;
    hal_pt_sync();
}

void contract_init_vcpu(struct arch_vcpu *vcpu, uint64_t stage2, uint64_t vmid)
{
    struct arch_idregs idregs;

    hal_id_regs(&idregs);
    memset(vcpu, 0, sizeof(*vcpu));
    vcpu->pc = GUEST_BASE;
    vcpu->pstate = 0x3c5; /* EL1h, DAIF set */
    vcpu->config = (struct arch_vcpu_config){
        /* RW, TSC, AMO, IMO, FMO, VM: D17.2.48 */
        .hcr_el2 = UINT64_C(1) << 31 | 1u << 19 | 7u << 3 | 1u,
        .cptr_el2 = 0x33ff, /* RES1, TZ and TSM: no trap of FP */
        .cnthctl_el2 = 3,
        /* RES1, PS 40 bits, write-back inner shareable walks, start at level 1, T0SZ 25: D17.2.157
         */
        .vtcr_el2 = UINT64_C(1) << 31 | 2u << 16 | 3u << 12 | 1u << 10 | 1u << 8 | 1u << 6 | 25u,
        .vttbr_el2 = stage2 | vmid << 48,
        .vmpidr_el2 = UINT64_C(1) << 31,
        .vpidr_el2 = idregs.midr,
    };
    vcpu->sys[ARCH_SCTLR_EL1] = 0x30d00800; /* RES1, MMU and caches off */
    vcpu->sys[ARCH_CPACR_EL1] = 3u << 20;   /* FP and SIMD do not trap */
    hal_tlbi_tag(&(struct s2_tag){vcpu->config.vttbr_el2, vcpu->config.vtcr_el2});
}

unsigned contract_exception_class(const struct arch_exit *exit)
{
    return exit->kind == ARCH_EXIT_SYNC ? (unsigned)(exit->esr >> 26) & 0x3f : ~0u;
}

/* Registers with values of their own, so that one that is lost or swapped shows. */
static void fill_registers(struct arch_vcpu *vcpu, uint64_t seed)
{
    for (unsigned i = 0; i < 31; i++)
        vcpu->x[i] = seed + i;
    vcpu->x[8] = HOLE;
}

static void check_hypercall(struct contract *ct, struct arch_vcpu *vcpu)
{
    struct arch_exit exit;
    bool same = true;

    fill_registers(vcpu, 0x1000);
    hal_vcpu_run(vcpu, &exit);
    contract_eq(ct, contract_exception_class(&exit), EC_HVC, "HVC: the exception class");
    contract_eq(ct, exit.esr & 0xffff, 0x123, "HVC: its immediate");
    contract_eq(ct, vcpu->pc, GUEST_BASE + WORD_HVC_123 + 4, "HVC: returns after it");
    contract_eq(ct, vcpu->pstate & 0xf, 5, "HVC: from EL1h");
    contract_eq(ct, vcpu->x[0], 0x2001, "what the guest wrote to x0");
    for (unsigned i = 1; i < 31; i++)
        same = same && vcpu->x[i] == (i == 8 ? HOLE : 0x1000 + i);
    contract_ok(ct, same, "x1 to x30 are as they were");
}

static void check_abort(struct contract *ct, struct arch_vcpu *vcpu)
{
    struct arch_exit exit;

    hal_vcpu_sysreg_set(vcpu, ARCH_TPIDR_EL0, 0x77);
    vcpu->x[9] = UINT64_C(0x4045000000000000);
    hal_vcpu_run(vcpu, &exit);
    contract_eq(ct, contract_exception_class(&exit), EC_DATA_ABORT,
                "stage-2 fault: the exception class");
    contract_eq(ct, exit.esr & 0x3c, 4, "stage-2 fault: a translation fault");
    contract_eq(ct, exit.far, HOLE, "stage-2 fault: FAR");
    contract_eq(ct, exit.hpfar & 0xfffffffff0, HOLE >> 12 << 4, "stage-2 fault: HPFAR");
    contract_eq(ct, vcpu->pc, GUEST_BASE + WORD_LDR, "stage-2 fault: at the instruction itself");
    contract_eq(ct, hal_vcpu_sysreg_get(vcpu, ARCH_TPIDR_EL1), 0x1005,
                "a register the guest wrote");
    contract_eq(ct, vcpu->x[6], 0x77, "a register written while loaded");
}

static void check_switch(struct contract *ct, struct arch_vcpu *a, struct arch_vcpu *b)
{
    struct arch_exit exit;

    hal_vcpu_put(a);
    contract_eq(ct, a->sys[ARCH_TPIDR_EL1], 0x1005, "put: system registers are in memory");
    contract_eq(ct, a->fp.q[0], UINT64_C(0x4045000000000000), "put: FP registers are in memory");

    fill_registers(b, 0x5000);
    b->pc = GUEST_BASE + WORD_AFTER_SMC;
    hal_vcpu_load(b);
    hal_vcpu_run(b, &exit);
    contract_eq(ct, contract_exception_class(&exit), EC_HVC, "another vCPU runs");
    contract_eq(ct, b->x[10], 0, "nothing of the first in its FP registers");
    contract_eq(ct, b->x[11], 0, "nothing of the first in its system registers");
    hal_vcpu_put(b);

    a->pc = GUEST_BASE + WORD_AFTER_SMC;
    hal_vcpu_load(a);
    hal_vcpu_run(a, &exit);
    contract_eq(ct, contract_exception_class(&exit), EC_HVC, "and the first again");
    contract_eq(ct, a->x[10], UINT64_C(0x4045000000000000), "its FP registers came back");
    contract_eq(ct, a->x[11], 0x1005, "its system registers came back");
}

static void check_interrupts(struct contract *ct, struct arch_vcpu *vcpu)
{
    uint32_t timer = ct->platform.timer_hyp_intid;
    uint64_t deadline = hal_time_now() + hal_time_hz() / 100;
    struct arch_exit exit;

    vcpu->pc = GUEST_BASE + WORD_LOOP;
    hal_timer_arm(deadline);
    do {
        hal_vcpu_run(vcpu, &exit);
    } while (exit.kind == ARCH_EXIT_IRQ && hal_time_now() < deadline);
    contract_eq(ct, exit.kind, ARCH_EXIT_IRQ, "the timer ends an endless loop");
    contract_eq(ct, vcpu->pc, GUEST_BASE + WORD_LOOP, "where it was");
    contract_eq(ct, hal_irq_ack(), timer, "with the interrupt still to acknowledge");
    hal_timer_arm(HAL_TIMER_NEVER);
    hal_irq_end(timer, true);
    hal_cpu_kick(0);
    hal_vcpu_run(vcpu, &exit);
    contract_eq(ct, exit.kind, ARCH_EXIT_IRQ, "a kick ends it too");
    contract_eq(ct, hal_irq_ack(), INTID_KICK, "as the kick's interrupt");
    hal_irq_end(INTID_KICK, true);
}

void contract_check_vcpu(struct contract *ct)
{
    const struct platform_range *ram = &ct->platform.ram[0];
    struct arch_exit exit;

    guests.at = ram->base + ram->size - sizeof(struct pages);
    guests.pages = hal_phys_map(pa(guests.at), sizeof(struct pages));
    if (!contract_ok(ct, guests.pages != NULL, "pages for guests"))
        return;
    build_stage2(&guests);
    contract_init_vcpu(&guests.a, guests.at, 1);
    contract_init_vcpu(&guests.b, guests.at, 2);
    hal_vcpu_load(&guests.a);
    check_hypercall(ct, &guests.a);
    check_abort(ct, &guests.a);
    guests.a.pc = GUEST_BASE + WORD_SMC;
    hal_vcpu_run(&guests.a, &exit);
    contract_eq(ct, contract_exception_class(&exit), EC_SMC, "SMC: the exception class");
    contract_eq(ct, guests.a.pc, GUEST_BASE + WORD_SMC, "SMC: at the instruction itself");
    check_switch(ct, &guests.a, &guests.b);
    check_interrupts(ct, &guests.a);
    hal_vcpu_put(&guests.a);
}
