/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Self-hosted debug, which guests have to themselves: Arm ARM DDI 0487, D2. */
#include "rig.h"

#define MDE       (UINT64_C(1) << 15) /* MDSCR_EL1 */
#define KDE       (UINT64_C(1) << 13)
#define SS        UINT64_C(1)
#define PSTATE_SS (UINT64_C(1) << 21)
#define BCR_EL1   UINT64_C(0x1e3)  /* E, PMC: EL1, BAS: all of it */
#define WCR_EL1   UINT64_C(0x1ffb) /* E, PAC: EL1, LSC: both, BAS: 8 bytes */

static struct guest guest;

static const uint32_t code_breakpoint[] = {
    0xd5100081, /* 00 msr dbgbvr0_el1, x1 */
    0xd51000a2, /* 04 msr dbgbcr0_el1, x2 */
    0xd5300084, /* 08 mrs x4, dbgbvr0_el1 */
    0xd53000a5, /* 0c mrs x5, dbgbcr0_el1 */
    0xd5100243, /* 10 msr mdscr_el1, x3 */
    0xd5033fdf, /* 14 isb */
    0xd50348ff, /* 18 msr daifclr, #8 */
    0xd503201f, /* 1c nop */
    0xd503201f, /* 20 nop */
    0xd4000022, /* 24 hvc #1 */
};

/* What is written is read back by the next instruction, and kept for the vCPU. That it takes an
 * exception is not seen here: Unicorn 2.1.1 lets breakpoints and watchpoints through. */
static void set_breakpoint(void)
{
    for (unsigned on = 0; on < 4; on++) {
        GUEST_INIT(&guest, code_breakpoint);
        guest.vcpu.x[1] = CODE + 0x20;
        guest.vcpu.x[2] = (on & 1) != 0 ? BCR_EL1 : 0;
        guest.vcpu.x[3] = (on & 2) != 0 ? MDE | KDE : 0;
        hal_vcpu_load(&guest.vcpu);
        EXPECT_EQ(guest_time_run(&guest), 10);
        EXPECT_EQ(guest.vcpu.x[4], CODE + 0x20);
        EXPECT_EQ(guest.vcpu.x[5], guest.vcpu.x[2]);
        hal_vcpu_put(&guest.vcpu);
        EXPECT_EQ(guest.vcpu.debug.bvr[0], CODE + 0x20);
        EXPECT_EQ(guest.vcpu.debug.bcr[0], guest.vcpu.x[2]);
    }
}

CASE(debug, breakpoints_are_kept_and_do_no_harm)
{
    rig_run(set_breakpoint);
}

static const uint32_t code_watchpoint[] = {
    0xd51000c1, /* 00 msr dbgwvr0_el1, x1 */
    0xd51000e2, /* 04 msr dbgwcr0_el1, x2 */
    0xd53000c4, /* 08 mrs x4, dbgwvr0_el1 */
    0xd53000e5, /* 0c mrs x5, dbgwcr0_el1 */
    0xd5100243, /* 10 msr mdscr_el1, x3 */
    0xd5033fdf, /* 14 isb */
    0xd50348ff, /* 18 msr daifclr, #8 */
    0xd503201f, /* 1c nop */
    0xf9000020, /* 20 str x0, [x1] */
    0xd4000022, /* 24 hvc #1 */
};

static void set_watchpoint(void)
{
    for (unsigned on = 0; on < 4; on++) {
        GUEST_INIT(&guest, code_watchpoint);
        guest.vcpu.x[1] = DATA + 8;
        guest.vcpu.x[2] = (on & 1) != 0 ? WCR_EL1 : 0;
        guest.vcpu.x[3] = (on & 2) != 0 ? MDE | KDE : 0;
        hal_vcpu_load(&guest.vcpu);
        EXPECT_EQ(guest_time_run(&guest), 10);
        EXPECT_EQ(guest.vcpu.x[4], DATA + 8);
        EXPECT_EQ(guest.vcpu.x[5], guest.vcpu.x[2]);
        hal_vcpu_put(&guest.vcpu);
        EXPECT_EQ(guest.vcpu.debug.wvr[0], DATA + 8);
        EXPECT_EQ(guest.vcpu.debug.wcr[0], guest.vcpu.x[2]);
    }
}

CASE(debug, watchpoints_are_kept_and_do_no_harm)
{
    rig_run(set_watchpoint);
}

static void single_step(void)
{
    static const uint32_t code[] = {
        0xd5100243, /* 00 msr mdscr_el1, x3 */
        0xd5184004, /* 04 msr spsr_el1, x4 */
        0xd5184025, /* 08 msr elr_el1, x5 */
        0xd5033fdf, /* 0c isb */
        0xd69f03e0, /* 10 eret */
        0xd503201f, /* 14 nop */
        0xd503201f, /* 18 nop */
        0xd4000022, /* 1c hvc #1 */
    };

    GUEST_INIT(&guest, code);
    guest.vcpu.x[3] = SS;
    guest.vcpu.x[4] = PSTATE_SS; /* to EL0 */
    guest.vcpu.x[5] = CODE + 0x14;
    hal_vcpu_load(&guest.vcpu);
    for (unsigned n = 0; n < 2; n++) {
        guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(0x400));
        EXPECT_EQ(guest_sysreg(&guest, ARCH_ESR_EL1) >> 26, 0x32);
        EXPECT_EQ(guest_sysreg(&guest, ARCH_ELR_EL1), CODE + 0x18 + 4 * n);
        EXPECT_EQ(guest_sysreg(&guest, ARCH_SPSR_EL1), MODE_EL0T);
        hal_vcpu_sysreg_set(&guest.vcpu, ARCH_SPSR_EL1, PSTATE_SS);
    }
    hal_vcpu_put(&guest.vcpu);
}

CASE(debug, single_steps)
{
    rig_run(single_step);
}

/* What EL1 may write, EL0 may not; and what there is not, nobody may. */
static void write_forbidden(void)
{
    static const struct {
        uint32_t word;
        bool exists; /* for EL1 */
    } rows[] = {
        {0xd5181040 /* msr cpacr_el1, x0 */, true},
        {0xd5184000 /* msr spsr_el1, x0 */, true},
        {0xd51000a0 /* msr dbgbcr0_el1, x0 */, true},
        {0xd51000e0 /* msr dbgwcr0_el1, x0 */, true},
        {0xd5182000 /* msr ttbr0_el1, x0 */, true},
        {0xd508831f /* tlbi vmalle1is */, true},
        {0xd508751f /* ic iallu */, true},
        {0xd5100f80 /* msr dbgbvr15_el1, x0 */, false},
        {0xd5100fe0 /* msr dbgwcr15_el1, x0 */, false},
    };

    for (unsigned i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
        bool el0 = i % 2 == 0;
        const uint32_t code[] = {rows[i / 2].word, 0xd4000001 /* svc #0 */};
        bool undefined = el0 || !rows[i / 2].exists;
        GUEST_INIT(&guest, code);
        guest.vcpu.pstate = el0 ? MODE_EL0T : MODE_EL1H;
        guest.vcpu.sys[ARCH_SPSR_EL1] = 0x5;
        hal_vcpu_load(&guest.vcpu);
        guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(el0 ? 0x400 : 0x200));
        cr_expect_eq(guest_sysreg(&guest, ARCH_ESR_EL1), undefined ? 0x02000000 : 0x56000000,
                     "%08x at EL%d: ESR %lx", rows[i / 2].word, el0 ? 0 : 1,
                     (unsigned long)guest_sysreg(&guest, ARCH_ESR_EL1));
        if (undefined) {
            EXPECT_EQ(guest_sysreg(&guest, ARCH_CPACR_EL1), 3u << 20);
            EXPECT_EQ(guest_sysreg(&guest, ARCH_TTBR0_EL1), 0);
        }
        hal_vcpu_put(&guest.vcpu);
        EXPECT_EQ(guest.vcpu.debug.bcr[0], 0);
    }
}

CASE(debug, registers_are_not_everybodys)
{
    rig_run(write_forbidden);
}

/* MDCR_EL2.TDA: core may have them trap. */
static void trap_debug(void)
{
    static const uint32_t code[] = {0xd51000a2 /* msr dbgbcr0_el1, x2 */};

    GUEST_INIT(&guest, code);
    guest.vcpu.config.mdcr_el2 = 1u << 9 | 1u << 10 | 1u << 11;
    guest.vcpu.x[2] = BCR_EL1;
    hal_vcpu_load(&guest.vcpu);
    cr_expect_eq(guest_run(&guest), EC_SYSREG);
    EXPECT_EQ(guest.vcpu.pc, CODE);
    hal_vcpu_put(&guest.vcpu);
    EXPECT_EQ(guest.vcpu.debug.bcr[0], 0);
}

CASE(debug, registers_can_be_trapped)
{
    rig_run(trap_debug);
}

CASES_RUN(debug, NULL, NULL)
