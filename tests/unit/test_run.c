/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* exit_run() end to end: what a guest does is a script of exits. */
#include "exit/exit.h"
#include "vm_fixture.h"

static struct fixture f;

#define ESR(ec) (UINT64_C(ec) << 26 | 1u << 25)
#define WFI     ESR(0x01)
#define HVC     ESR(0x16)

static void setup(void)
{
    fixture_hv(&f, MIB(8), 1);
    fixture_create(&f, 1);
    vm_start(f.vm, ipa(GUEST_ENTRY), 0);
}

static void finish(void)
{
    fixture_end(&f);
}

static void set_x0(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    (void)exit;
    vcpu->x[0] = (uintptr_t)ctx;
}

/* HVC with x0 = fid, and what to look at afterwards. */
static void push_hvc(uint64_t fid, fakehal_run_fn *after)
{
    fakehal_push_exit((struct arch_exit){.esr = HVC}, set_x0, after, (void *)(uintptr_t)fid);
}

static void push_off(void)
{
    push_hvc(0x84000008, NULL);
}

static void run(void)
{
    exit_run(&f.hv->pcpu[0]);
    cr_assert_eq(fakehal_script_left(), 0);
    cr_assert(f.hv->managing, "the end of the VM is the manager's work");
    cr_assert(vm_is_over(f.vm));
    cr_assert_null(f.hv->pcpu[0].loaded);
    cr_assert_null(fakehal()->cpu[0].loaded);
}

static void saw_version(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    (void)ctx;
    (void)exit;
    cr_assert_eq(vcpu->x[0], 0x10001);
    fakehal_note(1, 0);
}

CASE(run, until_power_off)
{
    push_hvc(0x84000000, saw_version);
    push_hvc(0x84000000, saw_version);
    push_off();
    run();
    cr_assert_eq(fakehal()->count[FAKEHAL_NOTE], 2);
    cr_assert_eq(fakehal()->count[FAKEHAL_VCPU_RUN], 3);
    cr_assert_eq(fakehal()->count[FAKEHAL_VCPU_LOAD], 1);
    cr_assert_eq(fakehal()->count[FAKEHAL_VCPU_PUT], 1);
    cr_assert_eq(f.vm->state, VM_OFF);
}

CASE(run, a_vm_that_ended_before_it_ran)
{
    vm_end(f.vm, VM_CRASHED, "before it ran");
    run();
    cr_assert_eq(fakehal()->runs, 0);
}

static void pend_vtimer(void *ctx)
{
    (void)ctx;
    hal_vcpu_sysreg_set(&f.vcpu->arch, ARCH_CNTV_CTL_EL0, 5); /* ENABLE, ISTATUS */
    fakehal_irq_pend(0, 27);
}

static void saw_ppi27(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    (void)ctx;
    (void)exit;
    cr_assert(f.vm->vgic.cpu[0].private_irq[27].latched);
    fakehal_note(1, 0);
    vcpu->x[0] = 0x84000008;
}

/* The guest sleeps; its virtual timer's interrupt comes while the pCPU idles. */
CASE(run, wfi_idles_until_the_virtual_timer)
{
    fakehal()->idle = pend_vtimer;
    fakehal_push_sync(WFI, 0, 0);
    fakehal_push_exit((struct arch_exit){.esr = HVC}, saw_ppi27, NULL, NULL);
    run();
    cr_assert_eq(fakehal()->cpu[0].idles, 1);
    cr_assert_eq(fakehal()->count[FAKEHAL_VCPU_LOAD], 1, "it stays loaded meanwhile");
    cr_assert_eq(fakehal()->count[FAKEHAL_NOTE], 1);
    cr_assert(!fakehal()->cpu[0].active[27], "the next VM gets its timer interrupts");
}

static void start_ptimer(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    (void)ctx;
    (void)exit;
    vcpu->x[1] = 5000;
}

static void open_gic(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    struct mmio_access writes[] = {
        {.offset = 0x0000, .value = 2, .size = 4, .write = true},           /* GICD_CTLR */
        {.offset = 0x10080, .value = UINT32_MAX, .size = 4, .write = true}, /* GICR_IGROUPR0 */
        {.offset = 0x10100, .value = 1u << 30, .size = 4, .write = true},   /* GICR_ISENABLER0 */
    };

    (void)ctx;
    (void)exit;
    cr_assert(vgic_dist_access(&f.vm->vgic, &writes[0]));
    cr_assert(vgic_redist_access(&f.vm->vgic, &writes[1]));
    cr_assert(vgic_redist_access(&f.vm->vgic, &writes[2]));
    fakehal_gic_enable(vcpu, false, 0xff);
}

static void takes_ppi30(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    (void)exit;
    cr_assert_eq(fakehal_gic_ack(vcpu), 30);
    cr_assert_eq(fakehal()->now, 5000);
    vcpu->x[0] = (uintptr_t)ctx;
}

/* MSR CNTP_CVAL_EL0, X1 = 5000; MSR CNTP_CTL_EL0, X2 = 1; WFI; then the interrupt is there. */
CASE(run, physical_timer_wakes_from_wfi)
{
    const uint64_t msr = ESR(0x18) | 3u << 20 | 3u << 14 | 14u << 10 | 2u << 1;

    f.vcpu->arch.x[2] = 1;
    fakehal_push_exit((struct arch_exit){.esr = msr | 2u << 17 | 1u << 5}, start_ptimer, NULL,
                      NULL);
    fakehal_push_exit((struct arch_exit){.esr = msr | 1u << 17 | 2u << 5}, open_gic, NULL, NULL);
    fakehal_push_sync(WFI, 0, 0);
    fakehal_push_exit((struct arch_exit){.esr = HVC}, takes_ppi30, NULL,
                      (void *)(uintptr_t)0x84000008);
    run();
    cr_assert_eq(fakehal()->cpu[0].idles, 1);
}

static void goes_on(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    (void)ctx;
    (void)exit;
    cr_assert_eq(vcpu->pc, GUEST_ENTRY + 4);
    fakehal_note(3, 0);
}

CASE(run, interrupts_do_not_disturb_it)
{
    fakehal_irq_pend(0, 0);
    fakehal_irq_pend(0, 25);
    fakehal_push_irq(); /* one exit for each */
    fakehal_push_irq();
    fakehal_push_exit((struct arch_exit){.esr = ESR(0x01) | 1}, NULL, goes_on, NULL); /* WFE */
    push_off();
    run();
    cr_assert_eq(fakehal()->count[FAKEHAL_IRQ_ACK], 2);
    cr_assert_eq(fakehal()->count[FAKEHAL_NOTE], 1);
}

static unsigned loops;

/* Fetches from its vector, which nothing is behind; each hundredth time an interrupt comes first.
 */
static void faults_for_ever(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    (void)ctx;
    if (++loops % 100 == 0) {
        fakehal_irq_pend(0, 33);
        *exit = (struct arch_exit){.kind = ARCH_EXIT_IRQ};
    } else {
        *exit = (struct arch_exit){.esr = ESR(0x20) | 7, .far = vcpu->pc, .hpfar = 0x50};
    }
}

CASE(run, fault_loop_is_stopped_and_interrupts_are_served)
{
    loops = 0;
    f.hv->platform.uart.size = 0; /* 33 is nobody's, and is disabled, once */
    fakehal_set_run(faults_for_ever, NULL);
    run();
    cr_assert_eq(f.vm->state, VM_CRASHED);
    cr_assert(fakehal_console_has("for ever"));
    cr_assert(fakehal_console_has("interrupt 33"));
    cr_assert_gt(loops, 1024);
    cr_assert_lt(loops, 1100);
}

static void other_vcpu(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    static const uint64_t script[2] = {0xc4000003, 0x84000002}; /* CPU_ON; CPU_OFF */

    (void)ctx;
    *exit = (struct arch_exit){.esr = HVC};
    if (vcpu == &f.vm->vcpu[0].arch) {
        vcpu->x[0] = script[f.vm->nr_on > 1 || loops > 0];
        vcpu->x[1] = 1;
        vcpu->x[2] = GUEST_RAM;
        loops++;
    } else if (f.vm->vcpu[0].power == VCPU_POWER_ON) {
        exit->esr = ESR(0x01) | 1; /* WFE: let it go on */
    } else {
        vcpu->x[0] = 0x84000008;
        fakehal_note(4, 0);
    }
}

/* vCPU 0 powers vCPU 1 on and itself off; vCPU 1 powers the machine off. */
CASE(run, two_vcpus_on_one_cpu)
{
    fixture_destroy(&f, f.vm);
    cr_assert(f.hv->work);
    f.hv->work = false;
    fixture_create(&f, 2);
    loops = 0;
    fakehal_set_run(other_vcpu, NULL);
    vm_start(f.vm, ipa(GUEST_ENTRY), 0);
    run();
    cr_assert_eq(fakehal()->count[FAKEHAL_NOTE], 1);
    cr_assert_eq(f.vm->vcpu[0].power, VCPU_POWER_OFF);
    cr_assert(fakehal_console_has("powered off by PSCI SYSTEM_OFF"));
}

static void kick_comes(void *ctx)
{
    (void)ctx;
    fakehal()->self = 1;
    vm_end(f.vm, VM_CRASHED, "by another pCPU");
    fakehal()->self = 0;
}

/* Another pCPU ends the last VM while this one idles. */
CASE(run, ended_from_elsewhere)
{
    fakehal()->idle = kick_comes;
    fakehal_push_sync(WFI, 0, 0);
    run();
    cr_assert_eq(f.vm->state, VM_CRASHED);
}

/* --- The loop with records of its exits, and the one without --- */

static void begin_loop(int traced)
{
    finish();
    setup();
    fakehal()->traced = traced != 0;
}

struct loop_irq {
    uint32_t intid;
    uint32_t kind;
    uint64_t ctl; /* the guest's CNTV_CTL_EL0 at this exit */
};

static void pend_irq(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    const struct loop_irq *irq = ctx;

    exit->kind = irq->kind;
    hal_vcpu_sysreg_set(vcpu, ARCH_CNTV_CTL_EL0, irq->ctl);
    if (irq->intid == HAL_INTID_NONE)
        return;
    fakehal()->cpu[0].active[irq->intid] = false; /* as a guest that has deactivated it */
    fakehal()->cpu[0].enabled[irq->intid] = true;
    fakehal_irq_pend(0, irq->intid);
}

static void note_vtimer(void *ctx, struct arch_vcpu *vcpu, struct arch_exit *exit)
{
    (void)vcpu;
    (void)exit;
    fakehal_note(((const struct loop_irq *)ctx)->intid, f.vcpu->vtimer_raised);
}

/* What the log of fakehal has of `kind` for `addr`: the `len` of the last one. */
static uint64_t last_len(enum fakehal_kind kind, uint64_t addr)
{
    for (uint64_t n = fakehal()->log_len; n > 0; n--)
        if (fakehal_log(n - 1)->kind == kind && fakehal_log(n - 1)->addr == addr)
            return fakehal_log(n - 1)->len;
    cr_assert_fail("no record %d of %" PRIu64, (int)kind, addr);
    return 0;
}

/* The timer's line is high from the first of these on, and low again from the next to the last. */
CASE(run, interrupts_in_both_loops)
{
    static struct loop_irq irqs[] = {
        {27, ARCH_EXIT_IRQ, 5}, {26, ARCH_EXIT_IRQ, 5}, {25, ARCH_EXIT_IRQ, 5},
        {77, ARCH_EXIT_IRQ, 5}, {33, ARCH_EXIT_IRQ, 5}, {HAL_INTID_NONE, ARCH_EXIT_IRQ, 1},
        {0, ARCH_EXIT_FIQ, 1},  {34, ARCH_EXIT_IRQ, 1},
    };

    for (int traced = 0; traced < 2; traced++) {
        begin_loop(traced);
        f.hv->platform.uart.size = 0; /* its number means nothing then */
        for (size_t i = 0; i < 8; i++)
            fakehal_push_exit((struct arch_exit){0}, pend_irq, note_vtimer, &irqs[i]);
        push_off();
        run();
        for (size_t i = 0; i < 8; i++) {
            uint32_t intid = irqs[i].intid;
            cr_assert_eq(last_len(FAKEHAL_NOTE, intid), i < 6, "the line after %u", intid);
            if (intid != HAL_INTID_NONE)
                cr_assert_eq(last_len(FAKEHAL_IRQ_END, intid), intid != 27);
        }
        cr_assert(fakehal_console_has("interrupt 77 is nobody's: disabled\r\n"));
        cr_assert(fakehal_console_has("interrupt 33 is nobody's: disabled\r\n"));
        cr_assert(fakehal_console_has("interrupt 34 is nobody's: disabled\r\n"));
        cr_assert_not(fakehal_console_has("interrupt 2"));
        cr_assert_not(fakehal_console_has("interrupt 0"));
        cr_assert_eq(fakehal()->trace_len, traced ? 9 : 0);
    }
}

/* Reprogrammed, and the next exit is none of an interrupt. */
CASE(run, the_timers_line_in_both_loops)
{
    static struct loop_irq irq = {27, ARCH_EXIT_IRQ, 5};

    for (int traced = 0; traced < 2; traced++) {
        begin_loop(traced);
        fakehal_push_exit((struct arch_exit){0}, pend_irq, note_vtimer, &irq);
        push_hvc(0x84000000, NULL);
        fakehal_push_exit((struct arch_exit){.esr = HVC}, pend_irq, note_vtimer,
                          &(struct loop_irq){HAL_INTID_NONE, ARCH_EXIT_SYNC, 1});
        push_off();
        run();
        cr_assert_eq(last_len(FAKEHAL_NOTE, 27), 1);
        cr_assert_eq(last_len(FAKEHAL_NOTE, HAL_INTID_NONE), 0);
    }
}

CASE(run, a_broken_machine_in_both_loops)
{
    for (int traced = 0; traced < 2; traced++) {
        begin_loop(traced);
        fakehal_push_exit((struct arch_exit){.kind = ARCH_EXIT_SERROR, .esr = ESR(0x2f)}, NULL,
                          NULL, NULL);
        run();
        cr_assert_eq(f.vm->state, VM_CRASHED);
        cr_assert(fakehal_console_has("SError of the machine: "));
        begin_loop(traced);
        fakehal_push_exit((struct arch_exit){.kind = 77}, NULL, NULL, NULL);
        run();
        cr_assert_eq(f.vm->state, VM_CRASHED);
        cr_assert(fakehal_console_has("exit of kind 77"));
    }
}

CASES_RUN(run, setup, finish)
