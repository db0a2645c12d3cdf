/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Exceptions to EL1, which the simulator takes itself: Arm ARM DDI 0487, D1.10 and D17.2.37. */
#include "rig.h"

#define NZCV      UINT64_C(0xa0000000) /* N and C */
#define PAN       (UINT64_C(1) << 22)
#define SPAN      (UINT64_C(1) << 23) /* of SCTLR_EL1 */
#define IL        (UINT64_C(1) << 25) /* of ESR_ELx */
#define PSTATE_IL (UINT64_C(1) << 20)
#define WNR       (UINT64_C(1) << 6)
#define NOWHERE   (DATA + 0x1000u) /* stage 1 does not map it */

static struct guest guest;

struct entry_row {
    const char *name;
    uint32_t word; /* at CODE */
    uint64_t x1;
    bool mmu;
    bool far;                  /* FAR_EL1 is x1 */
    bool at_x1;                /* ELR_EL1 is x1 */
    uint64_t elr;              /* else from CODE on */
    uint64_t esr_el0, esr_el1; /* without IL, which is always set: A64 has 32 bits */
};

#define ESR(ec, iss) ((uint64_t)(ec) << 26 | (iss))

static const struct entry_row rows[] = {
    /* svc #0x5a */
    {"SVC", 0xd4000b41, 0, false, false, false, 4, ESR(0x15, 0x5a), ESR(0x15, 0x5a)},
    /* brk #0x77 */
    {"BRK", 0xd4200ee0, 0, false, false, false, 0, ESR(0x3c, 0x77), ESR(0x3c, 0x77)},
    /* udf #0 */
    {"UDF", 0x00000000, 0, false, false, false, 0, 0, 0},
    /* mrs x0, s3_0_c11_c13_7 */
    {"no such register", 0xd538bde0, 0, false, false, false, 0, 0, 0},
    /* br x1 */
    {"PC alignment", 0xd61f0020, CODE + 2, false, true, true, 0, ESR(0x22, 0), ESR(0x22, 0)},
    /* ldr x0, [x1]: translation fault, level 3 */
    {"load", 0xf9400020, NOWHERE + 8, true, true, false, 0, ESR(0x24, 7), ESR(0x25, 7)},
    /* ldr x0, [x1]: translation fault, level 1 */
    {"load at 0", 0xf9400020, 8, true, true, false, 0, ESR(0x24, 5), ESR(0x25, 5)},
    /* str x0, [x1]: permission fault, level 3 */
    {"store", 0xf9000020, CODE + 8, true, true, false, 0, ESR(0x24, WNR | 15), ESR(0x25, WNR | 15)},
    /* br x1: translation fault, level 3 */
    {"fetch", 0xd61f0020, NOWHERE + 8, true, true, true, 0, ESR(0x20, 7), ESR(0x21, 7)},
};

static const struct {
    const char *name;
    uint64_t mode;
    uint32_t vector;
} origins[] = {{"EL0t", MODE_EL0T, 0x400}, {"EL1t", MODE_EL1T, 0x000}, {"EL1h", MODE_EL1H, 0x200}};

static void check_row(const struct entry_row *row, unsigned origin)
{
    uint64_t pstate = origins[origin].mode | NZCV | 0x80; /* I alone is masked */
    bool btype = row->at_x1 && rig_model == SIM_CPU_MAX;  /* BR sets it to 1 (FEAT_BTI) */
    uint64_t esr = (origin == 0 ? row->esr_el0 : row->esr_el1) | IL;

    guest_init(&guest, &row->word, 1);
    *guest_stage1(NOWHERE) = 0;
    if (row->mmu)
        guest_enable_mmu(&guest);
    guest.vcpu.pstate = pstate;
    guest.vcpu.x[1] = row->x1;
    guest.vcpu.sys[ARCH_FAR_EL1] = 0x1234;
    hal_vcpu_load(&guest.vcpu);
    cr_log_info("%s from %s", row->name, origins[origin].name);
    guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(origins[origin].vector));
    EXPECT_EQ(guest_sysreg(&guest, ARCH_ELR_EL1), row->at_x1 ? row->x1 : CODE + row->elr);
    EXPECT_EQ(guest_sysreg(&guest, ARCH_SPSR_EL1), pstate | (btype ? 0x400 : 0));
    EXPECT_EQ(guest_sysreg(&guest, ARCH_ESR_EL1), esr);
    EXPECT_EQ(guest_sysreg(&guest, ARCH_FAR_EL1), row->far ? row->x1 : 0x1234);
    EXPECT_EQ(guest.vcpu.pstate, NZCV | MASKED | MODE_EL1H);
    hal_vcpu_put(&guest.vcpu);
}

static void enter_all(void)
{
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned origin = 0; origin < 3; origin++)
            check_row(&rows[i], origin);
}

CASE(entry, registers_of_each_exception_from_each_level)
{
    rig_run(enter_all);
}

/* PSTATE.PAN is set unless SCTLR_EL1.SPAN is, and stays otherwise. Cortex-A57 does not have it. */
static void enter_with_pan(void)
{
    static const uint32_t code[] = {0xd4000001 /* svc #0 */};
    uint64_t pan = rig_model == SIM_CPU_MAX ? PAN : 0;

    for (unsigned i = 0; i < 4; i++) {
        GUEST_INIT(&guest, code);
        guest.vcpu.pstate = MODE_EL0T | ((i & 1) != 0 ? pan : 0);
        if ((i & 2) != 0)
            guest.vcpu.sys[ARCH_SCTLR_EL1] &= ~SPAN;
        hal_vcpu_load(&guest.vcpu);
        guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(0x400));
        EXPECT_EQ(guest.vcpu.pstate, MASKED | MODE_EL1H | (i == 0 ? 0 : pan));
        EXPECT_EQ(guest_sysreg(&guest, ARCH_SPSR_EL1), MODE_EL0T | ((i & 1) != 0 ? pan : 0));
        hal_vcpu_put(&guest.vcpu);
    }
}

CASE(entry, sets_pan_as_span_says)
{
    rig_run(enter_with_pan);
}

static void return_to_el0(void)
{
    static const uint32_t code[] = {
        0xd4000021, /* 00 svc #1 */
        0x91000400, /* 04 add x0, x0, #1 */
        0xd4000041, /* 08 svc #2 */
    };

    GUEST_INIT(&guest, code);
    guest_enable_mmu(&guest);
    guest.vcpu.pstate = MODE_EL0T | NZCV;
    hal_vcpu_load(&guest.vcpu);
    guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(0x400));
    guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(0x400)); /* ERET, and the rest */
    EXPECT_EQ(guest.vcpu.x[0], 1);
    EXPECT_EQ(guest_sysreg(&guest, ARCH_ELR_EL1), CODE + 12);
    EXPECT_EQ(guest_sysreg(&guest, ARCH_SPSR_EL1), MODE_EL0T | NZCV);
    EXPECT_EQ(guest_sysreg(&guest, ARCH_ESR_EL1), ESR(0x15, 2) | IL);
    hal_vcpu_put(&guest.vcpu);
}

CASE(entry, eret_goes_back_to_el0)
{
    rig_run(return_to_el0);
}

#define SP_A UINT64_C(0x1000)
#define SP_B UINT64_C(0x2000)
#define SP_C UINT64_C(0x3000)
#define SP_D UINT64_C(0x4000)

static void use_both_stacks(void)
{
    static const uint32_t code[] = {
        0x910003e0, /* 00 mov x0, sp */
        0xd50040bf, /* 04 msr spsel, #0 */
        0x910003e1, /* 08 mov x1, sp */
        0x910043ff, /* 0c add sp, sp, #16 */
        0xd4000001, /* 10 svc #0 */
        0x910003e2, /* 14 mov x2, sp */
        0xd50041bf, /* 18 msr spsel, #1 */
        0x910003e3, /* 1c mov x3, sp */
        0xd10083ff, /* 20 sub sp, sp, #32 */
        0xd4000001, /* 24 svc #0 */
        0x910003e4, /* 28 mov x4, sp */
        0xd5384105, /* 2c mrs x5, sp_el0 */
        0xd4000122, /* 30 hvc #9 */
    };

    GUEST_INIT(&guest, code);
    guest.vcpu.sys[ARCH_SP_EL0] = SP_A;
    guest.vcpu.sys[ARCH_SP_EL1] = SP_B;
    hal_vcpu_load(&guest.vcpu);
    guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(0x000));
    EXPECT_EQ(guest.vcpu.x[0], SP_B);
    EXPECT_EQ(guest.vcpu.x[1], SP_A);
    EXPECT_EQ(guest_sysreg(&guest, ARCH_SP_EL0), SP_A + 16);
    EXPECT_EQ(guest_sysreg(&guest, ARCH_SP_EL1), SP_B);
    guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(0x200));
    EXPECT_EQ(guest.vcpu.x[2], SP_A + 16);
    EXPECT_EQ(guest.vcpu.x[3], SP_B);
    EXPECT_EQ(guest_sysreg(&guest, ARCH_SP_EL1), SP_B - 32);
    hal_vcpu_sysreg_set(&guest.vcpu, ARCH_SP_EL0, SP_C);
    hal_vcpu_sysreg_set(&guest.vcpu, ARCH_SP_EL1, SP_D);
    guest_run_to_hvc(&guest, 9);
    EXPECT_EQ(guest.vcpu.x[4], SP_D);
    EXPECT_EQ(guest.vcpu.x[5], SP_C);
    hal_vcpu_put(&guest.vcpu);
    EXPECT_EQ(guest.vcpu.sys[ARCH_SP_EL0], SP_C);
    EXPECT_EQ(guest.vcpu.sys[ARCH_SP_EL1], SP_D);
}

CASE(entry, stack_pointers_are_banked)
{
    rig_run(use_both_stacks);
}

/* Core enters EL1 too, by changing pc, pstate and registers of a vCPU that stays loaded. */
static void change_level_while_loaded(void)
{
    static const uint32_t code[] = {
        0x910003e0, /* 00 mov x0, sp */
        0xd4000021, /* 04 svc #1 */
    };

    GUEST_INIT(&guest, code);
    guest.vcpu.sys[ARCH_SP_EL0] = SP_A;
    guest.vcpu.sys[ARCH_SP_EL1] = SP_B;
    hal_vcpu_load(&guest.vcpu);
    for (unsigned origin = 0; origin < 3; origin++) {
        guest.vcpu.pc = CODE;
        guest.vcpu.pstate = origins[origin].mode | MASKED;
        guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(origins[origin].vector));
        EXPECT_EQ(guest.vcpu.x[0], origin == 2 ? SP_B : SP_A);
        EXPECT_EQ(guest_sysreg(&guest, ARCH_SPSR_EL1), origins[origin].mode | MASKED);
    }
    hal_vcpu_put(&guest.vcpu);
}

CASE(entry, core_changes_the_level_of_a_loaded_vcpu)
{
    rig_run(change_level_while_loaded);
}

/* The vector itself faults: each attempt takes an exception and time, and the limit ends it. */
static void fault_at_the_vector(void)
{
    static const uint32_t code[] = {0xd4000001 /* svc #0 */};

    GUEST_INIT(&guest, code);
    *guest_stage1(VECTORS) = 0;
    guest_enable_mmu(&guest);
    hal_vcpu_load(&guest.vcpu);
    hal_timer_arm(hal_time_now() + 1000);
    cr_expect_eq(guest_run(&guest), EC_IRQ);
    EXPECT_EQ(guest.vcpu.pc, VECTORS + 0x200);
    EXPECT_EQ(guest_sysreg(&guest, ARCH_FAR_EL1), VECTORS + 0x200);
    cr_expect(hal_time_now() >= 1000 && hal_time_now() < 1010);
    hal_vcpu_put(&guest.vcpu);
}

CASE(entry, endless_exceptions_take_time)
{
    rig_run(fault_at_the_vector);
}

/*
 * No CPU of this machine has AArch32 (what ID_AA64PFR0_EL1 says to guests), so that a return to it
 * is illegal, as is one to a mode that there is not or that is above (D1.11.4): the level stays,
 * and the next instruction takes an Illegal Execution state exception. PC alignment comes before
 * (D1.11.5).
 */
static void return_illegally(void)
{
    static const uint32_t code[] = {
        0xd5184000, /* 00 msr spsr_el1, x0 */
        0xd5184021, /* 04 msr elr_el1, x1 */
        0xd69f03e0, /* 08 eret */
    };
    static const uint64_t modes[] = {0x10, 0x30, 0x11, 0x13, 0x1f, 0x1d0, 0x1a, 1, 2, 9, 0xd};

    for (unsigned i = 0; i < 2 * sizeof(modes) / sizeof(modes[0]); i++) {
        bool aligned = i % 2 == 0;
        GUEST_INIT(&guest, code);
        guest.vcpu.x[0] = modes[i / 2] | NZCV;
        guest.vcpu.x[1] = DATA + (aligned ? 0 : 2);
        hal_vcpu_load(&guest.vcpu);
        guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(0x200));
        EXPECT_EQ(guest_sysreg(&guest, ARCH_ESR_EL1), ESR(aligned ? 0x0e : 0x22, 0) | IL);
        EXPECT_EQ(guest_sysreg(&guest, ARCH_ELR_EL1), guest.vcpu.x[1]);
        EXPECT_EQ(guest_sysreg(&guest, ARCH_SPSR_EL1) & (NZCV | PSTATE_IL | 0x1f),
                  NZCV | PSTATE_IL | MODE_EL1H);
        EXPECT_EQ(guest.vcpu.pstate, NZCV | MASKED | MODE_EL1H);
        hal_vcpu_put(&guest.vcpu);
    }
}

CASE(entry, illegal_returns_stay_where_they_are)
{
    rig_run(return_illegally);
}

CASES_RUN(entry, NULL, NULL)
