/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What an engine keeps of memory: translations, translated code, the exclusive monitor. */
#include "rig.h"

static struct guest guest;

static const uint32_t code_load[] = {
    0xf9400023, /* 00 1: ldr x3, [x1] */
    0xd4000022, /* 04 hvc #1 */
    0x17fffffe, /* 08 b 1b */
};

/* A mapping that was used stays until it is invalidated: what makes a missing TLBI visible. */
static void change_stage2(void)
{
    struct s2_tag tag = guest_tag();
    uint64_t entry;

    for (unsigned all = 0; all < 2; all++) {
        GUEST_INIT(&guest, code_load);
        guest.vcpu.x[1] = DATA;
        *(uint64_t *)guest_at(DATA) = 0x11;
        *(uint64_t *)guest_at(DATA + 0x1000) = 0x22;
        hal_vcpu_load(&guest.vcpu);
        guest_run_to_hvc(&guest, 1);
        EXPECT_EQ(guest.vcpu.x[3], 0x11);
        entry = *guest_stage2(DATA);
        *guest_stage2(DATA) = 0;
        hal_pt_sync();
        guest_run_to_hvc(&guest, 1);
        if (all != 0)
            hal_tlbi_tag(&tag);
        else
            hal_tlbi_range(&tag, ipa(DATA), PAGE_SIZE);
        cr_expect_eq(guest_run(&guest), EC_DABT_LOW);
        *guest_stage2(DATA) = entry + 0x1000;
        guest_run_to_hvc(&guest, 1);
        EXPECT_EQ(guest.vcpu.x[3], 0x22);
        hal_vcpu_put(&guest.vcpu);
    }
}

CASE(code, stage2_is_stale_until_invalidated)
{
    rig_run(change_stage2);
}

/* Another root is another VM. */
static void change_root(void)
{
    GUEST_INIT(&guest, code_load);
    guest.vcpu.x[1] = DATA;
    hal_vcpu_load(&guest.vcpu);
    guest_run_to_hvc(&guest, 1);
    *guest_stage2(DATA) = 0;
    guest.vcpu.config.vttbr_el2 += UINT64_C(1) << 48;
    hal_vcpu_config_sync(&guest.vcpu);
    cr_expect_eq(guest_run(&guest), EC_DABT_LOW);
    hal_vcpu_put(&guest.vcpu);
}

CASE(code, another_vmid_sees_nothing_of_it)
{
    rig_run(change_root);
}

static void change_stage1(void)
{
    static const uint32_t code[] = {
        0xf9400023, /* 00 ldr x3, [x1] */
        0xf9000045, /* 04 str x5, [x2] */
        0xd5033f9f, /* 08 dsb sy */
        0xd508831f, /* 0c tlbi vmalle1is */
        0xd5033f9f, /* 10 dsb sy */
        0xd5033fdf, /* 14 isb */
        0xf9400024, /* 18 ldr x4, [x1] */
        0xd4000022, /* 1c hvc #1 */
    };
    uint64_t tables = GUEST_AT + 0xa000; /* level 3 */

    GUEST_INIT(&guest, code);
    guest_enable_mmu(&guest);
    *(uint64_t *)guest_at(DATA) = 0x11;
    *(uint64_t *)guest_at(DATA + 0x1000) = 0x22;
    guest.vcpu.x[1] = DATA;
    guest.vcpu.x[2] = tables + ALIAS + (DATA - GUEST_AT) / PAGE_SIZE * 8;
    guest.vcpu.x[5] = *guest_stage1(DATA) + 0x1000;
    hal_vcpu_load(&guest.vcpu);
    guest_run_to_hvc(&guest, 1);
    EXPECT_EQ(guest.vcpu.x[3], 0x11);
    EXPECT_EQ(guest.vcpu.x[4], 0x22);
    hal_vcpu_put(&guest.vcpu);
}

CASE(code, the_guests_own_tlbi_works)
{
    rig_run(change_stage1);
}

#define FUNCTION (GUEST_AT + 0x20040u)
#define MOV_X0_1 0xd2800020u
#define MOV_X0_2 0xd2800040u
#define RET      0xd65f03c0u

/* Each stores the old instruction first, and calls it: an engine that looks out for stores to code
 * by their virtual address misses the second store (Unicorn 2.1.1). */
static const uint32_t code_ivau[] = {
    0xb9000069, /* 00 str w9, [x3] */
    0xd63f0020, /* 04 blr x1 */
    0xd4000022, /* 08 hvc #1 */
    0xb9000062, /* 0c str w2, [x3] */
    0xd50b7b23, /* 10 dc cvau, x3 */
    0xd5033b9f, /* 14 dsb ish */
    0xd50b7525, /* 18 ic ivau, x5 */
    0xd5033b9f, /* 1c dsb ish */
    0xd5033fdf, /* 20 isb */
    0xd63f0020, /* 24 blr x1 */
    0xd4000042, /* 28 hvc #2 */
};

static const uint32_t code_iallu[] = {
    0xb9000069, /* 00 str w9, [x3] */
    0xd63f0020, /* 04 blr x1 */
    0xd4000022, /* 08 hvc #1 */
    0xb9000062, /* 0c str w2, [x3] */
    0xd50b7b23, /* 10 dc cvau, x3 */
    0xd5033b9f, /* 14 dsb ish */
    0xd508751f, /* 18 ic iallu */
    0xd5033b9f, /* 1c dsb ish */
    0xd5033fdf, /* 20 isb */
    0xd63f0020, /* 24 blr x1 */
    0xd4000042, /* 28 hvc #2 */
};

/* The timer is written right after, which must not put the end of the old code off. */
static const uint32_t code_iallu_timer[] = {
    0xb9000069, /* 00 str w9, [x3] */
    0xd63f0020, /* 04 blr x1 */
    0xd4000022, /* 08 hvc #1 */
    0xb9000062, /* 0c str w2, [x3] */
    0xd508751f, /* 10 ic iallu */
    0xd51be346, /* 14 msr cntv_cval_el0, x6 */
    0xd5384606, /* 18 mrs x6, icc_pmr_el1 */
    0xd5033b9f, /* 1c dsb ish */
    0xd5033fdf, /* 20 isb */
    0xd63f0020, /* 24 blr x1 */
    0xd4000042, /* 28 hvc #2 */
};

/* write: where the guest stores the new instruction; line: what it invalidates. */
static void modify(const uint32_t *code, bool mmu, uint64_t write, uint64_t line)
{
    uint32_t *function;

    guest_init(&guest, code, 11);
    function = guest_at(FUNCTION);
    function[0] = MOV_X0_1;
    function[1] = RET;
    if (mmu)
        guest_enable_mmu(&guest);
    guest.vcpu.x[1] = FUNCTION;
    guest.vcpu.x[2] = MOV_X0_2;
    guest.vcpu.x[3] = write;
    guest.vcpu.x[5] = line;
    guest.vcpu.x[6] = UINT64_MAX;
    guest.vcpu.x[9] = MOV_X0_1;
    hal_vcpu_load(&guest.vcpu);
    for (unsigned i = 0; i < 3; i++) { /* so that all of it is translated, and linked together */
        guest.vcpu.pc = CODE;
        guest_run_to_hvc(&guest, 1);
        EXPECT_EQ(guest.vcpu.x[0], 1);
    }
    uint64_t start = hal_time_now();
    guest_run_to_hvc(&guest, 2);
    EXPECT_EQ(guest.vcpu.x[0], 2);
    EXPECT_EQ(hal_time_now() - start, 8 + 2);
    hal_vcpu_put(&guest.vcpu);
}

static void modify_code(void)
{
    modify(code_ivau, false, FUNCTION, FUNCTION);
    modify(code_ivau, true, FUNCTION + ALIAS, FUNCTION);
    modify(code_ivau, true, FUNCTION + ALIAS, FUNCTION + 0x3c); /* anywhere in the line */
    modify(code_ivau, true, FUNCTION + ALIAS, FUNCTION + ALIAS);
    modify(code_iallu, false, FUNCTION, 0);
    modify(code_iallu, true, FUNCTION + ALIAS, 0);
    modify(code_iallu_timer, true, FUNCTION + ALIAS, 0);
}

CASE(code, new_instructions_are_seen_after_maintenance)
{
    rig_run(modify_code);
}

/* The block that is being executed is itself in the line. */
static void modify_own_line(void)
{
    static const uint32_t code[] = {
        0xb9000062, /* 00 str w2, [x3] */
        0xd50b7523, /* 04 ic ivau, x3 */
        0xd5033b9f, /* 08 dsb ish */
        0xd5033fdf, /* 0c isb */
        0xd503201f, /* 10 nop: becomes mov x0, #2 */
        0xd4000022, /* 14 hvc #1 */
    };

    for (unsigned mmu = 0; mmu < 2; mmu++) {
        GUEST_INIT(&guest, code);
        guest.vcpu.x[2] = MOV_X0_2;
        guest.vcpu.x[3] = CODE + 0x10 + (mmu != 0 ? ALIAS : 0);
        if (mmu != 0)
            guest_enable_mmu(&guest);
        hal_vcpu_load(&guest.vcpu);
        EXPECT_EQ(guest_time_run(&guest), 6);
        EXPECT_EQ(guest.exit.esr & 0xffff, 1);
        EXPECT_EQ(guest.vcpu.x[0], 2);
        hal_vcpu_put(&guest.vcpu);
    }
}

CASE(code, a_block_may_change_itself)
{
    rig_run(modify_own_line);
}

/* Addresses that are not mapped, or no RAM, are no reason to stop. */
static void maintain_odd_addresses(void)
{
    static const uint32_t code[] = {
        0xd50b7523, /* 00 ic ivau, x3 */
        0xd4000022, /* 04 hvc #1 */
    };
    static const uint64_t odd[] = {
        0, HOLE, SIM_UART_BASE, UINT64_MAX, UINT64_C(1) << 47, SIM_RAM_BASE + RIG_RAM - 1};

    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        GUEST_INIT(&guest, code);
        guest.vcpu.x[3] = odd[i];
        hal_vcpu_load(&guest.vcpu);
        guest_run_to_hvc(&guest, 1);
        hal_vcpu_put(&guest.vcpu);
    }
}

CASE(code, maintenance_of_any_address)
{
    rig_run(maintain_odd_addresses);
}

static void core_changes_code(void)
{
    static const uint32_t code[] = {MOV_X0_1, 0xd4000022 /* hvc #1 */};
    uint32_t *words;

    GUEST_INIT(&guest, code);
    guest_enable_mmu(&guest);
    hal_vcpu_load(&guest.vcpu);
    guest_run_to_hvc(&guest, 1);
    EXPECT_EQ(guest.vcpu.x[0], 1);
    words = guest_at(CODE);
    words[0] = MOV_X0_2;
    hal_cache_op(words, 0, HAL_CACHE_SYNC_ICACHE);
    hal_cache_op(words, 4, HAL_CACHE_SYNC_ICACHE);
    guest.vcpu.pc = CODE;
    guest_run_to_hvc(&guest, 1);
    EXPECT_EQ(guest.vcpu.x[0], 2);
    EXPECT_EQ(guest.vcpu.pstate, MASKED | MODE_EL1H);
    hal_vcpu_put(&guest.vcpu);
}

CASE(code, of_core_needs_sync_icache)
{
    rig_run(core_changes_code);
}

/* --- The exclusive monitor (B2.9) --- */

static void use_monitor(void)
{
    static const uint32_t code[] = {
        0xc85f7c20, /* 00 ldxr x0, [x1] */
        0xd4000022, /* 04 hvc #1 */
        0xc8027c20, /* 08 stxr w2, x0, [x1] */
        0xd4000042, /* 0c hvc #2 */
        0xc85f7c20, /* 10 ldxr x0, [x1] */
        0xc8027c20, /* 14 stxr w2, x0, [x1] */
        0xd4000062, /* 18 hvc #3 */
    };

    GUEST_INIT(&guest, code);
    guest.vcpu.x[1] = DATA;
    hal_vcpu_load(&guest.vcpu);
    guest_run_to_hvc(&guest, 1);
    guest_run_to_hvc(&guest, 2);
    EXPECT_EQ(guest.vcpu.x[2], 1);
    guest_run_to_hvc(&guest, 3);
    EXPECT_EQ(guest.vcpu.x[2], 0);
    hal_vcpu_put(&guest.vcpu);
}

CASE(code, an_exit_opens_the_monitor)
{
    rig_run(use_monitor);
}

/* No increment is lost, and none is without end, however often the run is interrupted. */
static void increment(void)
{
    static const uint32_t code[] = {
        0xc85f7c20, /* 00 ldxr x0, [x1] */
        0x91000400, /* 04 add x0, x0, #1 */
        0xc8027c20, /* 08 stxr w2, x0, [x1] */
        0x35ffffa2, /* 0c cbnz w2, 00 */
        0xf1000463, /* 10 subs x3, x3, #1 */
        0x54ffff61, /* 14 b.ne 00 */
        0xd4000022, /* 18 hvc #1 */
    };
    unsigned ec;

    GUEST_INIT(&guest, code);
    guest.vcpu.x[1] = DATA;
    guest.vcpu.x[3] = 1000;
    hal_vcpu_load(&guest.vcpu);
    hal_timer_arm(hal_time_now() + 3);
    while ((ec = guest_run(&guest)) == EC_IRQ) {
        EXPECT_EQ(hal_irq_ack(), SIM_INTID_HYPTIMER);
        hal_timer_arm(hal_time_now() + 7);
        hal_irq_end(SIM_INTID_HYPTIMER, true);
    }
    cr_expect_eq(ec, EC_HVC64);
    EXPECT_EQ(*(uint64_t *)guest_at(DATA), 1000);
    hal_vcpu_put(&guest.vcpu);
}

CASE(code, exclusive_loops_come_to_an_end)
{
    rig_run(increment);
}

CASES_RUN(code, NULL, NULL)
