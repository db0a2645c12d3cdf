/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Records of exits: a guest that is a script runs in exit_run(), and hal_trace() gets one each. */
#include "exit/exit.h"
#include "vm_fixture.h"

static struct fixture f;

#define VECTORS UINT64_C(0x40100000)
#define PSTATE  UINT64_C(0x600003c5) /* EL1h, all masked, Z and C */

#define ESR(ec)   (UINT64_C(ec) << 26 | 1u << 25)
#define WFI       ESR(0x01)
#define HVC       ESR(0x16)
#define SMC       ESR(0x17)
#define SYSTEM    ESR(0x18)
#define FETCH     ESR(0x20)
#define DATA      ESR(0x24)
#define ISV       (1u << 24)
#define FNV       (1u << 10)
#define S1PTW     (1u << 7)
#define WNR       (1u << 6)
#define SAS(n)    ((uint64_t)(n) << 22)
#define SRT(n)    ((uint64_t)(n) << 16)
#define SF        (1u << 15)
#define RT(n)     ((uint64_t)(n) << 5)
#define READ      1u
#define PSCI_OFF  UINT64_C(0x84000008)
#define PSCI_VERS UINT64_C(0x84000000)

/* System registers by op0, op1, CRn, CRm, op2, as the ISS of EC 0x18 has them. */
#define SYS(op0, op1, crn, crm, op2)                                                               \
    ((uint64_t)(op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)
#define AA64PFR0  SYS(3, 0, 0, 4, 0)
#define ICC_SGI1R SYS(3, 0, 12, 11, 5)
#define CNTP_CVAL SYS(3, 3, 14, 2, 2)
#define PMCR      SYS(3, 3, 9, 12, 0)

/* A device that reads as a pattern. */
#define DEV_BASE UINT64_C(0x0a000000)

static bool dev_access(void *ctx, struct mmio_access *access)
{
    (void)ctx;
    if (!access->write)
        access->value = UINT64_C(0x8182838485868788);
    return true;
}

static void setup(void)
{
    const struct mmio_region region = {DEV_BASE, 0x200, dev_access, NULL, "dev"};

    fixture_hv(&f, MIB(8), 1);
    fixture_create(&f, 1);
    fakehal()->traced = true;
    fakehal()->now = 1000;
    fakehal()->tick = 10;
    cr_assert_eq(mmio_bus_add(&f.vm->bus, &region), HV_OK);
    vm_start(f.vm, ipa(GUEST_ENTRY), 0);
}

static void finish(void)
{
    fixture_end(&f);
}

/* The guest before each exit: registers that say who they are. */
static void prepare(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    (void)exit;
    for (unsigned i = 0; i < 31; i++)
        vcpu->x[i] = UINT64_C(0xf0e0d0c0b0a09000) + i;
    if (ctx != NULL)
        vcpu->x[0] = (uintptr_t)ctx;
    vcpu->pc = GUEST_ENTRY + 0x100;
    vcpu->pstate = PSTATE;
    hal_vcpu_sysreg_set(vcpu, ARCH_VBAR_EL1, VECTORS);
}

static void push(uint64_t esr, uint64_t far, uint64_t hpfar)
{
    fakehal_push_exit((struct arch_exit){esr, far, hpfar, ARCH_EXIT_SYNC}, prepare, NULL, NULL);
}

static void push_call(uint64_t esr, uint64_t fid)
{
    fakehal_push_exit((struct arch_exit){.esr = esr}, prepare, NULL, (void *)(uintptr_t)fid);
}

static void push_irq(uint32_t kind)
{
    fakehal_push_exit((struct arch_exit){.kind = kind, .esr = 0xbad}, prepare, NULL, NULL);
}

/* Runs the script and then SYSTEM_OFF. Returns the first record. */
static const struct trace_record *run(void)
{
    push_call(HVC, PSCI_OFF);
    exit_run(&f.hv->pcpu[0]);
    cr_assert_eq(fakehal_script_left(), 0);
    cr_assert_eq(fakehal()->trace_len, fakehal()->runs, "one record an exit");
    return fakehal()->trace;
}

static void expect(const struct trace_record *record, enum trace_class class,
                   enum trace_outcome outcome, uint64_t addr, uint64_t arg, uint64_t value)
{
    cr_expect_eq(record->class, class, "class %u", record->class);
    cr_expect_eq(record->outcome, outcome, "outcome %u", record->outcome);
    cr_expect_eq(record->addr, addr, "addr %#" PRIx64, record->addr);
    cr_expect_eq(record->arg, arg, "arg %#" PRIx64, record->arg);
    cr_expect_eq(record->value, value, "value %#" PRIx64, record->value);
    cr_expect_eq(record->pc, GUEST_ENTRY + 0x100);
    cr_expect_eq(record->pstate, (uint32_t)PSTATE);
    cr_expect_eq(record->vm, 0);
    cr_expect_eq(record->vcpu, 0);
    cr_expect_eq(record->pcpu, 0);
    cr_expect_eq(record->reserved, 0);
}

CASE(trace, calls)
{
    push_call(HVC, PSCI_VERS);
    push_call(SMC, PSCI_VERS);
    push_call(HVC | 0x1234, PSCI_VERS);
    const struct trace_record *record = run();
    expect(&record[0], TRACE_HVC, TRACE_RESUMED, PSCI_VERS, 0xf0e0d0c0b0a09001, 0x10001);
    cr_expect_eq(record[0].esr, (uint32_t)HVC);
    expect(&record[1], TRACE_SMC, TRACE_RESUMED, PSCI_VERS, 0xf0e0d0c0b0a09001, 0x10001);
    expect(&record[2], TRACE_HVC, TRACE_RESUMED, PSCI_VERS, 0xf0e0d0c0b0a09001, UINT64_MAX);
    cr_expect_eq(record[2].esr, (uint32_t)HVC | 0x1234);
    expect(&record[3], TRACE_HVC, TRACE_STOPPED, PSCI_OFF, 0xf0e0d0c0b0a09001, PSCI_OFF);
}

CASE(trace, time_is_after_the_handling)
{
    push_call(HVC, PSCI_VERS);
    const struct trace_record *record = run();
    cr_expect_geq(record[0].time, 1000);
    cr_expect_gt(record[1].time, record[0].time);
    cr_expect_leq(record[1].time, fakehal()->now);
}

static void send_sgi(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    prepare(ctx, vcpu, exit);
    vcpu->x[3] = 1; /* ICC_SGI1R_EL1: SGI 0 to Aff0 0 */
}

CASE(trace, system_registers)
{
    push(SYSTEM | AA64PFR0 | RT(5) | READ, 0, 0);
    push(SYSTEM | CNTP_CVAL | RT(7), 0, 0);
    push(SYSTEM | CNTP_CVAL | RT(8) | READ, 0, 0);
    fakehal_push_exit((struct arch_exit){.esr = SYSTEM | ICC_SGI1R | RT(3)}, send_sgi, NULL, NULL);
    push(SYSTEM | PMCR | RT(9) | READ, 0, 0);
    push(SYSTEM | PMCR | RT(9), 0, 0);
    push(SYSTEM | CNTP_CVAL | RT(31), 0, 0);
    push(SYSTEM | AA64PFR0 | RT(31) | READ, 0, 0);
    const struct trace_record *record = run();
    expect(&record[0], TRACE_SYSREG, TRACE_RESUMED, AA64PFR0, 0,
           f.hv->guest_idregs.reg[IDREG_PFR0]);
    cr_expect_neq(record[0].value, 0);
    expect(&record[1], TRACE_SYSREG, TRACE_RESUMED, CNTP_CVAL, 0, 0xf0e0d0c0b0a09007);
    expect(&record[2], TRACE_SYSREG, TRACE_RESUMED, CNTP_CVAL, 0, 0xf0e0d0c0b0a09007);
    expect(&record[3], TRACE_SYSREG, TRACE_RESUMED, ICC_SGI1R, 0, 1);
    expect(&record[4], TRACE_SYSREG, TRACE_INJECTED, PMCR, 0, 0);
    expect(&record[5], TRACE_SYSREG, TRACE_INJECTED, PMCR, 0, 0xf0e0d0c0b0a09009);
    expect(&record[6], TRACE_SYSREG, TRACE_RESUMED, CNTP_CVAL, 0, 0);
    expect(&record[7], TRACE_SYSREG, TRACE_RESUMED, AA64PFR0, 0, 0);
}

#define VA(page_offset) (UINT64_C(0xffff800010000000) | (page_offset))
#define HPFAR(at)       (((at) >> 12) << 4)

CASE(trace, device_accesses)
{
    push(DATA | ISV | SAS(2) | SRT(4) | 7, VA(0x18), HPFAR(DEV_BASE));
    push(DATA | ISV | SAS(3) | SRT(4) | SF | 7, VA(0x20), HPFAR(DEV_BASE));
    push(DATA | ISV | SAS(0) | SRT(6) | WNR | 7, VA(0x31), HPFAR(DEV_BASE));
    push(DATA | ISV | SAS(3) | SRT(6) | SF | WNR | 7, VA(0x30), HPFAR(DEV_BASE));
    push(DATA | ISV | SAS(2) | SRT(31) | WNR | 7, VA(0x30), HPFAR(DEV_BASE));
    const struct trace_record *record = run();
    expect(&record[0], TRACE_MMIO, TRACE_RESUMED, DEV_BASE + 0x18, VA(0x18), 0x85868788);
    expect(&record[1], TRACE_MMIO, TRACE_RESUMED, DEV_BASE + 0x20, VA(0x20), 0x8182838485868788);
    expect(&record[2], TRACE_MMIO, TRACE_RESUMED, DEV_BASE + 0x31, VA(0x31), 0x06);
    expect(&record[3], TRACE_MMIO, TRACE_RESUMED, DEV_BASE + 0x30, VA(0x30), 0xf0e0d0c0b0a09006);
    expect(&record[4], TRACE_MMIO, TRACE_RESUMED, DEV_BASE + 0x30, VA(0x30), 0);
}

CASE(trace, aborts_that_become_the_guests)
{
    const uint64_t nowhere = UINT64_C(0x30000000);

    push(DATA | ISV | SAS(2) | SRT(4) | 7, VA(0x18), HPFAR(nowhere));       /* no device */
    push(DATA | ISV | SAS(2) | SRT(4) | WNR | 7, VA(0x18), HPFAR(nowhere)); /* the same, a write */
    push(DATA | WNR | 7, VA(0x20), HPFAR(DEV_BASE));                        /* a pair */
    push(FETCH | 6, VA(0x40), HPFAR(nowhere));
    push(DATA | FNV | 0x10, VA(0x50), HPFAR(nowhere));   /* external: neither address is valid */
    push(DATA | 0x0f, VA(0x60), HPFAR(nowhere));         /* permission: HPFAR is not */
    push(DATA | S1PTW | 0x0f, VA(0x70), HPFAR(nowhere)); /* on a walk it is, without an offset */
    const struct trace_record *record = run();
    expect(&record[0], TRACE_MMIO, TRACE_INJECTED, nowhere + 0x18, VA(0x18), 0);
    expect(&record[1], TRACE_MMIO, TRACE_INJECTED, nowhere + 0x18, VA(0x18), 0xb0a09004);
    expect(&record[2], TRACE_MMIO, TRACE_INJECTED, DEV_BASE + 0x20, VA(0x20), 0);
    expect(&record[3], TRACE_FETCH, TRACE_INJECTED, nowhere + 0x40, VA(0x40), 0);
    expect(&record[4], TRACE_MMIO, TRACE_INJECTED, 0, 0, 0);
    expect(&record[5], TRACE_MMIO, TRACE_INJECTED, 0, VA(0x60), 0);
    expect(&record[6], TRACE_MMIO, TRACE_INJECTED, nowhere, VA(0x70), 0);
}

/* An exception at the vector that it goes to: PC and PSTATE alone do not show that it was taken. */
static void at_the_vector(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    prepare(ctx, vcpu, exit);
    vcpu->pc = VECTORS + 0x200;
}

CASE(trace, an_exception_at_its_own_vector)
{
    fakehal_push_exit((struct arch_exit){.esr = SYSTEM | PMCR | READ}, at_the_vector, NULL, NULL);
    push(SYSTEM | CNTP_CVAL | RT(1), 0, 0);
    const struct trace_record *record = run();
    cr_expect_eq(record[0].pc, VECTORS + 0x200);
    cr_expect_eq(record[0].outcome, TRACE_INJECTED);
    cr_expect_eq(record[1].outcome, TRACE_RESUMED, "the one before is forgotten");
}

static void wake(void *ctx)
{
    (void)ctx;
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_CNTV_CTL_EL0, 5); /* ENABLE, ISTATUS */
    fakehal_irq_pend(0, 27);
}

CASE(trace, waiting_and_what_wakes_it)
{
    fakehal()->idle = wake;
    push(WFI, 0, 0);
    push(WFI | 1, 0, 0);
    const struct trace_record *record = run();
    expect(&record[0], TRACE_WFX, TRACE_BLOCKED, 0, 0, 0);
    expect(&record[1], TRACE_WFX, TRACE_RESUMED, 0, 0, 0);
    cr_expect_eq(record[1].esr, (uint32_t)(WFI | 1));
    cr_expect_eq(fakehal()->trace_len, 3, "what came while it waited is no exit");
}

static void pend(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    prepare(NULL, vcpu, exit);
    fakehal_irq_pend(0, (uint32_t)(uintptr_t)ctx);
}

CASE(trace, interrupts)
{
    static const uint32_t intids[] = {0, 26, 33};

    for (size_t i = 0; i < 3; i++)
        fakehal_push_exit((struct arch_exit){.kind = ARCH_EXIT_IRQ}, pend, NULL,
                          (void *)(uintptr_t)intids[i]);
    push_irq(ARCH_EXIT_IRQ);
    push_irq(ARCH_EXIT_FIQ);
    const struct trace_record *record = run();
    for (size_t i = 0; i < 5; i++) {
        expect(&record[i], TRACE_IRQ, TRACE_RESUMED, i < 3 ? intids[i] : 1023, 0, 0);
        cr_expect_eq(record[i].esr, 0);
    }
}

static void run_to_the_end(enum trace_class class, uint32_t kind, uint64_t esr)
{
    fakehal_push_exit((struct arch_exit){.esr = esr, .kind = kind}, prepare, NULL, NULL);
    exit_run(&f.hv->pcpu[0]);
    cr_assert_eq(fakehal()->trace_len, 1);
    expect(&fakehal()->trace[0], class, TRACE_STOPPED, 0, 0, 0);
    cr_expect_eq(fakehal()->trace[0].esr, (uint32_t)esr);
}

CASE(trace, what_ends_a_vm)
{
    run_to_the_end(TRACE_SYNC, ARCH_EXIT_SYNC, ESR(0x0e)); /* illegal execution state */
    finish();
    setup();
    run_to_the_end(TRACE_SERROR, ARCH_EXIT_SERROR, ESR(0x2f));
    finish();
    setup();
    run_to_the_end(TRACE_SERROR, 77, 0); /* a kind of exit that there is not */
}

#define PSCI_CPU_OFF UINT64_C(0x84000002)
#define PSCI_CPU_ON  UINT64_C(0xc4000003)

static void power_on_other(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    prepare((void *)(uintptr_t)PSCI_CPU_ON, vcpu, exit);
    (void)ctx;
    vcpu->x[1] = 1; /* MPIDR */
    vcpu->x[2] = GUEST_ENTRY;
}

/* Two vCPUs on one CPU: the first ends, the VM goes on. */
CASE(trace, a_vcpu_that_powers_itself_off)
{
    fixture_end(&f);
    fixture_hv(&f, MIB(8), 1);
    fixture_create(&f, 2);
    fakehal()->traced = true;
    vm_start(f.vm, ipa(GUEST_ENTRY), 0);
    fakehal_push_exit((struct arch_exit){.esr = HVC}, power_on_other, NULL, NULL);
    push_call(HVC, PSCI_CPU_OFF);
    const struct trace_record *record = run();
    uint64_t x1 = UINT64_C(0xf0e0d0c0b0a09001);
    expect(&record[0], TRACE_HVC, TRACE_RESUMED, PSCI_CPU_ON, 1, 0);
    uint16_t first = record[1].vcpu;
    cr_expect_eq(record[1].outcome, TRACE_STOPPED);
    cr_expect_eq(record[1].addr, PSCI_CPU_OFF);
    cr_expect_eq(record[1].arg, x1);
    cr_expect_eq(record[2].outcome, TRACE_STOPPED);
    cr_expect_eq(record[2].vcpu, 1 - first, "the other one");
}

CASE(trace, classes_without_a_name_of_their_own)
{
    push(ESR(0x07), 0, 0); /* FP: undefined */
    const struct trace_record *record = run();
    expect(&record[0], TRACE_SYNC, TRACE_INJECTED, 0, 0, 0);
}

CASE(trace, none_unless_the_hal_wants_them)
{
    fakehal()->traced = false;
    push_call(HVC, PSCI_VERS);
    push_call(HVC, PSCI_OFF);
    exit_run(&f.hv->pcpu[0]);
    cr_expect_eq(fakehal()->trace_len, 0);
    cr_expect_eq(fakehal()->runs, 2);
}

static void trace_unasked(void *ctx)
{
    const struct trace_record record = {.pcpu = (uint16_t) * (unsigned *)ctx};

    hal_trace(&record);
}

CASE(trace, the_hal_checks_who_traces)
{
    unsigned cpu = 0;

    fakehal()->traced = false;
    cr_expect(fakehal_expect_fail(trace_unasked, &cpu));
    fakehal()->traced = true;
    cr_expect_not(fakehal_expect_fail(trace_unasked, &cpu));
    cpu = 1;
    cr_expect(fakehal_expect_fail(trace_unasked, &cpu));
}

/* Two runs of one script, one of them traced, leave the same guest behind. */
CASE(trace, changes_nothing)
{
    struct arch_vcpu seen[2];

    for (int traced = 0; traced < 2; traced++) {
        finish();
        setup();
        fakehal()->traced = traced != 0;
        fakehal()->tick = 0;
        push(SYSTEM | PMCR | READ, 0, 0);
        push_irq(ARCH_EXIT_IRQ);
        push(DATA | ISV | SAS(2) | SRT(4) | 7, VA(0x18), HPFAR(DEV_BASE));
        push_call(HVC, PSCI_OFF);
        exit_run(&f.hv->pcpu[0]);
        seen[traced] = f.vcpu->arch;
    }
    cr_expect_arr_eq(seen[0].x, seen[1].x, sizeof(seen[0].x));
    cr_expect_arr_eq(seen[0].sys, seen[1].sys, sizeof(seen[0].sys));
    cr_expect_eq(seen[0].pc, seen[1].pc);
    cr_expect_eq(seen[0].pstate, seen[1].pstate);
}

CASES_RUN(trace, setup, finish)
