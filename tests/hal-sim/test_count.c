/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The clock: one tick is one instruction, whatever ends a block, and is exact at each exit. */
#include "rig.h"
#include <string.h>

#define WORDS_MAX 16u

static struct guest guest;

struct count_row {
    const char *name;
    uint64_t count; /* executed until the exit, the one that traps included */
    uint32_t ec;
    uint64_t x1;
    uint32_t code[WORDS_MAX];
};

static const struct count_row rows[] = {
    {"one", 1, EC_HVC64, 0, {0xd4000022 /* hvc #1 */}},
    {"loop",
     22,
     EC_HVC64,
     0,
     {
         0xd2800140, /* 00 mov x0, #10 */
         0xf1000400, /* 04 1: subs x0, x0, #1 */
         0x54ffffe1, /* 08 b.ne 1b */
         0xd4000022, /* 0c hvc #1 */
     }},
    {"branches",
     10,
     EC_HVC64,
     0,
     {
         0xd503201f, /* 00 nop */
         0x14000002, /* 04 b 1f */
         0x00000000, /* 08 udf #0 */
         0x94000003, /* 0c 1: bl 2f */
         0xd4000022, /* 10 hvc #1 */
         0x00000000, /* 14 udf #0 */
         0xb400005f, /* 18 2: cbz xzr, 3f */
         0x00000000, /* 1c udf #0 */
         0x3618005f, /* 20 3: tbz wzr, #3, 4f */
         0x00000000, /* 24 udf #0 */
         0xb500001f, /* 28 4: cbnz xzr, 4b */
         0x10000061, /* 2c adr x1, 5f */
         0xd61f0020, /* 30 br x1 */
         0x00000000, /* 34 udf #0 */
         0xd65f03c0, /* 38 5: ret */
     }},
    {"system",
     15,
     EC_HVC64,
     0,
     {
         0xd503201f, /* 00 nop */
         0xd518d081, /* 04 msr tpidr_el1, x1 */
         0xd5033fdf, /* 08 isb */
         0xd538d082, /* 0c mrs x2, tpidr_el1 */
         0xd5033f9f, /* 10 dsb sy */
         0xd5033bbf, /* 14 dmb ish */
         0xd508871f, /* 18 tlbi vmalle1 */
         0xd508751f, /* 1c ic iallu */
         0xd50b7e21, /* 20 dc civac, x1 */
         0xd503203f, /* 24 yield */
         0xd503205f, /* 28 wfe */
         0xd503209f, /* 2c sev */
         0xd50320bf, /* 30 sevl */
         0xd503201f, /* 34 nop */
         0xd4000022, /* 38 hvc #1 */
     }},
    {"GIC's registers",
     6,
     EC_HVC64,
     0,
     {
         0xd503201f, /* 00 nop */
         0xd5384602, /* 04 mrs x2, icc_pmr_el1 */
         0xd503201f, /* 08 nop */
         0xd5184602, /* 0c msr icc_pmr_el1, x2 */
         0xd503201f, /* 10 nop */
         0xd4000022, /* 14 hvc #1 */
     }},
    {"memory",
     9,
     EC_HVC64,
     DATA,
     {
         0xf9800020, /* 00 prfm pldl1keep, [x1] */
         0xd50b7421, /* 04 dc zva, x1 */
         0xd5087801, /* 08 at s1e1r, x1 */
         0xd5387400, /* 0c mrs x0, par_el1 */
         0xc85f7c20, /* 10 ldxr x0, [x1] */
         0x91000400, /* 14 add x0, x0, #1 */
         0xc8027c20, /* 18 stxr w2, x0, [x1] */
         0xf9400020, /* 1c ldr x0, [x1] */
         0xd4000022, /* 20 hvc #1 */
     }},
    {"stage-2 abort",
     3,
     EC_DABT_LOW,
     HOLE,
     {
         0xd503201f, /* 00 nop */
         0xd503201f, /* 04 nop */
         0xf9400020, /* 08 ldr x0, [x1] */
         0xd503201f, /* 0c nop */
         0xd4000022, /* 10 hvc #1 */
     }},
    {"SMC", 2, EC_SMC64, 0, {0xd503201f /* nop */, 0xd4000003 /* smc #0 */, 0xd503201f /* nop */}},
    {"WFI", 2, EC_WFX, 0, {0xd503201f /* nop */, 0xd503207f /* wfi */, 0xd503201f /* nop */}},
    /* and the HVC at the vector */
    {"SVC", 4, EC_HVC64, 0, {0xd503201f, 0xd503201f, 0xd4000001 /* svc #0 */, 0xd503201f}},
    {"BRK", 4, EC_HVC64, 0, {0xd503201f, 0xd503201f, 0xd4200000 /* brk #0 */, 0xd503201f}},
    {"UDF", 4, EC_HVC64, 0, {0xd503201f, 0xd503201f, 0x00000000 /* udf #0 */, 0xd503201f}},
    {"PC alignment", 4, EC_HVC64, CODE + 2, {0xd503201f, 0xd61f0020 /* br x1 */, 0xd503201f}},
};

static void count_rows(void)
{
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        GUEST_INIT(&guest, rows[i].code);
        guest.vcpu.x[1] = rows[i].x1;
        hal_vcpu_load(&guest.vcpu);
        uint64_t count = guest_time_run(&guest);
        unsigned ec = (unsigned)(guest.exit.esr >> 26);
        cr_expect_eq(count, rows[i].count, "%s: %lu", rows[i].name, (unsigned long)count);
        cr_expect_eq(ec, rows[i].ec, "%s: class %x", rows[i].name, ec);
        hal_vcpu_put(&guest.vcpu);
    }
}

CASE(count, every_way_to_end_a_block)
{
    rig_run(count_rows);
}

/* The same instruction again, as core retries it, or skipped. */
static void count_retries(void)
{
    const struct count_row *row = NULL;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].name, "stage-2 abort") == 0)
            row = &rows[i];
    GUEST_INIT(&guest, row->code);
    guest.vcpu.x[1] = HOLE;
    hal_vcpu_load(&guest.vcpu);
    EXPECT_EQ(guest_time_run(&guest), 3);
    EXPECT_EQ(guest_time_run(&guest), 1);
    EXPECT_EQ(guest.vcpu.pc, CODE + 8);
    guest.vcpu.pc += 4;
    EXPECT_EQ(guest_time_run(&guest), 2);
    hal_vcpu_put(&guest.vcpu);
}

CASE(count, trapped_instructions_count_each_time)
{
    rig_run(count_retries);
}

/* A block ends with its page, and long ones are split. */
static void count_long_code(void)
{
    uint32_t *code;

    for (unsigned length = 1; length < 3000; length = length * 3 + 1) {
        GUEST_INIT(&guest, rows[0].code);
        code = guest_at(DATA);
        for (unsigned n = 0; n < length; n++)
            code[n] = 0xd503201f;  /* nop */
        code[length] = 0xd4000022; /* hvc #1 */
        guest.vcpu.pc = DATA;
        hal_vcpu_load(&guest.vcpu);
        EXPECT_EQ(guest_time_run(&guest), length + 1);
        EXPECT_EQ(guest.exit.esr & 0xffff, 1);
        hal_vcpu_put(&guest.vcpu);
    }
}

CASE(count, code_across_pages)
{
    rig_run(count_long_code);
}

static void read_counters(void)
{
    static const uint32_t code[] = {
        0xd53be040, /* 00 mrs x0, cntvct_el0 */
        0xd53be041, /* 04 mrs x1, cntvct_el0 */
        0xd503201f, /* 08 nop */
        0xd503201f, /* 0c nop */
        0xd53be022, /* 10 mrs x2, cntpct_el0 */
        0xd5033fdf, /* 14 isb */
        0xd53be043, /* 18 mrs x3, cntvct_el0 */
        0x14000001, /* 1c b 1f */
        0xd53be044, /* 20 1: mrs x4, cntvct_el0 */
        0xd4000022, /* 24 hvc #1 */
    };
    const uint64_t *x = guest.vcpu.x;
    uint64_t start, now;

    GUEST_INIT(&guest, code);
    hal_vcpu_load(&guest.vcpu);
    start = hal_time_now();
    guest_run_to_hvc(&guest, 1);
    now = hal_time_now();
    cr_expect(x[0] == start || x[0] == start + 1, "%lu %lu", x[0], start);
    EXPECT_EQ(x[1] - x[0], 1);
    EXPECT_EQ(x[2] - x[1], 3);
    EXPECT_EQ(x[3] - x[2], 2);
    EXPECT_EQ(x[4] - x[3], 2);
    EXPECT_EQ(now - start, 10);
    guest.vcpu.config.cntvoff_el2 = 1000;
    guest.vcpu.pc = CODE;
    hal_vcpu_config_sync(&guest.vcpu);
    guest_run_to_hvc(&guest, 1);
    EXPECT_EQ(x[2] - x[1], 3 + 1000);
    hal_vcpu_put(&guest.vcpu);
}

CASE(count, counters_move_with_each_instruction)
{
    rig_run(read_counters);
}

/* The limit is met at the first block's start after it: here a loop of two instructions. */
static void stop_at_deadline(void)
{
    static const uint32_t code[] = {
        0x91000400, /* 00 add x0, x0, #1 */
        0x17ffffff, /* 04 b 00 */
    };
    uint64_t deadline;

    GUEST_INIT(&guest, code);
    hal_vcpu_load(&guest.vcpu);
    for (uint64_t ticks = 1; ticks < 100000; ticks = ticks * 3 + 1) {
        deadline = hal_time_now() + ticks;
        hal_timer_arm(deadline);
        cr_expect_eq(guest_run(&guest), EC_IRQ);
        cr_expect(hal_time_now() >= deadline && hal_time_now() <= deadline + 1);
        EXPECT_EQ(hal_irq_ack(), SIM_INTID_HYPTIMER);
        hal_timer_arm(HAL_TIMER_NEVER);
        hal_irq_end(SIM_INTID_HYPTIMER, true);
    }
    EXPECT_EQ(guest.vcpu.x[0], hal_time_now() / 2);
    hal_vcpu_put(&guest.vcpu);
}

CASE(count, deadlines_are_met_within_a_block)
{
    rig_run(stop_at_deadline);
}

/* A block that ends in ERET to an address within itself, which EL0 may not fetch from. */
static void fetch_from_own_block(void)
{
    static const uint32_t code[] = {
        0xd503201f, /* 00 nop */
        0xd503201f, /* 04 nop */
        0xd503201f, /* 08 nop */
        0xd503201f, /* 0c nop */
        0xd69f03e0, /* 10 eret */
    };

    GUEST_INIT(&guest, code);
    guest_enable_mmu(&guest);
    *guest_stage1(CODE) |= UINT64_C(1) << 54; /* UXN */
    guest.vcpu.sys[ARCH_ELR_EL1] = CODE + 4;
    guest.vcpu.sys[ARCH_SPSR_EL1] = MASKED | MODE_EL0T;
    hal_vcpu_load(&guest.vcpu);
    /* Five, the fetch, and the vector's HVC. */
    EXPECT_EQ(guest_time_run(&guest), 7);
    EXPECT_EQ(guest.exit.esr & 0xffff, GUEST_VECTOR_HVC(0x400));
    EXPECT_EQ(guest_sysreg(&guest, ARCH_ELR_EL1), CODE + 4);
    hal_vcpu_put(&guest.vcpu);
}

CASE(count, a_fetch_fails_before_a_block)
{
    rig_run(fetch_from_own_block);
}

CASES_RUN(count, NULL, NULL)
