/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* The virtual timer and who may read counters: Arm ARM DDI 0487, D11.2.4 and D17.9. */
#include "rig.h"

#define ENABLE  UINT64_C(1)
#define IMASK   UINT64_C(2)
#define ISTATUS UINT64_C(4)
#define NEVER   UINT64_MAX

static struct guest guest;

static const uint32_t code_tval[] = {
    0xd51be301, /* 00 msr cntv_tval_el0, x1 */
    0xd53be342, /* 04 mrs x2, cntv_cval_el0 */
    0xd53be303, /* 08 mrs x3, cntv_tval_el0 */
    0xd53be044, /* 0c mrs x4, cntvct_el0 */
    0xd4000022, /* 10 hvc #1 */
};

static void write_tval(void)
{
    static const struct {
        uint64_t written;
        int64_t difference;
    } rows[] = {{1000, 1000},
                {0, 0},
                {0x7fffffff, 0x7fffffff},
                {0xffffffff, -1},
                {0x80000000, -INT64_C(0x80000000)},
                {UINT64_C(0xabcd00000010), 0x10}};

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const uint64_t *x = guest.vcpu.x;
        GUEST_INIT(&guest, code_tval);
        guest.vcpu.config.cntvoff_el2 = 12345;
        guest.vcpu.x[1] = rows[i].written;
        hal_vcpu_load(&guest.vcpu);
        guest_run_to_hvc(&guest, 1);
        EXPECT_EQ(x[2], x[4] - 3 + (uint64_t)rows[i].difference);
        EXPECT_EQ(x[3], (uint32_t)(rows[i].difference - 2));
        EXPECT_EQ(guest_sysreg(&guest, ARCH_CNTV_CVAL_EL0), x[2]);
        hal_vcpu_put(&guest.vcpu);
        EXPECT_EQ(guest.vcpu.sys[ARCH_CNTV_CVAL_EL0], x[2]);
    }
}

CASE(timer, tval_is_a_signed_difference)
{
    rig_run(write_tval);
}

static const uint32_t code_ctl[] = {
    0xd51be341, /* 00 msr cntv_cval_el0, x1 */
    0xd51be322, /* 04 msr cntv_ctl_el0, x2 */
    0xd53be323, /* 08 mrs x3, cntv_ctl_el0 */
    0xd4000022, /* 0c hvc #1 */
};

static void write_ctl(void)
{
    static const struct {
        uint64_t cval, written, read;
    } rows[] = {
        {0, 0, 0},
        {0, IMASK, IMASK},
        {0, ENABLE | IMASK, ENABLE | IMASK | ISTATUS},
        {NEVER, ENABLE, ENABLE},
        {NEVER, ENABLE | IMASK | ISTATUS, ENABLE | IMASK},
        {NEVER, ~UINT64_C(0), ENABLE | IMASK},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        GUEST_INIT(&guest, code_ctl);
        guest.vcpu.x[1] = rows[i].cval;
        guest.vcpu.x[2] = rows[i].written;
        hal_vcpu_load(&guest.vcpu);
        guest_run_to_hvc(&guest, 1);
        EXPECT_EQ(guest.vcpu.x[3], rows[i].read);
        EXPECT_EQ(guest_sysreg(&guest, ARCH_CNTV_CTL_EL0), rows[i].read);
        hal_vcpu_sysreg_set(&guest.vcpu, ARCH_CNTV_CTL_EL0, 0);
        hal_vcpu_sysreg_set(&guest.vcpu, ARCH_CNTV_CTL_EL0, rows[i].written);
        EXPECT_EQ(guest_sysreg(&guest, ARCH_CNTV_CTL_EL0), rows[i].read);
        hal_vcpu_put(&guest.vcpu);
        EXPECT_EQ(guest.vcpu.sys[ARCH_CNTV_CTL_EL0], rows[i].read);
        EXPECT_EQ(hal_irq_ack(), HAL_INTID_NONE);
    }
}

CASE(timer, ctl_shows_the_condition)
{
    rig_run(write_ctl);
}

/* Every access of EL0 needs its bit of CNTKCTL_EL1 (D17.9.14); without it EL1 gets EC 0x18. */
struct el0_row {
    uint32_t word;
    uint32_t bits; /* each of these lets it through */
    bool to_el2;   /* then: the physical timer is EL2's */
};

static const struct el0_row el0_rows[] = {
    {0xd53be005 /* mrs x5, cntfrq_el0 */, 3, false},
    {0xd53be025 /* mrs x5, cntpct_el0 */, 1, false},
    {0xd53be045 /* mrs x5, cntvct_el0 */, 2, false},
    {0xd53be305 /* mrs x5, cntv_tval_el0 */, 0x100, false},
    {0xd53be325 /* mrs x5, cntv_ctl_el0 */, 0x100, false},
    {0xd53be345 /* mrs x5, cntv_cval_el0 */, 0x100, false},
    {0xd51be305 /* msr cntv_tval_el0, x5 */, 0x100, false},
    {0xd51be325 /* msr cntv_ctl_el0, x5 */, 0x100, false},
    {0xd51be345 /* msr cntv_cval_el0, x5 */, 0x100, false},
    {0xd53be225 /* mrs x5, cntp_ctl_el0 */, 0x200, true},
    {0xd53be245 /* mrs x5, cntp_cval_el0 */, 0x200, true},
    {0xd51be205 /* msr cntp_tval_el0, x5 */, 0x200, true},
};

/* EC 0x18, IL, and the fields of an MRS or MSR in their places (D17.2.37). */
static uint64_t esr_of(uint32_t word)
{
    uint64_t op0 = 2 | (word >> 19 & 1);

    return UINT64_C(0x18) << 26 | 1u << 25 | op0 << 20 | (word >> 5 & 7) << 17 |
           (word >> 16 & 7) << 14 | (word >> 12 & 15) << 10 | (word & 31) << 5 |
           (word >> 8 & 15) << 1 | (word >> 21 & 1);
}

static void check_el0_access(const struct el0_row *row, uint32_t cntkctl)
{
    const uint32_t code[] = {row->word, 0xd4000021 /* svc #1 */};
    bool opened = (row->bits & cntkctl) != 0;

    GUEST_INIT(&guest, code);
    guest.vcpu.pstate = MODE_EL0T;
    guest.vcpu.sys[ARCH_CNTKCTL_EL1] = cntkctl;
    hal_vcpu_load(&guest.vcpu);
    if (opened && row->to_el2) {
        cr_expect_eq(guest_run(&guest), EC_SYSREG);
        EXPECT_EQ(guest.exit.esr, esr_of(row->word));
        EXPECT_EQ(guest.vcpu.pc, CODE);
    } else {
        guest_run_to_hvc(&guest, GUEST_VECTOR_HVC(0x400));
        EXPECT_EQ(guest_sysreg(&guest, ARCH_ESR_EL1), opened ? 0x56000001 : esr_of(row->word));
        EXPECT_EQ(guest_sysreg(&guest, ARCH_ELR_EL1), CODE + (opened ? 8 : 0));
    }
    hal_vcpu_put(&guest.vcpu);
}

static void access_from_el0(void)
{
    static const uint32_t cntkctl[] = {0, 1, 2, 0x100, 0x200, 0x303};

    for (unsigned i = 0; i < sizeof(el0_rows) / sizeof(el0_rows[0]); i++)
        for (unsigned k = 0; k < sizeof(cntkctl) / sizeof(cntkctl[0]); k++)
            check_el0_access(&el0_rows[i], cntkctl[k]);
}

CASE(timer, el0_is_let_in_by_cntkctl)
{
    rig_run(access_from_el0);
}

/* CNTHCTL_EL2.EL1PCTEN (D17.9.5) is for the physical counter alone. */
static void trap_physical_counter(void)
{
    static const uint32_t code[] = {
        0xd53be045, /* 00 mrs x5, cntvct_el0 */
        0xd53be025, /* 04 mrs x5, cntpct_el0 */
    };

    GUEST_INIT(&guest, code);
    guest.vcpu.config.cnthctl_el2 = 0;
    hal_vcpu_load(&guest.vcpu);
    cr_expect_eq(guest_run(&guest), EC_SYSREG);
    EXPECT_EQ(guest.exit.esr, esr_of(code[1]));
    EXPECT_EQ(guest.vcpu.pc, CODE + 4);
    hal_vcpu_put(&guest.vcpu);
}

CASE(timer, the_physical_counter_can_be_trapped)
{
    rig_run(trap_physical_counter);
}

static const uint32_t code_spin[] = {
    0xd51be341, /* 00 msr cntv_cval_el0, x1 */
    0xd51be322, /* 04 msr cntv_ctl_el0, x2 */
    0x91000463, /* 08 1: add x3, x3, #1 */
    0x17ffffff, /* 0c b 1b */
};

/* The guest arms it in the middle of a run: the interrupt comes with the block at that time. */
static void interrupt(void)
{
    uint64_t deadline;

    for (uint64_t ticks = 0; ticks < 100000; ticks = ticks * 5 + 3) {
        GUEST_INIT(&guest, code_spin);
        guest.vcpu.config.cntvoff_el2 = -UINT64_C(500);
        hal_timer_arm(hal_time_now() + 1000000);
        hal_vcpu_load(&guest.vcpu);
        deadline = hal_time_now() + ticks;
        guest.vcpu.x[1] = deadline + 500;
        guest.vcpu.x[2] = ENABLE;
        cr_expect_eq(guest_run(&guest), EC_IRQ);
        cr_expect(hal_time_now() >= deadline && hal_time_now() <= deadline + 4, "%lu",
                  (unsigned long)(hal_time_now() - deadline));
        EXPECT_EQ(hal_irq_ack(), SIM_INTID_VTIMER);
        hal_irq_end(SIM_INTID_VTIMER, true);
        EXPECT_EQ(hal_irq_ack(), SIM_INTID_VTIMER); /* a level: again */
        hal_irq_end(SIM_INTID_VTIMER, false);
        EXPECT_EQ(hal_irq_ack(), HAL_INTID_NONE); /* active: not again */
        hal_vcpu_put(&guest.vcpu);
        hal_irq_deactivate(SIM_INTID_VTIMER);
        EXPECT_EQ(hal_irq_ack(), HAL_INTID_NONE); /* nobody's timer */
    }
}

CASE(timer, raises_its_interrupt_on_time)
{
    rig_run(interrupt);
}

/* Masked or not enabled, it does not; nor does one whose time does not come. */
static void no_interrupt(void)
{
    static const uint64_t controls[] = {0, IMASK, ENABLE | IMASK};

    for (unsigned i = 0; i < 4; i++) {
        GUEST_INIT(&guest, code_spin);
        hal_timer_arm(hal_time_now() + 5000);
        hal_vcpu_load(&guest.vcpu);
        guest.vcpu.x[1] = i < 3 ? 100 : NEVER;
        guest.vcpu.x[2] = i < 3 ? controls[i] : ENABLE;
        cr_expect_eq(guest_run(&guest), EC_IRQ);
        EXPECT_EQ(hal_irq_ack(), SIM_INTID_HYPTIMER);
        hal_timer_arm(HAL_TIMER_NEVER);
        hal_irq_end(SIM_INTID_HYPTIMER, true);
        hal_vcpu_put(&guest.vcpu);
    }
}

CASE(timer, stays_silent_when_masked_or_off)
{
    rig_run(no_interrupt);
}

CASES_RUN(timer, NULL, NULL)
