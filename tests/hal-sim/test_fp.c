/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Traps of FP and SIMD: CPACR_EL1.FPEN (D17.2.32) to EL1, CPTR_EL2.TFP (D17.2.29) to EL2. */
#include "rig.h"
#include <string.h>

#define FPEN(n) ((uint64_t)(n) << 20)
#define ESR_FP  UINT64_C(0x1fe00000) /* EC 0x07, IL, CV, COND 0b1110 (D17.2.37) */
#define TFP     (UINT64_C(1) << 10)

static struct guest guest;

static const uint32_t code[] = {
    0xd503201f, /* 00 nop */
    0x9e670020, /* 04 fmov d0, x1 */
    0xd5181043, /* 08 msr cpacr_el1, x3 */
    0xd5033fdf, /* 0c isb */
    0x9e670020, /* 10 fmov d0, x1 */
    0x9e660002, /* 14 fmov x2, d0 */
    0xd4000021, /* 18 svc #1 */
};

static void start(uint64_t fpen, uint64_t mode)
{
    GUEST_INIT(&guest, code);
    guest.vcpu.sys[ARCH_CPACR_EL1] = FPEN(fpen);
    guest.vcpu.x[1] = 0x4321;
    guest.vcpu.x[3] = FPEN(3);
    guest.vcpu.pstate = MASKED | mode;
    hal_vcpu_load(&guest.vcpu);
}

static void trap_to_el1(void)
{
    for (unsigned i = 0; i < 6; i++) {
        uint64_t fpen = i / 2; /* 2 is as 0 */
        bool el0 = i % 2 == 0;
        bool traps = el0 || fpen != 1;
        start(fpen, el0 ? MODE_EL0T : MODE_EL1H);
        EXPECT_EQ(guest_time_run(&guest), traps ? 3 : 8);
        EXPECT_EQ(guest.exit.esr & 0xffff, GUEST_VECTOR_HVC(el0 ? 0x400 : 0x200));
        EXPECT_EQ(guest_sysreg(&guest, ARCH_ESR_EL1), traps ? ESR_FP : 0x56000001);
        EXPECT_EQ(guest_sysreg(&guest, ARCH_ELR_EL1), CODE + (traps ? 4 : 0x1c));
        if (traps && !el0) {
            /* Past it; the guest switches FP on, and the instruction after works. */
            guest.vcpu.pc = CODE + 8;
            EXPECT_EQ(guest_time_run(&guest), 6);
            EXPECT_EQ(guest_sysreg(&guest, ARCH_ESR_EL1), 0x56000001);
            EXPECT_EQ(guest.vcpu.x[2], 0x4321);
        }
        hal_vcpu_put(&guest.vcpu);
    }
}

CASE(fp, fpen_traps_to_el1)
{
    rig_run(trap_to_el1);
}

/* ERET to the instruction that trapped, on and off again many times, as a lazy switch does. */
static void retry(void)
{
    start(3, MODE_EL1H);
    for (unsigned i = 0; i < 50; i++) {
        hal_vcpu_sysreg_set(&guest.vcpu, ARCH_CPACR_EL1, 0);
        guest.vcpu.pc = CODE;
        guest.vcpu.x[1] = 0x1000 + i;
        guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(0x200));
        EXPECT_EQ(guest_sysreg(&guest, ARCH_ESR_EL1), ESR_FP);
        hal_vcpu_sysreg_set(&guest.vcpu, ARCH_CPACR_EL1, FPEN(3));
        EXPECT_EQ(guest_time_run(&guest), 1 + 6 + 1); /* ERET, the rest, HVC */
        EXPECT_EQ(guest_sysreg(&guest, ARCH_ESR_EL1), 0x56000001);
        EXPECT_EQ(guest.vcpu.x[2], 0x1000 + i);
    }
    hal_vcpu_put(&guest.vcpu);
}

CASE(fp, retried_when_switched_on)
{
    rig_run(retry);
}

static void trap_to_el2(void)
{
    start(3, MODE_EL1H);
    guest.vcpu.config.cptr_el2 |= TFP;
    hal_vcpu_config_sync(&guest.vcpu);
    EXPECT_EQ(guest_time_run(&guest), 2);
    EXPECT_EQ(guest.exit.esr, ESR_FP);
    EXPECT_EQ(guest.vcpu.pc, CODE + 4);
    guest.vcpu.config.cptr_el2 &= ~TFP;
    hal_vcpu_config_sync(&guest.vcpu);
    EXPECT_EQ(guest_time_run(&guest), 7);
    EXPECT_EQ(guest.vcpu.x[2], 0x4321);
    /* EL1's trap comes first (D1.11.5). */
    hal_vcpu_sysreg_set(&guest.vcpu, ARCH_CPACR_EL1, 0);
    guest.vcpu.config.cptr_el2 |= TFP;
    hal_vcpu_config_sync(&guest.vcpu);
    guest.vcpu.pc = CODE;
    guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(0x200));
    hal_vcpu_put(&guest.vcpu);
}

CASE(fp, tfp_traps_to_el2)
{
    rig_run(trap_to_el2);
}

#define PLACES 160u

/* More places than the simulator watches one by one; then code that changed under a watched one. */
static void trap_in_many_places(void)
{
    uint32_t *at;

    start(3, MODE_EL1H);
    hal_vcpu_sysreg_set(&guest.vcpu, ARCH_CPACR_EL1, 0);
    at = guest_at(DATA);
    for (unsigned n = 0; n < PLACES; n++)
        at[n] = n % 2 == 0 ? 0x9e670020 /* fmov d0, x1 */ : 0xd4000042 /* hvc #2 */;
    for (unsigned n = 0; n < PLACES; n++) {
        guest.vcpu.pc = DATA + n / 2 * 8 % (4 * PLACES);
        guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(0x200));
        EXPECT_EQ(guest_sysreg(&guest, ARCH_ELR_EL1), DATA + n / 2 * 8 % (4 * PLACES));
    }
    /* And once more, now that all of them are watched: each trap is taken once. */
    for (unsigned n = 0; n < PLACES / 2; n++) {
        guest.vcpu.pc = DATA + 8 * n;
        guest.vcpu.pstate = MASKED | MODE_EL1T;
        EXPECT_EQ(guest_time_run(&guest), 2);
        EXPECT_EQ(guest_sysreg(&guest, ARCH_SPSR_EL1), MASKED | MODE_EL1T);
    }
    for (unsigned n = 0; n < PLACES; n++)
        at[n] = n % 2 != 0 ? 0x9e670020 : 0xd4000042;
    hal_cache_op(at, (uint64_t)4 * PLACES, HAL_CACHE_SYNC_ICACHE);
    guest.vcpu.pc = DATA;
    guest_run_to_hvc(&guest, 2);
    guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(0x200));
    EXPECT_EQ(guest_sysreg(&guest, ARCH_ELR_EL1), DATA + 4);
    hal_vcpu_put(&guest.vcpu);
}

CASE(fp, any_number_of_places)
{
    rig_run(trap_in_many_places);
}

/* What was looked at and had none, and has one now. */
static void trap_in_new_code(void)
{
    static const uint32_t first[] = {
        0xd503201f, /* 00 nop: becomes fmov d0, x1 */
        0xd4000042, /* 04 hvc #2 */
    };
    uint32_t *at;

    start(0, MODE_EL1H);
    at = guest_at(DATA);
    memcpy(at, first, sizeof(first));
    guest.vcpu.pc = DATA;
    guest_run_to_hvc(&guest, 2);
    at[0] = 0x9e670020;
    hal_cache_op(at, sizeof(first), HAL_CACHE_SYNC_ICACHE);
    guest.vcpu.pc = DATA;
    guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(0x200));
    EXPECT_EQ(guest_sysreg(&guest, ARCH_ELR_EL1), DATA);
    hal_vcpu_put(&guest.vcpu);
}

CASE(fp, traps_in_code_that_is_new)
{
    rig_run(trap_in_new_code);
}

static void keep_registers(void)
{
    static struct guest other;

    start(3, MODE_EL1H);
    hal_vcpu_put(&guest.vcpu);
    for (unsigned n = 0; n < 64; n++)
        guest.vcpu.fp.q[n] = 0x100 + n;
    guest.vcpu.fp.fpcr = 1u << 24; /* FZ */
    guest.vcpu.fp.fpsr = 1u << 27; /* QC */
    hal_vcpu_load(&guest.vcpu);
    guest.vcpu.pc = CODE + 0x10;
    guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(0x200));
    hal_vcpu_put(&guest.vcpu);
    guest_init_vcpu(&other);
    other.vcpu.pc = CODE + 0x14;
    hal_vcpu_load(&other.vcpu);
    guest_run_to_hvc(&other, GUEST_VECTOR_HVC(0x200));
    EXPECT_EQ(other.vcpu.x[2], 0);
    hal_vcpu_put(&other.vcpu);
    EXPECT_EQ(other.vcpu.fp.q[63], 0);
    EXPECT_EQ(other.vcpu.fp.fpcr, 0);
    EXPECT_EQ(guest.vcpu.fp.q[0], 0x4321);
    EXPECT_EQ(guest.vcpu.fp.q[1], 0);
    for (unsigned n = 2; n < 64; n++)
        EXPECT_EQ(guest.vcpu.fp.q[n], 0x100 + n);
    EXPECT_EQ(guest.vcpu.fp.fpcr, 1u << 24);
    EXPECT_EQ(guest.vcpu.fp.fpsr, 1u << 27);
}

CASE(fp, registers_are_each_vcpus_own)
{
    rig_run(keep_registers);
}

/* CPACR_EL1.ZEN has no effect, as a guest has no SVE: not even with FPEN against it. */
static void enable_sve(void)
{
    for (unsigned i = 0; i < 16; i++) {
        start(3, i % 2 == 0 ? MODE_EL1H : MODE_EL1T);
        guest.vcpu.pc = CODE + 8;
        guest.vcpu.x[3] = FPEN(i / 2 % 4) | (uint64_t)(i / 8 + 2) << 16;
        guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(i % 2 == 0 ? 0x200 : 0));
        EXPECT_EQ(guest_sysreg(&guest, ARCH_CPACR_EL1), guest.vcpu.x[3] & FPEN(3));
        hal_vcpu_put(&guest.vcpu);
    }
}

CASE(fp, there_is_no_sve)
{
    rig_run(enable_sve);
}

CASES_RUN(fp, NULL, NULL)
