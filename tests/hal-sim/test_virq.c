/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Virtual interrupts from list registers to a guest's vectors and back: IHI 0069, 8.5 and 12.4; Arm
 * ARM DDI 0487, D1.13. The model behind them has tests of its own (tests/sim). */
#include "rig.h"

/* ICH_LR<n>_EL2 */
#define LR_PENDING     (UINT64_C(1) << 62)
#define LR_ACTIVE      (UINT64_C(1) << 63)
#define LR_HW(intid)   (UINT64_C(1) << 61 | (uint64_t)(intid) << 32)
#define LR_EOI         (UINT64_C(1) << 41)
#define LR_GROUP1      (UINT64_C(1) << 60)
#define LR_PRIORITY(n) ((uint64_t)(n) << 48)
#define VMCR(pmr)      ((uint64_t)(pmr) << 24 | 3u) /* both groups enabled */
#define VMCR_EOIMODE   (UINT64_C(1) << 9)
#define HCR_EN         UINT64_C(1)
#define HCR_UIE        UINT64_C(2)
#define MASK_F         0x40u
#define MASK_I         0x80u

static struct guest guest;

static const uint32_t code_unmask[] = {
    0xd503201f, /* 00 nop */
    0xd50343ff, /* 04 msr daifclr, #3 */
    0xd503201f, /* 08 nop */
    0xd503201f, /* 0c nop */
    0xd4000022, /* 10 hvc #1 */
};

static void start(uint64_t lr, unsigned pmr)
{
    guest.vcpu.gic.vmcr = VMCR(pmr);
    hal_vcpu_load(&guest.vcpu);
    hal_gic_lr_set(&guest.vcpu, 0, lr);
}

/* Group 1 is IRQ and group 0 FIQ, taken when PSTATE lets it, from where it is. */
static void take_interrupt(void)
{
    for (unsigned i = 0; i < 6; i++) {
        uint64_t mode = (const uint64_t[]){MODE_EL1H, MODE_EL1T, MODE_EL0T}[i / 2];
        uint32_t base = (const uint32_t[]){0x200, 0x000, 0x400}[i / 2];
        bool irq = i % 2 == 0;
        GUEST_INIT(&guest, code_unmask);
        guest.vcpu.pstate = mode | (mode == MODE_EL0T ? 0 : MASKED);
        guest.vcpu.sys[ARCH_SP_EL0] = 0x1000;
        guest.vcpu.sys[ARCH_SP_EL1] = 0x2000;
        start(LR_PENDING | (irq ? LR_GROUP1 : 0) | LR_PRIORITY(0x80) | 40, 0xf8);
        guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(base + (irq ? 0x80 : 0x100)));
        EXPECT_EQ(guest_sysreg(&guest, ARCH_ELR_EL1), mode == MODE_EL0T ? CODE : CODE + 8);
        EXPECT_EQ(guest_sysreg(&guest, ARCH_SPSR_EL1), mode == MODE_EL0T ? mode : (mode | 0x300));
        EXPECT_EQ(guest.vcpu.pstate, MASKED | MODE_EL1H);
        EXPECT_EQ(guest_sysreg(&guest, ARCH_SP_EL0), 0x1000);
        EXPECT_EQ(guest_sysreg(&guest, ARCH_SP_EL1), 0x2000);
        hal_vcpu_put(&guest.vcpu);
    }
}

CASE(virq, is_taken_when_unmasked)
{
    rig_run(take_interrupt);
}

static void keep_interrupt(void)
{
    for (unsigned i = 0; i < 5; i++) {
        GUEST_INIT(&guest, code_unmask);
        if (i == 4)
            guest.vcpu.gic.hcr = 0;
        if (i == 3)
            guest.vcpu.pc = CODE + 8; /* masked */
        start(i == 0 ? 0 : LR_PENDING | LR_GROUP1 | LR_PRIORITY(0x80) | 40, i == 1   ? 0
                                                                            : i == 2 ? 0x80
                                                                                     : 0xf8);
        guest_run_to_hvc(&guest, 1);
        hal_vcpu_put(&guest.vcpu);
    }
}

CASE(virq, waits_for_mask_priority_and_enable)
{
    rig_run(keep_interrupt);
}

/* ICC_PMR_EL1 goes up: taken before the next instruction. */
static void raise_pmr(void)
{
    static const uint32_t code[] = {
        0xd503201f, /* 00 nop */
        0xd5184601, /* 04 msr icc_pmr_el1, x1 */
        0xd503201f, /* 08 nop */
        0xd503201f, /* 0c nop */
        0xd4000022, /* 10 hvc #1 */
    };

    for (unsigned i = 0; i < 2; i++) {
        GUEST_INIT(&guest, code);
        guest.vcpu.pstate = MODE_EL1H;
        guest.vcpu.x[1] = i == 0 ? 0x80 : 0x88;
        start(LR_PENDING | LR_GROUP1 | LR_PRIORITY(0x80) | 40, 0);
        guest_run_to_hvc(&guest, i == 0 ? 1 : GUEST_VECTOR_HVC(0x280));
        if (i == 1)
            EXPECT_EQ(guest_sysreg(&guest, ARCH_ELR_EL1), CODE + 8);
        EXPECT_EQ(hal_gic_vmcr_get(&guest.vcpu) >> 24, guest.vcpu.x[1]);
        hal_vcpu_put(&guest.vcpu);
    }
}

CASE(virq, pmr_lets_it_through)
{
    rig_run(raise_pmr);
}

static const uint32_t code_ack[] = {
    0xd538c100, /* 00 mrs x0, isr_el1 */
    0xd538cc01, /* 04 mrs x1, icc_iar1_el1 */
    0xd538cb62, /* 08 mrs x2, icc_rpr_el1 */
    0xd538c103, /* 0c mrs x3, isr_el1 */
    0xd4000022, /* 10 hvc #1 */
    0xd518cc21, /* 14 msr icc_eoir1_el1, x1 */
    0xd4000042, /* 18 hvc #2 */
    0xd518cb21, /* 1c msr icc_dir_el1, x1 */
    0xd4000062, /* 20 hvc #3 */
    0xd538cc01, /* 24 mrs x1, icc_iar1_el1 */
    0xd4000082, /* 28 hvc #4 */
};

static void acknowledge(void)
{
    uint64_t lr = LR_GROUP1 | LR_PRIORITY(0x40) | 41;

    for (unsigned eoimode = 0; eoimode < 2; eoimode++) {
        GUEST_INIT(&guest, code_ack);
        guest.vcpu.gic.vmcr = VMCR(0xf8) | (eoimode != 0 ? VMCR_EOIMODE : 0);
        hal_vcpu_load(&guest.vcpu);
        hal_gic_lr_set(&guest.vcpu, 2, lr | LR_PENDING);
        EXPECT_EQ(hal_gic_lr_empty(&guest.vcpu), (1u << hal_gic_lr_count()) - 1 - 4);
        guest_run_to_hvc(&guest, 1);
        EXPECT_EQ(guest.vcpu.x[0], MASK_I);
        EXPECT_EQ(guest.vcpu.x[1], 41);
        EXPECT_EQ(guest.vcpu.x[2], 0x40);
        EXPECT_EQ(guest.vcpu.x[3], 0);
        EXPECT_EQ(hal_gic_lr_get(&guest.vcpu, 2), lr | LR_ACTIVE);
        guest_run_to_hvc(&guest, 2);
        EXPECT_EQ(hal_gic_lr_get(&guest.vcpu, 2), lr | (eoimode != 0 ? LR_ACTIVE : 0));
        guest_run_to_hvc(&guest, 3);
        EXPECT_EQ(hal_gic_lr_get(&guest.vcpu, 2), lr);
        guest_run_to_hvc(&guest, 4);
        EXPECT_EQ(guest.vcpu.x[1], 1023);
        hal_vcpu_put(&guest.vcpu);
        EXPECT_EQ(guest.vcpu.gic.lr[2], lr);
    }
}

CASE(virq, is_acknowledged_and_ended)
{
    rig_run(acknowledge);
}

/* The guest's end of a hardware interrupt deactivates the physical one, which comes again as its
 * line is still high. */
static void end_hardware_interrupt(void)
{
    GUEST_INIT(&guest, code_ack);
    guest.vcpu.gic.vmcr = VMCR(0xf8);
    guest.vcpu.sys[ARCH_CNTV_CTL_EL0] = 1;
    hal_vcpu_load(&guest.vcpu);
    cr_expect_eq(guest_run(&guest), EC_IRQ);
    EXPECT_EQ(hal_irq_ack(), SIM_INTID_VTIMER);
    hal_irq_end(SIM_INTID_VTIMER, false);
    hal_gic_lr_set(&guest.vcpu, 0,
                   LR_PENDING | LR_GROUP1 | LR_HW(SIM_INTID_VTIMER) | SIM_INTID_VTIMER);
    guest_run_to_hvc(&guest, 1);
    EXPECT_EQ(guest.vcpu.x[1], SIM_INTID_VTIMER);
    cr_expect_eq(guest_run(&guest), EC_IRQ);
    EXPECT_EQ(guest.vcpu.pc, CODE + 0x18); /* right after the end of interrupt */
    EXPECT_EQ(hal_irq_ack(), SIM_INTID_VTIMER);
    hal_irq_end(SIM_INTID_VTIMER, false);
    guest_run_to_hvc(&guest, 2);
    hal_vcpu_put(&guest.vcpu);
    hal_irq_deactivate(SIM_INTID_VTIMER);
    EXPECT_EQ(hal_irq_ack(), HAL_INTID_NONE);
}

CASE(virq, of_hardware_deactivates_the_physical_one)
{
    rig_run(end_hardware_interrupt);
}

/* Underflow, and the end of an interrupt that asks for it. */
static void maintenance(void)
{
    uint64_t lr = LR_PENDING | LR_GROUP1 | LR_PRIORITY(0x40) | LR_EOI | 41;

    GUEST_INIT(&guest, code_ack);
    guest.vcpu.gic.vmcr = VMCR(0xf8);
    hal_vcpu_load(&guest.vcpu);
    hal_gic_hcr_set(&guest.vcpu, HCR_EN | HCR_UIE);
    cr_expect_eq(guest_run(&guest), EC_IRQ);
    EXPECT_EQ(guest.vcpu.pc, CODE);
    EXPECT_EQ(hal_irq_ack(), SIM_INTID_MAINT);
    hal_gic_hcr_set(&guest.vcpu, HCR_EN);
    hal_irq_end(SIM_INTID_MAINT, true);
    EXPECT_EQ(hal_irq_ack(), HAL_INTID_NONE);
    hal_gic_lr_set(&guest.vcpu, 0, lr);
    guest_run_to_hvc(&guest, 1);
    cr_expect_eq(guest_run(&guest), EC_IRQ);
    EXPECT_EQ(guest.vcpu.pc, CODE + 0x18);
    EXPECT_EQ(hal_irq_ack(), SIM_INTID_MAINT);
    EXPECT_EQ(hal_gic_lr_empty(&guest.vcpu) & 1, 0);
    hal_gic_lr_set(&guest.vcpu, 0, 0);
    hal_irq_end(SIM_INTID_MAINT, true);
    guest_run_to_hvc(&guest, 2);
    hal_gic_hcr_set(&guest.vcpu, HCR_EN | HCR_UIE);
    hal_vcpu_put(&guest.vcpu);
    EXPECT_EQ(hal_irq_ack(), HAL_INTID_NONE); /* nobody is loaded */
}

CASE(virq, maintenance_is_a_physical_interrupt)
{
    rig_run(maintenance);
}

/* SGI registers and ICC_SRE_EL1 are core's to emulate; the others with ICH_HCR_EL2's traps. */
static void trap_registers(void)
{
    static const uint32_t code[] = {
        0xd518cba1, /* 00 msr icc_sgi1r_el1, x1 */
        0xd538cca0, /* 04 mrs x0, icc_sre_el1 */
        0xd5384600, /* 08 mrs x0, icc_pmr_el1 */
        0xd538cc1f, /* 0c mrs xzr, icc_iar1_el1 */
        0xd4000022, /* 10 hvc #1 */
    };
    /* EC 0x18, IL, op0 3, op2, op1 0, CRn, Rt, CRm, direction (D17.2.37) */
    static const uint64_t esr[] = {0x623a3036, 0x623a3019, 0x6230100d};

    GUEST_INIT(&guest, code);
    guest.vcpu.gic.vmcr = VMCR(0xf8);
    hal_vcpu_load(&guest.vcpu);
    hal_gic_hcr_set(&guest.vcpu, HCR_EN | 1u << 10 /* TC */);
    for (unsigned i = 0; i < 3; i++) {
        cr_expect_eq(guest_run(&guest), EC_SYSREG);
        EXPECT_EQ(guest.exit.esr, esr[i]);
        EXPECT_EQ(guest.vcpu.pc, CODE + 4 * i);
        guest.vcpu.pc += 4;
    }
    guest_run_to_hvc(&guest, 1);
    guest.vcpu.pc = CODE + 8;
    hal_gic_hcr_set(&guest.vcpu, HCR_EN);
    guest_run_to_hvc(&guest, 1);
    EXPECT_EQ(guest.vcpu.x[0], 0xf8);
    /* From EL0 they are not there. */
    guest.vcpu.pc = CODE + 8;
    guest.vcpu.pstate = MODE_EL0T;
    guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(0x400));
    EXPECT_EQ(guest_sysreg(&guest, ARCH_ESR_EL1), 0x02000000);
    hal_vcpu_put(&guest.vcpu);
}

CASE(virq, registers_that_trap)
{
    rig_run(trap_registers);
}

static const uint32_t code_wfi[] = {
    0xd503207f, /* 00 wfi */
    0xd4000022, /* 04 hvc #1 */
};

/* WFI waits for nothing where something is pending, masked or not. */
static void wait_with_interrupt(void)
{
    GUEST_INIT(&guest, code_wfi);
    start(LR_PENDING | LR_GROUP1 | LR_PRIORITY(0x80) | 40, 0xf8);
    guest_run_to_hvc(&guest, 1);
    hal_gic_lr_set(&guest.vcpu, 0, 0);
    guest.vcpu.pc = CODE;
    cr_expect_eq(guest_run(&guest), EC_WFX);
    EXPECT_EQ(guest.exit.esr & 1, 0); /* TI: WFI */
    EXPECT_EQ(guest.vcpu.pc, CODE);
    hal_timer_arm(hal_time_now());
    cr_expect_eq(guest_run(&guest), EC_IRQ);
    EXPECT_EQ(hal_irq_ack(), SIM_INTID_HYPTIMER);
    hal_timer_arm(HAL_TIMER_NEVER);
    hal_irq_end(SIM_INTID_HYPTIMER, true);
    hal_vcpu_put(&guest.vcpu);
}

CASE(virq, wfi_does_not_wait_for_what_is_there)
{
    rig_run(wait_with_interrupt);
}

/* The interrupt comes in the block of the WFI itself: it ends at once, and does not trap. */
static void wait_too_late(void)
{
    static const uint32_t code[] = {
        0xd503201f, /* 00 nop */
        0xd503201f, /* 04 nop */
        0xd503207f, /* 08 wfi */
        0xd4000022, /* 0c hvc #1 */
    };

    GUEST_INIT(&guest, code);
    hal_vcpu_load(&guest.vcpu);
    hal_timer_arm(hal_time_now() + 1);
    cr_expect_eq(guest_run(&guest), EC_IRQ);
    EXPECT_EQ(guest.vcpu.pc, CODE + 0xc);
    EXPECT_EQ(hal_irq_ack(), SIM_INTID_HYPTIMER);
    hal_timer_arm(HAL_TIMER_NEVER);
    hal_irq_end(SIM_INTID_HYPTIMER, true);
    hal_vcpu_put(&guest.vcpu);
}

CASE(virq, wfi_does_not_trap_when_its_interrupt_has_come)
{
    rig_run(wait_too_late);
}

/* Without HCR_EL2.TWI the CPU sleeps, time passes outside, and the interrupt is the exit. */
static void wait_untrapped(void)
{
    uint64_t deadline = hal_time_now() + 100000;

    GUEST_INIT(&guest, code_wfi);
    guest.vcpu.config.hcr_el2 &= ~(UINT64_C(1) << 13);
    hal_vcpu_load(&guest.vcpu);
    hal_timer_arm(deadline);
    cr_expect_eq(guest_run(&guest), EC_IRQ);
    EXPECT_EQ(hal_time_now(), deadline);
    EXPECT_EQ(guest.vcpu.pc, CODE + 4);
    EXPECT_EQ(hal_irq_ack(), SIM_INTID_HYPTIMER);
    hal_timer_arm(HAL_TIMER_NEVER);
    hal_irq_end(SIM_INTID_HYPTIMER, true);
    guest_run_to_hvc(&guest, 1);
    hal_vcpu_put(&guest.vcpu);
}

CASE(virq, wfi_without_trap_sleeps)
{
    rig_run(wait_untrapped);
}

CASES_RUN(virq, NULL, NULL)
